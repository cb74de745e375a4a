"""Marks on a confusion matrix: outlines of blocks, bands of a class, and the stretch of classes to show around some."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.palette import TRAIN

MAX_OUTLINES = 100  # a scattered block of more pieces would hide what it marks
WINDOW = 25  # classes a side that are shown around one that was looked for

Shape = dict[str, Any]


def outline_cells(rows: Sequence[int], columns: Sequence[int]) -> list[Shape]:
    """Return the outlines of the cells of these rows and columns, a rectangle for each piece that hangs together.

    A block that lies in more than `MAX_OUTLINES` pieces, since the order is not the one it was found in, gets none.
    """
    pieces = [(y, x) for y in _find_stretches(rows) for x in _find_stretches(columns)]
    if len(pieces) > MAX_OUTLINES:
        return []
    return [_rectangle(x, y, line={"width": 3}) for y, x in pieces]


def mark_class(index: int, classes: int) -> list[Shape]:
    """Return the bands that mark a class's row and column."""
    return mark_groups([index], [index], (classes, classes))


def mark_groups(rows: Sequence[int], columns: Sequence[int], shape: tuple[int, int]) -> list[Shape]:
    """Return the bands that mark some rows and columns of a matrix that has so many of both."""
    band = {"fillcolor": TRAIN, "opacity": 0.22, "line": {"width": 0}, "layer": "below"}
    height, width = shape
    bands = [_rectangle((0, width - 1), (row, row), **band) for row in rows]
    return bands + [_rectangle((column, column), (0, height - 1), **band) for column in columns]


def window_around(first: int, last: int, classes: int) -> tuple[float, float] | None:
    """Return the stretch (from, to) of the axis around some classes, or None where all are large enough to see."""
    size = max(WINDOW, last - first + 5)
    if classes <= size:
        return None
    start = min(max((first + last + 1 - size) // 2, 0), classes - size)
    return start - 0.5, start + size - 0.5


def _find_stretches(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each stretch of neighbours."""
    ordered = np.unique(np.asarray(indices, dtype=int))
    breaks = np.flatnonzero(np.diff(ordered) > 1)
    return [(int(part[0]), int(part[-1])) for part in np.split(ordered, breaks + 1) if len(part)]


def _rectangle(x: tuple[int, int], y: tuple[int, int], **looks: Any) -> Shape:
    # Plotly takes a number on a category axis for a name where such a name exists; .4999 keeps clear of "2.5".
    ends = {"x0": x[0] - 0.4999, "x1": x[1] + 0.4999, "y0": y[0] - 0.4999, "y1": y[1] + 0.4999}
    return {"type": "rect", **ends, **looks}
