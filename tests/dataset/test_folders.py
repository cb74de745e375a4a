"""A data set as training takes it: its classes, splits and names, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.dataset.folders import (
    Sample,
    describe_closed_test,
    drop_bad_images,
    read_display_names,
    scan_folders,
    split_training,
)
from core.errors import DataError
from tests.dataset.pictures import locked_folder, make_folders, save_plain


def test_a_data_set_is_read_with_its_splits_and_names(tiny_data: Path) -> None:
    folders = scan_folders(tiny_data)
    assert folders.classes == ("2", "10", "35")
    assert folders.display == {"2": "rose", "10": "tulip", "35": "iris"}
    assert (len(folders.train), len(folders.val), folders.val_made) == (18, 6, False)
    assert folders.test == ("test/1.png", "test/2.png", "test/3.png")
    assert folders.train[0] == Sample("train/2/1.png", 0)
    assert folders.val[-1] == Sample("val/35/2.png", 2)
    assert len(folders.files) == 24


def test_class_folders_may_lie_in_the_root_itself(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 4, "b": 4, "test": 2}, "")
    folders = scan_folders(tmp_path)
    assert folders.classes == ("a", "b")
    assert folders.val_made
    assert len(folders.test) == 2


def test_images_in_subfolders_of_a_class_are_the_classs(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 2, "a/2024": 2, "a/2024/may": 1, "b": 3})
    make_folders(tmp_path, {"a/x": 1, "b": 1}, "val")
    make_folders(tmp_path, {"one/two": 1}, "test")
    folders = scan_folders(tmp_path)
    assert [s.path for s in folders.train if s.target == 0] == [
        "train/a/0.png", "train/a/1.png", "train/a/2024/0.png", "train/a/2024/1.png", "train/a/2024/may/0.png",
    ]  # fmt: skip
    assert folders.val[0] == Sample("val/a/x/0.png", 0)
    assert folders.test == ("test/one/two/0.png",)


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    """Return a data folder with a file of each kind that is no plain one."""
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"a": 1, "b": 1}, "val")
    make_folders(tmp_path, {"": 2}, "test")
    for place in ("train/a/9.png", "test/9.png"):
        (tmp_path / place).symlink_to("/nowhere/9.png")
    os.mkfifo(tmp_path / "val/b/9.png")
    save_plain(tmp_path / "train/b" / os.fsdecode(b"caf\xe9.png"))
    return tmp_path


def test_files_that_are_no_plain_ones_are_no_samples_but_named(spoilt: Path) -> None:
    folders = scan_folders(spoilt)
    assert len(folders.files) == 8
    assert [item.path for item in folders.unread] == ["train/a/9.png", r"train/b/caf\xe9.png", "val/b/9.png"]
    assert [item.path for item in folders.left_out] == ["test/9.png"]
    with pytest.raises(DataError, match=r"^3 of 11 files are not readable images: ") as caught:
        drop_bad_images(folders, folders.unread, policy="refuse")
    for item in folders.unread:
        assert f"{item.path} {item.reason}" in str(caught.value)
    skipped = drop_bad_images(folders, folders.unread, policy="skip")
    assert (skipped.skipped, skipped.unread, skipped.files) == (folders.unread, (), folders.files)


def test_a_class_of_dead_links_alone_is_told_as_that(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 0})
    (tmp_path / "train/b/1.png").symlink_to("/nowhere/1.png")
    folders = scan_folders(tmp_path)
    with pytest.raises(
        DataError, match=r"no readable image is left in class 'b' \(train/b/1.png is a link to /nowhere"
    ):
        drop_bad_images(folders, folders.unread, policy="skip")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: there is no such folder\."):
        scan_folders(tmp_path / "gone")


@pytest.mark.parametrize("counts", [{}, {"a": 3}])
def test_fewer_than_two_classes_are_refused_with_the_layout_expected(
    tmp_path: Path, counts: dict[str, int]
) -> None:
    make_folders(tmp_path, counts)
    with pytest.raises(
        DataError, match=rf"found {len(counts)} class folders?, but at least 2 .*train/<class>/"
    ):
        scan_folders(tmp_path)


def test_classes_without_images_are_refused_by_name(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 0, "c": 3, "d": 0})
    with pytest.raises(DataError, match=r"no images in classes 'b', 'd'\. Add images or remove the folder"):
        scan_folders(tmp_path)


def test_a_validation_class_that_training_lacks_is_refused_by_name(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"a": 1, "c": 1}, "val")
    with pytest.raises(DataError, match="the training data has no class 'c'"):
        scan_folders(tmp_path)


def test_an_empty_validation_folder_is_refused(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"a": 0}, "val")
    with pytest.raises(DataError, match=r"val: no images in its class folders.*remove the folder"):
        scan_folders(tmp_path)


def test_a_class_without_validation_images_is_taken(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 3, "b": 3})
    make_folders(tmp_path, {"b": 2}, "val")
    assert {s.target for s in scan_folders(tmp_path).val} == {1}


def test_many_names_in_a_message_are_cut_to_the_first_eight(tmp_path: Path) -> None:
    make_folders(tmp_path, {f"c{n}": 0 for n in range(12)})
    with pytest.raises(DataError, match="'c7' and 4 more"):
        scan_folders(tmp_path)


def samples_of(counts: dict[int, int]) -> list[Sample]:
    return [Sample(f"train/{c}/{n}.png", c) for c, count in counts.items() for n in range(count)]


def split_off(samples: list[Sample], fraction: float) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Return the samples that train and those that validate."""
    train, val, _, _ = split_training(samples, "abcd", val_fraction=fraction)
    return train, val


def test_the_split_is_the_same_each_time_and_not_the_same_places_of_every_class() -> None:
    samples = samples_of(dict.fromkeys(range(4), 20))
    first = split_off(samples, fraction=0.15)
    assert split_off(samples, fraction=0.15) == first
    assert len({tuple(s.path.rpartition("/")[2] for s in first[1] if s.target == c) for c in range(4)}) > 1


def test_the_split_does_not_depend_on_the_order_of_the_files() -> None:
    samples = samples_of({0: 20, 1: 20})
    one = split_off(samples, fraction=0.2)
    other = split_off(samples[::-1], fraction=0.2)
    assert set(one[1]) == set(other[1])


@pytest.mark.parametrize(("count", "held_back"), [(1, 0), (2, 1), (3, 1), (10, 2), (100, 15)])
def test_each_class_gives_its_share_to_validation_and_keeps_one(count: int, held_back: int) -> None:
    train, val = split_off(samples_of({0: count, 1: 40}), fraction=0.15)
    assert sum(s.target == 0 for s in val) == held_back
    assert sum(s.target == 0 for s in train) == count - held_back > 0
    assert not set(train) & set(val)


def test_even_a_large_share_leaves_every_class_one_to_train_on() -> None:
    train, _ = split_off(samples_of({0: 2, 1: 3}), fraction=0.5)
    assert {s.target for s in train} == {0, 1}


def test_data_too_small_to_split_is_refused(tmp_path: Path) -> None:
    make_folders(tmp_path, {"a": 1, "b": 1})
    with pytest.raises(DataError, match="no class has the 2 images a validation split needs"):
        scan_folders(tmp_path)


# Display names


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("class_names.csv", "label,name\n2, rose \n10,tulip\n99,not a class\n"),
        ("class_names.csv", "\ufefflabel,name,count\r\n2,rose,5\r\n10,tulip,6\r\n35,,1\r\n"),
        ("class_names.csv", "name,label\nrose,2\n\ntulip,10\n"),
        ("cat_to_name.json", '{"10": "tulip", "2": "rose", "99": "not a class"}'),
        ("cat_to_name.json", '\ufeff{"10": "tulip", "2": "rose"}'),
    ],
)
def test_display_names_are_read_from_either_file(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_bytes(content.encode())
    assert read_display_names(tmp_path, ["2", "10", "35"]) == {"2": "rose", "10": "tulip"}


def test_without_a_names_file_there_are_no_display_names(tmp_path: Path) -> None:
    assert read_display_names(tmp_path, ["2", "10"]) == {}


def test_a_names_file_that_is_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "class_names.csv").symlink_to("/nowhere/names.csv")
    with pytest.raises(
        DataError, match=r"class_names\.csv is a link to /nowhere/names\.csv, which does not exist"
    ):
        read_display_names(tmp_path, ["2"])


def test_display_names_keep_commas_and_every_script(tmp_path: Path) -> None:
    (tmp_path / "class_names.csv").write_text('label,name\n2,"Ä, „Ω“ 花"\n', encoding="utf-8")
    assert read_display_names(tmp_path, ["2"]) == {"2": "Ä, „Ω“ 花"}


def test_display_names_are_found_for_classes_that_begin_or_end_with_a_space(tmp_path: Path) -> None:
    (tmp_path / "class_names.csv").write_text('label,name\n" 2",rose\n10 ,tulip\n 35,iris\n')
    assert read_display_names(tmp_path, [" 2", "10 ", "35"]) == {" 2": "rose", "10 ": "tulip", "35": "iris"}


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("class_names.csv", b"", "the first line must be 'label,name'"),
        ("class_names.csv", b"2,rose\n10,tulip\n", "the first line must be 'label,name'"),
        ("class_names.csv", b"label;name\n2;rose\n", "the first line must be 'label,name'"),
        ("class_names.csv", b"label,name\n2,rose\n10\n", "line 3 needs both a label and a name"),
        ("class_names.csv", b"label,name\n2,ros\xe9\n", "cannot be read"),
        ("cat_to_name.json", b'{"2": "rose"', "cannot be read"),
        ("cat_to_name.json", b'["rose"]', "must be one JSON object that gives each label a name"),
        ("cat_to_name.json", b'{"2": 7}', "must be one JSON object that gives each label a name"),
    ],
)
def test_a_malformed_names_file_is_named(tmp_path: Path, file: str, content: bytes, what: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        read_display_names(tmp_path, ["2", "10"])
    assert str(tmp_path / file) in str(caught.value)


def test_a_label_with_two_names_is_refused_with_both_lines(tmp_path: Path) -> None:
    (tmp_path / "class_names.csv").write_text("label,name\n2,rose\n10,tulip\n2,tulip\n")
    words = r"class_names\.csv, line 4: '2' is called 'tulip' here and 'rose' in line 2\. Keep one of the two lines"
    with pytest.raises(DataError, match=words):
        read_display_names(tmp_path, ["2", "10"])
    (tmp_path / "class_names.csv").write_text("label,name\n2,rose\n10,tulip\n2,rose\n")
    assert read_display_names(tmp_path, ["2", "10"]) == {"2": "rose", "10": "tulip"}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["class_names.csv", "cat_to_name.json"])
def test_names_in_a_pipe_are_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=f"{name} cannot be read: it is not a file but a pipe"):
        read_display_names(tmp_path, ["2", "10"])


def test_a_test_split_that_cannot_be_looked_into_is_not_called_empty(tmp_path: Path) -> None:
    with locked_folder("test") as root:
        folders = scan_folders(make_folders(root, {"a": 3, "b": 3}))
    assert folders.test == ()
    assert (
        describe_closed_test(folders)
        == "test images that cannot be counted (test cannot be opened (Permission denied))"
    )
