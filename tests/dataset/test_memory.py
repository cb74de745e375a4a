"""What an image makes a step allocate: a process that may take no more than that still reads it, or refuses it in words."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from core.model.pictures import LONGEST, encode_image, enlarge
from tests.processes import REPOSITORY

# Takes so many MB more than it has, once all is imported, and does what it is told with a file.
LIMITED = """
import resource, sys
from pathlib import Path
import psutil
from PIL import Image
{imports}

def grow(path):
{body}

for path in map(Path, sys.argv[2:]):
    Image.new("RGB", (64, 64)).save(path.with_suffix(".small.png"))
    grow(path.with_suffix(".small.png"))
limit = psutil.Process().memory_info().vms + int(sys.argv[1]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in map(Path, sys.argv[2:]):
    print(grow(path))
"""
READ = ("from core.dataset.images import read_image", "    return read_image(path).size")
MEASURE = (
    "from core.dataset.images import read_image\nfrom core.dataset.image_facts import describe_image",
    "    return describe_image(read_image(path))[0] >= 0",
)
PREPARE = (
    "import torch\nfrom core.dataset.images import read_image\nfrom core.networks.table import IMAGENET\n"
    "from core.recipe.config import TrainConfig\nfrom core.training.loaders import eval_transforms, train_transforms\n"
    "torch.set_num_threads(1)",
    "    image = read_image(path)\n    both = eval_transforms(224, 256, IMAGENET), train_transforms(TrainConfig(data='x'), IMAGENET)\n"
    "    return [tuple(transform(image).shape) for transform in both]",
)
CHECK = (
    "import os\nfrom core.dataset.images import check_images\nos.cpu_count = lambda: 4",
    "    return check_images(path.parent, [path.name] * 4)",
)


def write_png(path: Path, width: int, height: int, *, depth: int, kind: int, channels: int) -> Path:
    """Write a black PNG of a size, which takes a few kB on the disk."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    packer = zlib.compressobj(1)
    row = bytes(1 + width * channels * depth // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def run_limited(what: tuple[str, str], megabytes: int, *paths: Path) -> str:
    """Return what a process prints that may take so many MB more than it needs for a small image."""
    script = LIMITED.format(imports=what[0], body=what[1])
    done = subprocess.run(
        [sys.executable, "-c", script, str(megabytes), *map(str, paths)],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "MALLOC_ARENA_MAX": "1",
            "OMP_NUM_THREADS": "1",
        },  # threads reserve what they never take
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize(
    ("depth", "kind", "channels", "megabytes"),
    [
        pytest.param(16, 0, 1, 330, id="16 bits of grey: 2, 1 and 4 bytes a pixel"),
        pytest.param(8, 6, 4, 380, id="with transparency: 4 and 4 bytes a pixel"),
        pytest.param(8, 2, 3, 380, id="colours: 4 and 4 bytes a pixel"),
    ],
)
def test_a_large_image_takes_little_more_than_its_pixels(
    tmp_path: Path, depth: int, kind: int, channels: int, megabytes: int
) -> None:
    path = write_png(tmp_path / "large.png", 6000, 6000, depth=depth, kind=kind, channels=channels)
    assert run_limited(READ, megabytes, path) == "(6000, 6000)\n"


def test_of_large_images_one_is_read_at_a_time_however_many_threads_read(tmp_path: Path) -> None:
    path = write_png(tmp_path / "large.png", 5000, 5000, depth=8, kind=2, channels=3)
    assert run_limited(CHECK, 420, path) == "[]\n"


@pytest.mark.parametrize(("what", "told"), [(MEASURE, "True"), (PREPARE, "[(3, 224, 224), (3, 224, 224)]")])
def test_a_strip_is_measured_and_prepared_with_little(
    tmp_path: Path, what: tuple[str, str], told: str
) -> None:
    strips = [
        write_png(tmp_path / f"{number}.png", *size, depth=8, kind=2, channels=3)
        for number, size in enumerate([(1, 60_000), (60_000, 1)])
    ]
    assert run_limited(what, 120, *strips) == f"{told}\n" * 2


@pytest.mark.parametrize("size", [(1, 192), (192, 1), (3, 60_000), (1, 1), (40, 30)])
def test_a_strip_is_not_enlarged_beyond_what_a_page_can_show(size: tuple[int, int]) -> None:
    large = enlarge(Image.new("RGB", size))
    assert max(large.size) <= max(LONGEST, *size)
    if max(size) <= 192 and min(size) > 10:
        assert min(large.size) >= 192
    if max(size) <= LONGEST:
        assert encode_image(large)
