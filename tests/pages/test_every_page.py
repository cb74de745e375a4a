"""Every page without a browser: drawn with and without runs, errors become words, the first page, the run's choice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.model.soup import load_runs, write_soup
from core.recipe.presets import from_preset
from core.runs import jobs
from core.runs.run import Run, iter_runs
from tests.made_run import make_run
from tests.pages.apps import PAGES, Open, links, title, words
from tests.processes import REPOSITORY


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn_without_runs(open_page: Open, name: str) -> None:
    app = open_page(name)
    assert title(app) == PAGES[name]
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn_with_runs(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, name: str, best_model: Path
) -> None:
    run.best_path.hardlink_to(best_model)
    make_run(runs_root, tiny_data, name="second", lr=0.5)
    app = open_page(name, run="first")
    assert title(app) == PAGES[name]
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn_for_a_soup(open_page: Open, run: Run, name: str, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    second = make_run(run.folder.parent, Path(run.read_config().data), name="second")
    second.best_path.hardlink_to(best_model)
    write_soup(load_runs([run, second]), run, "soup", run.folder.parent)
    app = open_page(name, run="soup")
    assert title(app) == PAGES[name]
    assert not app.error
    assert not app.warning


@pytest.mark.parametrize("name", ["live", "confusion", "weak", "map", "confidence", "predict"])
def test_every_page_of_a_run_is_drawn_before_its_first_epoch(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None, name: str
) -> None:
    jobs.submit(from_preset("demo", data=str(tiny_data), name="young"), runs_root)
    app = open_page(name, run="young")
    assert title(app) == PAGES[name]
    assert not app.error
    if name != "live":
        assert "this page updates by itself" in words(app)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("config.json", "runs"),
        ("status.json", "runs"),
        ("status.json", "live"),
        ("metrics.jsonl", "live"),
        ("data.json", "confusion"),
        ("predictions-val.csv", "confusion"),
        ("best.pt", "weak"),
        ("best.pt", "map"),
        ("calibration.json", "confidence"),
        ("calibration.json", "predict"),
        ("threshold.json", "predict"),
    ],
)
def test_a_damaged_run_is_told_in_words(open_page: Open, run: Run, file: str, name: str) -> None:
    (run.folder / file).write_text("{")
    app = open_page(name, run="first")
    assert title(app) == PAGES[name]
    assert "could not be drawn" not in words(app)


@pytest.mark.parametrize("name", ["confusion", "weak"])
def test_an_error_in_a_page_becomes_a_message_without_a_traceback(
    open_page: Open, run: Run, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("one by nothing")

    monkeypatch.setattr("dashboard.state.services.read_predictions", fail)
    app = open_page(name, run="first")
    assert title(app) == PAGES[name]
    (error,) = app.error
    assert "ZeroDivisionError" in error.value
    assert "one by nothing" in error.value
    assert "Traceback" not in words(app)
    assert "Traceback" in caplog.text  # the terminal has it


def test_an_error_in_the_first_page_becomes_a_message(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(found: object) -> None:
        raise PermissionError(13, "Permission denied", "checkpoints")

    monkeypatch.setattr("dashboard.views.start.revive_queue", fail)
    app = open_page()
    assert not app.exception
    assert "Permission denied" in words(app)


def test_marks_in_an_error_are_shown_letter_by_letter(
    open_page: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("in __main__ of *all* files")

    monkeypatch.setattr("dashboard.state.services.read_predictions", fail)
    (error,) = open_page("confusion", run="first").error
    assert r"in \_\_main\_\_ of \*all\* files" in error.value


def test_the_first_page_leads_to_ones_own_images_and_to_the_demo(
    open_page: Open, tiny_data: Path, no_jobs: None, runs_root: Path
) -> None:
    app = open_page()
    assert title(app) == PAGES["start"]
    assert f"opened on **{tiny_data.name}**" in words(app).replace("\\", "")
    assert "Last runs" not in words(app)
    app.button(key="start-own").click().run()
    assert title(app) == "Train"
    app = open_page()
    app.button(key="start-demo").click().run()
    assert title(app) == "Live"
    (demo,) = iter_runs(runs_root)
    assert (demo.read_config().preset, Path(demo.read_config().data).name) == ("small", "glyphs")
    app = open_page()
    assert [button.key for button in app.button] == [
        "start-own",
        "start-browse",
        "start-bring",
    ]  # the demo is under way
    assert "Open the demo" in links(app)


def test_the_first_page_shows_what_runs_and_the_last_runs(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    jobs.submit(from_preset("demo", data=str(tiny_data), name="active"), runs_root)
    app = open_page()
    (bar,) = app.get("progress")
    assert bar.proto.text.startswith("**active**")
    assert "Watch it live" in links(app)
    assert "**first**" in words(app)
    assert "See its errors" in links(app)


def test_the_name_of_the_run_stands_on_its_pages(open_page: Open, run: Run) -> None:
    for name in ("live", "confusion", "weak", "map", "confidence", "data", "predict"):
        assert ">Run <b>first</b><" in words(open_page(name, run="first"))


def test_a_run_is_chosen_in_the_sidebar(open_page: Open, run: Run, runs_root: Path, tiny_data: Path) -> None:
    make_run(runs_root, tiny_data, name="second")
    app = open_page("live", run="first")
    app.sidebar.selectbox[0].set_value("second").run()
    assert title(app) == "Live"
    assert app.query_params == {"run": "second"}


def test_a_link_to_an_unknown_run_shows_the_newest_and_says_so(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="gone")
    assert title(app) == "Confusion"
    assert app.query_params == {"run": "first"}
    (warning,) = app.warning
    assert "The newest run is shown" in warning.value


def test_a_server_loads_all_pages_before_anybody_opens_one() -> None:
    code = (
        "import dashboard.server, dashboard.views, pkgutil, sys, threading\n"
        "[one.join(60) for one in threading.enumerate() if one.name == 'load-pages']\n"
        "names = {f'dashboard.views.{found.name}' for found in pkgutil.iter_modules(dashboard.views.__path__)}\n"
        "print(len(names), names - set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    count, missing = done.stdout.split(maxsplit=1)
    assert int(count) >= len(PAGES)
    assert missing == "set()\n"
