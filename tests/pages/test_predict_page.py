"""The Predict page without a browser: uploads and a whole folder, with a threshold below which it is not sure."""

from __future__ import annotations

from pathlib import Path

from core.model.calibration import read_threshold, write_threshold
from core.runs.run import Run
from tests.made_run import measure_confidence
from tests.pages.apps import Open, words


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
