"""The fingerprint of a data set, which counts what its images contain, and what is kept of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.dataset.contents import FOLDER, Content, read_contents, read_fingerprint
from core.dataset.folders import scan_folders
from core.errors import DataError
from tests.dataset.pictures import make_folders, save_plain


def fingerprint(data: Path, runs_root: Path, **split: float) -> str:
    found = read_fingerprint(scan_folders(data, **split), runs_root)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_fingerprint_of_a_copy_is_the_same(tiny_data: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_data, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy", tmp_path) == fingerprint(tiny_data, tmp_path)


def overwrite(path: Path) -> None:
    """Change a file in place, to another of the same size and time."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file more": lambda root: save_plain(root / "train" / "2" / "7.png"),
    "a file less": lambda root: (root / "val" / "10" / "1.png").unlink(),
    "another file": lambda root: save_plain(root / "train" / "2" / "1.png", size=50),
    "a file changed in place": lambda root: overwrite(root / "train" / "2" / "1.png"),
    "another name": lambda root: (root / "val" / "10" / "1.png").rename(root / "val" / "10" / "9.png"),
    "another class": lambda root: (root / "val" / "10" / "1.png").rename(root / "val" / "2" / "9.png"),
    "another split": lambda root: (root / "val" / "10" / "1.png").rename(root / "train" / "10" / "9.png"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with_the_data(tiny_data: Path, tmp_path: Path, change: str) -> None:
    before = fingerprint(tiny_data, tmp_path)
    CHANGES[change](tiny_data)
    assert fingerprint(tiny_data, tmp_path) != before


def test_the_fingerprint_changes_with_the_split(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 20, "b": 20})
    assert fingerprint(tmp_path, tmp_path / "runs", val_fraction=0.1) != fingerprint(
        tmp_path, tmp_path / "runs"
    )


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """Return a folder of 200 files that count as old, and their paths."""
    monkeypatch.setattr("core.dataset.contents._YOUNG", 0)
    paths = [f"{number}.png" for number in range(200)]
    for path in paths:
        (tmp_path / path).write_bytes(path.encode())
    return tmp_path, paths


def read(
    old: tuple[Path, list[str]], *, until: int = 1000
) -> tuple[dict[str, Content] | None, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return done < until

    return read_contents(*old, old[0] / "runs", progress), told


def test_a_file_is_read_once_for_as_long_as_it_keeps_its_size_and_times(old: tuple[Path, list[str]]) -> None:
    first, told = read(old)
    assert first is not None
    assert (told[0], told[-1]) == ((64, 200), (200, 200))
    assert first["7.png"] == Content(5, hashlib.blake2b(b"7.png", digest_size=8).digest()[::-1].hex())
    assert read(old) == (first, [])
    overwrite(old[0] / "7.png")
    second, told = read(old)
    assert second is not None
    assert told == [(200, 200)]
    assert {path for path in first if first[path] != second[path]} == {"7.png"}


def test_what_is_kept_of_other_files_of_the_folder_stays_for_as_long_as_they_are_there(
    old: tuple[Path, list[str]],
) -> None:
    root, paths = old
    read(old)
    (root / "199.png").unlink()
    assert read((root, paths[:10])) == read((root, paths[:10]))
    overwrite(root / "0.png")
    read((root, paths[:10]))
    assert read((root, paths[:199]))[1] == []


def test_a_stop_keeps_what_was_read(old: tuple[Path, list[str]]) -> None:
    assert read(old, until=64) == (None, [(64, 200)])
    assert read(old)[1][0][0] > 64


def test_a_file_that_was_written_just_now_is_read_again(tiny_data: Path, tmp_path: Path) -> None:
    told: list[int] = []
    for _ in range(2):
        read_contents(tiny_data, ["train/2/1.png"], tmp_path, lambda done, _: not told.append(done))
    assert told == [1, 1]


def test_a_damaged_memory_is_made_anew(old: tuple[Path, list[str]]) -> None:
    first, _ = read(old)
    (kept,) = (old[0] / "runs" / FOLDER).iterdir()
    kept.write_bytes(kept.read_bytes()[:50])
    again, told = read(old)
    assert (again, told[-1]) == (first, (200, 200))


def test_a_file_that_is_gone_is_named(tiny_data: Path, tmp_path: Path) -> None:
    folders = scan_folders(tiny_data)
    (tiny_data / "train/2/1.png").unlink()
    with pytest.raises(
        DataError, match=r"train/2/1\.png cannot be opened \(No such file or directory\)\. Put it back"
    ):
        read_fingerprint(folders, tmp_path)
