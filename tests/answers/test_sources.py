"""Which files are asked about, in which order, and what a table calls them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.answers.sources import find_images, name_images
from core.errors import RunError
from tests.dataset.pictures import locked_folder


def test_images_of_a_folder_come_sorted_as_people_count(tmp_path: Path) -> None:
    for name in ("10.png", "2.png", "1.png", "sub/3.png", ".hidden.png", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert found == ["1.png", "2.png", "10.png", "sub/3.png"]


def test_files_and_folders_keep_the_order_they_were_named_in(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = find_images([tmp_path / "b", tmp_path / "a.png"])
    assert [path.name for path in found] == ["1.png", "2.png", "a.png"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"gone\.png: there is no such file or folder"):
        find_images([tmp_path / "gone.png"])


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="empty has no files"):
        find_images([tmp_path / "empty"])


def test_what_systems_leave_is_not_predicted(tmp_path: Path) -> None:
    for name in (
        "1.png",
        ".ipynb_checkpoints/1.png",
        "@eaDir/1.png/thumb.jpg",
        "__MACOSX/._1.png",
        "sub/__MACOSX/a.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert find_images([tmp_path]) == [tmp_path / "1.png"]
    assert find_images([tmp_path / "@eaDir/1.png/thumb.jpg"]) == [tmp_path / "@eaDir/1.png/thumb.jpg"]


def test_a_name_that_is_not_utf_8_is_refused_before_the_work(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (tmp_path / name).write_bytes(b"x")
    for asked in (tmp_path, tmp_path / name):
        with pytest.raises(RunError, match=r"caf\\xe9\.png has a name that is not UTF-8 and must be renamed"):
            find_images([asked])


def test_a_folder_that_cannot_be_looked_into_is_refused() -> None:
    with (
        locked_folder("deep/down") as root,
        pytest.raises(RunError, match=r"deep/down cannot be opened \(Perm"),
    ):
        find_images([root])


def test_images_of_one_name_are_told_apart_by_their_folders() -> None:
    paths = [
        Path(name)
        for name in ("test/1.png", "test/a/2.png", "test/b/2.png", "test/b/c/3.png", "test/a/c/3.png")
    ]
    assert name_images(paths) == ["1.png", "a/2.png", "b/2.png", "b/c/3.png", "a/c/3.png"]
    assert name_images([paths[0], paths[0]]) == ["1.png", "1.png"]
    assert name_images([]) == []
