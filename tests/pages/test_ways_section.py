"""Better predictions on the Predict page: which runs can answer too, what each way gains, and that what is chosen predicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.util import calc_hash

from core.runs.run import Run
from core.runs.tasks import read_order
from core.training.checkpoint import load_checkpoint, save_checkpoint
from core.ways.choice import FLIP, Choice
from tests.made_run import make_run
from tests.pages.apps import Open, words
from tests.pages.test_predict_page import drop


@pytest.fixture
def other(run_with_model: Run, runs_root: Path, tiny_data: Path) -> Run:
    """Return a second run, whose head has its classes turned, beside one of other classes."""
    made = make_run(runs_root, tiny_data, name="second", device="cpu")
    values = load_checkpoint(run_with_model.best_path)
    values["model"]["fc.weight"] = values["model"]["fc.weight"].roll(1, 0)
    save_checkpoint(made.best_path, values)
    make_run(runs_root, tiny_data, name="empty")
    return made


def test_other_runs_are_offered_measured_once_and_what_is_chosen_predicts_images_and_the_hand_in(
    open_page: Open, run_with_model: Run, other: Run, tiny_data: Path, jobs_here: None
) -> None:
    app = open_page("predict", run="first")
    box = app.multiselect(key="ways-others-first")
    assert box.options == ["second"]
    assert "Not offered: 'empty'\\: no model yet" in words(app)
    box.set_value(["second"]).run()
    app.button(key="ways-start").click().run()
    assert read_order(run_with_model.folder / ".ways") == ("ways", {"runs": ["first", "second"]})
    app.run()
    shown = words(app)
    assert "No way is clearly better than first, plain" in shown.replace("\\", "")
    assert "Judged on 6 validation images of first" in shown.replace("\\", "")
    (table,) = (one.value for one in app.dataframe if "gain (95 %)" in one.value)
    assert list(table["way"])[:4] == ["first, plain", "first, flip", "first, crops", "second, plain"]
    choice = app.selectbox(key="ways-choice-first")
    assert "2 runs averaged, flip (" in choice.options[4]
    assert not any(label.startswith("second, plain") for label in choice.options)
    choice.set_value(Choice(("first", "second"), FLIP)).run()
    assert "predicted with **2 runs averaged, flip**" in words(app)
    drop(app, {"rose.png": (tiny_data / "test/1.png").read_bytes()})
    assert "The heat map asks first alone about the plain view." in words(app)
    app.button(key="predict-folder-start").click().run()
    app.run()
    record = json.loads((run_with_model.folder / ".predict/result/hand-in.json").read_text())
    assert (record["way"], record["count"]) == ("2 runs averaged, flip", 3)
    assert "Predicted with 2 runs averaged, flip." in words(app)
    app.multiselect(key="ways-others-first").set_value([]).run()
    assert "The way to predict has changed since" in words(app)
    assert not app.exception


def test_the_address_has_who_answers_so_that_a_reload_keeps_it(
    open_page: Open, run_with_model: Run, other: Run
) -> None:
    app = open_page("predict", run="first")
    app.multiselect(key="ways-others-first").set_value(["second"]).run()
    app.selectbox(key="ways-choice-first").set_value(Choice(("first", "second"))).run()
    asked = {"run": "first", "runs": "first,second", "way": "2 runs averaged"}
    assert app.query_params == asked
    again = open_page("predict", **asked)
    assert again.multiselect(key="ways-others-first").value == ["second"]
    assert "predicted with **2 runs averaged**" in words(again)
    again.multiselect(key="ways-others-first").set_value([]).run()
    assert again.query_params == {"run": "first"}
    assert "predicted with **" not in words(again)


def test_who_answers_is_kept_between_pages_for_each_run(
    open_page: Open, run_with_model: Run, other: Run
) -> None:
    app = open_page("predict", run="first", runs="first,second", way="2 runs averaged")
    for page, params in (("runs", {}), ("predict", {"run": "first"})):
        app._page_hash = calc_hash(page)
        app.query_params.clear()
        app.query_params.update(params)
        app.run()
    assert app.query_params == {"run": "first", "runs": "first,second", "way": "2 runs averaged"}
    app.query_params.clear()
    app.query_params["run"] = "second"
    app.run()
    assert app.multiselect(key="ways-others-second").value == []


def test_a_run_of_the_address_that_is_gone_is_told(open_page: Open, run_with_model: Run, other: Run) -> None:
    app = open_page("predict", run="first", runs="first,gone", way="2 runs averaged")
    assert "the run “gone”, which does not exist, or no longer." in words(app)
    assert app.multiselect(key="ways-others-first").value == []
    assert "predicted with **" not in words(app)


def test_a_run_alone_is_told_that_no_other_can_answer(open_page: Open, run_with_model: Run) -> None:
    app = open_page("predict", run="first")
    assert app.multiselect(key="ways-others-first").disabled
    assert app.selectbox(key="ways-choice-first").options == ["first, plain", "first, flip", "first, crops"]
    assert "predicted with **" not in words(app)
