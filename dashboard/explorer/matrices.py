"""Predictions tables as matrices, their differences, orders and figures, each made once a table; a home of caches.

As in services, a `stamp` is when a file was last written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from core.errors import RunError
from core.runs.run import Run
from core.verdicts import predictions
from core.verdicts.differences import count_moves, match_images
from core.verdicts.ordering import Block, Order, find_blocks, order_classes
from core.verdicts.paired import PairedTest, compare_paired
from dashboard.charts.matrix_chart import Look, confusion_matrix, difference_matrix
from dashboard.components.plot import PackedFigure, pack
from dashboard.state import services

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class TableSource:
    """Where predictions come from: a run's best model, or what it was after an epoch (from 1)."""

    run: Run
    epoch: int = 0

    @property
    def path(self) -> Path:
        """Return the path of the predictions table."""
        return self.run.epoch_path(self.epoch) if self.epoch else self.run.predictions_path()

    def __str__(self) -> str:
        """Return it in words, without the run."""
        return f"epoch {self.epoch}" if self.epoch else "best model"


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
        services.read_predictions(source.run)  # says what is missing or wrong
    elif not source.path.exists():
        raise RunError(
            f"{source.run.id} has no predictions of epoch {source.epoch}: choose another one above. "
            "Runs that were made by an older version keep those of their best model only."
        )
    services.read_data(source.run)
    return _judge(source.run.folder, source.epoch, *_stamps(source))


def compare(source: TableSource, other: TableSource) -> Change:
    """Return how a run's predictions differ from others.

    Raises:
        RunError: saying why they cannot be compared.
    """
    return _compare(
        source.run.folder, source.epoch, *_stamps(source), other.run.folder, other.epoch, *_stamps(other)
    )


def order_names(source: TableSource, by: Order) -> Codes:
    """Return the order of the run's classes (C,) as indices."""
    return _order(source.run.folder, source.epoch, *_stamps(source), by)


def list_blocks(source: TableSource) -> list[Block]:
    """Return the blocks of classes that are confused with each other, most confusions first."""
    return _list_blocks(source.run.folder, source.epoch, *_stamps(source))


def draw_matrix(source: TableSource, by: Order, look: Look) -> PackedFigure:
    """Return the figure of the confusion matrix."""
    return _draw_matrix(source.run.folder, source.epoch, *_stamps(source), by, look)


def draw_difference(source: TableSource, other: TableSource, by: Order, look: Look) -> PackedFigure:
    """Return the figure of what changed from another matrix, in the order of the newer one."""
    return _draw_difference(
        source.run.folder, source.epoch, *_stamps(source), other.run.folder, other.epoch, *_stamps(other), by, look
    )  # fmt: skip


def _stamps(source: TableSource) -> tuple[int, int]:
    """Return when the predictions and the record of the data were last written."""
    return source.path.stat().st_mtime_ns, (source.run.folder / "data.json").stat().st_mtime_ns


@st.cache_resource(max_entries=6, show_spinner="Reading the predictions …")
def _judge(folder: Path, epoch: int, stamp: int, data_stamp: int) -> TableFigures:  # noqa: ARG001
    source = TableSource(Run(folder), epoch)
    table = _read_epoch(source) if epoch else services.read_predictions(source.run)
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


@st.cache_resource(max_entries=4, show_spinner="Comparing …")
def _compare(
    folder: Path, epoch: int, stamp: int, data_stamp: int, other_folder: Path, other_epoch: int, other_stamp: int, other_data: int
) -> Change:  # fmt: skip
    one = _judge(folder, epoch, stamp, data_stamp)
    other = _judge(other_folder, other_epoch, other_stamp, other_data)
    rows = match_images(one.table, other.table)
    classes = services.read_data(Run(folder)).classes
    guesses = other.table["predicted"].to_numpy(dtype=object)[rows]
    before: Codes = pd.Index(classes, dtype=str).get_indexer(pd.Index(guesses, dtype=str))
    if (before < 0).any():
        name = guesses[int((before < 0).argmax())]
        raise RunError(f"{Run(other_folder).id} knows a class that {Run(folder).id} does not: {name!r}.")
    size = len(classes)
    counts = np.bincount(one.true * size + before, minlength=size**2).reshape(size, size)
    verdict = compare_paired(one.table, other.table)
    return Change(before, counts, *count_moves(one.true, before, one.predicted, size), verdict)


@st.cache_resource(max_entries=16, show_spinner="Ordering the classes …")
def _order(folder: Path, epoch: int, stamp: int, data_stamp: int, by: Order) -> Codes:
    return order_classes(_judge(folder, epoch, stamp, data_stamp).counts, by)


@st.cache_resource(max_entries=8, show_spinner=False)
def _list_blocks(folder: Path, epoch: int, stamp: int, data_stamp: int) -> list[Block]:
    return find_blocks(_judge(folder, epoch, stamp, data_stamp).counts)


@st.cache_resource(max_entries=16, show_spinner="Drawing the matrix …")
def _draw_matrix(
    folder: Path, epoch: int, stamp: int, data_stamp: int, by: Order, look: Look
) -> PackedFigure:
    order = _order(folder, epoch, stamp, data_stamp, by)
    counts = _judge(folder, epoch, stamp, data_stamp).counts[np.ix_(order, order)]
    return pack(confusion_matrix(counts, _names(folder, order), look))


@st.cache_resource(max_entries=8, show_spinner="Drawing the difference …")
def _draw_difference(
    folder: Path, epoch: int, stamp: int, data_stamp: int, other_folder: Path, other_epoch: int, other_stamp: int, other_data: int,
    by: Order, look: Look,
) -> PackedFigure:  # fmt: skip
    order = _order(folder, epoch, stamp, data_stamp, by)
    change = _compare(folder, epoch, stamp, data_stamp, other_folder, other_epoch, other_stamp, other_data)
    now = _judge(folder, epoch, stamp, data_stamp).counts
    cells = np.ix_(order, order)
    tables = change.counts[cells], now[cells], change.came[cells], change.left[cells]
    return pack(difference_matrix(*tables, _names(folder, order), look))


def _names(folder: Path, order: Codes) -> list[str]:
    labels = services.read_data(Run(folder)).labels
    return [labels[index] for index in order]
