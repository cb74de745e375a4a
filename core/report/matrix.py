"""The confusion matrix of a report: of all classes, or of very many the part that says most of the errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.verdicts.ordering import choose_confused
from core.verdicts.predictions import count_cells, find_codes

MOST = (
    1_000  # classes that are drawn: of more a figure would show no single one, and 10,000 would take 800 MB
)


@dataclass(frozen=True)
class ChosenMatrix:
    """The matrix of the classes that are drawn: `drawn` (K,) are their indices, `counts` (K, K) their images.

    `support` (K,) are all images of each, also those taken for a class that is left out; `cells` is the matrix as a table
    to keep: of all classes, where many are left out as a list of what is in its cells.
    """

    drawn: npt.NDArray[np.intp]
    counts: npt.NDArray[np.int64]
    support: npt.NDArray[np.intp]
    cells: pd.DataFrame
    classes: int

    @property
    def is_whole(self) -> bool:
        """Tell whether it is of all classes."""
        return len(self.drawn) == self.classes

    @property
    def name(self) -> str:
        """Return what the file of its table is called."""
        return "confusion-matrix" if self.is_whole else "confusion-cells"

    def describe(self) -> str:
        """Say which classes are left out, and where they are told; empty of all."""
        if self.is_whole:
            return ""
        return (
            f"The figure shows the {len(self.drawn):,} of {self.classes:,} classes with most errors. Every pair of classes "
            f"that was confused, and every class's right answers, are in tables/{self.name}.csv."
        )


def choose_matrix(table: pd.DataFrame, classes: Sequence[str]) -> ChosenMatrix:
    """Return the matrix of a predictions table; raises RunError as `find_codes` does."""
    true, predicted = find_codes(table, classes)
    size = len(classes)
    drawn = choose_confused(true, predicted, size, MOST)
    places = np.full(size, -1)
    places[drawn] = np.arange(len(drawn))
    counts = count_cells(places[true], places[predicted], len(drawn))
    whole = len(drawn) == size
    cells = tabulate_matrix(counts, classes) if whole else _list_cells(true, predicted, classes)
    return ChosenMatrix(drawn, counts, np.bincount(true, minlength=size)[drawn], cells, size)


def tabulate_matrix(counts: npt.NDArray[np.int64], names: Sequence[str]) -> pd.DataFrame:
    """Return a confusion matrix (C, C) as a table: the true class first, then a column for each predicted one.

    A class may be called `true` itself; then the first column has a name that no class has.
    """
    table = pd.DataFrame(counts, columns=list(names))
    head = "true"
    while head in names:
        head += " class"
    table.insert(0, head, list(names))
    return table


def _list_cells(
    true: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], classes: Sequence[str]
) -> pd.DataFrame:
    """Return a row for each cell that holds images: true, predicted, images."""
    names = np.asarray(classes, dtype=object)
    cells, images = np.unique(true * len(classes) + predicted, return_counts=True)
    return pd.DataFrame(
        {"true": names[cells // len(classes)], "predicted": names[cells % len(classes)], "images": images}
    )
