"""Charts of runs over each other: axes, smoothing as TensorBoard's, seeds, and what changed class by class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from core.verdicts.seeds import SeedSet
from dashboard.charts import curve_charts
from dashboard.charts.compare_charts import (
    Axis,
    class_changes,
    compare_curves,
    seed_accuracies,
    smooth,
    trace_curve,
)

Tables = tuple[pd.DataFrame, pd.DataFrame]


def tables(epochs: int = 2, steps: int = 4) -> Tables:
    """Return a run's epochs of 90 s and 30 s of validation each, and its steps."""
    count = np.arange(1, epochs + 1)
    progress = np.arange(1, epochs * steps + 1)
    return (
        pd.DataFrame(
            {
                "epoch": count,
                "step": count * steps,
                "train_loss": 2.0 / count,
                "train_acc": 0.1 * count,
                "val_loss": 3.0 / count,
                "val_acc": 0.3 + 0.1 * count,
                "seconds": 90.0,
                "val_seconds": 30.0,
            }
        ),
        pd.DataFrame(
            {"step": progress, "epoch": progress / steps, "loss": 1.0 / progress, "acc": 0.5, "lr": 0.1}
        ),
    )


def test_the_initial_model_stands_before_the_first_epoch() -> None:
    figure = compare_curves(
        {"one": tables(), "two": tables()}, quantity="val_acc", by="time", initial={"one": 0.75}
    )
    assert [list(found.x) for found in figure.data] == [[0, 2, 4], [2, 4]]
    assert figure.data[0].y[0] == 75
    figure = compare_curves({"one": tables()}, quantity="val_loss", initial={"one": 0.75})
    assert list(figure.data[0].x) == [1, 2]


def curve(quantity: str, by: Axis, of: Tables | None = None) -> tuple[list[float], list[float]]:
    found = trace_curve(*(of or tables()), quantity=quantity, by=by)  # type: ignore[arg-type]
    return found["x"].tolist(), found["y"].tolist()


CHANGES = pd.DataFrame({"class": ["2", "<b>"], "images": [3, 3], "first": [0, 2], "second": [2, 1]})
SETS = {"sgd": SeedSet(np.eye(4, 10, dtype=bool)), "adamw": SeedSet(np.ones((1, 10), dtype=bool))}
EVERY_FIGURE: dict[str, tuple[Callable[[], go.Figure], str, str, str]] = {
    "loss": (
        lambda: compare_curves({"one": tables()}, quantity="val_loss"),
        "Validation loss by epoch", "epoch", "cross-entropy loss",
    ),
    "steps": (
        lambda: compare_curves({"one": tables()}, quantity="train_loss", by="step", smoothing=0.5),
        "Training loss by step", "step", "cross-entropy loss",
    ),
    "time": (
        lambda: compare_curves({"one": tables()}, quantity="train_acc", by="time"),
        "Training accuracy by time", "time trained (min)", "accuracy (%)",
    ),
    "seeds": (
        lambda: seed_accuracies(SETS),
        "Accuracy of each seed, mean and standard deviation", "validation accuracy (%)", "trained as",
    ),
    "seeds held back": (
        lambda: seed_accuracies(SETS, "held"),
        "Accuracy of each seed, mean and standard deviation", "accuracy on images held back (%)", "trained as",
    ),
    "changes": (
        lambda: class_changes(CHANGES, first="one", second="two"),
        "Classes that changed", "right (% of its images)", "class",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EVERY_FIGURE)
def test_every_figure_has_a_title_units_and_hover_text(name: str) -> None:
    make, title, x, y = EVERY_FIGURE[name]
    figure = make()
    layout = figure.layout
    assert (layout.title.text, layout.xaxis.title.text, layout.yaxis.title.text) == (title, x, y)
    for drawn in figure.data:
        assert drawn.hoverinfo == "skip" or drawn.hovertemplate.endswith("<extra></extra>")


def test_compared_runs_are_named_and_look_different() -> None:
    figure = compare_curves({name: tables() for name in ("first", "<b>")}, quantity="val_acc")
    assert [drawn.name for drawn in figure.data] == ["first", "&lt;b&gt;"]
    assert len({drawn.line.color for drawn in figure.data}) == 2
    assert list(figure.data[0].y) == pytest.approx([40, 50])
    assert figure.layout.showlegend


def test_compared_runs_without_an_epoch_say_so() -> None:
    figure = compare_curves({"first": tables(epochs=0)}, quantity="train_loss", by="time")
    assert [note.text for note in figure.layout.annotations] == ["no run with a finished epoch yet"]


def test_training_is_drawn_step_by_step_by_step_and_by_time() -> None:
    assert curve("train_loss", "epoch") == ([1, 2], [2.0, 1.0])
    assert curve("train_loss", "step")[0] == list(range(1, 9))
    assert curve("val_acc", "step") == ([4, 8], pytest.approx([40, 50]))


def test_time_is_that_of_training_and_validation_before() -> None:
    assert curve("val_loss", "time")[0] == [2.0, 4.0]  # minutes
    times, _ = curve("train_loss", "time")
    assert times == pytest.approx([0.375, 0.75, 1.125, 1.5, 2.375, 2.75, 3.125, 3.5])


def test_the_steps_of_an_epoch_that_goes_on_have_no_time_yet_and_old_runs_no_time_of_validation() -> None:
    epochs, steps = tables()
    assert len(curve("train_loss", "time", (epochs.head(1), steps))[0]) == 4
    old = epochs.assign(val_seconds=np.nan)
    assert curve("val_loss", "time", (old, steps))[0] == [1.5, 3.0]


def test_smoothing_is_tensorboards() -> None:
    values, weight = [3.0, 1.0, 4.0, 1.0, 5.0], 0.6
    last, expected = 0.0, []
    for count, value in enumerate(values, start=1):  # as TensorBoard's own source does it
        last = last * weight + (1 - weight) * value
        expected.append(last / (1 - weight**count))
    assert smooth(pd.Series(values), weight).tolist() == pytest.approx(expected)
    assert smooth(pd.Series(values), 0.0).tolist() == values


def test_what_was_measured_stands_faintly_behind_what_is_smoothed() -> None:
    figure = compare_curves({"one": tables()}, quantity="train_loss", by="step", smoothing=0.9)
    raw, smoothed = figure.data
    assert (raw.opacity, raw.showlegend, raw.name) == (0.25, False, "one, measured")
    assert list(raw.y) == pytest.approx([1 / n for n in range(1, 9)])
    assert raw.y[0] == smoothed.y[0]
    assert smoothed.y[-1] > raw.y[-1]
    assert raw.line.color == smoothed.line.color


def test_long_curves_are_thinned_out_after_they_are_smoothed() -> None:
    figure = compare_curves(
        {"one": tables(epochs=1, steps=10_000)}, quantity="train_loss", by="step", smoothing=0.5
    )
    assert max(len(drawn.x) for drawn in figure.data) <= curve_charts.MAX_STEP_POINTS + 1
    assert figure.data[1].y[-1] == pytest.approx(1 / 10_000, rel=0.01)


def test_each_seed_is_a_point_and_the_mean_has_its_spread() -> None:
    points, means = seed_accuracies(SETS).data
    assert list(points.x) == pytest.approx([10, 10, 10, 10, 100])
    assert list(means.x) == pytest.approx([10, 100])
    assert list(means.error_x.array) == [0, 0]
    assert means.customdata[0] == "10.0 ± 0.0 % of 4 seeds"


def test_a_changed_class_has_two_bars_with_counts_and_intervals() -> None:
    figure = class_changes(CHANGES, first="one", second="<two>")
    before, after = figure.data
    assert (before.name, after.name) == ("one", "&lt;two&gt;")
    assert list(before.y) == ["2", "&lt;b&gt;"]
    assert list(after.x) == pytest.approx([200 / 3, 100 / 3])
    assert before.customdata[0].tolist() == pytest.approx([0, 3, 0, 56.15], abs=0.01)


def test_of_many_changed_classes_the_first_are_drawn() -> None:
    many = pd.concat([CHANGES] * 30, ignore_index=True).assign(**{"class": [str(n) for n in range(60)]})
    figure = class_changes(many, first="one", second="two")
    assert len(figure.data[0].y) == 40
    assert "the 40 that changed most" in figure.layout.title.text
