"""Which column of a table holds what: recognised by its name, or said by the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import DataError
from core.recipe.class_names import normalise
from core.words import format_count

if TYPE_CHECKING:
    from core.csv_table import Table

PATH, TRUE, PREDICTED, CONFIDENCE = "path", "true", "predicted", "confidence"
# As programs and people call them, in lower case and with _ for a space or a hyphen.
NAMES = {
    PATH: (
        "path", "image", "image_name", "image_path", "im_name", "img", "img_name", "img_path", "file", "filename", "file_name",
        "filepath", "file_path", "fname",
    ),
    TRUE: (
        "true", "label", "target", "actual", "y_true", "class", "true_label", "true_class", "ground_truth", "truth", "gt",
    ),
    PREDICTED: (
        "predicted", "prediction", "pred", "pred_label", "y_pred", "predicted_label", "predicted_class", "pred_class",
    ),
    CONFIDENCE: ("confidence", "prob", "probability", "score", "conf"),
}  # fmt: skip
ROLES = tuple(NAMES)
_PREFIXES = ("prob_", "p_", "")


@dataclass(frozen=True)
class Columns:
    """The columns of a table by what they hold, '' where there is none; `probabilities` are one a class, in their order."""

    path: str
    true: str = ""
    predicted: str = ""
    confidence: str = ""
    probabilities: tuple[str, ...] = ()


def recognise_roles(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    """Return for each role the column that has it, '' for none; `given` columns are taken as they are, '' for none too.

    Raises:
        DataError: naming a given column that there is not, or the columns that may both be meant.
    """
    found = {}
    for role in ROLES:
        if role in given:
            found[role] = _take_given(table, role, given[role])
            continue
        named = [name for name in _list_named(table, role) if name not in given.values()]
        if len(named) > 1:
            raise DataError(
                f"{table.name}: the columns {' and '.join(map(repr, named))} could both be {role}. {_say(role)}"
            )
        found[role] = named[0] if named else ""
    return found


def suggest_roles(table: Table) -> dict[str, str]:
    """Return for each role the one column that is called so, '' where there is none or more than one."""
    named = {role: _list_named(table, role) for role in ROLES}
    return {role: names[0] if len(names) == 1 else "" for role, names in named.items()}


def find_columns(table: Table, classes: Sequence[str], given: Mapping[str, str]) -> Columns:
    """Return the columns of a table about these classes, those not `given` recognised by their names.

    Raises:
        DataError: naming a column that is missing, or the class of which there is no probability where there are others.
    """
    roles = recognise_roles(table, given)
    rest = [name for name in table.head if name and name not in roles.values()]
    probabilities = _find_probabilities(table, rest, classes)
    if not roles[PATH]:
        raise DataError(
            f"{table.name}: no column is named like a path ({_list(NAMES[PATH])}). {_say(PATH)} {_have(table)}"
        )
    if not roles[PREDICTED] and not probabilities:
        raise DataError(
            f"{table.name}: no column is named like a prediction ({_list(NAMES[PREDICTED])}). {_say(PREDICTED)} {_have(table)}"
        )
    return Columns(roles[PATH], roles[TRUE], roles[PREDICTED], roles[CONFIDENCE], probabilities)


def sort_as_text(classes: Sequence[str]) -> list[str]:
    """Return classes in the order that Keras, fastai, torchvision and scikit-learn count them in: 10 before 2."""
    return sorted(classes)


def _find_probabilities(table: Table, rest: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    """Return the column of each class, () where no column is one; those numbered from 0 are in the order of text."""
    numbers = {name: str(number) for number, name in enumerate(sort_as_text(classes))}
    best: dict[str, str] = {}
    for prefix in _PREFIXES:
        for shown in ({name: name for name in classes}, numbers):
            columns = {name: normalise(f"{prefix}{text}") for name, text in shown.items()}
            known = {normalise(column): column for column in rest}
            found = {name: known[column] for name, column in columns.items() if column in known}
            if len(found) > len(best):
                best = found
    if missing := [name for name in classes if best and name not in best]:
        raise DataError(
            f"{table.name} has a column for {len(best)} of {format_count(len(classes), 'class')}, such as "
            f"{next(iter(best.values()))!r}, but none for {missing[0]!r}. Give one for every class, or for none."
        )
    return tuple(best[name] for name in classes) if best else ()


def _take_given(table: Table, role: str, column: str) -> str:
    if column and column not in table.head:
        raise DataError(f"{table.name} has no column {column!r} for {role}. {_have(table)}")
    return column


def _list_named(table: Table, role: str) -> list[str]:
    return [name for name in table.head if _plain(name) in NAMES[role]]


def _plain(name: str) -> str:
    return name.casefold().replace(" ", "_").replace("-", "_")


def _say(role: str) -> str:
    return f"Say which one it is (--{role}-column)."


def _have(table: Table) -> str:
    return f"Its columns are {_list(table.head)}."


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(name or "(without a name)" for name in names[:12])
    return f"{shown} …" if len(names) > 12 else shown
