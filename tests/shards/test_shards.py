"""Shards are found fast where they lie in place of images, each with the split that its name or folder says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.shards.shards import find_shards, split_of


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train-00000-of-00004.parquet", "train"), ("validation-00000-of-00001.parquet", "val"), ("data/test.parquet", "test"),
        ("dev/0001.tar", "val"), ("val/train-0.tar", "train"), ("imagefolder-test.arrow", "test"), ("TEST_1.parquet", "test"),
        ("0000.parquet", "train"), ("latest.parquet", "train"), ("valves/1.tar", "train"), ("validation1.parquet", "val"),
    ],
)  # fmt: skip
def test_a_name_says_its_split(path: str, split: str) -> None:
    assert split_of(path) == split


def touch(root: Path, *names: str, size: int = 10) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * size)


def test_shards_are_found_in_folders_too_as_people_count(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "data/train-10.parquet",
        "data/train-9.parquet",
        "data/val/x.PARQUET",
        "data/.hidden.parquet",
        "a.txt",
    )
    found = find_shards(tmp_path)
    assert found is not None
    assert [one.path for one in found.files] == [
        "data/train-9.parquet",
        "data/train-10.parquet",
        "data/val/x.PARQUET",
    ]
    assert found.describe() == "3 Parquet files (< 1 MB)"


def test_of_two_kinds_the_larger_is_meant(tmp_path: Path) -> None:
    touch(tmp_path, "index.parquet")
    touch(tmp_path, "0.tar", "1.tar", size=20)
    found = find_shards(tmp_path)
    assert found is not None
    assert found.describe() == "2 tar archives (< 1 MB)"


def test_a_folder_of_images_has_none_and_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/seed.jpg").write_bytes(b"")
    for number in range(3000):
        os.link(tmp_path / "a/seed.jpg", tmp_path / f"a/{number}.jpg")
    assert find_shards(tmp_path) is None
    assert find_shards(tmp_path / "gone") is None
