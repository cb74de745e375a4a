"""The folder that was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.__main__ import main
from core.dataset.remedy import find_remedy


@pytest.fixture
def photos(tmp_path: Path, tiny_data: Path) -> Path:
    """Return the folder of a data set whose name can be mistaken, with a file beside its splits."""
    folder = tmp_path / "shop" / "Photos of fruit"
    folder.parent.mkdir()
    tiny_data.rename(folder)
    (folder / "readme.txt").touch()
    return folder


@pytest.mark.parametrize(
    "given",
    [
        "'{}'",
        '"{}"',
        "“{}”",
        "  {} ",
        "{}/train",
        "{}/train/10",
        "{}/train/10/0.png",
        "{}/trian",
        "{}/readme.txt",
        "{}/..",
    ],
)
def test_what_is_nearly_right_is_understood(photos: Path, given: str) -> None:
    found = find_remedy(given.format(photos))
    assert found is not None
    assert found.resolve() == photos


def test_an_address_of_a_file_manager_is_understood(photos: Path) -> None:
    assert find_remedy(photos.as_uri()) == photos
    assert "%20" in photos.as_uri()


@pytest.mark.parametrize("name", ["photos of fruit", "Photos of friut", "Photos of fruits"])
def test_a_slip_in_a_name_is_understood(photos: Path, name: str) -> None:
    assert find_remedy(str(photos.with_name(name))) == photos
    assert find_remedy(str(photos.parent.with_name("Shop") / name)) == photos


def test_what_is_right_needs_no_remedy(photos: Path) -> None:
    assert find_remedy(str(photos)) is None


def test_a_folder_of_classes_alone_is_right_too(photos: Path) -> None:
    (photos / "train").rename(photos.parent / "classes")
    assert find_remedy(str(photos.parent / "classes")) is None


@pytest.mark.parametrize("given", ["", "/", "/nonsuch", "nonsuch", r"C:\Users\me\photos", "\0", "x" * 5000])
def test_where_nothing_is_near_nothing_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_remedy(given) is None


def test_folders_without_images_are_not_offered(tmp_path: Path) -> None:
    for name in ("anna", "bob"):
        (tmp_path / "home" / name / "letters").mkdir(parents=True)
        (tmp_path / "home" / name / "a.txt").touch()
    assert find_remedy(str(tmp_path / "home" / "ann")) is None
    assert find_remedy(str(tmp_path / "hom")) is None


def test_the_command_line_names_the_folder_that_was_probably_meant(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", str(photos.with_name("photos of friut"))]) == 2
    assert f"Did you mean {photos}?" in capsys.readouterr().err
