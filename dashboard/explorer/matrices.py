"""Predictions tables as matrices, their differences, orders and figures, each made once a table; a home of caches.

As in services, a `stamp` is when a file was last written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
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
from core.verdicts.ordering import Block, Order, choose_confused, find_blocks, order_classes
from core.verdicts.paired import PairedTest, compare_paired
from dashboard.charts.matrix_chart import Totals, confusion_matrix, difference_matrix
from dashboard.charts.matrix_colours import Look
from dashboard.components.plot import PackedFigure, pack
from dashboard.state import services

Codes = npt.NDArray[np.intp]
Stamps = tuple[int, int]
MOST_DRAWN = 1_000  # classes of a matrix: a million cells, which a browser draws in about a second


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
KEYS: dict[str | type[Any], Callable[[Any], Any]] = {
    TableSource: lambda source: (str(source.run.folder), source.epoch, source.split)
}


@dataclass(frozen=True)
class TableFigures:
    """A predictions table and what follows from it; not to be changed. The table itself is read once it is asked for.

    `true` and `predicted` (N,) are the images' classes as indices into the run's classes. Of very many classes the matrix
    is of those that are confused most: `drawn` (K,) are their indices, in order, `places` (C,) say where in it each class
    stands, -1 of one that is left out, and `counts` (K, K) is their matrix.
    `support` and `named` (C,) are the images of each class and those predicted as it; `pairs` are the most confused
    pairs, most first.
    """

    source: TableSource
    stamps: Stamps
    true: Codes
    predicted: Codes
    drawn: Codes
    places: Codes
    counts: npt.NDArray[np.int64]
    support: Codes
    named: Codes
    pairs: pd.DataFrame

    @cached_property
    def table(self) -> pd.DataFrame:
        """Return the table, a row an image; raises RunError where it is damaged, or is another by now."""
        table = _read_whole(self.source)
        if find_stamps(self.source) != self.stamps:
            raise RunError(f"{self.source.run.id} has newer predictions by now. Reload the page.")
        return table


@dataclass(frozen=True)
class Change:
    """How predictions differ from others of the same images.

    `before` (N,) are the classes that the others predict, for the images in the order of the table; `counts`, `came`
    and `left` (K, K) are their matrix, and the images that came into each cell and left it since, of the classes that
    the newer matrix is of.
    """

    before: Codes
    counts: npt.NDArray[np.int64]
    came: npt.NDArray[np.int64]
    left: npt.NDArray[np.int64]
    verdict: PairedTest


def judge(source: TableSource) -> TableFigures:
    """Return a run's predictions; raises RunError where there are none or they are damaged."""
    if not source.epoch:
        services.find_predictions(source.run, source.split)  # says what is missing
    elif not source.path.exists():
        raise RunError(
            f"{source.run.id} has no predictions of epoch {source.epoch}: choose another one above. "
            "Runs that were made by an older version keep those of their best model only."
        )
    services.read_data(source.run)
    return _judge(source, find_stamps(source))


def compare(source: TableSource, other: TableSource) -> Change:
    """Return how a run's predictions differ from others.

    Raises:
        RunError: saying why they cannot be compared.
    """
    return _compare(source, find_stamps(source), other, find_stamps(other))


def order_names(source: TableSource, by: Order) -> Codes:
    """Return the order of the classes of the matrix (K,) as indices of the run's."""
    return _order(source, find_stamps(source), by)


def list_blocks(source: TableSource) -> list[Block]:
    """Return the blocks of classes that are confused with each other, most confusions first."""
    return _list_blocks(source, find_stamps(source))


def draw_matrix(source: TableSource, by: Order, look: Look) -> PackedFigure:
    """Return the figure of the confusion matrix."""
    return _draw_matrix(source, find_stamps(source), by, look)


def draw_difference(source: TableSource, other: TableSource, by: Order, look: Look) -> PackedFigure:
    """Return the figure of what changed from another matrix, in the order of the newer one."""
    return _draw_difference(source, find_stamps(source), other, find_stamps(other), by, look)


def find_stamps(source: TableSource) -> Stamps:
    """Return when the predictions and the record of the data were last written."""
    return source.path.stat().st_mtime_ns, (source.run.folder / "data.json").stat().st_mtime_ns


@st.cache_resource(max_entries=6, show_spinner="Reading the predictions …", hash_funcs=KEYS)
def _judge(source: TableSource, stamps: Stamps) -> TableFigures:
    table = _read_guesses(source)
    classes = services.read_data(source.run).classes
    true, predicted = predictions.find_codes(table, classes)
    size = len(classes)
    drawn = choose_confused(true, predicted, size, MOST_DRAWN)
    places = np.full(size, -1, dtype=np.intp)
    places[drawn] = np.arange(len(drawn))
    return TableFigures(
        source,
        stamps,
        true,
        predicted,
        drawn,
        places,
        predictions.count_cells(places[true], places[predicted], len(drawn)),
        np.bincount(true, minlength=size),
        np.bincount(predicted, minlength=size),
        predictions.most_confused(table),
    )


def _read_guesses(source: TableSource) -> pd.DataFrame:
    """Return the true and the predicted classes: of very many images no more is read before one of them is looked at."""
    if source.path.suffix != ".parquet":
        return _read_whole(source)
    if not source.epoch:
        return services.read_guesses(source.run, source.split)
    with _told_to_choose():
        return predictions.read_guesses(source.path)


def _read_whole(source: TableSource) -> pd.DataFrame:
    if not source.epoch:
        return services.read_predictions(source.run, source.split)
    with _told_to_choose():
        return predictions.read_predictions(source.path)


@contextmanager
def _told_to_choose() -> Iterator[None]:
    try:
        yield
    except RunError as error:
        raise RunError(f"{error} Choose another epoch.") from None


@st.cache_resource(max_entries=4, show_spinner="Comparing …", hash_funcs=KEYS)
def _compare(source: TableSource, stamps: Stamps, other: TableSource, other_stamps: Stamps) -> Change:
    one, two = _judge(source, stamps), _judge(other, other_stamps)
    rows = match_images(one.table, two.table)
    classes = services.read_data(source.run).classes
    guesses = two.table["predicted"].to_numpy(dtype=object)[rows]
    before: Codes = pd.Index(classes, dtype=str).get_indexer(pd.Index(guesses, dtype=str))
    if (before < 0).any():
        name = guesses[int((before < 0).argmax())]
        raise RunError(f"{other.run.id} knows a class that {source.run.id} does not: {name!r}.")
    size, verdict = len(one.drawn), compare_paired(one.table, two.table)
    true, now, then = (one.places[codes] for codes in (one.true, one.predicted, before))
    counts = predictions.count_cells(true, then, size)
    return Change(before, counts, *count_moves(true, then, now, size), verdict)


@st.cache_resource(max_entries=16, show_spinner="Ordering the classes …", hash_funcs=KEYS)
def _order(source: TableSource, stamps: Stamps, by: Order) -> Codes:
    judged = _judge(source, stamps)
    order: Codes = judged.drawn[order_classes(judged.counts, by, judged.support[judged.drawn])]
    return order


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs=KEYS)
def _list_blocks(source: TableSource, stamps: Stamps) -> list[Block]:
    judged = _judge(source, stamps)
    found = find_blocks(judged.counts, judged.support[judged.drawn])
    return [replace(block, members=tuple(judged.drawn[list(block.members)].tolist())) for block in found]


@st.cache_resource(max_entries=16, show_spinner="Drawing the matrix …", hash_funcs=KEYS)
def _draw_matrix(source: TableSource, stamps: Stamps, by: Order, look: Look) -> PackedFigure:
    order = _order(source, stamps, by)
    judged = _judge(source, stamps)
    places = judged.places[order]
    counts, totals = judged.counts[np.ix_(places, places)], Totals(judged.support[order], judged.named[order])
    return pack(confusion_matrix(counts, _names(source.run, order), look, totals))


@st.cache_resource(max_entries=8, show_spinner="Drawing the difference …", hash_funcs=KEYS)
def _draw_difference(
    source: TableSource, stamps: Stamps, other: TableSource, other_stamps: Stamps, by: Order, look: Look
) -> PackedFigure:
    order = _order(source, stamps, by)
    change = _compare(source, stamps, other, other_stamps)
    judged = _judge(source, stamps)
    places = judged.places[order]
    cells = np.ix_(places, places)
    tables = change.counts[cells], judged.counts[cells], change.came[cells], change.left[cells]
    support, size = judged.support[order], len(judged.support)
    named = np.bincount(change.before, minlength=size)[order]
    totals = Totals(support, named), Totals(support, judged.named[order])
    return pack(difference_matrix(*tables, _names(source.run, order), look, totals))


def _names(run: Run, order: Codes) -> list[str]:
    labels = services.read_data(run).labels
    return [labels[index] for index in order]
