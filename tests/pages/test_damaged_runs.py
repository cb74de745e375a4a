"""One run folder that is damaged in any way: told on its pages in words, and no other run suffers."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import UserError
from core.queue.turn import revive_queue
from core.report.facts import read_facts
from core.runs import jobs
from core.runs.bakeoff import list_bakeoffs
from core.runs.estimate import measure_speed
from core.runs.run import Run, list_runs
from core.runs.run_data import recorded_folders
from core.runs.seen import name_unknown
from tests.corpus.run_folders import DAMAGES
from tests.made_run import make_run, measure_confidence
from tests.pages.apps import PAGES, Open, title, words
from tests.processes import call_here


@pytest.fixture
def two_runs(runs_root: Path, tiny_data: Path, best_model: Path) -> tuple[Run, Run]:
    """Return a run to be damaged, stopped and with all that a run can have, and another."""
    first = make_run(runs_root, tiny_data, name="first", state="stopped")
    first.best_path.hardlink_to(best_model)
    measure_confidence(first)
    return first, make_run(runs_root, tiny_data, name="second", state="stopped")


def spoil(run: Run, name: str) -> None:
    path = run.folder / DAMAGES[name].file
    if path.is_file() and path.stat().st_nlink > 1:  # the best model is shared
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    DAMAGES[name].apply(run.folder)


def test_the_corpus_is_large() -> None:
    assert len(DAMAGES) >= 40


@pytest.mark.parametrize("name", DAMAGES)
def test_every_page_of_a_damaged_run_answers_in_words(
    open_page: Open, two_runs: tuple[Run, Run], name: str
) -> None:
    spoil(two_runs[0], name)
    damage = DAMAGES[name]
    for number, page in enumerate(damage.pages):
        app = open_page(page, run="first", runs="first,second")
        assert title(app) == PAGES[page]
        seen = words(app).replace("\\", "")
        assert "could not be drawn" not in seen, seen
        assert "unexpected fault" not in seen, seen
        if number == 0:
            assert damage.says in seen
        if page == "runs":
            assert {"stop-second", "open-second"} & {button.key for button in app.button}


@pytest.mark.parametrize("name", DAMAGES)
def test_the_commands_about_other_runs_work_beside_a_damaged_one(
    two_runs: tuple[Run, Run], runs_root: Path, no_jobs: None, name: str
) -> None:
    first, second = two_runs
    spoil(first, name)
    told = call_here("runs", root=runs_root)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    (own,) = (line for line in lines if line.startswith("first"))
    assert any(line.split()[:2] == ["second", "stopped"] for line in lines)
    damage = DAMAGES[name]
    if damage.file in ("status.json", "config.json", "data.json", "best.pt") or "column" in damage.says:
        assert own.split()[1] == "damaged"
        assert damage.says in own or "it is cut off" in own  # a long record is looked at from its ends
    assert "second is not running" in call_here("stop", "second", root=runs_root).stderr
    assert "Traceback" not in call_here("stop", "first", root=runs_root).stderr
    jobs.resume(second)
    assert second.read_status().state == "queued"
    revive_queue(list_runs(runs_root))
    list_bakeoffs(runs_root)
    # What cannot be done with the damaged one is told in words too.
    acts: list[Callable[[Run], object]] = [
        measure_speed, name_unknown, recorded_folders, read_facts, jobs.live_status, jobs.resume, jobs.delete,
    ]  # fmt: skip
    for act in acts:
        with contextlib.suppress(UserError, OSError):
            act(first)


@pytest.fixture
def locked_run(tiny_data: Path, best_model: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a root of two runs, of which this process may not look into the first; root itself gives up its rights."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o777)
        monkeypatch.setenv("WEAKSPOT_RUNS", str(root))
        for run in ("first", "second"):
            make_run(root, tiny_data, name=run)
        (root / "first").chmod(0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            yield root
        finally:
            if is_root:
                os.seteuid(0)
            (root / "first").chmod(0o777)


def test_a_run_that_may_not_be_looked_into_is_listed_as_damaged_beside_the_others(locked_run: Path) -> None:
    lines = call_here("runs", root=locked_run).stdout.splitlines()
    assert [line.split()[:2] for line in lines if line[0] != " "] == [
        ["second", "finished"],
        ["first", "damaged"],
    ]
    assert any("damaged   status.json cannot be read: Permission denied" in line for line in lines)
    for words_of in (
        call_here("stop", "first", root=locked_run),
        call_here("evaluate", "first", root=locked_run),
    ):
        assert words_of.returncode == 2
        assert "Traceback" not in words_of.stderr


def test_the_page_of_all_runs_shows_one_that_may_not_be_looked_into(
    open_page: Open, locked_run: Path
) -> None:
    for page in ("runs", "start", "train"):
        app = open_page(page)
        assert title(app) == PAGES[page]
        assert not app.error or all("Permission denied" in error.value for error in app.error)
        if page == "runs":
            names = [box.label for box in app.checkbox if not box.label.startswith("After a restart")]
            assert names == ["second", "first"]


@pytest.mark.parametrize(
    ("name", "page", "says"),
    [
        ("data: nothing", "confusion", "data.json is damaged: root is missing"),
        ("data: nothing", "predict", "data.json is damaged: root is missing"),
        ("best model: half", "predict", "best.pt is damaged: it is cut off"),
        ("config: brackets", "live", "config.json cannot be used: is not JSON (its brackets"),
    ],
)
def test_a_page_tells_the_damage_and_so_does_the_sidebar(
    open_page: Open, two_runs: tuple[Run, Run], name: str, page: str, says: str
) -> None:
    spoil(two_runs[0], name)
    app = open_page(page, run="first")
    assert says in words(app).replace("\\", "")
    assert any("damaged" in caption.value for caption in app.sidebar.caption)
