"""The pages without a browser: each is drawn with and without runs, links open what they name, errors become words."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from core.__main__ import main
from core.dataset.audit import audit_data, audit_folder
from core.dataset.folders import scan_folders
from core.dataset.label_report import (
    LabelIssue,
    LabelReport,
    Overlap,
    WeakClass,
    fixes_path,
    read_decisions,
    read_fixes,
    report_path,
    write_fixes,
    write_label_report,
)
from core.files import write_text
from core.model.calibration import read_threshold, write_threshold
from core.recipe.presets import from_preset
from core.runs import jobs
from core.runs.run import ACTIVE, Run, Status, create_run, find_run
from core.runs.tasks import read_task
from core.training.rate_curve import RateCurve, write_curve
from core.verdicts.selective import cross_choose
from dashboard.components import gallery, plot
from dashboard.explorer.neighbours import task_folder
from dashboard.panels.label_section import apply_edits
from dashboard.panels.report_panel import report_folder
from dashboard.state.selection import pack_names
from dashboard.views.data import describe_balance
from tests.made_run import make_run, measure_confidence
from tests.processes import wait_until

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
PAGES = {
    "runs": "Runs",
    "train": "Train",
    "live": "Live",
    "confusion": "Confusion",
    "weak": "Weak classes",
    "confidence": "Confidence",
    "data": "Data",
    "predict": "Predict",
    "compare": "Compare",
    "bake-off": "Bake-off",
}
Open = Callable[..., AppTest]
ERROR = "val/35/1.png"


@pytest.fixture
def open_page(runs_root: Path, tiny_data: Path, quick_apps: None, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens a page by its name in the address, on the tiny data and an empty root of runs."""
    monkeypatch.setenv("WEAKSPOT_DATA", str(tiny_data))
    st.cache_data.clear()
    st.cache_resource.clear()

    def open_page(name: str = "", **query: str) -> AppTest:
        for component in (plot.component, gallery.component):
            component.cache_clear()  # each AppTest has a server of its own, where the component is to be registered
        app = AppTest.from_file(str(APP), default_timeout=60)
        if name:
            app._page_hash = calc_hash(name)  # switch_page() knows only pages that are files
        app.query_params.update(query)
        return app.run()

    return open_page


@pytest.fixture
def run(runs_root: Path, tiny_data: Path) -> Run:
    """Return a run that has finished, without a model."""
    return make_run(runs_root, tiny_data)


@pytest.fixture
def no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no job process start: a run that is launched stays queued, as if this process were its job."""

    def pretend(run: Run) -> None:
        me = psutil.Process()
        run.write_status(
            replace(run.read_status(), state="queued", message="", pid=me.pid, pid_created=me.create_time())
        )

    monkeypatch.setattr(jobs, "launch", pretend)


def set_state(run: Run, state: str, **values: Any) -> None:
    run.write_status(replace(run.read_status(), state=state, **values))


def title(app: AppTest) -> str:
    assert not app.exception
    (found,) = app.title
    return str(found.value)


def words(app: AppTest) -> str:
    """Return all text of the page."""
    kinds = ("markdown", "caption", "info", "warning", "error", "success", "subheader", "code", "text")
    found = [str(element.value) for kind in kinds for element in app.get(kind)]
    tiles = [json.loads(data).get("html", "") for data in component_data(app)]
    return "\n".join([*found, *(block.proto.body for block in app.get("html")), *tiles])


def component_data(app: AppTest) -> list[str]:
    """Return what travels to each of the page's own components, as JSON."""
    return [block.proto.json for block in app.get("bidi_component")]


def charts_of(app: AppTest) -> dict[str, dict[str, Any]]:
    """Return the figures of the page by the keys of their charts."""
    found = [json.loads(data) for data in component_data(app)]
    return {chart["key"]: json.loads(chart["figure"]) for chart in found if "figure" in chart}


def pictures(app: AppTest) -> list[str]:
    """Return what the pictures of the page show."""
    return re.findall(r'<img alt="([^"]*)"', words(app))


# Every page


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


@pytest.mark.parametrize("name", ["live", "confusion", "weak", "confidence", "predict"])
def test_every_page_of_a_run_is_drawn_before_its_first_epoch(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None, name: str
) -> None:
    jobs.submit(from_preset("demo", data=str(tiny_data), name="young"), runs_root)
    app = open_page(name, run="young")
    assert title(app) == PAGES[name]
    assert not app.error
    if name != "live":
        assert "this page fills by itself" in words(app)


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


# Errors


@pytest.mark.parametrize("name", ["confusion", "weak"])
def test_an_error_in_a_page_becomes_a_message_without_a_traceback(
    open_page: Open, run: Run, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(run: Run) -> None:
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
    def fail(root: Path) -> None:
        raise PermissionError(13, "Permission denied", "checkpoints")

    monkeypatch.setattr(jobs, "revive_queue", fail)
    app = open_page()
    assert not app.exception
    assert "Permission denied" in words(app)


def test_marks_in_an_error_are_shown_letter_by_letter(
    open_page: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: Run) -> None:
        raise ValueError("in __main__ of *all* files")

    monkeypatch.setattr("dashboard.state.services.read_predictions", fail)
    (error,) = open_page("confusion", run="first").error
    assert r"in \_\_main\_\_ of \*all\* files" in error.value


# The first page


def test_the_first_page_is_train_for_data_without_a_run(open_page: Open) -> None:
    assert title(open_page()) == "Train"


def test_the_first_page_is_the_list_when_nothing_is_under_way(open_page: Open, run: Run) -> None:
    assert title(open_page()) == "Runs"


def test_the_first_page_is_live_while_a_run_trains(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    jobs.submit(from_preset("demo", data=str(tiny_data), name="active"), runs_root)
    app = open_page()
    assert title(app) == "Live"
    assert app.query_params == {"run": "active"}


# Selection


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
    assert "Showing the newest run instead" in warning.value


def test_a_link_opens_exactly_the_images_of_its_cell(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="10", pred="2")
    assert pictures(app) == ["val/10/2.png"]
    assert app.selectbox(key="confusion-true").value == "10"
    assert app.selectbox(key="confusion-pred").value == "2"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"true": "35"}, {"val/35/1.png", "val/35/2.png"}),
        ({"pred": "35"}, {"val/35/2.png"}),
        ({"true": "2", "pred": "2"}, {"val/2/1.png", "val/2/2.png"}),
        ({"true": "2", "pred": "35"}, set()),
        ({}, set()),
    ],
)
def test_a_link_may_name_a_row_a_column_or_an_empty_cell(
    open_page: Open, run: Run, query: dict[str, str], shown: set[str]
) -> None:
    assert set(pictures(open_page("confusion", run="first", **query))) == shown


def test_an_unknown_class_in_a_link_is_ignored(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="no such", pred="2")
    assert title(app) == "Confusion"
    assert app.selectbox(key="confusion-true").value == ""
    assert len(pictures(app)) == 4


def test_the_boxes_write_the_cell_into_the_address(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", page="2")
    app.selectbox(key="confusion-true").set_value("35").run()
    assert app.query_params == {"run": "first", "true": "35"}
    assert set(pictures(app)) == {"val/35/1.png", "val/35/2.png"}


def test_a_confused_pair_selects_its_cell(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first")
    app.button(key="pair-0").click().run()
    assert app.query_params == {"run": "first", "true": "10", "pred": "2"}
    assert pictures(app) == ["val/10/2.png"]


def test_a_lost_image_leaves_the_others(open_page: Open, run: Run, tiny_data: Path) -> None:
    (tiny_data / "val" / "35" / "1.png").unlink()
    app = open_page("confusion", run="first", true="35")
    assert pictures(app) == ["val/35/2.png"]
    assert "The file is gone or cannot be read any more." in words(app)


def test_a_link_opens_a_class(open_page: Open, run: Run, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    app = open_page("weak", run="first", **{"class": "35"})
    assert app.selectbox(key="weak-class").value == "35"
    assert "Grad-CAM of val/35/1.png for 2" in pictures(app)
    assert "Grad-CAM of val/35/1.png for 35" in pictures(app)


def test_an_unknown_class_shows_the_weakest(open_page: Open, run: Run, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    app = open_page("weak", run="first", **{"class": "no such"})
    assert title(app) == "Weak classes"
    assert app.selectbox(key="weak-class").value == "10"


def test_a_run_that_was_taken_apart_still_shows_its_weak_classes(open_page: Open, run: Run) -> None:
    app = open_page("weak", run="first")  # it has no model, so there are no heat maps
    assert title(app) == "Weak classes"
    assert "has no model" in words(app)
    assert app.dataframe  # all classes need none


def test_a_class_without_validation_images_is_not_praised(
    open_page: Open, run: Run, best_model: Path
) -> None:
    run.best_path.hardlink_to(best_model)
    lines = run.predictions_path().read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(run.predictions_path(), "".join(line for line in lines if not line.startswith("val/35")))
    app = open_page("weak", run="first", **{"class": "35"})
    assert title(app) == "Weak classes"
    assert not app.success
    assert "No validation image shows this class" in words(app)
    assert "Wrong images of" not in words(app)


def test_a_class_is_described_in_words_and_figures(open_page: Open, run: Run, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    app = open_page("weak", run="first", **{"class": "35"})
    assert "1 of 2 right: the true recall may lie anywhere within 9–91 %" in words(app).replace("\\", "")
    assert "Two images cannot tell more" in words(app)
    assert "Every class has 6 training images" in words(app)
    averages, classes = (frame.value for frame in app.dataframe)
    assert averages["recall"].tolist() == pytest.approx([400 / 6] * 2)
    assert classes.set_index("class").loc["2 · rose", "mistaken for it"] == "10 · tulip"


# An error in detail


@pytest.fixture
def open_error(open_page: Open, run: Run, best_model: Path) -> Open:
    """Return a function that opens the error of class 35 in detail."""
    run.best_path.hardlink_to(best_model)
    return lambda **query: open_page("weak", run="first", **{"class": "35", "image": ERROR, **query})


def test_a_link_opens_an_error_with_what_speaks_for_it(open_error: Open) -> None:
    app = open_error()
    assert pictures(app) == [
        ERROR,
        f"Grad-CAM of {ERROR} for 2",
        f"Grad-CAM of {ERROR} for 2 rather than 35",
    ]
    assert "Likeliest classes" in words(app)
    assert "✓ 35 · iris" in words(app)
    assert "to be believed" in words(app) or "speaks for" in words(app)
    assert not app.error


def test_class_method_and_layer_are_chosen_and_stand_in_the_address(open_error: Open) -> None:
    app = open_error()
    app.selectbox(key="detail-for").set_value("10")
    app.selectbox(key="detail-method").set_value("LayerCAM")
    app.selectbox(key="detail-stage").set_value("2").run()
    assert f"LayerCAM of {ERROR} for 10" in pictures(app)
    assert app.query_params["method"] == "LayerCAM"
    again = open_error(**{"for": "10", "method": "LayerCAM", "stage": "2"})
    assert again.selectbox(key="detail-stage").value == "2"
    assert pictures(again) == pictures(app)


def test_a_method_that_looks_at_no_class_says_so(open_error: Open) -> None:
    app = open_error(method="EigenCAM")
    assert pictures(app) == [ERROR, f"EigenCAM of {ERROR} for 2"]
    assert "EigenCAM looks at no class" in words(app)
    assert app.selectbox(key="detail-for").disabled


def test_nonsense_in_the_address_of_an_error_is_left_aside(open_error: Open) -> None:
    app = open_error(method="none", stage="9", **{"for": "no such"})
    assert f"Grad-CAM of {ERROR} for 2" in pictures(app)
    app = open_error(image="val/no/such.png")
    assert "Wrong images of" in words(app)


def test_an_error_whose_file_is_lost_still_tells_what_was_answered(open_error: Open, tiny_data: Path) -> None:
    (tiny_data / ERROR).unlink()
    app = open_error()
    assert "The file is gone or cannot be read any more." in words(app)
    assert "✓ 35 · iris" in words(app)
    assert not app.error


def test_the_strength_of_the_overlay_is_kept_in_the_address(open_error: Open) -> None:
    app = open_error(strength="20")
    assert app.slider(key="detail-strength").value == 20
    app.slider(key="detail-strength").set_value(90).run()
    assert app.query_params["strength"] == "90"


def test_the_way_leads_from_an_error_back_to_its_class(open_error: Open) -> None:
    app = open_error()
    app.button(key="detail-back").click().run()
    assert "image" not in app.query_params
    assert app.selectbox(key="weak-class").value == "35"
    app.button(key=f"weak-open-{ERROR}").click().run()
    assert app.query_params["image"] == ERROR


def test_the_nearest_training_images_are_found_once_for_all_errors(open_error: Open, runs_root: Path) -> None:
    app = open_error()
    app.button(key="find-similar").click().run()
    folder = task_folder(find_run("first", runs_root))
    wait_until(lambda: read_task(folder).state == "finished", "the images are compared")
    app = open_error()
    shown = [name for name in pictures(app) if name.startswith("train/")]
    assert [name.split("/")[1] for name in shown] == ["2"] * 5 + ["35"] * 5
    assert "Nearest of all is" in words(app)
    again = open_error(image="val/10/2.png")
    assert not [button for button in again.button if button.key == "find-similar"]
    assert [name.split("/")[1] for name in pictures(again) if name.startswith("train/")] == ["2"] * 5 + [
        "10"
    ] * 5


# The explorer of the Confusion page


def block_of(*names: str) -> str:
    return pack_names(names, ["2", "10", "35"])


def test_a_link_opens_the_images_of_a_block_of_errors(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", block=block_of("2", "10"), only="wrong")
    assert pictures(app) == ["val/10/2.png"]
    assert "2 · rose, 10 · tulip among each other, errors only" in words(app).replace("\\", "")
    app.selectbox(key="confusion-wrong").set_value(False).run()
    assert app.query_params == {"run": "first", "block": block_of("2", "10")}
    assert len(pictures(app)) == 4


def test_images_are_sorted_by_confidence_or_loss_and_so_they_stay(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="10")
    assert pictures(app) == ["val/10/2.png", "val/10/1.png"]  # confidences 0.82 and 0.78
    app = open_page("confusion", run="first", true="35")
    before = pictures(app)
    app.selectbox(key="browse-sort").set_value("loss").run()
    assert pictures(app) == ["val/35/1.png", "val/35/2.png"] != before


def test_the_matrix_of_an_epoch_shows_the_images_of_that_epoch(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", epoch="1", true="10", pred="2")
    assert set(pictures(app)) == {"val/10/1.png", "val/10/2.png"}
    assert "Epoch 1 on validation: 3 of 6 right" in words(app)
    app.selectbox(key="confusion-epoch").set_value("").run()
    assert pictures(app) == ["val/10/2.png"]
    assert app.query_params == {"run": "first", "true": "10", "pred": "2"}


def test_a_difference_tells_what_came_in_and_what_left(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", against="epoch:1", true="35", pred="2")
    assert pictures(app) == ["val/35/1.png"]
    assert "1 validation image changed, 1 came in" in words(app)
    assert "before 10 · tulip" in words(app)
    app = open_page("confusion", run="first", against="epoch:1", true="10", pred="2")
    assert pictures(app) == ["val/10/1.png"]
    assert "1 validation image changed, 1 left" in words(app)
    app = open_page("confusion", run="first", against="epoch:1", true="35", pred="35")
    assert "no image came in or left" in words(app)


def test_a_difference_of_two_runs_on_other_images_is_refused_with_the_reason(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    other = make_run(runs_root, tiny_data, name="second")
    assert not open_page("confusion", run="first", against="run:second").warning
    lines = other.predictions_path().read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(other.predictions_path(), "".join(lines[:-1]))
    app = open_page("confusion", run="first", against="run:second")
    assert title(app) == "Confusion"
    (warning,) = app.warning
    assert "different images: 5 of 6 and 5 are in both." in warning.value.replace("\\", "")
    assert "Confusion matrix" in component_data(app)[0]  # instead, with the choice to compare with another


def test_a_run_of_an_older_version_has_its_best_model_only(open_page: Open, run: Run) -> None:
    shutil.rmtree(run.epoch_path(1).parent)
    app = open_page("confusion", run="first", epoch="1")
    assert "Best model on validation: 4 of 6 right" in words(app)
    assert not app.error


def test_a_damaged_table_of_an_epoch_is_told_and_another_can_be_chosen(open_page: Open, run: Run) -> None:
    whole = run.epoch_path(1).read_bytes()
    run.epoch_path(1).write_bytes(whole[: len(whole) // 2])
    app = open_page("confusion", run="first", epoch="1")
    assert "is no predictions table" in words(app)
    assert app.selectbox(key="confusion-epoch").value == "1"


def test_a_block_of_confused_classes_is_listed_and_selects_its_errors(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", epoch="1")
    (block,) = [button for button in app.button if (button.key or "").startswith("block-")]
    assert "· 2" in block.label
    block.click().run()
    assert app.query_params["only"] == "wrong"
    assert app.selectbox(key="confusion-order").value == "similarity"
    assert set(pictures(app)) == {"val/10/1.png", "val/10/2.png"}


def test_how_the_matrix_is_drawn_is_chosen_and_a_class_of_another_run_is_forgotten(
    open_page: Open, run: Run
) -> None:
    app = open_page("confusion", run="first")
    for key, value in (("order", "recall"), ("values", "row"), ("find", "35")):
        app.selectbox(key=f"confusion-{key}").set_value(value)
    app.toggle(key="confusion-log").set_value(True).run()
    figure = charts_of(app)["confusion-matrix"]
    assert figure["data"][0]["y"] == ["10 · tulip", "35 · iris", "2 · rose"]
    assert "share of row" in figure["data"][0]["colorbar"]["title"]["text"]
    assert len(json.loads(component_data(app)[0])["shapes"]) == 2  # the bands of the class that is looked for
    assert not app.error


def test_an_image_is_opened_by_a_link_with_its_likeliest_classes(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="35", image="val/35/1.png")
    assert "**35 · iris** taken for **2 · rose**" in words(app).replace("\\", "")
    assert "Likeliest classes" in words(app)
    assert app.button(key="browse-next").disabled
    app.button(key="browse-previous").click().run()
    assert app.query_params["image"] == "val/35/2.png"


def test_the_images_are_packed_when_asked_and_lost_ones_are_named(
    open_page: Open, run: Run, tiny_data: Path
) -> None:
    (tiny_data / "val" / "35" / "1.png").unlink()
    app = open_page("confusion", run="first", true="35")
    assert "browse-archive" not in app.session_state
    app.button(key="browse-pack").click().run()
    packed = app.session_state["browse-archive"][1]
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert archive.namelist() == ["35/35/2.png", "missing.txt"]
    assert "1 files are gone or cannot be read: val/35/1.png" in words(app).replace("\\", "")


def test_live_shows_the_newest_epoch_and_how_each_class_came_there(open_page: Open, run: Run) -> None:
    app = open_page("live", run="first")
    assert "Epoch 2" in words(app)
    recall = charts_of(app)["live-recall"]["data"][0]
    assert recall["x"] == ["1", "2"]
    assert recall["y"] == ["10 · tulip", "35 · iris", "2 · rose"]
    assert charts_of(app)["live-matrix"]["layout"]["title"]["text"] == "Confusion matrix"


def test_live_of_an_older_version_shows_the_best_model(open_page: Open, run: Run) -> None:
    shutil.rmtree(run.epoch_path(1).parent)
    rows = [{**row, "val_correct": None} for row in run.read_metrics()[0]]
    write_text(run.metrics_path, "".join(json.dumps(row) + "\n" for row in rows))
    app = open_page("live", run="first")
    assert "Best model" in words(app)
    assert {"live-matrix"} == {key for key in charts_of(app) if key not in ("live-loss", "live-accuracy")}
    assert not app.error


# How runs end


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


def test_a_run_that_failed_early_says_what_to_do(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    failed = create_run(from_preset("demo", data=str(tiny_data), name="early"), runs_root)
    set_state(failed, "failed", message="There are no images.")
    shown = words(open_page("confusion", run="early"))
    assert "early has no predictions yet" in shown
    assert "It has failed" in shown


def test_stop_on_the_live_page_asks_the_run_to_stop(open_page: Open, run: Run, no_jobs: None) -> None:
    set_state(run, "stopped")
    jobs.resume(run)
    app = open_page("live", run="first")
    app.button(key="live-stop").click().run()
    assert title(app) == "Live"
    assert run.stop_requested()
    assert not app.error
    assert app.button(key="live-end")


def test_resume_on_the_live_page_shows_the_run_at_work(open_page: Open, run: Run, no_jobs: None) -> None:
    set_state(run, "stopped")
    app = open_page("live", run="first")
    app.button(key="live-resume").click().run()
    assert title(app) == "Live"
    assert not app.error
    assert app.button(key="live-stop")


def test_resume_on_the_list_shows_the_run_at_work(open_page: Open, run: Run, no_jobs: None) -> None:
    set_state(run, "stopped")
    app = open_page("runs")
    app.button(key="resume-first").click().run()
    assert title(app) == "Runs"
    assert app.button(key="stop-first")


# Confidence


@pytest.fixture
def run_with_model(run: Run, best_model: Path) -> Run:
    run.best_path.hardlink_to(best_model)
    return run


def test_confidence_offers_to_measure_what_was_not(
    open_page: Open, run_with_model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[list[str]] = []
    monkeypatch.setattr(jobs, "launch", lambda task, words: launched.append([task.folder.name, *words]))
    app = open_page("confidence", run="first")
    app.button(key="confidence-measure").click().run()
    assert title(app) == "Confidence"
    assert launched[0][:3] == [".calibrate", "calibrate", "first"]
    assert [button.key for button in app.button] == ["confidence-stop"]


def test_confidence_tells_why_measuring_failed(open_page: Open, run_with_model: Run) -> None:
    task = Run(run_with_model.folder / ".calibrate")
    task.folder.mkdir()
    task.write_status(Status(state="failed", message="the data folder is gone"))
    app = open_page("confidence", run="first")
    assert "the data folder is gone" in words(app)
    assert app.button(key="confidence-measure")


def test_confidence_shows_what_was_measured_with_intervals(open_page: Open, run_with_model: Run) -> None:
    found = measure_confidence(run_with_model)
    app = open_page("confidence", run="first")
    assert not app.warning
    shown = words(app)
    assert "**it is overconfident by" in shown
    assert f"A temperature of {found.temperature:.2f} takes the calibration error from" in shown
    assert "It makes the loss lower by" in shown
    figures = app.dataframe[0].value.set_index("figure")
    assert figures.loc["Calibration error (ECE)", "before"].startswith(
        f"{found.before.ece.value * 100:.1f} % ("
    )
    assert figures.loc["Brier score", "change"].startswith("−")
    charts = charts_of(app)
    assert set(charts) == {"confidence-reliability", "confidence-histogram", "confidence-risk"}
    assert [trace["name"] for trace in charts["confidence-reliability"]["data"]] == [
        "as sure as right",
        "before scaling",
        "after scaling",
    ]


def test_a_threshold_is_chosen_for_the_accuracy_wanted_and_kept_for_predict(
    open_page: Open, run_with_model: Run
) -> None:
    found = measure_confidence(run_with_model)
    app = open_page("confidence", run="first", wanted="90")
    choice = cross_choose(found.answers, 0.9)
    assert choice is not None
    assert f"**{choice.threshold * 100:.1f} %**" in words(app)
    assert "these images make it likely at best" in words(app)
    app.button(key="confidence-keep").click().run()
    kept = read_threshold(run_with_model, temperature=found.temperature)
    assert kept is not None
    assert (kept.value, kept.wanted) == (pytest.approx(choice.threshold, abs=1e-6), 0.9)
    assert "Predict uses this threshold." in words(app)
    app.number_input(key="confidence-wanted").set_value(80.0).run()
    assert app.query_params["wanted"] == "80"
    assert "Predict now says “not sure” below" in words(app)


def test_a_model_measured_on_few_images_says_what_cannot_be_told(
    open_page: Open, run_with_model: Run
) -> None:
    measure_confidence(run_with_model, count=6)
    app = open_page("confidence", run="first", wanted="99.9")
    assert title(app) == "Confidence"
    assert "No temperature is used: only" in words(app)
    assert "known roughly: look at the intervals" in words(app)
    assert not app.error


def test_what_was_measured_of_another_model_is_measured_again(open_page: Open, run_with_model: Run) -> None:
    measure_confidence(run_with_model)
    set_state(run_with_model, "finished", best_epoch=1)
    app = open_page("confidence", run="first")
    assert "of another model than the one that is the best now" in words(app)
    assert app.button(key="confidence-measure")


def test_predict_says_not_sure_below_the_threshold_and_names_its_best_guess(
    open_page: Open, run_with_model: Run, tiny_data: Path
) -> None:
    found = measure_confidence(run_with_model)
    write_threshold(run_with_model, 0.9, temperature=found.temperature, wanted=0.95)
    app = open_page("predict", run="first")
    shown = words(app)
    assert f"Confidences are calibrated, temperature {found.temperature:.2f}." in shown
    assert "On validation it answers" in shown
    app.file_uploader(key="predict-files").upload(
        "rose.png", (tiny_data / "test/1.png").read_bytes(), "image/png"
    )
    app.run()
    assert "Not sure. Best guess: " in words(app)
    app.number_input(key="answering-threshold-first").set_value(1.0).run()
    assert "Not sure" not in words(app)
    kept = read_threshold(run_with_model, temperature=found.temperature)
    assert kept is not None
    assert (kept.value, kept.wanted) == (0.01, None)
    app.toggle(key="answering-calibrated-first").set_value(False).run()
    assert "as the network gives them, not calibrated" in words(app)
    assert app.number_input(key="answering-threshold-first").value == 0
    assert not app.error


def test_a_predicted_folder_has_a_file_with_confidences_and_says_when_the_threshold_changed(
    open_page: Open, run_with_model: Run
) -> None:
    write_threshold(run_with_model, 0.999, temperature=1.0)
    app = open_page("predict", run="first")
    assert "how far they can be believed has not been measured" in words(app)
    next(button for button in app.button if button.label == "Predict the folder").click().run()
    assert "Not sure of 3 of 3 images" in words(app)
    table = app.dataframe[0].value
    assert list(table.columns) == ["image_name", "pred_label", "confidence", "sure"]
    assert (run_with_model.folder / "prediction.csv").read_text().splitlines()[0] == "image_name,pred_label"
    app.number_input(key="answering-threshold-first").set_value(0.0).run()
    assert "The threshold has changed since" in words(app)


# Starting


def test_the_list_without_runs_starts_the_demo(open_page: Open, runs_root: Path, no_jobs: None) -> None:
    app = open_page("runs")
    app.button[0].click().run()
    assert title(app) == "Live"
    run = find_run("latest", runs_root)
    assert app.query_params == {"run": run.id}
    assert run.read_config().preset == "demo"


def test_the_form_starts_the_run_it_describes(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_page("train")
    app.text_input(key="form-name").set_value("mine")
    app.number_input(key="form-epochs").set_value(3)
    app.selectbox(key="form-weights-kind").set_value("none").run()
    assert "--name mine" in words(app)
    app.button(key="train-start").click().run()
    assert title(app) == "Live"
    expected = from_preset("seed", data=str(tiny_data), name="mine", epochs=3, weights="none")
    assert find_run("mine", runs_root).read_config() == expected


def test_a_wrong_form_names_the_field_and_holds_the_start_back(open_page: Open) -> None:
    app = open_page("train")
    app.text_input(key="form-data").set_value("/no/such/folder").run()
    assert title(app) == "Train"
    assert app.button(key="train-start").disabled
    assert "mend **Folder of images** first" in words(app)


def test_compared_runs_are_told_apart_by_what_differs(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="second", lr=0.5, focus="2,35", pairs="2:10")
    app = open_page("compare", runs="first,second")
    assert title(app) == "Compare"
    assert app.multiselect(key="compare-runs").value == ["first", "second"]
    results, settings = (table.value for table in app.dataframe)
    assert results["run"].tolist() == ["first", "second"]
    assert settings[["setting", "first", "second"]].to_numpy().tolist() == [
        ["Learning rate", "0.001", "0.5"],
        ["Classes to specialise on", "–", "2 · rose, 35 · iris"],
        ["Look-alikes to tell apart", "–", "2 · rose and 10 · tulip"],
    ]


def test_repeats_and_unfinished_runs_are_named_and_are_no_seeds(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="again")
    make_run(runs_root, tiny_data, name="early", seed=1, state="stopped")
    app = open_page("compare", runs="first,again,early")
    told = words(app)
    assert "There is nothing to test: only one model is left." in told
    assert "again repeats the seed of first, so it is left out" in told
    assert "early has not finished, so it is left out" in told
    assert "compare-seeds-0" not in charts_of(app)


def test_a_learning_rate_that_was_found_belongs_to_its_settings(
    open_page: Open, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[tuple[Run, list[str]]] = []
    monkeypatch.setattr(jobs, "launch", lambda task, words: launched.append((task, words)))
    app = open_page("train")
    app.button(key="train-find-rate").click().run()
    ((task, command),) = launched
    assert command[0] == "find-rate"
    assert command[-2:] == ["--task", str(task.folder)]
    me = psutil.Process()
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=30, total=100, seconds_left=7.0)
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.text == "30 of 100 · about 7 s left"
    app.selectbox(key="form-optimizer").set_value("adamw").run()
    assert task.stop_requested()  # nobody waits for it any more
    write_curve(task.folder / "curve.json", RateCurve((1e-4, 1e-3, 1e-2), (2.3, 1.9, 2.8), 0.0123))
    set_state(task, "finished")
    assert not [button for button in app.button if button.key == "train-use-rate"]
    app.selectbox(key="form-optimizer").set_value("sgd").run()
    app.button(key="train-use-rate").click().run()
    assert app.number_input(key="form-lr").value == 0.012
    assert app.button(key="train-use-rate").label == "Use 0.012"
    assert title(app) == "Train"


def test_runs_whose_settings_cannot_be_read_are_not_called_the_same(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="second", lr=0.5)
    (run.folder / "config.json").write_text("{")
    app = open_page("compare", runs="first,second")
    assert title(app) == "Compare"
    (warning,) = app.warning
    assert r"config\.json cannot be used" in warning.value
    assert "have the same settings" not in words(app)


def test_the_preview_does_not_promise_augmentation_that_the_head_does_not_see(open_page: Open) -> None:
    app = open_page("train")
    assert len(pictures(app)) == 16
    app.toggle(key="form-head_only").set_value(True).run()
    assert title(app) == "Train"
    assert pictures(app) == []
    assert "images are seen as in validation" in words(app)
    app.number_input(key="form-feature_views").set_value(2).run()
    assert len(pictures(app)) == 16


def test_a_weak_class_leads_to_a_form_that_specialises_on_it_and_its_rival(
    open_page: Open, run: Run, best_model: Path
) -> None:
    run.best_path.hardlink_to(best_model)
    app = open_page("weak", run="first", **{"class": "35"})
    assert app.multiselect(key="specialise-first-35").value == ["35", "2"]
    app.button(key="specialise-whole").click().run()
    assert not app.exception
    assert app.session_state["form-focus"] == "35,2"
    assert app.session_state["form-pairs"] == "35:2"
    assert app.session_state["form-weights-run"] == "first"
    assert app.session_state["form-lr"] == pytest.approx(0.0001)
    assert not app.session_state["form-head_only"]


def test_a_block_of_the_matrix_leads_to_a_form_that_tells_its_look_alikes_apart(
    open_page: Open, run: Run, best_model: Path
) -> None:
    app = open_page("confusion", run="first", block=block_of("2", "10"))
    assert app.button(key="specialise-head").disabled  # there is no model to start from
    run.best_path.hardlink_to(best_model)
    app.run().button(key="specialise-head").click().run()
    assert not app.exception
    asked = {
        name: app.session_state[f"form-{name}"] for name in ("focus", "pairs", "weights-run", "head_only")
    }
    assert asked == {"focus": "10,2", "pairs": "10:2", "weights-run": "first", "head_only": True}
    right = open_page("confusion", run="first", true="2", pred="2")
    assert not [button for button in right.button if str(button.key).startswith("specialise")]


def test_a_specialised_run_beside_its_parent_shows_what_was_won_and_lost(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    special = make_run(runs_root, tiny_data, name="second", focus="35", weights="run:first")
    table = special.predictions_path().read_text(encoding="utf-8")
    line = next(line for line in table.splitlines() if line.startswith("val/35/1.png"))
    assert line.split(",")[1:3] == ["35", "2"]
    won = line.replace(",35,2,", ",35,35,", 1)
    special.predictions_path().write_text(table.replace(line, won), encoding="utf-8")
    app = open_page("compare", runs="second,first")
    assert title(app) == "Compare"
    changes = app.dataframe[1].value
    assert changes[["class", "won", "lost"]].to_numpy().tolist() == [["35 · iris", 1, 0]]
    assert "Images won: 1" in words(app)
    assert pictures(app) == ["val/35/1.png"]
    assert "On the chosen classes (35 · iris): No evidence of a difference" in words(app)
    assert "The gain on the chosen classes **may be chance**" in words(app)
    assert "Judged on validation." in words(app)
    assert changes["change (points)"].tolist() == [50.0]


def test_a_specialised_run_is_held_against_a_control_trained_after_it(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="special", focus="35", pairs="35:2", weights="run:first", lr=0.004)
    app = open_page("compare", runs="special,first")
    app.button(key="changes-control").click().run()
    assert title(app) == "Train"
    asked = [app.session_state[f"form-{field}"] for field in ("focus", "pairs", "lr", "name")]
    assert asked == ["", "", 0.004, ""]
    make_run(runs_root, tiny_data, name="control", weights="run:first", lr=0.004)
    app = open_page("compare", runs="special,control")
    assert "What changed from control to special" in [heading.value for heading in app.subheader]
    assert "On the chosen classes (35 · iris)" in words(app)


def make_changed(runs_root: Path, tiny_data: Path, **changes: Any) -> Run:
    """Make a run that tells val/35/1.png right, which `first` does not."""
    second = make_run(runs_root, tiny_data, name="second", **changes)
    table = second.predictions_path().read_text(encoding="utf-8")
    line = next(line for line in table.splitlines() if line.startswith("val/35/1.png"))
    second.predictions_path().write_text(
        table.replace(line, line.replace(",35,2,", ",35,35,", 1)), encoding="utf-8"
    )
    return second


def test_an_image_won_opens_with_the_heat_maps_of_both_models(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, best_model: Path
) -> None:
    second = make_changed(runs_root, tiny_data)
    query = {"runs": "first,second", "image": ERROR}
    text = words(open_page("compare", **query))
    assert "2 · rose, 86.0 % sure: wrong" in text
    assert text.count("It has no model any more, so there is no heat map.") == 2
    for one in (run, second):
        one.best_path.hardlink_to(best_model)
    app = open_page("compare", **query)
    assert not app.exception
    shown = pictures(app)
    assert f"Grad-CAM of {ERROR} for 2 by first" in shown
    assert f"Grad-CAM of {ERROR} for 35 by second" in shown


def test_two_runs_are_judged_on_what_both_held_back(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    second = make_changed(runs_root, tiny_data, fixes=str(run.folder / "label-fixes-train.csv"))
    for one in (run, second):
        shutil.copy(run.predictions_path(), one.predictions_path("held"))
    app = open_page("compare", runs="first,second")
    assert app.segmented_control(key="changes-on").value == "held"
    told = words(app)
    assert told.count("Judged on images held back from both") == 2  # the headline and what changed
    assert "first and second are right and wrong on the same 6 images" in told
    assert (
        "On all classes after the fix list label\\-fixes\\-train\\.csv: before and after are right"
        in words(app)
    )
    app.segmented_control(key="changes-on").set_value("val").run()
    assert app.query_params["on"] == "val"
    assert "the images held back settle it" in words(app)
    assert "Images won: 1" in words(app)
    second.predictions_path("held").write_text("damaged", encoding="utf-8")
    assert "Judged on validation." in words(open_page("compare", runs="first,second"))


@pytest.mark.parametrize(
    "changes", [{"weights": "run:first", "focus": "35"}, {"fixes": "label-fixes-train.csv"}]
)
def test_a_run_made_better_leads_to_what_was_before(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, changes: dict[str, str]
) -> None:
    if "fixes" in changes:
        changes = {"fixes": str(run.folder / changes["fixes"])}
    make_run(runs_root, tiny_data, name="second", **changes)
    links = [link.proto.label for link in open_page("live", run="second").get("page_link")]
    assert "Before and after" in links
    links = [link.proto.label for link in open_page("live", run="first").get("page_link")]
    assert "Before and after" not in links


# Data


def scan_tiny(tiny_data: Path, runs_root: Path) -> None:
    assert audit_data(tiny_data, runs_root) is not None


def test_a_finding_opens_its_images_and_a_link_reopens_them(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    assert "Not scanned yet" in words(open_page("data"))
    shutil.copy(tiny_data / "train/2/1.png", tiny_data / "val/2/again.png")
    scan_tiny(tiny_data, runs_root)
    app = open_page("data")
    assert "files: 18 training, 7 validation, 3 test" in words(app)
    assert pictures(app) == []
    app.button(key="finding-leak").click().run()
    assert pictures(app) == ["train/2/1.png", "val/2/again.png"]
    assert "1 in training as 2 · rose, 1 in validation as 2 · rose" in words(app)
    assert app.query_params["finding"] == "leak"
    assert pictures(open_page("data", run="first", finding="leak")) == ["train/2/1.png", "val/2/again.png"]
    assert pictures(open_page("data", run="first", finding="nonsense")) == []


def test_sound_data_is_told_and_a_damaged_audit_too(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    scan_tiny(tiny_data, runs_root)
    assert "Nothing wrong was found in 27 files." in words(open_page("data"))
    (audit_folder(tiny_data, runs_root) / "audit.json").write_text("{")
    assert "Scan the data again" in words(open_page("data"))


def test_the_data_of_a_run_that_held_images_back_is_split_as_the_run_did(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, hold_back=1)
    held = scan_folders(tiny_data, hold_back=1).held[0].path
    shutil.copy(tiny_data / held, tiny_data / "val/2/again.png")
    audit_data(tiny_data, runs_root, hold_back=1)
    app = open_page("data", run="first", finding="leak")
    text = words(app)
    assert "files: 15 training, 7 validation, 3 held back, 3 test." in text
    assert "1 held back as 2 · rose" in text
    assert pictures(app) == [held, "val/2/again.png"]


def test_a_scan_is_started_watched_and_its_end_told(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[list[str]] = []
    monkeypatch.setattr(jobs, "launch", lambda _, words: launched.append(words))
    app = open_page("data")
    app.button(key="data-scan").click().run()
    folder = audit_folder(tiny_data, runs_root)
    split = ["--val-fraction", "0.15", "--hold-back", "0"]
    assert launched == [["audit", str(tiny_data), "--task", str(folder), *split]]
    me = psutil.Process()
    task = Run(folder)
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=20, total=27, seconds_left=3.0)
    app = open_page("data")
    (bar,) = app.get("progress")
    assert bar.proto.text == "20 of 27 files · about 3 s left"
    app.button(key="data-scan-stop").click().run()
    assert task.stop_requested()
    for ended, told in (("stopped", "what was done is kept"), ("failed", "why it failed"), ("crashed", "")):
        set_state(task, ended, message=told)
        app = open_page("data")
        assert told in words(app)
        assert not app.button(key="data-scan").disabled


def test_another_folder_is_looked_at_and_left_again(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, tmp_path: Path
) -> None:
    app = open_page("data")
    app.text_input(key="data-folder").set_value(str(tmp_path / "nowhere")).run()
    assert "there is no such folder" in words(app)
    assert app.query_params["folder"] == str(tmp_path / "nowhere")
    app.button(key="data-back").click().run()
    assert app.text_input(key="data-folder").value == str(tiny_data)
    assert "folder" not in app.query_params


def test_doubtful_labels_are_shown_and_the_fix_list_keeps_what_is_chosen(
    open_page: Open, run: Run, best_model: Path
) -> None:
    assert "has no model yet" in words(open_page("data"))
    run.best_path.hardlink_to(best_model)
    assert "Look for wrong labels" in [button.label for button in open_page("data").button]
    issues = (
        LabelIssue("val/2/1.png", "2", "10", 0.01, 0.9),
        LabelIssue("val/35/2.png", "35", "2", 0.2, 0.7),
    )
    report = LabelReport(
        "val", 6, 2, issues, (Overlap("2", "10", 5, 20, 0.11, 0.47, 2),), (WeakClass("35", 3, 9, 0.12, 0.65),)
    )
    write_label_report(report_path(run.folder, "val"), report)
    app = open_page("data")
    text = words(app)
    assert "**2 of 6 labels** (33.3 %)" in text
    assert pictures(app) == ["val/2/1.png", "val/35/2.png"]
    assert "2 · rose → 10 · tulip?" in text
    assert "1.0 % sure of 2 · rose, 90.0 % of 10 · tulip" in text
    assert "5 of 20 images cross over, 25.0 % (11.0–47.0 %); about 2 of them by a wrong label" in text
    assert "3 of 9 images right, 33.3 % (12.0–65.0 %)" in text
    app.button(key="labels-all-relabel").click().run()
    assert not app.exception
    assert read_decisions(fixes_path(run.folder, "val"), issues)[1] == ["relabel", "relabel"]
    assert app.button(key="labels-train").disabled
    assert "A training never changes validation labels" in words(app)
    set_state(run, "finished", best_epoch=1)
    assert "Look again" in words(open_page("data"))


def test_a_run_is_trained_once_more_without_the_errors_in_its_labels(
    open_page: Open, run: Run, best_model: Path
) -> None:
    run.best_path.hardlink_to(best_model)
    issues = tuple(LabelIssue(f"train/2/{n}.png", "2", "35", 0.1, 0.9) for n in (1, 2))
    write_label_report(report_path(run.folder, "train"), LabelReport("train", 18, 2, issues, (), ()))
    app = open_page("data", labels="train")
    assert app.button(key="labels-train").disabled
    assert "to train without it" in words(app)
    app.button(key="labels-all-drop").click().run()
    assert "its fix list (2 labels to correct)" in words(app)
    app.button(key="labels-train").click().run()
    assert title(app) == "Train"
    assert app.session_state["form-fixes"] == str(fixes_path(run.folder, "train").resolve())
    assert app.session_state["form-epochs"] == 2
    assert app.session_state["form-name"] == ""
    assert "16 training, 6 validation and 3 test images · by the fix list 2 left out" in words(app)


def test_looking_again_loses_no_label_that_was_marked(open_page: Open, run: Run, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    path = fixes_path(run.folder, "train")
    issues = [LabelIssue(f"train/2/{n}.png", "2", "35", 0.1, 0.9) for n in (1, 2, 3)]
    write_fixes(path, issues, ["drop"] * 3)
    write_label_report(
        report_path(run.folder, "train"), LabelReport("train", 18, 2, tuple(issues[:1]), (), ())
    )
    app = open_page("data", labels="train")
    assert "(3 labels to correct)" in words(app)
    assert "The last 2 were marked in an earlier report" in words(app)
    app.button(key="labels-all-relabel").click().run()
    assert not app.exception
    assert [fix.action for fix in read_fixes(path)] == ["relabel"] * 3
    write_label_report(report_path(run.folder, "train"), LabelReport("train", 18, 2, (), (), ()))
    assert "(3 labels to correct)" in words(open_page("data", labels="train"))


def test_edits_of_the_fix_list_are_applied_to_what_was_chosen_before() -> None:
    before = ["keep", "drop", "keep"]
    assert apply_edits(before, {2: {"action": "relabel"}, 1: {}}) == ["keep", "drop", "relabel"]


def test_the_balance_of_classes_is_told_with_those_that_have_none() -> None:
    assert describe_balance({"a": 3, "b": 3}, {}) == "Every class has 3 training images."
    told = describe_balance({"a": 30, "b": 3, "c": 0}, {"b": "bee"})
    assert told == "From 3 training images (b · bee) to 30 (a): 10.0 times as many. 1 class has none."
    assert describe_balance({"a": 0}, {}) == "Training has no images."


# Reports


def saves(app: AppTest) -> list[str]:
    return [element.proto.label for element in app.get("download_button")]


def test_a_report_is_made_at_one_click_and_offered_until_the_run_goes_on(
    open_page: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(task: Run, words: list[str]) -> None:  # here, in place of a process of its own
        assert main(words) == 0

    monkeypatch.setattr(jobs, "launch", work)
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
    assert "It is older than what the run has done since." in words(app)
    assert any(button.key == "report-anew-first" for button in app.button)


def test_a_report_of_several_runs_is_made_on_compare_and_can_be_stopped(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = make_run(runs_root, tiny_data, name="second", lr=0.5)
    asked: list[list[str]] = []
    monkeypatch.setattr(jobs, "launch", lambda _, words: asked.append(list(words)))
    app = open_page("compare", runs="second,first")
    app.button(key="report-second+first").click().run()
    assert asked[0][:3] == ["report", "second", "first"]
    folder = report_folder([second, run])
    assert folder != report_folder([second])
    assert app.button(key="report-second+first-stop").label == "Stop"
    set_state(Run(folder), "failed", message="second has no predictions table.")
    app.run()
    assert "second has no predictions table." in "".join(error.value for error in app.error).replace("\\", "")
    set_state(Run(folder), "stopped")
    app.run()
    assert "Stopped; no new report was made." in words(app)
    assert saves(app) == []
