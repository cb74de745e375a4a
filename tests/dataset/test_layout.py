"""How a data folder is laid out: splits by their usual names, classes in any form, and nothing passed over in silence."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from core.dataset.folders import scan_folders
from core.dataset.layout import find_split, read_layout, read_tree
from core.errors import DataError
from tests.dataset.pictures import locked_folder, make_folders, save_plain

COMPOSED, APART = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING"])
@pytest.mark.parametrize("val", ["val", "Valid", "validation", "dev", "Eval", "evaluation"])
@pytest.mark.parametrize("test", ["test", "Testing"])
def test_the_folders_of_the_splits_may_have_any_usual_name(
    tmp_path: Path, train: str, val: str, test: str
) -> None:
    for split in (train, val):
        make_folders(tmp_path, {"a": 0, "b": 0}, split)
    make_folders(tmp_path, {test: 0}, "")
    layout = read_layout(tmp_path)
    assert layout.splits == {"train": train, "val": val, "test": test}
    assert layout.classes["val"] == {"a": f"{val}/a", "b": f"{val}/b"}
    assert find_split(tmp_path, "test") == tmp_path / test


@pytest.mark.parametrize(
    ("one", "other"), [("val", "valid"), ("dev", "validation"), ("train", "Train"), ("test", "testing")]
)
def test_two_folders_for_one_split_are_refused_by_name(tmp_path: Path, one: str, other: str) -> None:
    for split in {"train", one, other}:
        make_folders(tmp_path, {"a": 3, "b": 3}, split)
    with pytest.raises(
        DataError, match=rf"'{one}', '{other}' could each be the|'{other}', '{one}' could each be"
    ):
        scan_folders(tmp_path)


def test_classes_in_the_root_itself_may_be_called_like_a_rare_name_of_validation(tmp_path: Path) -> None:
    make_folders(tmp_path, {"dev": 4, "eval": 4, "ops": 4}, "")
    assert scan_folders(tmp_path).classes == ("dev", "eval", "ops")
    make_folders(tmp_path, {"ops": 2}, "Dev")
    for name in ("dev", "eval"):
        (tmp_path / name).rename(tmp_path / f"{name}-team")
    folders = scan_folders(tmp_path)
    assert folders.classes == ("dev-team", "eval-team", "ops")
    assert [sample.path for sample in folders.val] == ["Dev/ops/0.png", "Dev/ops/1.png"]


@pytest.mark.parametrize("inner", ["dataset", "a/b/dataset"])
@pytest.mark.parametrize("train", ["train", "Training"])
def test_a_data_set_that_lies_deeper_is_refused_with_the_folder_to_give(
    tmp_path: Path, inner: str, train: str
) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3}, f"{inner}/{train}")
    (tmp_path / inner / "val").mkdir()
    with pytest.raises(DataError, match=rf"(Give|give) {tmp_path / inner}\."):
        scan_folders(tmp_path)


def test_of_several_data_sets_one_is_to_be_given(tmp_path: Path) -> None:
    for name in ("flowers", "pets"):
        make_folders(tmp_path, {"a": 3, "b": 3}, f"{name}/train")
    make_folders(tmp_path, {"plain": 3}, "")
    with pytest.raises(DataError, match=rf"is one folder deeper, in flowers\. Give {tmp_path}/flowers\."):
        scan_folders(tmp_path)


def test_splits_inside_the_classes_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_folders(tmp_path, {"train": 3, "val": 2}, name)
    with pytest.raises(DataError, match="Expected train/<class>/\\*, not <class>/train/\\*"):
        scan_folders(tmp_path)


def test_a_class_may_have_a_folder_of_trains(tmp_path: Path) -> None:
    make_folders(tmp_path, {"train": 3, "car": 3}, "vehicles")
    make_folders(tmp_path, {"cat": 3, "dog": 3}, "animals")
    folders = scan_folders(tmp_path)
    assert folders.classes == ("animals", "vehicles")
    assert len(folders.files) == 12


def test_classes_that_lie_deeper_are_hinted_at(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3}, "train/images")
    with pytest.raises(
        DataError, match=r"found 1 class folder,.* are the folders in train/images, move them"
    ):
        scan_folders(tmp_path)


@pytest.mark.parametrize("split", ["train", "val", "Test"])
def test_a_split_that_is_a_link_to_nowhere_is_refused(tmp_path: Path, split: str) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3}, "" if split == "train" else "train")
    (tmp_path / split).symlink_to("/nowhere/data")
    with pytest.raises(DataError, match=rf"{split} is a link to /nowhere/data, which does not exist"):
        read_layout(tmp_path)


def test_a_split_that_is_a_file_is_refused(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "val").write_text("../elsewhere/val")  # what a link becomes where there are none
    with pytest.raises(DataError, match="val is a file, not a folder"):
        read_layout(tmp_path)


def test_a_data_folder_that_is_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to("/nowhere")
    with pytest.raises(DataError, match="data is a link to /nowhere, which does not exist"):
        read_layout(tmp_path / "data")


@pytest.mark.parametrize("under", ["train", ""])
def test_a_class_that_is_a_link_to_nowhere_is_refused(tmp_path: Path, under: str) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3}, under)
    (tmp_path / under / "c").symlink_to("/nowhere/c")
    with pytest.raises(
        DataError, match="c is a link to /nowhere/c, which does not exist, so its images would"
    ):
        scan_folders(tmp_path)


@pytest.mark.parametrize("place", ["train/c", "train/a/deeper", "val/a", "val", "train"])
def test_a_folder_that_cannot_be_looked_into_is_refused(place: str) -> None:
    with locked_folder(place) as root:
        for name in ("train/a", "train/b", "val/b"):
            if not name.startswith(place):
                save_plain(root / name / "1.png")
        with pytest.raises(DataError, match=rf"{place} cannot be opened \(Permission denied\)"):
            scan_folders(root)


def test_a_class_whose_name_is_not_utf_8_is_refused_by_its_bytes(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3, os.fsdecode(b"caf\xe9"): 3})
    with pytest.raises(DataError, match=r"train/caf\\xe9 has a name that is not UTF-8 and must be renamed"):
        scan_folders(tmp_path)
    with pytest.raises(DataError, match=r"caf\\xe9: the path has bytes that are not UTF-8\. Rename"):
        scan_folders(tmp_path / "train" / os.fsdecode(b"caf\xe9"))


def test_the_forms_of_a_name_are_one_class(tmp_path: Path) -> None:
    make_folders(tmp_path, {COMPOSED: 3, "tea": 3})
    make_folders(tmp_path, {APART: 2, "tea": 2}, "val")
    (tmp_path / "class_names.csv").write_text(f"label,name\n{APART},Kaffee\n", encoding="utf-8")
    folders = scan_folders(tmp_path)
    assert folders.classes == (COMPOSED, "tea")
    assert folders.display == {COMPOSED: "Kaffee"}
    assert [sample.path for sample in folders.val if sample.target == 0] == [
        f"val/{APART}/0.png", f"val/{APART}/1.png",
    ]  # fmt: skip
    assert all((tmp_path / path).is_file() for path in folders.files)


def test_two_folders_of_one_split_that_are_one_class_are_refused(tmp_path: Path) -> None:
    make_folders(tmp_path, {COMPOSED: 3, APART: 3, "tea": 3})
    with pytest.raises(
        DataError, match=r"two folders are called 'café', written as 'caf\\xe9' and 'cafe\\u0301'"
    ):
        scan_folders(tmp_path)


def test_what_lies_outside_classes_and_splits_is_told(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"a": 1, "b": 1}, "val")
    make_folders(tmp_path, {"a": 2}, "holdout")
    save_plain(tmp_path / "more" / "1.png")
    save_plain(tmp_path / "1.png")
    save_plain(tmp_path / "train" / "2.JPG")
    save_plain(tmp_path / "val" / "3.png")
    (tmp_path / "train" / "4.png").symlink_to("/nowhere/4.png")
    for no_image in ("train/labels.csv", "README.md", "docs/notes.txt"):
        (tmp_path / no_image).parent.mkdir(exist_ok=True)
        (tmp_path / no_image).write_text("text")
    told = {fault.path: fault.reason for fault in read_tree(tmp_path).faults}
    assert told == {
        "1.png": "is not in a class folder",
        "holdout": "is a folder of images that is not named like a split",
        "more": "is a folder of images that is not named like a split",
        "train/2.JPG": "is not in a class folder of train/",
        "val/3.png": "is not in a class folder of val/",
        "train/4.png": "is a link to /nowhere/4.png, which does not exist",
    }
    folders = scan_folders(tmp_path)
    assert {item.path for item in folders.left_out} == set(told)
    assert len(folders.files) == 8
