"""The Confidence page without a browser: what was measured, with intervals, and the threshold it asks for."""

from __future__ import annotations

import pytest

from core.confidence.threshold import read_threshold
from core.runs.run import Run
from core.runs.tasks import read_order
from core.stored.status import Status
from core.verdicts.selective import cross_choose
from tests.made_run import measure_confidence
from tests.pages.apps import Open, charts_of, set_state, title, words


def test_confidence_offers_to_measure_what_was_not(
    open_page: Open, run_with_model: Run, no_jobs: None
) -> None:
    app = open_page("confidence", run="first")
    app.button(key="confidence-measure").click().run()
    assert title(app) == "Confidence"
    assert read_order(run_with_model.folder / ".calibrate") == ("calibrate", {"run": "first"})
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
    figures = (
        app.table[0]
        .value.assign(figure=lambda t: t["figure"].str.partition(" :small")[0])
        .set_index("figure")
    )
    assert figures.loc["Calibration error (ECE)", "before"].startswith(
        f"{found.before.ece.value * 100:.1f} % ("
    )
    assert figures.loc["Brier score", "change"].startswith("−")
    charts = charts_of(app)
    assert set(charts) == {"confidence-reliability", "confidence-histogram", "confidence-risk"}
    assert [trace["name"] for trace in charts["confidence-reliability"]["data"]] == [
        "perfectly calibrated",
        "before scaling",
        "after scaling",
    ]


def test_confidence_says_where_its_accuracy_is_not_the_run_s(open_page: Open, run_with_model: Run) -> None:
    found = measure_confidence(run_with_model, count=6)
    right = int(found.answers.right.sum())
    set_state(run_with_model, "finished", best_val_acc=right / 6, val_count=6)
    assert "The run's accuracy is" not in words(open_page("confidence", run="first"))
    set_state(run_with_model, "finished", best_val_acc=(right - 1) / 6)
    told = words(open_page("confidence", run="first"))
    assert (
        f"The run's accuracy is {100 * (right - 1) / 6:.1f} %, as measured when its best model was chosen."
        in told
    )
    assert "asked again in fp32, as Predict asks it, and 1 more image is right." in told


def test_a_threshold_is_chosen_for_the_accuracy_wanted_and_kept_for_predict(
    open_page: Open, run_with_model: Run
) -> None:
    found = measure_confidence(run_with_model)
    app = open_page("confidence", run="first", wanted="90")
    choice = cross_choose(found.answers, 0.9)
    assert choice is not None
    assert f"**{choice.threshold * 100:.1f} %**" in words(app)
    assert "these images suggest it but do not prove it" in words(app)
    app.button(key="confidence-keep").click().run()
    kept = read_threshold(run_with_model, temperature=found.temperature)
    assert kept is not None
    assert (kept.value, kept.wanted) == (pytest.approx(choice.threshold, abs=1e-6), 0.9)
    assert "Predict uses this threshold." in words(app)
    app.number_input(key="confidence-wanted").set_value(80.0).run()
    assert app.query_params["wanted"] == "80"
    app.number_input(key="confidence-wanted").set_value(None).run()
    assert "The accuracy wanted is empty; give a number" in " ".join(toast.value for toast in app.toast)
    assert app.number_input(key="confidence-wanted").value == 80
    assert "Predict now says “not sure” below" in words(app)


def test_a_model_measured_on_few_images_says_what_cannot_be_told(
    open_page: Open, run_with_model: Run
) -> None:
    measure_confidence(run_with_model, count=6)
    app = open_page("confidence", run="first", wanted="99.9")
    assert title(app) == "Confidence"
    assert "No temperature is used: only" in words(app)
    assert "these figures are rough. Look at the intervals" in words(app)
    assert not app.error


def test_what_was_measured_of_another_model_is_measured_again(open_page: Open, run_with_model: Run) -> None:
    measure_confidence(run_with_model)
    set_state(run_with_model, "finished", best_epoch=1)
    app = open_page("confidence", run="first")
    assert "belong to an earlier best model" in words(app)
    assert app.button(key="confidence-measure")
