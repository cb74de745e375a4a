"""Which class a cell names: by its folder, by its display name, or by its number among the classes sorted as text."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.errors import DataError
from core.imports.columns import sort_as_text
from core.recipe.class_names import normalise
from core.words import format_count

if TYPE_CHECKING:
    from core.csv_table import Table

Ints = npt.NDArray[np.int64]
NAMED, NUMBERED, AUTO = "names", "numbers", "auto"
KINDS = (AUTO, NAMED, NUMBERED)
# pandas writes 3.0 where a cell of the column was empty; no class has a number of more digits.
_NUMBER = re.compile(r"0*(\d{1,9})(\.0*)?", re.ASCII)


def read_classes(
    table: Table,
    column: str,
    classes: Sequence[str],
    display: Mapping[str, str],
    *,
    kind: str = AUTO,
    fits: Callable[[str, Ints], bool],
) -> tuple[Ints, str]:
    """Return the indices (N,) of the classes that a column names, and whether it has `names` or `numbers`.

    Where the cells may be either, `fits(kind, indices)` tells whether a reading agrees with what else is known.

    Raises:
        DataError: naming the first cell that is empty or no class, or what both readings would mean.
    """
    cells = table.read_column(column)
    if "" in cells:
        row = cells.index("")
        raise table.refuse(row, column, "is empty. Fill it in, or remove the row.")
    by_name, by_number = _index_names(classes, display), _index_numbers(classes)
    readings = {NAMED: [by_name.get(normalise(cell), -1) for cell in cells]}
    numbers = [int(match[1]) if (match := _NUMBER.fullmatch(cell)) else -1 for cell in cells]
    readings[NUMBERED] = [by_number[number] if 0 <= number < len(classes) else -1 for number in numbers]
    asked = [kind] if kind != AUTO else [NAMED, NUMBERED]
    whole = [one for one in asked if -1 not in readings[one]]
    if len(whole) == 2 and readings[NAMED] != readings[NUMBERED]:
        whole = [one for one in whole if fits(one, np.array(readings[one]))]
        if len(whole) != 1:
            raise DataError(_describe_both(table, column, cells, readings, classes))
    if not whole:
        best = max(asked, key=lambda one: sum(index >= 0 for index in readings[one]))
        row = readings[best].index(-1)
        raise table.refuse(row, column, _describe_unknown(cells[row], best, classes, by_name))
    return np.array(readings[whole[0]], dtype=np.int64), whole[0]


def _index_names(classes: Sequence[str], display: Mapping[str, str]) -> dict[str, int]:
    """Return the index of each class by its folder's name, and by its display name where only one class has it."""
    shown = [display.get(name, "") for name in classes]
    times = Counter(shown)
    by_display = {name: index for index, name in enumerate(shown) if name and times[name] == 1}
    return {**by_display, **{normalise(name): index for index, name in enumerate(classes)}}


def _index_numbers(classes: Sequence[str]) -> list[int]:
    index = {name: number for number, name in enumerate(classes)}
    return [index[name] for name in sort_as_text(classes)]


def _describe_both(
    table: Table, column: str, cells: Sequence[str], readings: Mapping[str, list[int]], classes: Sequence[str]
) -> str:
    named, numbered = readings[NAMED], readings[NUMBERED]
    row = next(row for row, index in enumerate(named) if index != numbered[row])
    return (
        f"{table.name}, column {column!r}: {cells[row]!r} could be the class of that name, or class number {cells[row]}, "
        f"counted from 0 in alphabetical order, which is {classes[numbered[row]]!r}. Say which: names or numbers (--classes)."
    )


def _describe_unknown(cell: str, kind: str, classes: Sequence[str], by_name: Mapping[str, int]) -> str:
    if kind == NUMBERED:
        return (
            f"{cell!r} is not the number of a class: there are {format_count(len(classes), 'class')}, numbered from 0 to "
            f"{len(classes) - 1}. Correct it, or give the folder that has all classes."
        )
    near = difflib.get_close_matches(cell, list(by_name), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the classes are {_name_some(classes)}."
    return f"{cell!r} is not a class of the data; {hint} Correct it, or add the folder of the class."


def _name_some(classes: Sequence[str]) -> str:
    shown = ", ".join(map(repr, classes[:5]))
    return f"{shown} and {len(classes) - 5:,} more" if len(classes) > 5 else shown
