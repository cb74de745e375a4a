"""The Runs page without a browser: how each run ended, what can be done about it, the first demo and a report."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from core.runs.notes import Note, read_note
from core.runs.run import ACTIVE, Run, find_run
from dashboard.panels.report_panel import report_folder
from tests.made_run import make_run
from tests.pages.apps import PAGES, Open, saves, set_state, title, words


def test_the_list_without_runs_starts_the_demo(open_page: Open, runs_root: Path, no_jobs: None) -> None:
    app = open_page("runs")
    app.button[0].click().run()
    assert title(app) == "Live"
    run = find_run("latest", runs_root)
    assert app.query_params == {"run": run.id}
    assert run.read_config().preset == "small"


@pytest.mark.parametrize("name", ["runs", "live"])
@pytest.mark.parametrize("state", [*ACTIVE, "finished", "stopped", "paused", "failed", "crashed"])
def test_a_run_is_shown_in_every_state(open_page: Open, run: Run, name: str, state: str) -> None:
    me = psutil.Process()
    set_state(run, state, pid=me.pid, pid_created=me.create_time())
    app = open_page(name, run="first")
    assert title(app) == PAGES[name]
    assert "could not be drawn" not in words(app)
    assert state in words(app)


def test_a_crashed_run_is_shown_with_the_end_of_its_log(open_page: Open, run: Run) -> None:
    set_state(run, "running", pid=os.getpid(), pid_created=1.0, host="")
    app = open_page("runs")
    assert title(app) == "Runs"
    assert "crashed" in words(app)
    (error,) = app.error
    assert "process is gone" in error.value
    assert "Epoch 2/2" in words(app)
    assert "crashed" in words(open_page("live", run="first"))


@pytest.mark.parametrize("name", ["runs", "live"])
def test_marks_in_a_runs_last_words_are_shown_letter_by_letter(open_page: Open, run: Run, name: str) -> None:
    set_state(run, "failed", message="/my/__data__ holds *no* images")
    (error,) = open_page(name, run="first").error
    assert error.value == r"/my/\_\_data\_\_ holds \*no\* images"


def test_resume_on_the_list_shows_the_run_at_work(open_page: Open, run: Run, no_jobs: None) -> None:
    set_state(run, "stopped")
    app = open_page("runs")
    app.button(key="resume-first").click().run()
    assert title(app) == "Runs"
    assert app.button(key="stop-first")


def test_a_report_is_made_at_one_click_and_offered_until_the_run_goes_on(
    open_page: Open, run: Run, jobs_here: None
) -> None:
    app = open_page("runs")
    assert saves(app) == []
    app.button(key="report-first").click().run()
    page, whole = saves(app)
    assert page.startswith("Save the page (")
    assert whole == "Save page, figures and tables (zip)"
    assert "66.7 %" in (report_folder([run]) / "report" / "report.html").read_text(encoding="utf-8")
    assert not any(button.key == "report-anew-first" for button in app.button)
    later = time.time() + 60
    os.utime(run.metrics_path, (later, later))
    app.run()
    assert "The run has gone on since this report was made." in words(app)
    assert any(button.key == "report-anew-first" for button in app.button)


def cards(app: AppTest) -> list[str]:
    return [
        button.key.removeprefix("open-") for button in app.button if (button.key or "").startswith("open-")
    ]


def test_many_runs_stand_on_pages_and_are_found_by_name_and_state(
    open_page: Open, run: Run, runs_root: Path
) -> None:
    for number in range(29):
        shutil.copytree(run.folder, runs_root / f"shop-{number:02d}")
    set_state(Run(runs_root / "shop-07"), "failed", message="No.")
    app = open_page("runs")
    assert len(cards(app)) == 25
    assert "30 runs: 29 finished, 1 failed" in words(app)
    app.number_input(key="runs-page").set_value(2).run()
    assert len(cards(app)) == 5
    app.text_input(key="runs-search").set_value("SHOP-0").run()
    assert len(cards(app)) == 10
    app.selectbox(key="runs-state").set_value("failed").run()
    assert cards(app) == ["shop-07"]
    app.text_input(key="runs-search").set_value("nonsuch").run()
    assert cards(app) == []
    assert "Try another one" in app.info[0].value


def test_a_note_and_tags_are_kept_shown_and_found(open_page: Open, run: Run) -> None:
    app = open_page("runs")
    app.button(key="note-first").click().run()
    app.text_area(key="note-text-first").set_value("Longer training")
    app.text_input(key="note-tags-first").set_value("baseline, good")
    app.button(key="note-save-first").click().run()
    assert read_note(run) == Note("Longer training", ("baseline", "good"))
    assert "Longer training" in words(open_page("runs"))
    assert ":violet-badge[baseline]" in words(open_page("live", run="first"))


def test_a_run_is_renamed(open_page: Open, run: Run, runs_root: Path) -> None:
    app = open_page("runs")
    app.button(key="note-first").click().run()
    app.text_input(key="note-name-first").set_value("best one")
    app.button(key="note-save-first").click().run()
    assert "may hold letters" in app.toast[0].value
    app.button(key="note-first").click().run()
    app.text_input(key="note-name-first").set_value("best-one")
    app.button(key="note-save-first").click().run()
    assert [path.name for path in runs_root.iterdir() if (path / "config.json").exists()] == ["best-one"]


def test_many_runs_are_archived_shown_again_and_asked_about_before_they_are_deleted(
    open_page: Open, run: Run, runs_root: Path
) -> None:
    for name in ("second", "third"):
        shutil.copytree(run.folder, runs_root / name)
    app = open_page("runs")
    app.checkbox(key="choose-second").check()
    app.checkbox(key="choose-third").check().run()
    assert "**2 runs** chosen" in words(app)
    app.button(key="runs-archive").click().run()
    assert cards(app) == ["first"]
    app.toggle(key="runs-archived").set_value(True).run()
    assert sorted(cards(app)) == ["second", "third"]
    app.button(key="runs-choose-all").click().run()
    app.button(key="runs-delete").click().run()
    assert "**third**, **second**, with all models, figures and predictions" in words(app)


def test_the_run_that_another_starts_from_and_the_disk_it_takes_are_told(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="child", weights="run:first")
    app = open_page("runs")
    assert "starts from first" in words(app)
    assert "< 1 MB" in words(app)
