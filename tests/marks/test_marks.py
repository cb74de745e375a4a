"""Marks: what is said of images is kept step by step, by many at once, and can be taken back."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from core.dataset.label_report import Fix
from core.errors import RunError
from core.marks.marks import (
    Mark,
    MarkList,
    add_fixes,
    add_marks,
    change_mark,
    list_path,
    read_marks,
    take_over,
    undo_step,
)
from core.people.acting import LOOK, Acting, NotAllowed, Person, acting

WRONG = Mark("train/2/1.png", "2", "relabel", "35", run="first", predicted="35", confidence=0.9)
BLURRED = Mark("train/2/2.png", "2", tags=("blurred",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return list_path(tmp_path / "photos", tmp_path / "runs")


def test_what_is_marked_is_read_back_as_it_was_said(path: Path) -> None:
    assert read_marks(path) == MarkList()
    add_marks(path, [WRONG, BLURRED])
    wrong, blurred = read_marks(path).marks.values()
    assert (wrong.path, wrong.given, wrong.action, wrong.to) == ("train/2/1.png", "2", "relabel", "35")
    assert (wrong.run, wrong.predicted, wrong.confidence) == ("first", "35", 0.9)
    assert wrong.at > 0
    assert blurred.tags == ("blurred",)
    assert math.isnan(blurred.confidence)
    assert read_marks(path).describe() == "2 images are marked: 1 to be relabelled, 1 with tags."


def test_a_later_mark_takes_the_place_of_an_earlier_one(path: Path) -> None:
    add_marks(path, [WRONG, BLURRED])
    add_marks(path, [Mark(WRONG.path, "2", "drop")])
    assert [(mark.path, mark.action) for mark in read_marks(path).marks.values()] == [
        (WRONG.path, "drop"),
        (BLURRED.path, ""),
    ]


def test_an_empty_mark_says_nothing_any_more(path: Path) -> None:
    add_marks(path, [WRONG])
    add_marks(path, [Mark(WRONG.path, "2")])
    assert read_marks(path).marks == {}
    assert read_marks(path).describe() == "No image is marked."


def test_a_step_is_taken_back_with_all_its_images(path: Path) -> None:
    both = add_marks(path, [WRONG, BLURRED])
    drop = add_marks(path, [Mark(WRONG.path, "2", "drop")])
    assert read_marks(path).steps == (both, drop)
    undo_step(path, drop)
    undo_step(path, drop)
    assert read_marks(path).marks[WRONG.path].action == "relabel"
    undo_step(path, both)
    assert read_marks(path) == MarkList()
    add_marks(path, [BLURRED])
    assert list(read_marks(path).marks) == [BLURRED.path]


def test_a_step_that_others_marked_after_is_taken_back_without_theirs(path: Path) -> None:
    mine = add_marks(path, [WRONG])
    add_marks(path, [BLURRED])
    undo_step(path, mine)
    assert list(read_marks(path).marks) == [BLURRED.path]


def test_the_same_folder_under_two_names_has_one_list(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    assert list_path(tmp_path / "link", tmp_path) == list_path(tmp_path / "photos", tmp_path)
    assert list_path(tmp_path / "other", tmp_path) != list_path(tmp_path / "photos", tmp_path)


def mark_many(path: Path, writer: int) -> None:
    for number in range(50):
        add_marks(path, [Mark(f"train/2/{writer}-{number}.png", "2", "drop")])


def test_many_mark_at_once_and_nothing_is_lost(path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(mark_many, [path] * 4, range(4)))
    assert len(read_marks(path).marks) == 200


@pytest.mark.parametrize("left", [1, 20, -2])
def test_a_step_that_a_crash_cut_off_is_left_out_and_the_next_ones_count(path: Path, left: int) -> None:
    add_marks(path, [WRONG])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:left])
    assert list(read_marks(path).marks) == [WRONG.path]
    step = add_marks(path, [BLURRED])
    assert list(read_marks(path).marks) == [WRONG.path, BLURRED.path]
    undo_step(path, step)
    assert list(read_marks(path).marks) == [WRONG.path]


def test_a_step_that_lacks_only_its_end_was_told_as_not_marked_and_is_not(path: Path, tmp_path: Path) -> None:
    add_marks(path, [WRONG])
    other = tmp_path / "other.jsonl"
    add_marks(other, [BLURRED])
    with path.open("ab") as file:  # as a disk leaves it that was full but for this
        file.write(other.read_bytes()[:-1])
    for _ in range(2):
        assert list(read_marks(path).marks) == [WRONG.path]
        add_marks(path, [WRONG])


@pytest.mark.parametrize(
    "line", ["nonsense", "5", "[" * 3000, '{"id": "1"}', '{"id": "1", "marks": [{"path": 1}]}',
     '{"id": "1", "marks": [{"path": "a", "given": "b", "action": "burn"}]}'],
)  # fmt: skip
def test_a_damaged_line_is_named(path: Path, line: str) -> None:
    add_marks(path, [WRONG])
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(RunError, match=r"line 2 cannot be read as a mark. Remove this line"):
        read_marks(path)


def test_a_list_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"Nothing was marked: .*cannot be written"):
        add_marks(tmp_path / "file" / "list.jsonl", [WRONG])


def test_fix_lists_of_older_runs_are_taken_over_once_and_never_over_a_mark(path: Path) -> None:
    add_marks(path, [WRONG])
    fixes = [
        Fix("train/2/1.png", "2", "10", "drop", 2, math.nan),
        Fix("train/2/3.png", "2", "10", "relabel", 3, 0.1),
        Fix("train/2/4.png", "2", "10", "keep", 4, 0.1),
    ]
    take_over(path, fixes, "first/label-fixes-train.csv")
    known = read_marks(path).marks
    assert [(mark.path, mark.action, mark.to) for mark in known.values()] == [
        ("train/2/1.png", "relabel", "35"),
        ("train/2/3.png", "relabel", "10"),
    ]
    undo_step(path, read_marks(path).steps[-1])
    take_over(path, fixes, "first/label-fixes-train.csv")
    assert list(read_marks(path).marks) == [WRONG.path]


def test_an_action_keeps_the_tags_and_a_tag_keeps_the_action() -> None:
    drop = Mark("a.png", "2", "drop")
    tagged = change_mark(drop, Mark("a.png", "2"), add=["blurred", "far"])
    assert (tagged.action, tagged.tags) == ("drop", ("blurred", "far"))
    moved = change_mark(tagged, Mark("a.png", "2", "relabel", "10"))
    assert (moved.action, moved.to, moved.tags) == ("relabel", "10", ("blurred", "far"))
    assert change_mark(moved, Mark("a.png", "2"), remove=["far"]).tags == ("blurred",)
    assert change_mark(None, Mark("a.png", "2"), remove=["far"]).empty


def test_whoever_may_only_look_is_shown_old_fix_lists_and_writes_nothing(path: Path) -> None:
    add_marks(path, [WRONG])
    before, source = path.read_bytes(), "first/label-fixes-train.csv"
    fixes = [Fix("train/2/3.png", "2", "10", "relabel", 3, 0.1)]
    with acting(Acting(Person("eve", LOOK))), pytest.raises(NotAllowed, match="needs the role train"):
        take_over(path, fixes, source)
    assert path.read_bytes() == before
    shown = add_fixes(read_marks(path), fixes, source)
    take_over(path, fixes, source)
    assert [(mark.path, mark.to) for mark in shown.marks.values()] == [
        (mark.path, mark.to) for mark in read_marks(path).marks.values()
    ]
    assert add_fixes(read_marks(path), fixes, source) == read_marks(path)
