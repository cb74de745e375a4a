"""How fast images are read where they lie in shards, beside the same images in a folder: python -m benchmarks.shards.

It makes photos of noise, 15 kB each, as a folder, as tar archives, as Arrow files as `datasets` saves them, and as Parquet files with 100
and with 1,000 images in a row group. Each is listed and then read in the same random order, in turns, by one process, which also
decodes the images. Writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.engine import describe_machine
from benchmarks.sections import write_section
from core.dataset.folders import ImageFolders, scan_folders
from core.dataset.images import read_image
from core.shards.members import open_image

CLASSES = 20
IN_A_SHARD = 2_000
KIND = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
Photo = tuple[int, bytes]


def main() -> None:
    """Make the images, measure each way and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shards", description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--read", type=int, default=2_000, help="images read in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(measure_memory(Path(options.memory)))
        return
    with tempfile.TemporaryDirectory() as place:
        os.environ["WEAKSPOT_RUNS"] = f"{place}/runs"
        ways = {name: make(Path(place, name), options.images) for name, make in WAYS.items()}
        lines = list(compare(ways, options.read, options.rounds))
    text = "\n".join(
        [
            "## Reading images where they lie in shards",
            "",
            f"Written by `python -m benchmarks.shards` {describe_machine()}. {options.images:,} photos of 15 kB, 224 × 224 pixels, in "
            f"memory of the disk; {options.read:,} of them in random order, read by one process; medians of {options.rounds} rounds, in "
            "turns. The memory is that of a process which has listed all images and read them once, above one that has begun.",
            "",
            "| images in | listed first | listed again | bytes read, images/s | read and decoded, images/s | memory |",
            "|---|---|---|---|---|---|",
            *lines,
            "",
        ]
    )
    write_section("shards", text)
    print(text)


def compare(ways: dict[str, Path], count: int, rounds: int) -> Iterator[str]:
    """Yield a row of the table for each way."""
    listed = {name: [time_listing(root)[0] for _ in range(2)] for name, root in ways.items()}
    folders = {name: time_listing(root)[1] for name, root in ways.items()}
    speeds: dict[tuple[str, bool], list[float]] = {}
    for number in range(rounds):
        for name, found in folders.items():
            for decode in (False, True):
                speeds.setdefault((name, decode), []).append(
                    measure_reading(found, count, number, decode=decode)
                )
    for name, root in ways.items():
        told = [sys.executable, "-m", "benchmarks.shards", "--memory", str(root)]
        memory = subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip()
        first, again = listed[name]
        bare, decoded = (statistics.median(speeds[name, decode]) for decode in (False, True))
        yield f"| {name} | {first:.1f} s | {again:.1f} s | {bare:,.0f} | {decoded:,.0f} | {memory} MB |"


def time_listing(root: Path) -> tuple[float, ImageFolders]:
    """Return the seconds that listing a data set takes, and the data set."""
    begun = time.perf_counter()
    found = scan_folders(root)
    return time.perf_counter() - begun, found


def measure_reading(folders: ImageFolders, count: int, seed: int, *, decode: bool) -> float:
    """Return how many images a second are read in random order."""
    paths = random.Random(seed).sample(folders.files, count)
    begun = time.perf_counter()
    for path in paths:
        if decode:
            read_image(folders.root / path)
        else:
            with open_image(folders.root / path) as file:
                file.read()
    return count / (time.perf_counter() - begun)


def measure_memory(root: Path) -> int:
    """Return by how many MB this process grows when it lists a data set and reads each of its images once."""
    process = psutil.Process()
    before = int(process.memory_full_info().uss)
    measure_reading(folders := scan_folders(root), len(folders.files), 0, decode=False)
    return round((int(process.memory_full_info().uss) - before) / 1e6)


def make_photos(count: int) -> Iterator[Photo]:
    """Yield photos with their classes: a picture of noise each, of about 15 kB."""
    rng = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(rng.integers(0, 255, (56, 56, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        small.resize((224, 224), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
        yield number % CLASSES, buffer.getvalue()


def make_folder(root: Path, count: int) -> Path:
    """Write the photos as a folder of classes."""
    for label in range(CLASSES):
        (root / f"train/{label:02d}").mkdir(parents=True)
    for number, (label, data) in enumerate(make_photos(count)):
        (root / f"train/{label:02d}/{number:06d}.jpg").write_bytes(data)
    return root


def make_tars(root: Path, count: int) -> Path:
    """Write the photos as archives of WebDataset's kind."""
    root.mkdir(parents=True)
    for shard, photos in enumerate(_in_shards(count)):
        with tarfile.open(root / f"train-{shard:03d}.tar", "w") as archive:
            for number, (label, data) in enumerate(photos, shard * IN_A_SHARD):
                for ending, content in (("jpg", data), ("cls", f"{label:02d}".encode())):
                    member = tarfile.TarInfo(f"{number:06d}.{ending}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
    return root


def make_arrows(root: Path, count: int) -> Path:
    """Write the photos as Arrow streams, a thousand rows a batch."""
    for shard, table in enumerate(_in_tables(root, count)):
        with pa.ipc.new_stream(root / f"train-{shard:03d}.arrow", table.schema) as writer:
            writer.write_table(table, max_chunksize=1_000)
    return root


def make_parquets(group: int) -> Callable[[Path, int], Path]:
    """Return what writes the photos as Parquet files with so many images in a row group."""

    def make(root: Path, count: int) -> Path:
        for shard, table in enumerate(_in_tables(root, count)):
            pq.write_table(table, root / f"train-{shard:03d}.parquet", row_group_size=group)
        return root

    return make


def _in_shards(count: int) -> Iterator[list[Photo]]:
    photos: list[Photo] = []
    for photo in make_photos(count):
        photos.append(photo)
        if len(photos) == IN_A_SHARD:
            yield photos
            photos = []
    if photos:
        yield photos


def _in_tables(root: Path, count: int) -> Iterator[pa.Table]:
    root.mkdir(parents=True)
    for shard, photos in enumerate(_in_shards(count)):
        images = [
            {"bytes": data, "path": f"{number:06d}.jpg"}
            for number, (_, data) in enumerate(photos, shard * IN_A_SHARD)
        ]
        labels = pa.array([f"{label:02d}" for label, _ in photos])
        yield pa.table({"image": pa.array(images, KIND), "label": labels})


WAYS: dict[str, Callable[[Path, int], Path]] = {
    "folder": make_folder,
    "tar": make_tars,
    "Arrow": make_arrows,
    "Parquet, groups of 100": make_parquets(100),
    "Parquet, groups of 1,000": make_parquets(1_000),
}


if __name__ == "__main__":
    main()
