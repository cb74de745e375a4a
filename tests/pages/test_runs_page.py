"""The Runs page without a browser: how each run ended, what can be done about it, the first demo and a report."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from streamlit.testing.v1 import AppTest

from core.runs.notes import Note, archive, read_note, write_note
from core.runs.run import Run, find_run
from core.stored.status import ACTIVE
from dashboard.panels.report_panel import report_folder
from tests.made_run import make_member, make_run
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
    assert "The run has continued since this report was made." in words(app)
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
    app = open_page("runs", view="cards")
    assert len(cards(app)) == 25
    assert "30 runs: 29 finished, 1 failed" in words(app)
    app.number_input(key="runs-page").set_value(2).run()
    assert len(cards(app)) == 5
    app.text_input(key="runs-words").set_value("SHOP-0").run()
    assert len(cards(app)) == 10
    app.selectbox(key="runs-state").set_value("failed").run()
    assert cards(app) == ["shop-07"]
    app.text_input(key="runs-words").set_value("nonsuch").run()
    assert cards(app) == []
    assert "Clear a filter above" in app.info[0].value


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
    assert "may contain letters" in app.toast[0].value
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


def table(app: AppTest) -> pd.DataFrame:
    return app.dataframe[0].value


def tick(app: AppTest, *names: str) -> AppTest:
    """Tick rows of the table as the browser does, which tells their places."""
    places = [list(table(app)["name"]).index(name) for name in names]
    app.session_state[app.dataframe[0].key] = {"selection": {"rows": places, "columns": [], "cells": []}}
    return app.run()


@pytest.fixture
def shop(run: Run, runs_root: Path) -> list[Run]:
    """Return a dozen runs, made one after the other, of which the last was imported from nowhere and failed."""
    runs = [Run(runs_root / f"shop-{number:02d}") for number in range(12)]
    for number, one in enumerate(runs):
        shutil.copytree(run.folder, one.folder)
        set_state(one, "finished", created=1000.0 + number, best_val_acc=number / 12)
    set_state(runs[-1], "failed", message="No.")
    return runs


def test_more_runs_than_are_seen_at_a_glance_stand_in_a_table_with_figures_that_sort(
    open_page: Open, shop: list[Run]
) -> None:
    app = open_page("runs")
    assert cards(app) == []
    found = table(app).set_index("name")
    assert len(found) == 13
    assert found.loc["shop-03", ["state", "network", "data", "epochs"]].tolist() == [
        "finished", "resnet18", "tiny", 2,
    ]  # fmt: skip
    assert found.loc["shop-03", "accuracy"] == pytest.approx(25)
    assert found.loc["shop-03", "interval"].endswith(" %")
    assert found["minutes"].eq(1).all()
    app.text_input(key="runs-words").set_value("resnet18 SHOP-1").run()
    assert set(table(app)["name"]) == {"shop-10", "shop-11"}


def test_a_run_ticked_alone_is_seen_whole_and_several_are_compared_or_archived(
    open_page: Open, shop: list[Run]
) -> None:
    app = tick(open_page("runs"), "shop-11")
    assert cards(app) == ["shop-11"]
    assert app.error[0].value == r"No\."
    tick(app, "shop-02", "shop-07")
    assert cards(app) == []
    app.button(key="runs-archive").click().run()
    assert not {"shop-02", "shop-07"} & set(table(app)["name"])
    tick(app, "shop-05", "shop-03")
    app.button(key="runs-compare").click().run()
    assert title(app) == "Compare"
    assert app.query_params["runs"] == "shop-03,shop-05"


def test_the_table_has_the_columns_that_were_chosen(open_page: Open, shop: list[Run]) -> None:
    app = open_page("runs")
    assert json.loads(app.dataframe[0].proto.columns)["name"]["width"] == 300  # not a few letters of it
    assert {"network", "disk"} < set(table(app))
    app.session_state["runs-columns"] = ["accuracy"]
    app.run()
    assert list(table(app)) == ["name", "accuracy"]


def test_runs_are_found_by_what_they_have_and_the_address_keeps_it(
    open_page: Open, shop: list[Run], runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="other", arch="resnet34")
    write_note(shop[3], tags=("night", "good"))
    app = open_page("runs", view="table")
    assert not any(box.key == "runs-data" for box in app.selectbox)  # all have the same
    app.selectbox(key="runs-network").set_value("resnet34").run()
    assert list(table(app)["name"]) == ["other"]
    assert app.query_params["network"] == "resnet34"
    app.selectbox(key="runs-network").set_value("").run()
    app.selectbox(key="runs-tag").set_value("night").run()
    assert list(table(app)["name"]) == ["shop-03"]
    asked = open_page("runs", tag="good", state="finished", words="SHOP")
    assert list(table(asked)["name"]) == ["shop-03"]
    assert asked.selectbox(key="runs-tag").value == "good"
    assert "No run has all of this" in words(open_page("runs", tag="nonsuch"))


def test_an_address_that_names_a_filter_is_obeyed_among_a_few_runs_too(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="one")
    make_run(runs_root, tiny_data, name="two", arch="resnet34")
    assert not any(box.key == "runs-network" for box in open_page("runs").selectbox)
    app = open_page("runs", network="resnet34")
    assert cards(app) == ["two"]
    assert app.selectbox(key="runs-network").value == "resnet34"
    assert cards(open_page("runs", words="one")) == ["one"]
    alike = open_page("runs", state="failed")  # a property in which these runs do not differ
    assert cards(alike) == []
    assert "No run has all of this" in words(alike)
    alike.selectbox(key="runs-state").set_value("").run()
    assert set(cards(alike)) == {"one", "two"}


def test_ticks_stay_with_their_runs_when_others_come(
    open_page: Open, shop: list[Run], runs_root: Path
) -> None:
    app = tick(open_page("runs"), "shop-05", "shop-07")
    shutil.copytree(shop[0].folder, runs_root / "newest")
    set_state(Run(runs_root / "newest"), "finished", created=5000.0)
    app.run()
    assert table(app)["name"].tolist().index("newest") < 2
    app.button(key="runs-delete").click().run()
    assert "**shop\\-07**, **shop\\-05**, with all models" in words(app)


def test_a_run_names_those_that_start_from_it(
    open_page: Open, shop: list[Run], runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="child", weights="run:shop-04")
    found = table(open_page("runs")).set_index("name")
    assert found.loc["child", "parent"] == "shop-04"
    assert found.loc["shop-04", "children"] == "child"
    assert "starts from shop\\-04" in words(open_page("runs", view="cards"))


def test_the_box_of_a_run_is_called_as_the_run_is(open_page: Open, run: Run, runs_root: Path) -> None:
    for name in ("shop-2.1_b", "_odd_*"):
        shutil.copytree(run.folder, runs_root / name)
    labels = [box.label for box in open_page("runs").checkbox]
    assert {"first", "shop-2.1_b"} <= set(labels)
    assert r"\_odd\_\*" in labels


def test_archived_runs_are_offered_nowhere_but_where_the_address_names_them(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    for name in ("second", "third"):
        shutil.copytree(run.folder, runs_root / name)
    away = make_member(runs_root, tiny_data)
    archive([away, Run(runs_root / "third")])
    assert open_page("compare").multiselect[0].options == ["second", "first"]
    assert "third" in open_page("compare", runs="first,third").multiselect[0].options
    app = open_page("confusion", run="first")
    assert set(app.selectbox(key="run-choice").options) == {"first", "second"}
    assert not any("third" in option for option in app.selectbox(key="confusion-against").options)
    app = open_page("confusion", run="first", against="run:third")
    assert any("third" in option for option in app.selectbox(key="confusion-against").options)
    assert "bake-choice" not in {box.key for box in open_page("bake-off").selectbox}
    assert open_page("bake-off", group="bake").selectbox(key="bake-choice").value == "bake"


def test_the_switch_for_the_archived_comes_and_goes_with_them(
    open_page: Open, run: Run, runs_root: Path
) -> None:
    make_run(runs_root, Path(run.read_config().data), name="second")
    app = open_page("runs")
    assert not [one for one in app.toggle if one.key == "runs-archived"]
    app.checkbox("choose-second").check().run()
    app.button("runs-archive").click().run()
    assert app.toggle("runs-archived").label == "Show the archived (1)"
    assert "1 run: 1 finished" in words(app)
