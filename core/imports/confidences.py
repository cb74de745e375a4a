"""The confidences of a table: of the predicted class alone, or a probability for each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from core.csv_table import Table
from core.errors import DataError

Floats = npt.NDArray[np.float64]
_ROUNDING = 1e-4  # what a number that is written down may be above 1
_GAP = 0.05  # what probabilities, rounded one by one, may miss 1 by in their sum
_CLOSE = 1e-6  # probabilities that do not differ by more may be in either order


def read_confidences(table: Table, column: str) -> Floats:
    """Return the confidences (N,) of a column, 0..1; raises DataError naming the first cell that is none."""
    values = _read_numbers(table, column)
    return np.asarray(np.clip(values, 0.0, 1.0), dtype=np.float64)


def read_probabilities(table: Table, columns: Sequence[str]) -> Floats:
    """Return the probabilities (N, C) of columns, one a class, each row made to sum to exactly 1.

    Raises:
        DataError: naming the first cell that is not a probability, or the first row whose probabilities do not add up.
    """
    found = np.column_stack([read_confidences(table, column) for column in columns])
    sums = found.sum(axis=1)
    if (apart := np.abs(sums - 1) > _GAP).any():
        row = int(apart.argmax())
        raise DataError(
            f"{table.name}, line {table.lines[row]}: the probabilities from {columns[0]!r} to {columns[-1]!r} add up to "
            f"{sums[row]:.3g}, not 1. Write the outputs of softmax, or leave these columns out."
        )
    whole: Floats = found / sums[:, None]
    return whole


def refuse_other_guess(
    table: Table, column: str, probabilities: Floats, predicted: npt.NDArray[np.int64], classes: Sequence[str]
) -> None:
    """Refuse predictions (N,) that are not the likeliest class by the probabilities (N, C): columns are mixed up then.

    Raises:
        DataError: naming the first such row.
    """
    own = probabilities[np.arange(len(predicted)), predicted]
    if (apart := probabilities.max(axis=1) > own + _CLOSE).any():
        row = int(apart.argmax())
        likeliest = classes[int(probabilities[row].argmax())]
        raise table.refuse(
            row, column, f"says {classes[predicted[row]]!r}, but the highest probability is that of {likeliest!r}. "
            "Check which column is which class, or leave the probabilities out.",
        )  # fmt: skip


def _read_numbers(table: Table, column: str) -> Floats:
    cells = [
        cell.replace(",", ".") for cell in table.read_column(column)
    ]  # as spreadsheets of Europe write 0,9
    try:
        values = np.array(cells, dtype=np.float64)
    except ValueError:
        values = np.array([_read_number(cell) for cell in cells])
    wrong = ~((values >= 0) & (values <= 1 + _ROUNDING))  # so written, NaN is wrong
    if wrong.any():
        row = int(wrong.argmax())
        raise table.refuse(row, column, _describe_wrong(table.read_column(column)[row], values[row]))
    return values


def _read_number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _describe_wrong(cell: str, value: float) -> str:
    if not cell:
        return "is empty. Fill it in, or remove the row."
    if np.isnan(value):
        return f"{cell!r} is not a number. Correct it, or leave the column out."
    remedy = (
        "Divide percentages by 100."
        if 1 < value <= 100
        else "Write the output of softmax, or leave the column out."
    )
    return f"{cell} is not a probability: probabilities are between 0 and 1. {remedy}"
