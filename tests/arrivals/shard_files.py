"""Parquet, Arrow and tar files with tiny images inside, as Hugging Face `datasets` and WebDataset write them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.arrivals.sending import image_bytes

CLASSES = ("rose", "tulip")
Made = tuple[bytes | None, str | None, int]  # bytes, path and label of an image


def picture(number: int, kind: str = "JPEG") -> bytes:
    """Return an image that differs from those of other numbers."""
    return image_bytes(f"#{number % 256:02x}{(number * 7) % 256:02x}30", kind)


def make_table(rows: Sequence[Made], classes: Sequence[str] | None = CLASSES, **columns: Any) -> pa.Table:
    """Return a table of images and labels, with what `datasets` says of its columns where classes have names."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    images = pa.array([{"bytes": data, "path": path} for data, path, _ in rows], kind)
    labels = pa.array([label for _, _, label in rows], pa.int64())
    table = pa.table({"image": images, "label": labels, **columns})
    if classes is None:
        return table
    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(classes), "_type": "ClassLabel"},
    }
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(path: Path, table: pa.Table, *, row_group: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group)
    return path


def write_arrow(path: Path, table: pa.Table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def make_rows(count: int, first: int = 0, label: int | None = None) -> list[Made]:
    """Return rows of two classes in turn, or of one, with names of their own."""
    return [
        (picture(number), f"photo_{number}.jpg", number % 2 if label is None else label)
        for number in range(first, first + count)
    ]


def make_flowers(folder: Path) -> Path:
    """Write a data set of two classes: 12 training images in two shards, 4 for validation, 2 unlabelled to test."""
    write_parquet(folder / "train-00000-of-00002.parquet", make_table(make_rows(6)))
    write_parquet(folder / "train-00001-of-00002.parquet", make_table(make_rows(6, 6)))
    write_parquet(folder / "validation-00000-of-00001.parquet", make_table(make_rows(4, 12)))
    write_parquet(folder / "test-00000-of-00001.parquet", make_table(make_rows(2, 16, label=-1)))
    return folder


def write_tar(path: Path, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Path:
    """Write an archive of files and links, under names as they are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for name, aim in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, aim
            archive.addfile(member)
    return path


def make_samples(count: int, first: int = 0) -> dict[str, bytes]:
    """Return the files of samples of two classes in turn."""
    files: dict[str, bytes] = {}
    for number in range(first, first + count):
        files[f"sample{number:03d}.jpg"] = picture(number)
        files[f"sample{number:03d}.cls"] = str(number % 2).encode()
    return files
