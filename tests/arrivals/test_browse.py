"""Folders to choose one from: what lies in each, never outside the roots, and fast however many there are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.arrivals import browse
from core.arrivals.browse import Contents, find_roots, list_folder
from core.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a data set of two classes, ten images, and folders of no one's."""
    root = (tmp_path / "photos").resolve()
    for name in (
        "set/train/2",
        "set/train/10",
        "set/val/2",
        "holidays/2024",
        ".thumbs",
        "class 10",
        "class 2",
    ):
        (root / name).mkdir(parents=True)
    for number in range(10):
        (root / "holidays" / f"{number}.JPG").touch()
    (root / "notes.txt").touch()
    (tmp_path / "secret").mkdir()
    return root


def test_subfolders_come_as_people_count_with_what_lies_in_them(root: Path) -> None:
    found = list_folder(root, [root])
    told = {folder.name: folder.contents.describe() for folder in found.folders if folder.contents}
    assert list(told) == ["class 2", "class 10", "holidays", "set"]
    assert told["set"] == "data set, 2 classes"
    assert told["holidays"] == "1 folder and 10 images"
    assert told["class 2"] == "no folders or images"
    assert found.contents == Contents(4, 0, 0, more=False)


def test_of_the_folder_itself_the_classes_are_told_too(root: Path) -> None:
    assert list_folder(root / "set", [root]).contents.describe() == "data set, 2 classes"


def test_the_trail_leads_from_the_outermost_root_to_the_folder(root: Path) -> None:
    found = list_folder(root / "set" / "train", [root / "set", root])
    assert found.trail == (root, root / "set", root / "set" / "train")


@pytest.mark.parametrize("way", ["..", "set/../..", "../secret", "/"])
def test_no_way_leads_out_of_the_roots(root: Path, way: str) -> None:
    with pytest.raises(DataError, match=r"outside the folders that can be browsed. Type its path instead"):
        list_folder(root / way, [root])


def test_a_link_is_followed_inside_and_not_listed_where_it_leads_outside(root: Path) -> None:
    (root / "again").symlink_to(root / "set")
    (root / "out").symlink_to(root.parent / "secret")
    (root / "circle").symlink_to(root / "circle")
    (root / "nowhere").symlink_to(root / "gone")
    found = list_folder(root, [root])
    assert {folder.name: folder.path for folder in found.folders}["again"] == root / "set"
    assert "out" not in [folder.name for folder in found.folders]
    assert found.outside == 1
    with pytest.raises(DataError, match="outside"):
        list_folder(root / "out", [root])


def test_a_folder_of_very_many_entries_is_read_in_part_and_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "LOOKED_AT", 1000)
    many = root / "many"
    many.mkdir()
    for number in range(1100):
        (many / f"{number}.png").touch()
    assert list_folder(many, [root]).contents.describe() == "more than 1,000 images"


def test_of_many_subfolders_some_are_shown_and_all_can_be_found(root: Path) -> None:
    for number in range(100):
        (root / "set" / f"part {number}").mkdir()
    found = list_folder(root / "set", [root])
    assert (len(found.folders), found.hidden) == (browse.SHOWN, 102 - browse.SHOWN)
    assert [folder.name for folder in list_folder(root / "set", [root], "PART 99").folders] == ["part 99"]


def test_contents_that_would_take_too_long_are_left_out(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "PATIENCE", -1.0)
    assert [folder.contents for folder in list_folder(root, [root]).folders] == [None] * 4


def test_a_folder_that_is_gone_is_told(root: Path) -> None:
    with pytest.raises(DataError, match=r"gone cannot be opened \(No such file"):
        list_folder(root / "gone", [root])


def test_roots_are_real_folders_each_once(root: Path) -> None:
    (root / "link").symlink_to(root / "set")
    asked = ["", root / "set", root / "link", root / "gone", f"{root}{os.sep}.", root / "notes.txt"]
    assert find_roots(asked) == (root / "set", root)
