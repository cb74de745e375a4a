"""A large folder is counted by a task: no page waits for it, all share it, and they go on when it is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.cli.kinds import KINDS
from core.runs.run import Run
from core.runs.tasks import read_order
from tests.pages.apps import Open, pictures, set_state, title, words

BACKGROUND = "it is counted in the background"
COUNTS = "3 classes · 18 training, 6 validation and 3 test images"


@pytest.fixture(autouse=True)
def _everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.census.stamps.SMALL", 5)


def only_count(runs_root: Path) -> Run:
    (folder,) = (runs_root / ".counts").iterdir()
    return Run(folder)


def finish(task: Run, data: Path) -> None:
    """Do what the task's process does with the order that the page wrote."""
    kind, parameters = read_order(task.folder)
    assert parameters["data"] == str(data)
    KINDS[kind](task.folder, lambda *_: True, **parameters)
    set_state(task, "finished")


def test_train_shows_how_far_it_is_and_a_run_can_start_meanwhile(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_page("train")
    task = only_count(runs_root)
    assert read_order(task.folder)[0] == "count"
    set_state(task, "running", done=412_000, total=1_000_000, seconds_left=7.0)
    app.button_group(key="train-preset").set_value("seed").run()
    assert BACKGROUND in words(app)
    assert "0 classes" not in words(app)
    (bar,) = app.get("progress")
    assert bar.proto.text == "412,000 of 1,000,000 files · about 7 s left"
    assert "They are drawn once the images are counted." in words(app)
    app.button(key="train-start").click().run()
    assert title(app) == "Live"


def test_the_page_goes_on_when_it_is_done_and_another_shares_the_count(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_page("train")
    task = only_count(runs_root)
    created = task.read_status().created
    assert BACKGROUND in words(open_page("train"))
    assert only_count(runs_root).read_status().created == created
    finish(task, tiny_data)
    app.button_group(key="train-preset").set_value("seed").run()
    assert COUNTS in words(app)
    assert BACKGROUND not in words(app)
    assert len(pictures(app)) == 16
    assert COUNTS in words(open_page("bake-off"))


def test_a_count_that_is_no_longer_true_is_shown_until_the_new_one_is_there(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page("train")
    finish(only_count(runs_root), tiny_data)
    (tiny_data / "train/2/more.png").write_bytes((tiny_data / "train/2/1.png").read_bytes())
    monkeypatch.setattr("core.census.count._YOUNG", 0.0)
    app = open_page("train")
    assert COUNTS in words(app)
    assert "What you see is from the last count" in words(app)
    finish(only_count(runs_root), tiny_data)
    assert "19 training" in words(open_page("train"))


def test_a_stopped_count_begins_again_by_a_click_and_in_a_new_window(
    open_page: Open, runs_root: Path, no_jobs: None
) -> None:
    app = open_page("train")
    task = only_count(runs_root)
    set_state(task, "stopped", message="Stopped before its end.")
    app.run()
    assert "Stopped before its end" in words(app).replace("\\", "")
    assert task.read_status().state == "stopped"
    app.button(key="count-again").click().run()
    assert task.read_status().state == "queued"
    set_state(task, "stopped")
    open_page("train")
    assert task.read_status().state == "queued"


def test_a_count_whose_process_died_begins_again_by_itself(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_page("train")
    task = only_count(runs_root)
    set_state(task, "running", pid=2**22 - 1, pid_created=1.0, created=1.0)
    app.run()
    assert task.read_status().state == "queued"


def test_the_bake_off_waits_for_the_first_count_and_says_so(
    open_page: Open, runs_root: Path, no_jobs: None
) -> None:
    app = open_page("bake-off")
    assert BACKGROUND in words(app)


def test_a_class_that_is_not_there_is_named_once_the_folder_is_counted(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_page("train")
    app.session_state["form-focus"] = ["nobody"]
    app.run()
    assert not app.button(key="train-start").disabled
    finish(only_count(runs_root), tiny_data)
    app.run()
    assert app.button(key="train-start").disabled


def test_a_folder_that_cannot_be_counted_cannot_be_trained_on_until_it_can(
    open_page: Open, runs_root: Path, no_jobs: None
) -> None:
    app = open_page("train")
    task = only_count(runs_root)
    set_state(task, "failed", message="/photos/private: Permission denied")
    app.run()
    assert "/photos/private: Permission denied" in words(app).replace("\\", "")
    assert "You can start already" not in words(app)
    assert app.button(key="train-start").disabled
    app.button(key="count-again").click().run()
    assert task.read_status().state == "queued"
    assert not app.button(key="train-start").disabled
