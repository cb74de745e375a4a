"""The Train page without a browser: the form starts the run it describes, or says what holds it back."""

from __future__ import annotations

from pathlib import Path

import psutil
from streamlit.testing.v1 import AppTest

from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from core.runs.rate_curve import RateCurve, write_curve
from core.runs.run import Run, find_run
from core.runs.tasks import read_order
from tests.pages.apps import Open, pictures, set_state, title, words


def open_report(open_page: Open) -> AppTest:
    """Open the form with the report's recipe, which holds most settings."""
    app = open_page("train")
    assert app.session_state["form-preset"] == "quick"
    app.button_group(key="train-preset").set_value("seed").run()
    return app


def test_the_form_starts_the_run_it_describes(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_report(open_page)
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


def test_a_learning_rate_that_was_found_belongs_to_its_settings(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_report(open_page)
    app.button(key="train-find-rate").click().run()
    (folder,) = (runs_root / ".rates").iterdir()
    kind, parameters = read_order(folder)
    assert kind == "find-rate"
    assert TrainConfig.from_dict(parameters["config"]) == from_preset("seed", data=str(tiny_data))
    task = Run(folder)
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


def test_the_preview_does_not_promise_augmentation_that_the_head_does_not_see(open_page: Open) -> None:
    app = open_report(open_page)
    assert len(pictures(app)) == 16
    app.toggle(key="form-head_only").set_value(True).run()
    assert title(app) == "Train"
    assert pictures(app) == []
    assert "images are seen as in validation" in words(app)
    app.number_input(key="form-feature_views").set_value(2).run()
    assert len(pictures(app)) == 16
