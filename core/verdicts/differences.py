"""Two predictions tables of the same images: which image went from which cell of the matrix to which."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.errors import RunError
from core.verdicts.predictions import count_cells
from core.words import format_count


def match_images(table: pd.DataFrame, other: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Return for each image of `table` its row in `other` (N,).

    Raises:
        RunError: saying how they differ, when the tables are not of the same images with the same true classes.
    """
    if table["path"].equals(other["path"]) and table["true"].equals(other["true"]):
        return np.arange(
            len(table), dtype=np.intp
        )  # as of two runs on one data set; of a million found at once
    rows: npt.NDArray[np.intp] = pd.Index(other["path"]).get_indexer(pd.Index(table["path"]))
    both = int((rows >= 0).sum())
    if not both == len(table) == len(other):
        raise RunError(
            f"They were validated on different images ({len(table):,} and {len(other):,}, with {both:,} in common)."
        )
    same = table["true"].to_numpy(dtype=object) == other["true"].to_numpy(dtype=object)[rows]
    if not same.all():
        path = table["path"].iloc[int(np.argmin(same))]
        raise RunError(
            f"They do not agree on the true class of {format_count(int((~same).sum()), 'image')}, first {path}."
        )
    return rows


def count_moves(
    true: npt.NDArray[np.intp], before: npt.NDArray[np.intp], now: npt.NDArray[np.intp], classes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the images (C, C) that came into each cell and those that left it, rows true and columns predicted.

    The arguments are the indices (N,) of the images' true classes and of those predicted before and now, -1 of a class
    that the matrix leaves out: an image can come into it from there.
    """
    moved = before != now
    came, left = (count_cells(true[moved], predicted[moved], classes) for predicted in (now, before))
    return came, left
