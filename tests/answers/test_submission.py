"""How a hand-in is written: by choice, or as a sample submission has it, and what is refused before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.answers.check import check_hand_in, is_good
from core.answers.submission import (
    Form,
    Plan,
    Sample,
    label_classes,
    plan_hand_in,
    read_sample,
    take_sample,
)
from core.csv_table import parse_table
from core.errors import DataError
from core.files import format_rows

CLASSES = ("2", "10", "35")
NAMES = {"2": "rose", "10": "tulip", "35": "iris"}
FOLDER = Path("/data/test")
PATHS = [FOLDER / name for name in ("1.png", "2.png", "10.png")]


def plan(form: Form | None = None, sample: str = "", paths: list[Path] = PATHS) -> Plan:
    parsed = take_sample(parse_table("sample.csv", sample.encode())) if sample else None
    return plan_hand_in(paths, form or Form(), classes=CLASSES, display=NAMES, folder=FOLDER, sample=parsed)


def write(made: Plan, labels: list[str]) -> str:
    rows = [made.form.order(*row) for row in zip(made.names, labels, strict=True)]
    return format_rows(made.form.columns, rows)


def test_without_a_sample_every_image_has_a_line_in_the_order_of_the_files() -> None:
    made = plan()
    assert (made.names, made.form.columns) == (("1.png", "2.png", "10.png"), ("image_name", "pred_label"))
    assert plan(Form(extension=False)).names == ("1", "2", "10")
    assert label_classes(made.form, CLASSES, NAMES) == {"2": "2", "10": "10", "35": "35"}
    named = plan(Form(labels="name"))
    assert label_classes(named.form, CLASSES, NAMES)["2"] == "rose"


def test_a_file_that_is_named_twice_has_one_line() -> None:
    assert plan(paths=[*PATHS, PATHS[0]]).names == ("1.png", "2.png", "10.png")


def test_a_sample_gives_columns_order_and_the_way_to_name_images_and_classes() -> None:
    made = plan(sample="id,label\n10,rose\n1,rose\n2,iris\n")
    assert made.paths == (PATHS[2], PATHS[0], PATHS[1])
    assert (made.names, made.form.columns) == (("10", "1", "2"), ("id", "label"))
    assert (made.form.extension, made.form.labels) == (False, "name")
    assert (made.missing, made.extra) == ((), 0)


@pytest.mark.parametrize(
    ("line", "name"),
    [("10.png,2", "10.png"), ("test/10.png,2", "test/10.png"), ("test/10,2", "test/10")],
)
def test_images_are_named_as_the_sample_names_them(line: str, name: str) -> None:
    assert plan(sample=f"file,class\n{line}\n").names == (name,)


def test_a_sample_may_have_the_label_first() -> None:
    made = plan(sample="class,file\n2,1.png\n35,2.png\n10,10.png\n")
    assert write(made, ["2", "2", "2"]) == "class,file\n2,1.png\n2,2.png\n2,10.png\n"
    assert is_good(check_hand_in(write(made, ["2", "2", "2"]), made, CLASSES))


def test_labels_of_a_sample_that_tell_nothing_leave_the_choice() -> None:
    assert plan(sample="id,label\n1.png,\n2.png,\n").form.labels == "folder"
    assert plan(sample="id,label\n1.png,cat\n").form.labels == "folder"
    assert plan(Form(labels="name"), sample="id,label\n1.png,2\n").form.labels == "name"


def test_images_that_only_one_of_sample_and_folder_has_are_known() -> None:
    made = plan(sample="id,label\n2.png,2\n77.png,2\n")
    assert (made.names, made.missing, made.extra) == (("2.png",), ("77.png",), 2)
    assert made.wanted == ("2.png", "77.png")


def test_what_cannot_be_told_apart_is_refused() -> None:
    twins = [FOLDER / "1.png", FOLDER / "1.jpg"]
    assert plan(paths=twins).names == ("1.png", "1.jpg")
    with pytest.raises(DataError, match=r"2 images would be called 1\. Hand in names with extensions"):
        plan(Form(extension=False), paths=twins)
    with pytest.raises(DataError, match=r"'2', '10' are all called 'rose'.*names of the class folders"):
        plan_hand_in(PATHS, Form(labels="name"), classes=CLASSES, display={**NAMES, "10": "rose"})


def test_a_sample_of_other_images_is_refused() -> None:
    with pytest.raises(DataError, match=r"sample\.csv names none .* first line is a\.jpg, 2.*is 1\.png"):
        plan(sample="id,label\na.jpg,2\n")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has no rows"),
        (b"id,label\n", "has no rows"),
        (b"id\n1.png\n", "has 1 column"),
        (b"id,label\n1.png,2,3\n", "has 3 cells"),
        (b"id,label\n\0,2\n", "is not text"),
        (b'id,label\n"1.png,2\n', "is not valid CSV"),
    ],
)
def test_a_file_that_is_no_sample_is_refused_in_words(content: bytes, why: str) -> None:
    with pytest.raises(DataError, match=rf"^sample\.csv.* {why}"):
        take_sample(parse_table("sample.csv", content))


def test_a_sample_is_read_with_a_byte_order_mark_and_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbfid,label\r\n1.png,2\r\n\r\n")
    assert read_sample(tmp_path / "s.csv") == Sample("s.csv", ("id", "label"), (("1.png", "2"),))
    with pytest.raises(DataError, match=r"gone\.csv cannot be read"):
        read_sample(tmp_path / "gone.csv")


# The check


def findings(made: Plan, text: str) -> list[tuple[bool, str]]:
    labels = label_classes(made.form, CLASSES, NAMES).values()
    return [(one.good, one.words) for one in check_hand_in(text, made, labels)]


def test_a_hand_in_that_is_right_passes_and_says_what_was_looked_at() -> None:
    made = plan(sample="id,label\n10,rose\n1,rose\n2,iris\n")
    assert findings(made, write(made, ["rose", "iris", "tulip"])) == [
        (True, "The columns are id and label, as in sample.csv."),
        (True, "3 images are asked for, and each has exactly one line."),
        (True, "Every label is one of the model's 3 classes, written as the class's name."),
        (True, "The lines are in the order of sample.csv."),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,label\n1.png,2\n2.png,2\n10.png,2\n", "The columns are name, label, not image_name and pred_label."),
        ("image_name,pred_label\n1.png\n2.png,2\n10.png,2\n", "1 line has more or fewer than two columns."),
        ("image_name,pred_label\n1.png,2\n10.png,2\n", "1 image has no line: 2.png."),
        ("image_name,pred_label\n1.png,2\n1.png,2\n2.png,2\n10.png,2\n", "1 image has more than one line: 1.png."),
        ("image_name,pred_label\n1.png,2\n2.png,2\n10.png,2\nx,2\n", "1 line is for an image that was not asked for: x."),
        ("image_name,pred_label\n1.png,2\n2.png,rose\n10.png,\n", "2 labels are unknown to the model: rose, (empty)."),
        ("image_name,pred_label\n1.png,2\n10.png,2\n2.png,2\n", "From line 3 on, the order is not that of the folder"),
        ("", "The columns are , not image_name and pred_label."),
    ],
)  # fmt: skip
def test_each_fault_of_a_hand_in_is_found_and_named(text: str, words: str) -> None:
    found = findings(plan(), text)
    assert words in " ".join(said for good, said in found if not good)


def test_what_the_sample_asks_for_and_the_folder_lacks_is_a_fault() -> None:
    made = plan(sample="id,label\n2.png,2\n77.png,2\n")
    assert (False, "1 image has no line: 77.png.") in findings(made, write(made, ["2"]))
