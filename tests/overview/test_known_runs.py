"""What is known of all runs is kept beside them: read in place of their files, and believed only while these are as they were."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from core.__main__ import main
from core.overview import facts, index
from core.overview.facts import find_damage, read_facts, read_recipe
from core.recipe.config import TrainConfig
from core.runs.notes import write_note
from core.runs.run import Run, list_runs
from core.stored.status import STATUSES, Status
from tests.opened import watch_opens

MANY = index.FEW + 5


def forget() -> None:
    """Make this process know as little as one that has just begun."""
    for known in (STATUSES, facts.RECIPES, facts.FACTS, index._indexed):
        known.clear()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of many runs that have rested for a minute."""
    runs = tmp_path / "runs"
    config = TrainConfig(data="/pictures/flowers", arch="resnet18", weights="none").to_json()
    status = Status(state="finished", epoch=3, epochs=3, best_epoch=2, best_val_acc=0.9)
    for number in range(MANY):
        run = Run(runs / f"run-{number:03d}")
        run.folder.mkdir(parents=True)
        (run.folder / "config.json").write_text(config, encoding="utf-8")
        made = json.dumps(asdict(replace(status, created=1.0 + number)))
        (run.folder / "status.json").write_text(made, encoding="utf-8")
        rest(run)
    monkeypatch.setenv("WEAKSPOT_RUNS", str(runs))
    forget()
    return runs


def rest(run: Run) -> None:
    """Make a run's files as old as those of one that ended long ago."""
    then = time.time() - 60
    for path in (*run.folder.iterdir(), run.folder):
        os.utime(path, (then, then))


def look(root: Path) -> dict[str, tuple[Status, Any]]:
    """Return what the page Runs reads of all runs."""
    index.recall(root)
    found = list_runs(root)
    shown = {run.id: (status, read_facts(run)) for run, status in found}
    index.keep(root, [run for run, _ in found])
    return shown


def test_a_new_process_knows_all_runs_without_opening_their_files(root: Path) -> None:
    before = look(root)
    forget()
    with watch_opens(root) as opened:
        assert look(root) == before
    assert dict(opened) == {index.NAME: 1}
    assert before["run-007"][1].recipe.data == "/pictures/flowers"


def test_the_command_opens_no_file_of_a_run_either(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    before = capsys.readouterr().out
    assert before.splitlines()[0].startswith(f"run-{MANY - 1:03d}")
    forget()
    with watch_opens(root) as opened:
        assert main(["runs"]) == 0
    assert dict(opened) == {index.NAME: 1}
    assert capsys.readouterr().out == before


def change_status(run: Run) -> None:
    run.write_status(Status(state="stopped", message="by hand"))


def change_config(run: Run) -> None:
    run.write_config(TrainConfig(data="/pictures/birds", arch="resnet34"))


def damage_config(run: Run) -> None:
    (run.folder / "config.json").write_text("{}}", encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (change_status, lambda run: run.read_status().message == "by hand"),
        (change_config, lambda run: read_facts(run).recipe.arch == "resnet34"),
        (damage_config, lambda run: "config.json cannot be used" in read_facts(run).recipe.damage),
        (lambda run: write_note(run, text="the best"), lambda run: read_facts(run).note.text == "the best"),
        (
            lambda run: (run.folder / "status.json").write_text("[]"),
            lambda run: "status.json" in find_damage(run, run.read_status(), read_recipe(run)),
        ),
    ],
)
def test_what_changed_since_is_read_again(
    root: Path, change: Callable[[Run], object], shown: Callable[[Run], bool]
) -> None:
    look(root)
    run = Run(root / "run-003")
    change(run)
    forget()
    look(root)
    assert shown(run)


def test_a_run_that_is_gone_or_new_is_listed_as_it_is(root: Path) -> None:
    look(root)
    (root / "run-003").rename(root / "renamed")
    forget()
    names = set(look(root))
    assert "renamed" in names
    assert "run-003" not in names


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 9, "runs": {}}',
        '{"version": 1, "runs": []}',
        '{"version": 1, "runs": {"run-003": 7}}',
    ],
)
def test_an_index_that_is_none_is_left_aside(root: Path, text: str) -> None:
    before = look(root)
    (root / index.NAME).write_text(text, encoding="utf-8")
    forget()
    assert look(root) == before


@pytest.mark.parametrize(
    ("part", "place", "value"),
    [
        ("status", 3, {"state": "finished", "epoch": "three"}),
        ("status", 3, {"no such field": 1}),
        ("status", 0, "long ago"),
        ("recipe", 5, 7),
        ("facts", 2, "much"),
        ("facts", 4, 7),
    ],
)
def test_an_entry_that_holds_what_no_run_has_is_left_aside(
    root: Path, part: str, place: int, value: object
) -> None:
    before = look(root)
    values = json.loads((root / index.NAME).read_text(encoding="utf-8"))
    values["runs"]["run-003"][part][place] = value
    (root / index.NAME).write_text(json.dumps(values), encoding="utf-8")
    forget()
    assert look(root) == before


def test_where_the_index_cannot_be_written_the_runs_are_read(root: Path) -> None:
    (root / index.NAME).mkdir()
    assert len(look(root)) == MANY


def test_few_runs_need_no_index(root: Path) -> None:
    for number in range(10, MANY):
        (root / f"run-{number:03d}").rename(root.parent / f"{number}")
    look(root)
    assert not (root / index.NAME).exists()


def test_a_file_that_was_written_just_now_is_not_taken_to_rest(root: Path) -> None:
    run = Run(root / "run-001")
    change_config(run)
    read_recipe(run)
    assert str(run.folder) not in facts.RECIPES
