"""What is found in folders of images: everything below them but what systems left there, and why something is not taken."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from core.dataset.images import BadImage, ImageProblem, read_image
from core.dataset.walk import MISNAMED, look_into, walk_through
from core.file_names import natural_key
from tests.dataset.pictures import locked_folder, save_plain


def test_names_are_sorted_as_people_count() -> None:
    names = ["10", "b2", "2", "B10", "a", "1", "b1", "class 100", "class 20"]
    assert sorted(names, key=natural_key) == [
        "1", "2", "10", "a", "b1", "b2", "B10", "class 20", "class 100",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "names", [["2", "02", "002"], ["Rose", "rose"], ["a1", "a", "a01", "A"], ["9" * 5000, "a", "9"]]
)
def test_names_that_count_alike_still_have_one_order(names: list[str]) -> None:
    orders = {tuple(sorted(names[i:] + names[:i], key=natural_key)) for i in range(len(names))}
    assert len(orders) == 1


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_all_files_below_a_folder_are_found_as_people_count(tmp_path: Path) -> None:
    for name in ("train/red/10.png", "train/red/2.png", "train/red/2024/may/1.png", "train/red/2024/x.png"):
        touch(tmp_path / name)
    assert walk_through(tmp_path, "train/red").files == [
        "train/red/2.png", "train/red/10.png", "train/red/2024/may/1.png", "train/red/2024/x.png",
    ]  # fmt: skip
    assert walk_through(tmp_path / "train").files[0] == "red/2.png"


@pytest.mark.parametrize(
    "name",
    [
        ".hidden/1.png", ".ipynb_checkpoints/1.png", "@eaDir/1.png/thumb.jpg", "__MACOSX/1.png", "$RECYCLE.BIN/1.png",
        "System Volume Information/1.png", "LOST+FOUND/1.png", "#recycle/1.png", "Thumbs.db", "desktop.ini", ".DS_Store",
        "._1.png", "Icon\r",
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["", "deep/down"])
def test_what_systems_leave_is_no_data_at_any_depth(tmp_path: Path, name: str, place: str) -> None:
    touch(tmp_path / place / name)
    touch(tmp_path / place / "1.png")
    found = walk_through(tmp_path)
    assert [Path(path).name for path in found.files] == ["1.png"]
    assert len(found.files) == 1
    assert found.odd == found.dead == found.closed == []


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path / "else/1.png")
    touch(tmp_path / "data/red/2.png")
    for name, target in (("linked", "../../else"), ("up", ".."), ("self", "."), ("all", "../../..")):
        (tmp_path / "data/red" / name).symlink_to(target)
    (tmp_path / "data/red/3.png").symlink_to(tmp_path / "else/1.png")
    found = walk_through(tmp_path / "data", "red")
    assert found.files == ["red/2.png", "red/3.png", "red/linked/1.png"]
    circle = "is a link to a folder that contains it"
    assert found.odd == [BadImage(f"red/{name}", circle) for name in ("all", "self", "up")]


def test_a_link_that_leads_nowhere_is_named_with_its_target(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("/nowhere/a.png")
    (tmp_path / "b.png").symlink_to("b.png")
    first, second = walk_through(tmp_path).dead
    assert first == BadImage("a.png", "is a link to /nowhere/a.png, which does not exist")
    assert second == BadImage("b.png", "cannot be opened (Too many levels of symbolic links)")


def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "socket.png"))
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    found = walk_through(tmp_path)
    assert found.files == []
    assert found.odd == [
        BadImage("pipe.png", "is not a file but a pipe"),
        BadImage("socket.png", "is not a file but a socket"),
        BadImage("zero.png", "is not a file but a device"),
    ]
    for item in found.odd:
        with pytest.raises(ImageProblem, match=item.reason):
            read_image(tmp_path / item.path)


def test_a_name_that_is_not_utf_8_is_shown_by_its_bytes(tmp_path: Path) -> None:
    save_plain(tmp_path / os.fsdecode(b"caf\xe9.png"))
    save_plain(tmp_path / os.fsdecode(b"caf\xe9") / "1.png")
    found = walk_through(tmp_path)
    assert (found.files, found.odd, found.closed) == (
        [],
        [BadImage(r"caf\xe9.png", MISNAMED)],
        [BadImage(r"caf\xe9", MISNAMED)],
    )


def test_a_folder_that_cannot_be_looked_into_is_named() -> None:
    with locked_folder("red/secret") as root:
        touch(root / "red/1.png")
        found = walk_through(root)
        assert found.files == ["red/1.png"]
        assert found.closed == [BadImage("red/secret", "cannot be opened (Permission denied)")]


def test_one_folder_is_looked_into_without_going_deeper(tmp_path: Path) -> None:
    touch(tmp_path / "red/1.png")
    touch(tmp_path / "2.png")
    found = look_into(tmp_path)
    assert (found.files, found.folders) == (["2.png"], ["red"])
