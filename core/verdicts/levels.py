"""A confusion matrix of very many classes by levels: groups of neighbours, opened pair by pair down to single classes.

Only the images are counted, cell by cell of what is shown: of 10,000 classes the whole matrix would take 800 MB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.words import format_count

MOST_SIDE = 100  # rows or columns of a level: a cell is still large enough for a mouse or a finger

Places = npt.NDArray[np.intp]
Steps = tuple[tuple[int, int], ...]  # the cells, row and column, that were opened one after the other


@dataclass(frozen=True)
class Level:
    """What is shown of a matrix: groups of neighbouring classes, all of one size but the last of a side.

    `rows` and `columns` hold the place of the first class of each group in the order of the classes; their step is the
    size of the groups, which is the same for both.
    """

    rows: range
    columns: range

    @property
    def size(self) -> int:
        """Return how many classes a group has."""
        return self.rows.step

    @property
    def is_single(self) -> bool:
        """Tell whether each row and each column is a single class."""
        return self.size == 1

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of rows and of columns."""
        return len(self.rows), len(self.columns)

    def find_cells(self, true: Places, predicted: Places) -> Places:
        """Return the cell of each image as row times columns plus column (N,); -1 of one that is in none.

        The arguments are the places (N,) of the images' true and predicted classes in the order of the classes. Between
        groups errors alone count: a right answer is in a cell of single classes only.
        """
        row, column = _find_groups(self.rows, true), _find_groups(self.columns, predicted)
        inside = (row >= 0) & (column >= 0)
        if not self.is_single:
            inside &= true != predicted
        return np.where(inside, row * len(self.columns) + column, -1)

    def count_cells(self, cells: Places) -> npt.NDArray[np.int64]:
        """Return the images in each cell (rows, columns), from what `find_cells` returned for them."""
        counts = np.bincount(cells[cells >= 0], minlength=math.prod(self.shape))
        return counts.reshape(self.shape).astype(np.int64, copy=False)

    def count_rows(self, true: Places) -> npt.NDArray[np.int64]:
        """Return the images whose true class is in each row, whatever they were taken for."""
        return _count_groups(self.rows, true)

    def count_columns(self, predicted: Places) -> npt.NDArray[np.int64]:
        """Return the images that were taken for a class of each column, whatever they are."""
        return _count_groups(self.columns, predicted)


def open_level(classes: int, steps: Steps = ()) -> Level:
    """Return the level that opening these cells leads to, from all classes on.

    Raises:
        ValueError: when there is no such cell, or nothing left to open.
    """
    first, *others = _list_sizes(classes)
    rows = columns = range(0, classes, first)
    if len(steps) > len(others):
        raise ValueError(
            f"of {classes} classes single ones are shown after {format_count(len(others), 'step')}"
        )
    for (row, column), size in zip(steps, others, strict=False):
        rows, columns = _open_group(rows, row, size), _open_group(columns, column, size)
    return Level(rows, columns)


def find_steps(classes: int, places: Sequence[int]) -> Steps:
    """Return the steps to the smallest part on the diagonal that holds all of these places."""
    found: list[tuple[int, int]] = []
    level = open_level(classes)
    while not level.is_single:
        groups = {(place - level.rows.start) // level.size for place in places}
        if len(groups) != 1:
            break
        group = groups.pop()
        found.append((group, group))
        level = open_level(classes, tuple(found))
    return tuple(found)


def _list_sizes(classes: int) -> list[int]:
    """Return how many classes a group has on each level, so that every level has about as many cells."""
    levels = 1
    while MOST_SIDE**levels < classes:
        levels += 1
    return [math.ceil(classes ** (deeper / levels)) for deeper in reversed(range(levels))]


def _open_group(side: range, group: int, size: int) -> range:
    if not 0 <= group < len(side):
        raise ValueError(f"there is no group {group} among {len(side)}")
    return range(side[group], min(side[group] + side.step, side.stop), size)


def _find_groups(side: range, places: Places) -> Places:
    inside = (places >= side.start) & (places < side.stop)
    return np.where(inside, (places - side.start) // side.step, -1)


def _count_groups(side: range, places: Places) -> npt.NDArray[np.int64]:
    groups = _find_groups(side, places)
    return np.bincount(groups[groups >= 0], minlength=len(side)).astype(np.int64, copy=False)
