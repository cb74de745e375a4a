"""Figures of a report: drawn for any number of classes and any letters, and as light or dark as their paper."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageColor

from core.palette import RUNS
from core.report import figures as figures

ODD = ["$x^2$", "a_b", "漢字", "<b>&", "\\frac", "a very long name of a class of things"]


def open_png(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("size", [2, 31, 130])
def test_a_matrix_of_any_size_is_drawn_with_names_as_they_are(size: int) -> None:
    counts = np.random.default_rng(0).integers(0, 4, (size, size))
    names = [*ODD, *(str(number) for number in range(size))][:size]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as a letter that is in no typeface
        drawn = figures.draw_matrix(counts, names, "Matrix", figures.LIGHT)
    width = open_png(drawn).shape[1] / figures.MATRIX_DPI
    assert width <= figures.WIDTH
    assert figures.measure_width(drawn) == pytest.approx(width / figures.WIDTH, abs=0.002)


def test_a_matrix_takes_no_more_of_the_page_than_it_needs() -> None:
    def measure(size: int) -> float:
        names = [f"class {number}" for number in range(size)]
        return figures.measure_width(figures.draw_matrix(np.eye(size, dtype=int), names, "A", figures.LIGHT))

    assert measure(3) < 0.6 < measure(60)


def test_a_figure_has_the_ground_of_its_paper() -> None:
    table = pd.DataFrame(
        {"recall": [0.0, 0.5], "low": [0.0, 0.1], "high": [0.6, 0.9], "right": [0, 1], "support": [3, 2]}
    )
    for paper, ground in ((figures.LIGHT, (255, 255, 255)), (figures.DARK, (26, 32, 41))):
        pixels = open_png(figures.draw_recall(table, ODD[:2], 0.8, paper))
        assert tuple(pixels[0, 0]) == ground


def test_curves_are_drawn_without_steps_and_with_losses_that_are_no_numbers() -> None:
    epochs = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, np.nan], "val_loss": [np.nan, np.inf], "train_acc": [0.1, 0.2], "val_acc": [0.1, 0.3]})  # fmt: skip
    assert open_png(figures.draw_training(epochs, pd.DataFrame(), 2, figures.LIGHT)).std() > 1


def test_long_names_of_runs_beside_curves_leave_the_curves_their_room() -> None:
    epochs = pd.DataFrame({"epoch": [1, 2], "val_loss": [2.0, 1.0], "val_acc": [0.5, 0.9]})
    names = [f"tf_efficientnet_lite0-flowers-strong-20261128-{number}" + "x" * 30 for number in range(2)]
    pixels = open_png(figures.draw_comparison(dict.fromkeys(names, epochs), figures.LIGHT))
    curve = (pixels == ImageColor.getrgb(RUNS[1])).all(axis=2).any(axis=0)  # which columns it crosses
    assert curve.mean() > 0.55


def test_a_lone_high_loss_does_not_press_the_curves_flat() -> None:
    losses = [90.0, *np.linspace(2, 1, 100)]
    epochs = pd.DataFrame({"train_loss": losses, "val_loss": losses})
    limit = figures._loss_limit(epochs, pd.DataFrame())
    assert limit is not None
    assert limit < 3
    assert figures._loss_limit(epochs.iloc[1:], pd.DataFrame()) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [("rose", "rose"), ("漢字 7", "?? 7"), ("a very long name of a class", "a very long name of a…")],
)
def test_a_name_beside_a_figure_is_short_and_can_be_drawn(name: str, shown: str) -> None:
    assert figures.shorten(name) == shown
