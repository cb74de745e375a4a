"""Predictions tables as matrices, their differences, orders and figures, each made once a table; a home of caches.

As in services, a `stamp` is when a file was last written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from core.answers.judged import read_judged
from core.errors import RunError
from core.runs.imported import describe_origin
from core.runs.run import FOLD, TEST, Run
from core.verdicts import predictions
from core.verdicts.differences import count_moves, match_images
from core.verdicts.ordering import Block, Order, find_blocks, order_classes
from core.verdicts.paired import PairedTest, compare_paired
from dashboard.charts.matrix_chart import Look, confusion_matrix, difference_matrix
from dashboard.components.plot import PackedFigure, pack
from dashboard.state import services

Codes = npt.NDArray[np.intp]
Stamps = tuple[int, int]


@dataclass(frozen=True)
class TableSource:
    """Where predictions come from: a run's best model or its table, or the model after an epoch (from 1), on validation or a split.

    Only validation is judged after each epoch.
    """

    run: Run
    epoch: int = 0
    split: str = "val"

    @property
    def path(self) -> Path:
        """Return the path of the predictions table."""
        return self.run.epoch_path(self.epoch) if self.epoch else self.run.predictions_path(self.split)

    def __str__(self) -> str:
        """Return it in words, without the run."""
        if self.split == FOLD:
            return "All training images, each judged by a model fitted without it"
        if self.split == TEST:
            judged = read_judged(self.run)
            return f"The labelled images of {judged.images}" if judged else "labelled images"
        if self.epoch:
            return f"epoch {self.epoch}"
        origin = describe_origin(self.run)
        return f"predictions {origin}" if origin else "best model"


# What a table is kept by beside its stamps.
_KEYS: dict[str | type[Any], Callable[[Any], Any]] = {
    TableSource: lambda source: (str(source.run.folder), source.epoch, source.split)
}


@dataclass(frozen=True)
class TableFigures:
    """A predictions table and what follows from it; not to be changed.

    `true` and `predicted` (N,) are the images' classes as indices into the run's classes; `counts` (C, C) is the
    confusion matrix; `pairs` are the most confused pairs, most first.
    """

    table: pd.DataFrame
    true: Codes
    predicted: Codes
    counts: npt.NDArray[np.int64]
    pairs: pd.DataFrame


@dataclass(frozen=True)
class Change:
    """How predictions differ from others of the same images.

    `before` (N,) are the classes that the others predict, for the images in the order of the table; `counts`, `came`
    and `left` (C, C) are their matrix, and the images that came into each cell and left it since.
    """

    before: Codes
    counts: npt.NDArray[np.int64]
    came: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    verdict: PairedTest


def judge(source: TableSource) -> TableFigures:
    """Return a run's predictions; raises RunError where there are none or they are damaged."""
    if not source.epoch:
        services.read_predictions(source.run, source.split)  # says what is missing or wrong
    elif not source.path.exists():
        raise RunError(
            f"{source.run.id} has no predictions of epoch {source.epoch}: choose another one above. "
            "Runs that were made by an older version keep those of their best model only."
        )
    services.read_data(source.run)
    return _judge(source, _stamps(source))


def compare(source: TableSource, other: TableSource) -> Change:
    """Return how a run's predictions differ from others.

    Raises:
        RunError: saying why they cannot be compared.
    """
    return _compare(source, _stamps(source), other, _stamps(other))


def order_names(source: TableSource, by: Order) -> Codes:
    """Return the order of the run's classes (C,) as indices."""
    return _order(source, _stamps(source), by)


def list_blocks(source: TableSource) -> list[Block]:
    """Return the blocks of classes that are confused with each other, most confusions first."""
    return _list_blocks(source, _stamps(source))


def draw_matrix(source: TableSource, by: Order, look: Look) -> PackedFigure:
    """Return the figure of the confusion matrix."""
    return _draw_matrix(source, _stamps(source), by, look)


def draw_difference(source: TableSource, other: TableSource, by: Order, look: Look) -> PackedFigure:
    """Return the figure of what changed from another matrix, in the order of the newer one."""
    return _draw_difference(source, _stamps(source), other, _stamps(other), by, look)


def _stamps(source: TableSource) -> Stamps:
    """Return when the predictions and the record of the data were last written."""
    return source.path.stat().st_mtime_ns, (source.run.folder / "data.json").stat().st_mtime_ns


@st.cache_resource(max_entries=6, show_spinner="Reading the predictions …", hash_funcs=_KEYS)
def _judge(source: TableSource, stamps: Stamps) -> TableFigures:  # noqa: ARG001
    table = _read_epoch(source) if source.epoch else services.read_predictions(source.run, source.split)
    classes = services.read_data(source.run).classes
    counts = predictions.confusion_matrix(table, classes)
    names = pd.Index(classes, dtype=str)
    true, predicted = (names.get_indexer(table[column]) for column in ("true", "predicted"))
    return TableFigures(table, true, predicted, counts, predictions.most_confused(table))


def _read_epoch(source: TableSource) -> pd.DataFrame:
    try:
        return predictions.read_predictions(source.path)
    except RunError as error:
        raise RunError(f"{error} Choose another epoch.") from None


@st.cache_resource(max_entries=4, show_spinner="Comparing …", hash_funcs=_KEYS)
def _compare(source: TableSource, stamps: Stamps, other: TableSource, other_stamps: Stamps) -> Change:
    one, two = _judge(source, stamps), _judge(other, other_stamps)
    rows = match_images(one.table, two.table)
    classes = services.read_data(source.run).classes
    guesses = two.table["predicted"].to_numpy(dtype=object)[rows]
    before: Codes = pd.Index(classes, dtype=str).get_indexer(pd.Index(guesses, dtype=str))
    if (before < 0).any():
        name = guesses[int((before < 0).argmax())]
        raise RunError(f"{other.run.id} knows a class that {source.run.id} does not: {name!r}.")
    size = len(classes)
    counts = np.bincount(one.true * size + before, minlength=size**2).reshape(size, size)
    verdict = compare_paired(one.table, two.table)
    return Change(before, counts, *count_moves(one.true, before, one.predicted, size), verdict)


@st.cache_resource(max_entries=16, show_spinner="Ordering the classes …", hash_funcs=_KEYS)
def _order(source: TableSource, stamps: Stamps, by: Order) -> Codes:
    return order_classes(_judge(source, stamps).counts, by)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=_KEYS)
def _list_blocks(source: TableSource, stamps: Stamps) -> list[Block]:
    return find_blocks(_judge(source, stamps).counts)


@st.cache_resource(max_entries=16, show_spinner="Drawing the matrix …", hash_funcs=_KEYS)
def _draw_matrix(source: TableSource, stamps: Stamps, by: Order, look: Look) -> PackedFigure:
    order = _order(source, stamps, by)
    counts = _judge(source, stamps).counts[np.ix_(order, order)]
    return pack(confusion_matrix(counts, _names(source.run, order), look))


@st.cache_resource(max_entries=8, show_spinner="Drawing the difference …", hash_funcs=_KEYS)
def _draw_difference(
    source: TableSource, stamps: Stamps, other: TableSource, other_stamps: Stamps, by: Order, look: Look
) -> PackedFigure:
    order = _order(source, stamps, by)
    change = _compare(source, stamps, other, other_stamps)
    now = _judge(source, stamps).counts
    cells = np.ix_(order, order)
    tables = change.counts[cells], now[cells], change.came[cells], change.left[cells]
    return pack(difference_matrix(*tables, _names(source.run, order), look))


def _names(run: Run, order: Codes) -> list[str]:
    labels = services.read_data(run).labels
    return [labels[index] for index in order]
