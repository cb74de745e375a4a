"""What is said of a run is kept with it, puts it away or gives it another name, and never breaks a tie to another run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import ConfigError, RunError
from core.runs import notes
from core.runs.notes import Note, parse_tags, read_note, write_note
from core.runs.run import Run, create_run, find_run
from tests.processes import tiny_config


def make(root: Path, name: str, *, state: str = "finished", **changes: object) -> Run:
    run = create_run(tiny_config(root, name, **changes), root)
    run.write_status(replace(run.read_status(), state=state))
    return run


def test_a_note_is_read_back_and_what_is_none_says_nothing(tmp_path: Path) -> None:
    run = make(tmp_path, "first")
    assert read_note(run) == Note()
    note = Note("größer\nund besser", ("good", "v2"), archived=True)
    write_note(run, text=note.text, tags=note.tags, archived=note.archived)
    assert read_note(run) == note
    for text in ("{", "[]", '{"text": 1}', '{"text": "x", "tags": 3}'):
        (run.folder / notes.NOTES).write_text(text)
        assert read_note(run) == Note()


def test_tags_stand_between_commas_once_each() -> None:
    assert parse_tags(" good , two  words,,good, ") == ("good", "two words")
    assert parse_tags("") == ()


def test_a_note_is_found_by_its_words_and_tags() -> None:
    note = Note("Longer training", ("Baseline",))
    assert note.matches("longer")
    assert note.matches("base")
    assert not note.matches("shorter")


def test_too_long_a_note_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"2,001 characters; the limit is 2,000"):
        write_note(make(tmp_path, "first"), text="x" * 2001)


def test_archiving_keeps_the_note_and_is_taken_back(tmp_path: Path) -> None:
    runs = [make(tmp_path, name) for name in ("first", "second")]
    write_note(runs[0], text="kept")
    notes.archive(runs)
    assert [read_note(run) for run in runs] == [Note("kept", archived=True), Note(archived=True)]
    notes.archive(runs[:1], archived=False)
    assert read_note(runs[0]) == Note("kept")


def test_a_run_gets_another_name_with_all_that_is_in_it(tmp_path: Path) -> None:
    run = make(tmp_path, "first")
    write_note(run, text="kept")
    renamed = notes.rename(run, "better")
    assert find_run("better", tmp_path) == renamed
    assert renamed.read_config() == replace(tiny_config(tmp_path, "first"), name="better")
    assert read_note(renamed).text == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["better"]
    assert notes.rename(renamed, "better") == renamed


def test_a_name_that_cannot_be_is_told_and_the_run_stays(tmp_path: Path) -> None:
    first = make(tmp_path, "first")
    make(tmp_path, "child", weights="run:first")
    grouped = make(tmp_path, "grouped", group="bake")
    active = make(tmp_path, "active", state="queued")
    with pytest.raises(ConfigError, match="name: may contain letters"):
        notes.rename(first, "a/b")
    with pytest.raises(RunError, match="child starts from it"):
        notes.rename(first, "other")
    with pytest.raises(RunError, match="belongs to the bake-off bake"):
        notes.rename(grouped, "other")
    with pytest.raises(RunError, match="active is queued"):
        notes.rename(active, "other")
    with pytest.raises(RunError, match="active is queued"):
        notes.archive([first, active])
    with pytest.raises(RunError, match="named first already exists"):
        notes.rename(make(tmp_path, "lone"), "first")
    with pytest.raises(RunError, match="needs a name"):
        notes.rename(first, "")
    assert first.folder.is_dir()
    assert not read_note(first).archived


def test_the_parent_of_a_run_is_known(tmp_path: Path) -> None:
    first, child = make(tmp_path, "first"), make(tmp_path, "child", weights="run:first")
    assert (notes.find_parent(first), notes.find_parent(child)) == ("", "first")
