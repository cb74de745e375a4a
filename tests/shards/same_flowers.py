"""The same tiny data set as shards of each kind and as a folder: 12 training images, 4 for validation, 2 unlabelled to test."""

from __future__ import annotations

from pathlib import Path

from tests.arrivals.shard_files import (
    CLASSES,
    make_flowers,
    make_rows,
    make_table,
    picture,
    write_arrow,
    write_tar,
)

KINDS = ("tar", "arrow", "parquet")
_PARTS = {"train-00000-of-00002": (0, 6), "train-00001-of-00002": (6, 6), "validation": (12, 4)}


def make_folder(folder: Path) -> Path:
    for split, numbers in (("train", range(12)), ("val", range(12, 16))):
        for number in numbers:
            path = folder / split / CLASSES[number % 2] / f"photo_{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(number))
    for number in (16, 17):
        path = folder / "test" / f"photo_{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    return folder


def make_shards(folder: Path, kind: str) -> Path:
    if kind == "parquet":
        return make_flowers(folder)
    for stem, (first, count) in _PARTS.items():
        if kind == "arrow":
            write_arrow(folder / f"{stem}.arrow", make_table(make_rows(count, first)))
        else:
            write_tar(folder / f"{stem}.tar", _samples(first, count, labelled=True))
    if kind == "arrow":
        write_arrow(folder / "test.arrow", make_table(make_rows(2, 16, label=-1)))
    else:
        write_tar(folder / "test.tar", _samples(16, 2, labelled=False))
    return folder


def _samples(first: int, count: int, *, labelled: bool) -> dict[str, bytes]:
    """Return the files of samples, whose class is the folder that they lie in."""
    return {
        f"{CLASSES[number % 2] if labelled else '.'}/photo_{number}.jpg": picture(number)
        for number in range(first, first + count)
    }
