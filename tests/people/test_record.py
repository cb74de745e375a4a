"""The record of actions is read from its end, a page at a time, and never whole."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from core.people import record
from core.people.actions import Action, keep_action, read_actions
from core.people.record import Found, SoughtActions, find_actions

ALL = SoughtActions()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".actions.jsonl"


def keep(file: Path, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        who, what = ("ada", "bob", "eve")[number % 3], ("start", "stop")[number % 2]
        keep_action(file, Action(number, who, "::1", what, f"run{number}"))


def turn_pages(file: Path, sought: SoughtActions, most: int, look: int = record.LOOK) -> list[Found]:
    pages = [find_actions(file, sought, most=most, look=look)]
    while (further := pages[-1].further) is not None:
        pages.append(find_actions(file, sought, most=most, after=further, look=look))
    return pages


def test_a_record_that_is_not_there_holds_nothing(file: Path) -> None:
    assert find_actions(file, ALL, most=5) == Found(())


@pytest.mark.parametrize("most", [1, 7, 23, 100])
def test_pages_of_any_size_hold_each_action_once_newest_first(
    file: Path, most: int, monkeypatch: pytest.MonkeyPatch, chance: random.Random
) -> None:
    monkeypatch.setattr(record, "_BLOCK", chance.choice([150, 333, 64_000]))
    monkeypatch.setattr("core.people.actions.MOST", 1500)  # so that a file of older ones is put aside
    keep(file, 23)
    pages = turn_pages(file, ALL, most)
    kept = list(read_actions(file))
    assert file.with_name(".actions.jsonl.old").exists()
    assert [one for page in pages for one in page.actions] == kept[::-1]
    assert all(len(page.actions) == most for page in pages[:-1])


def test_actions_are_found_by_a_part_of_the_person_and_of_the_action(file: Path) -> None:
    keep(file, 30)
    (page,) = turn_pages(file, SoughtActions("AD", "sto"), most=100)
    assert [one.of for one in page.actions] == [f"run{n}" for n in (27, 21, 15, 9, 3)]


def test_a_page_stays_where_it_is_when_more_is_done(file: Path) -> None:
    keep(file, 10)
    further = find_actions(file, ALL, most=4).further
    keep(file, 5, first=10)
    assert [one.at for one in find_actions(file, ALL, most=3, after=further).actions] == [5, 4, 3]
    file.replace(file.with_name(".actions.jsonl.old"))  # as at its limit
    keep(file, 2, first=15)
    assert [one.at for one in find_actions(file, ALL, most=3, after=further).actions] == [5, 4, 3]


def test_a_look_goes_through_a_part_of_a_huge_record_and_the_next_goes_on_there(file: Path) -> None:
    with file.open("w") as lines:
        lines.write(
            json.dumps({"at": 1.0, "who": "eve", "address": "", "what": "delete", "of": "first"}) + "\n"
        )
        for _ in range(40_000):
            lines.write(
                json.dumps({"at": 2.0, "who": "ada", "address": "", "what": "stop", "of": "x" * 150}) + "\n"
            )
    sought = SoughtActions("eve")
    page = find_actions(file, sought, most=50, look=1_000_000)
    assert page.actions == ()
    assert page.further is not None
    assert file.stat().st_size - page.further.before < 1_001_000
    pages = turn_pages(file, sought, most=50)
    assert [one.of for page in pages for one in page.actions] == ["first"]
    assert len(pages) == 1 + file.stat().st_size // record.LOOK


def test_a_line_without_end_and_one_that_is_damaged_are_passed_over(file: Path) -> None:
    keep(file, 1)
    with file.open("ab") as more:
        more.write(b"x" * 500_000 + b"\n" + b"half of a li\n")
    keep(file, 1, first=1)
    (page,) = turn_pages(file, ALL, most=9)
    assert [one.at for one in page.actions] == [1, 0]
