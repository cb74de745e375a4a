"""What arrived is put on disk: all that was taken, inside one folder, whatever it is called."""

from __future__ import annotations

from pathlib import Path

from core.answers.arriving import Arrived
from core.answers.keeping import keep_images


def test_images_are_kept_in_their_folders_and_those_refused_are_not(tmp_path: Path) -> None:
    keep_images(
        [Arrived("rose/1.jpg", b"1"), Arrived("2.jpg", b"2"), Arrived("x", b"", "is a link")], tmp_path / "in"
    )
    found = {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {"in/rose/1.jpg": b"1", "in/2.jpg": b"2"}


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    names = ("../1.jpg", "/2.jpg", "a/../../3.jpg", "..\\4.jpg")
    keep_images([Arrived(name, b"x") for name in names], tmp_path / "deep/in")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["in"]
    assert len([path for path in (tmp_path / "deep/in").rglob("*") if path.is_file()]) == 4


def test_what_lay_there_before_is_replaced(tmp_path: Path) -> None:
    keep_images([Arrived("1.jpg", b"1")], tmp_path / "in")
    keep_images([Arrived("2.jpg", b"2")], tmp_path / "in")
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["2.jpg"]
