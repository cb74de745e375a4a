"""The end of the Predict page: a model is exported as a task, and offered with what its check found."""

from __future__ import annotations

import psutil

from core.runs.run import Run
from core.runs.tasks import read_order
from tests.pages.apps import Open, saves, set_state, words


def test_a_model_is_exported_watched_and_stopped(open_page: Open, run_with_model: Run, no_jobs: None) -> None:
    app = open_page("predict", run="first")
    app.toggle(key="ship-int8").set_value(True).run()
    app.button(key="ship-start").click().run()
    task = Run(run_with_model.folder / ".ship")
    assert read_order(task.folder) == ("export", {"run": "first", "form": "onnx", "int8": True})
    me = psutil.Process()
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=3, total=9, seconds_left=8.0)
    app = open_page("predict", run="first")
    assert "Writing it as ONNX and comparing its answers" in words(app)
    app.button(key="ship-stop").click().run()
    assert task.stop_requested()
    set_state(task, "failed", message="why it ended")
    app = open_page("predict", run="first")
    assert "why it ended" in words(app)
    assert app.button(key="ship-start")
    assert saves(app) == []


def test_an_exported_model_is_offered_with_what_its_check_found(
    open_page: Open, run_with_model: Run, jobs_here: None
) -> None:
    app = open_page("predict", run="first")
    app.selectbox(key="ship-format").set_value("safetensors").run()
    assert not [toggle for toggle in app.toggle if toggle.key == "ship-int8"]
    assert "It holds the weights alone" in words(app)
    app.button(key="ship-start").click().run()
    app = open_page("predict", run="first")  # as after a reload
    shown = words(app)
    assert r"**first\.safetensors\: safetensors, 44\.8 MB\.**" in shown
    assert "names the same class as this program does" in shown
    assert saves(app) == ["Save model and card (zip)", "Save the model alone (44.8 MB)"]
    assert not app.error
    set_state(run_with_model, "finished", best_epoch=1)
    assert "The best model has changed since" in words(open_page("predict", run="first"))
