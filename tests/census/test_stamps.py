"""A tree of folders is known to be small without reading a large one, and known to be as it was by its folders' times."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from core.census import stamps as room
from core.census.stamps import is_small, is_unchanged, stamp_tree


def make_tree(root: Path, folders: int = 3, files: int = 4) -> Path:
    for folder in range(folders):
        place = root / "train" / f"class-{folder}"
        place.mkdir(parents=True)
        for file in range(files):
            (place / f"{file}.jpg").write_bytes(b"x")
    return root


def set_back(root: Path) -> None:
    """Put the times of all folders into the past, so that any change shows however coarse the clock of files is."""
    for place in (root, *root.rglob("*")):
        if place.is_dir():
            os.utime(place, (1, 1))


def test_a_tree_is_small_up_to_so_many_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(tmp_path)
    monkeypatch.setattr(room, "SMALL", 16)  # with its four folders
    assert is_small(tmp_path)
    (tmp_path / "train/class-2/more.jpg").touch()
    assert not is_small(tmp_path)


def test_a_tree_on_a_slow_disk_is_not_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PATIENCE", -1.0)
    assert not is_small(make_tree(tmp_path))


def test_what_cannot_be_opened_is_small(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("gone", "file", "x" * 300):
        assert is_small(tmp_path / place)


@pytest.mark.parametrize("folder", [".", "train", "train/class-1"])
def test_what_comes_or_goes_anywhere_is_seen(tmp_path: Path, folder: str) -> None:
    set_back(make_tree(tmp_path))
    found = stamp_tree(tmp_path)
    assert (len(found.folders), found.entries) == (5, 16)
    assert is_unchanged(tmp_path, found)
    (tmp_path / "train/class-0/0.jpg").write_bytes(b"other contents")
    assert is_unchanged(tmp_path, found)
    (tmp_path / folder / "new").mkdir()
    assert not is_unchanged(tmp_path, found)


def test_a_folder_that_has_gone_is_seen(tmp_path: Path) -> None:
    found = stamp_tree(make_tree(tmp_path))
    shutil.rmtree(tmp_path / "train/class-1")
    assert not is_unchanged(tmp_path, found)


def test_links_that_lead_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    make_tree(tmp_path / "data")
    (tmp_path / "data/train/class-0/up").symlink_to(tmp_path / "data")
    (tmp_path / "data/self").symlink_to(tmp_path / "data/self")
    assert len(stamp_tree(tmp_path / "data").folders) == 5
    assert is_small(tmp_path / "data")


def test_of_very_many_folders_a_count_is_true_for_some_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = stamp_tree(make_tree(tmp_path))
    (tmp_path / "new").mkdir()
    monkeypatch.setattr(room, "_MOST_FOLDERS", 2)
    assert is_unchanged(tmp_path, found)
    monkeypatch.setattr(room, "_TRUE_FOR", -1.0)
    assert not is_unchanged(tmp_path, found)
