"""Charts: every figure has a title, units and hover text; the palette is the page's and can be told apart."""

from __future__ import annotations

import configparser
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from core import palette
from core.recipe.presets import from_preset
from dashboard.charts import curve_charts

CONFIG = Path(__file__).resolve().parents[2] / "dashboard" / ".streamlit" / "config.toml"
THREE = ["2", "10", "35"]


def epoch_table(val_loss: list[float]) -> pd.DataFrame:
    count = len(val_loss)
    return pd.DataFrame(
        {
            "epoch": range(1, count + 1),
            "step": [10 * n for n in range(1, count + 1)],
            "train_loss": np.linspace(2, 1, count),
            "train_acc": np.linspace(0.2, 0.6, count),
            "val_loss": val_loss,
            "val_acc": np.linspace(0.3, 0.5, count),
        }
    )


def step_table(count: int) -> pd.DataFrame:
    steps = np.arange(1, count + 1)
    return pd.DataFrame(
        {
            "step": steps,
            "epoch": steps / 10,
            "loss": np.linspace(2, 1, count),
            "acc": np.linspace(0.2, 0.6, count),
            "lr": np.full(count, 0.001),
        }
    )


def curves(quantity: curve_charts.Quantity = "loss", **changes: Any) -> go.Figure:
    values = {"epochs": epoch_table([2.0, 1.5, 1.6]), "steps": step_table(30), "by": "epoch", "best_epoch": 2}
    given = {**values, **changes}
    return curve_charts.training_curves(given.pop("epochs"), given.pop("steps"), quantity=quantity, **given)


def recall_table(names: list[str]) -> pd.DataFrame:
    count = len(names)
    return pd.DataFrame(
        {
            "name": names,
            "recall": np.linspace(0, 1, count),
            "low": np.linspace(0, 0.4, count),
            "high": np.linspace(0.56, 1, count),
            "support": [3] * count,
        }
    )


def frequency_table(counts: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": THREE,
            "train": counts,
            "recall": [0.0, 0.5, 1.0],
            "low": [0.0, 0.2, 0.7],
            "high": [0.3, 0.78, 1.0],
            "right": [0, 5, 10],
            "support": [10, 10, 10],
        }
    )


def trace(figure: go.Figure, name: str) -> Any:
    return next(trace for trace in figure.data if (trace.name or "").startswith(name))


def message(figure: go.Figure) -> str:
    return " ".join(note.text for note in figure.layout.annotations)


EVERY_FIGURE: dict[str, tuple[Callable[[], go.Figure], str, str, str]] = {
    "loss": (lambda: curves("loss"), "Loss by epoch", "epoch", "cross-entropy loss"),
    "accuracy": (lambda: curves("accuracy", by="step"), "Accuracy by step", "step", "accuracy (%)"),
    "schedule": (
        lambda: curve_charts.rate_schedule(from_preset("demo", data="/data"), 75),
        "Learning rate by epoch", "epoch", "learning rate",
    ),
    "rates": (
        lambda: curve_charts.rate_curve([1e-4, 1e-3, 1e-2], [2.3, 1.9, 2.8], 1e-4),
        "Loss at rising learning rates", "learning rate", "smoothed cross-entropy loss",
    ),
    "recall": (
        lambda: curve_charts.class_recall(recall_table(THREE), highlight=None),
        "Recall of classes, with 95 % intervals", "recall (% of its images)", "class",
    ),
    "frequency": (
        lambda: curve_charts.frequency_recall(frequency_table([10, 20, 20]), highlight="10"),
        "Recall by number of training images", "training images of the class",
        "recall (% of the class's validation images)",
    ),
}  # fmt: skip
each_figure = pytest.mark.parametrize("name", EVERY_FIGURE)


@functools.cache
def draw(name: str) -> go.Figure:
    return EVERY_FIGURE[name][0]()


@each_figure
def test_every_figure_has_a_title_and_axes_with_units(name: str) -> None:
    _, title, x, y = EVERY_FIGURE[name]
    layout = draw(name).layout
    assert (layout.title.text, layout.xaxis.title.text, layout.yaxis.title.text) == (title, x, y)


@each_figure
def test_every_mark_has_hover_text_except_the_star(name: str) -> None:
    for drawn in draw(name).data:
        if (drawn.name or "").startswith("best"):
            assert drawn.hoverinfo == "skip"
        else:
            assert "%{" in drawn.hovertemplate
            assert drawn.hovertemplate.endswith("<extra></extra>")


@each_figure
def test_no_figure_carries_a_colour_of_the_page(name: str) -> None:
    layout = draw(name).layout
    found = (layout.paper_bgcolor, layout.plot_bgcolor, layout.font.color, layout.xaxis.gridcolor)
    assert found == (None, None, None, None)


# Palette


def theme(section: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their capitals
    parser.read_string(CONFIG.read_text(encoding="utf-8"))
    return {key: value.strip('"') for key, value in parser[section].items()}


def luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21, as the Web Content Accessibility Guidelines define it."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["theme.light", "theme.dark"])
def test_the_palette_is_the_one_of_the_page(scheme: str) -> None:
    page = theme(scheme)
    named = ("blueColor", "orangeColor", "greenColor", "redColor")
    assert [page[name] for name in named] == [palette.TRAIN, palette.VAL, palette.GOOD, palette.BAD]


@pytest.mark.parametrize("scheme", ["theme.light", "theme.dark"])
def test_white_words_on_a_button_of_the_primary_colour_can_be_read(scheme: str) -> None:
    page = theme(scheme)
    assert contrast("#FFFFFF", page["primaryColor"]) >= 4.5
    assert contrast(page["primaryColor"], page["backgroundColor"]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_in_the_first_colour_can_be_read(scheme: str) -> None:
    page = theme(f"theme.{scheme}")
    assert page["linkColor"] == palette.TRAIN_WORDS[scheme]
    assert contrast(palette.TRAIN_WORDS[scheme], page["backgroundColor"]) >= 4.5


@pytest.mark.parametrize("scheme", ["theme.light", "theme.dark"])
@pytest.mark.parametrize(
    "colour", [palette.TRAIN, palette.VAL, palette.GOOD, palette.BAD, palette.MUTED, *palette.RUNS]
)
def test_every_colour_stands_out_from_the_background(scheme: str, colour: str) -> None:
    assert contrast(colour, theme(scheme)["backgroundColor"]) >= 3


def test_the_runs_compared_differ_in_colour_or_marker() -> None:
    looks = zip(itertools.cycle(palette.RUNS), itertools.cycle(curve_charts.RUN_MARKERS), strict=False)
    first = list(itertools.islice(looks, 50))
    assert len(set(first)) == 50


# Curves


@pytest.mark.parametrize("rows", [0, 1, 2000, 2001, 4000, 100_001])
def test_thinning_out_keeps_the_ends_and_the_limit(rows: int) -> None:
    kept = curve_charts.thin_out(pd.DataFrame({"step": range(rows)}), 2000)["step"].tolist()
    assert len(kept) <= 2001
    assert kept[:1] + kept[-1:] == ([0, rows - 1] if rows else [])
    assert kept == sorted(set(kept))


def test_a_growing_curve_keeps_the_points_it_had() -> None:
    before, after = (curve_charts.thin_out(pd.DataFrame({"step": range(n)}), 100)["step"] for n in (150, 190))
    assert set(before[:-1]) <= set(after)


def test_the_curves_show_losses_as_they_are_and_accuracies_in_per_cent() -> None:
    assert list(trace(curves("loss"), "validation").y) == [2.0, 1.5, 1.6]
    assert list(trace(curves("accuracy"), "validation").y) == pytest.approx([30, 40, 50])
    assert trace(curves("accuracy"), "training, each step").y[0] == pytest.approx(20)


@pytest.mark.parametrize(("by", "x"), [("epoch", [1, 2, 3]), ("step", [10, 20, 30])])
def test_the_curves_run_by_epoch_or_by_step(by: str, x: list[int]) -> None:
    assert list(trace(curves(by=by), "validation").x) == x


def test_the_best_epoch_gets_a_star_and_its_value_in_the_legend() -> None:
    star = trace(curves("loss"), "best")
    assert (list(star.x), list(star.y)) == ([2], [1.5])
    assert star.name == "best: epoch 2, 1.500"
    assert trace(curves("accuracy"), "best").name == "best: epoch 2, 40.0 %"


@pytest.mark.parametrize("best", [None, 9])
def test_without_a_best_epoch_there_is_no_star(best: int | None) -> None:
    assert not any((drawn.name or "").startswith("best") for drawn in curves(best_epoch=best).data)


def test_before_the_first_step_the_figure_says_so() -> None:
    figure = curves(epochs=epoch_table([]), steps=step_table(0), best_epoch=None)
    assert message(figure) == "waiting for the first step"
    assert not figure.data
    ended = curves(epochs=epoch_table([]), steps=step_table(0), best_epoch=None, active=False)
    assert message(ended) == "no step was made"


def test_an_axis_of_accuracies_ends_at_100_per_cent_where_marks_are_drawn_whole() -> None:
    figure = curves("accuracy")
    assert figure.layout.yaxis.autorangeoptions.clipmax == 100
    assert [one.cliponaxis for one in figure.data if "markers" in one.mode] == [False] * 3


def test_before_the_first_epoch_the_steps_are_drawn() -> None:
    figure = curves(epochs=epoch_table([]), best_epoch=None)
    assert len(trace(figure, "training, each step").x) == 30
    assert len(trace(figure, "validation").x) == 0


def test_one_exploding_validation_loss_cuts_the_axis_and_says_so() -> None:
    figure = curves(epochs=epoch_table([500.0, 1.6, 1.5]))
    assert figure.layout.yaxis.range[1] < 4
    assert figure.layout.yaxis.title.text == "cross-entropy loss, higher ones cut off"
    assert max(trace(figure, "validation").y) == 500  # zooming out shows it


@pytest.mark.parametrize("val_loss", [[2.0, 1.5, 1.6], [3.5, 1.5, 1.6], [float("nan")] * 3])
def test_ordinary_losses_leave_the_axis_whole(val_loss: list[float]) -> None:
    figure = curves(epochs=epoch_table(val_loss))
    assert figure.layout.yaxis.range is None
    assert figure.layout.yaxis.title.text == "cross-entropy loss"


def test_accuracy_is_never_cut() -> None:
    assert curves("accuracy", epochs=epoch_table([500.0, 1.6, 1.5])).layout.yaxis.range is None


def test_few_epochs_are_ticked_at_whole_numbers() -> None:
    assert curves().layout.xaxis.dtick == 1
    assert curves(epochs=epoch_table([1.0] * 40)).layout.xaxis.dtick is None
    assert curves(by="step").layout.xaxis.dtick is None


def test_zoom_belongs_to_a_quantity_and_an_axis_and_survives_new_epochs() -> None:
    assert curves().layout.uirevision == curves(epochs=epoch_table([1.0] * 9)).layout.uirevision
    revisions = {curves(q, by=by).layout.uirevision for q in ("loss", "accuracy") for by in ("epoch", "step")}
    assert len(revisions) == 4


# Learning rates


@pytest.mark.parametrize(("epochs", "steps", "points"), [(1, 1, 1), (4, 75, 300), (25, 1000, 400)])
def test_the_schedule_is_drawn_from_the_first_step_to_the_last(epochs: int, steps: int, points: int) -> None:
    config = from_preset("demo", data="/data", epochs=epochs)
    (line,) = curve_charts.rate_schedule(config, steps).data
    assert len(line.x) == points
    assert (line.x[0], line.x[-1]) == (0, epochs - 1 / steps)
    assert max(line.y) <= config.lr


def test_the_schedule_shows_its_peak() -> None:
    (line,) = curve_charts.rate_schedule(from_preset("demo", data="/data"), 75).data
    assert max(line.y) == pytest.approx(from_preset("demo", data="x").lr, rel=0.001)
    assert line.x[int(np.argmax(line.y))] == pytest.approx(0.3 * 4, abs=0.05)


@pytest.mark.parametrize(("suggestion", "lines"), [(1e-3, 1), (None, 0)])
def test_a_suggested_rate_gets_a_line(suggestion: float | None, lines: int) -> None:
    figure = curve_charts.rate_curve([1e-4, 1e-3, 1e-2], [2.3, 1.9, 2.8], suggestion)
    assert [shape.x0 for shape in figure.layout.shapes] == [suggestion] * lines
    assert figure.layout.xaxis.type == "log"


# Recall


def test_html_in_names_of_classes_is_escaped() -> None:
    recall = curve_charts.class_recall(recall_table(["<b>rose</b>", "R&D", "plain"]), highlight="R&D")
    assert list(recall.data[0].y) == ["&lt;b&gt;rose&lt;/b&gt;", "R&amp;D", "plain"]


def test_recall_is_drawn_in_per_cent_on_its_interval() -> None:
    (points,) = curve_charts.class_recall(recall_table(THREE), highlight=None).data
    assert list(points.x) == [0, 50, 100]
    assert list(points.error_x.array) == pytest.approx([56, 28, 0])
    assert list(points.error_x.arrayminus) == pytest.approx([0, 30, 60])
    assert list(points.customdata[0]) == pytest.approx([0, 56, 3])


def test_a_class_stands_at_its_training_images_and_its_recall() -> None:
    (points,) = curve_charts.frequency_recall(frequency_table([10, 20, 20]), highlight="10").data
    assert list(points.x) == [10, 20, 20]
    assert list(points.y) == [0, 50, 100]
    assert list(points.text) == THREE
    assert points.customdata[1].round(1).tolist() == [1, 5, 10, 20, 78]
    assert list(points.marker.color) == [palette.TRAIN, palette.BAD, palette.TRAIN]


@pytest.mark.parametrize(("counts", "scale"), [([5, 20, 100], "linear"), ([5, 20, 101], "log")])
def test_training_images_that_differ_by_far_are_drawn_by_their_logarithm(
    counts: list[int], scale: str
) -> None:
    assert curve_charts.frequency_recall(frequency_table(counts), highlight=None).layout.xaxis.type == scale


def test_recall_keeps_the_order_and_names_that_look_like_numbers() -> None:
    figure = curve_charts.class_recall(recall_table(["35", "2", "10"]), highlight=None)
    assert list(figure.layout.yaxis.categoryarray) == ["35", "2", "10"]
    assert figure.layout.yaxis.type == "category"
    assert list(figure.layout.yaxis.range) == [2.5, -0.5]


def test_long_names_are_cut_beside_a_chart_and_whole_in_its_hover() -> None:
    names = ["rose", "<i>" + "x" * 200, "向日葵" * 20]
    figure = curve_charts.class_recall(recall_table(names), highlight=None)
    assert list(figure.layout.yaxis.categoryarray)[2] == names[2]  # a click tells it
    aliases = figure.layout.yaxis.labelalias
    assert aliases == {
        "&lt;i&gt;" + "x" * 200: "&lt;i&gt;" + "x" * 16 + "…",
        names[2]: "向日葵向日葵向日葵…",
    }
    assert [text.replace("<br>", "") for text in figure.data[0].hovertext] == [
        "rose", "&lt;i&gt;" + "x" * 200, names[2],
    ]  # fmt: skip
    assert figure.data[0].hovertext[1].count("<br>") == 3


@pytest.mark.parametrize(("highlight", "shapes"), [("10", 1), (None, 0), ("no such", 0)])
def test_the_chosen_class_is_marked_where_it_is_shown(highlight: str | None, shapes: int) -> None:
    found = curve_charts.class_recall(recall_table(THREE), highlight=highlight).layout.shapes
    assert len(found) == shapes
    for shape in found:
        assert (shape.y0 + shape.y1) / 2 == pytest.approx(1)


def test_the_recall_chart_grows_with_its_classes() -> None:
    small, large = (
        curve_charts.class_recall(recall_table([str(n) for n in range(count)]), highlight=None).layout.height
        for count in (3, 25)
    )
    assert large - small == 22 * 22


def test_without_classes_the_recall_chart_says_so() -> None:
    assert message(curve_charts.class_recall(recall_table([]), highlight=None)) == "no classes to show"
