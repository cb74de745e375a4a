"""The Predict page without a browser: uploads and a whole folder, with a threshold below which it is not sure."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from core.model.calibration import read_threshold, write_threshold
from core.runs.run import Run
from core.runs.tasks import read_order
from tests.made_run import measure_confidence
from tests.pages.apps import Open, saves, set_state, words


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


def test_a_folder_is_predicted_watched_and_stopped_also_by_another_tab(
    open_page: Open, run_with_model: Run, tiny_data: Path, no_jobs: None
) -> None:
    app = open_page("predict", run="first")
    app.button(key="predict-folder-start").click().run()
    task = Run(run_with_model.folder / ".predict")
    assert read_order(task.folder) == (
        "predict",
        {"run": "first", "images": str(tiny_data / "test"), "temperature": 1.0, "threshold": 0.0},
    )
    me = psutil.Process()
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=32, total=96, seconds_left=8.0)
    other = open_page("predict", run="first")
    (bar,) = other.get("progress")
    assert bar.proto.text == "32 of 96 images · about 8 s left"
    other.button(key="predict-folder-stop").click().run()
    assert task.stop_requested()
    for ended in ("stopped", "failed"):
        set_state(task, ended, message="why it ended")
        app = open_page("predict", run="first")
        assert "why it ended" in words(app)
        assert app.button(key="predict-folder-start")
        assert saves(app) == []


def test_a_predicted_folder_is_offered_with_what_was_left_out_and_what_has_changed_since(
    open_page: Open, run_with_model: Run, tiny_data: Path, jobs_here: None
) -> None:
    write_threshold(run_with_model, 0.999, temperature=1.0)
    (tiny_data / "test/broken.png").write_bytes(b"no image")
    app = open_page("predict", run="first")
    assert "how far they can be believed has not been measured" in words(app)
    app.button(key="predict-folder-start").click().run()
    app = open_page("predict", run="first")  # as after a reload
    shown = words(app)
    assert r"**3 images predicted, 1 file left out\.**" in shown
    assert "Not sure of 3 of 3 images" in shown
    assert saves(app) == ["Save prediction.csv", "Save with confidences"]
    left_out, table = (frame.value for frame in app.dataframe)
    assert left_out["file"].tolist() == ["broken.png"]
    assert list(table.columns) == ["image_name", "pred_label", "confidence", "sure"]
    app.number_input(key="answering-threshold-first").set_value(0.0).run()
    assert "The threshold has changed since" in words(app)
    set_state(run_with_model, "finished", best_epoch=1)
    assert "The best model has changed since" in words(open_page("predict", run="first"))


@pytest.mark.parametrize("folder", ["/no/such/folder", "~nobody-of-this-name/pictures", "x" * 300])
def test_a_folder_that_is_not_there_is_told_before_the_work(
    open_page: Open, run_with_model: Run, folder: str
) -> None:
    app = open_page("predict", run="first")
    app.text_input(key="predict-folder-first").set_value(folder).run()
    assert "there is no such folder on this machine" in words(app)
    assert not [button for button in app.button if button.key == "predict-folder-start"]
