"""Data folders of tiny pictures for the tests of this room."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

RED = (200, 40, 40)


def save_plain(path: Path, colour: tuple[int, int, int] = RED, size: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), colour).save(path)


def make_folders(root: Path, counts: dict[str, int], under: str = "train") -> Path:
    for name, count in counts.items():
        (root / under / name).mkdir(parents=True)
        for number in range(count):
            save_plain(root / under / name / f"{number}.png")
    return root


@contextlib.contextmanager
def locked_folder(place: str) -> Iterator[Path]:
    """Yield a folder that holds another, at `place`, which this process may not look into while this lasts."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / place).mkdir(parents=True)
        root.chmod(0o777)
        for folder in (root / place).relative_to(root).parents:
            (root / folder).chmod(0o777)
        (root / place).chmod(0)
        is_root = os.geteuid() == 0
        if is_root:  # whom no rights hold back
            os.seteuid(65534)
        try:
            yield root
        finally:
            if is_root:
                os.seteuid(0)
            (root / place).chmod(0o777)
