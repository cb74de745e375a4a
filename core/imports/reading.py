"""What a table of predictions says about the images of a data folder; nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.csv_table import Table
from core.dataset.walk import name_some
from core.errors import DataError
from core.file_names import natural_key
from core.imports.classes import AUTO, KINDS, NAMED, NUMBERED, read_classes
from core.imports.columns import PREDICTED, TRUE, Columns, find_columns, recognise_roles, sort_as_text
from core.imports.confidences import read_confidences, read_probabilities, refuse_other_guess
from core.imports.images import Images, scan_images
from core.recipe.class_names import normalise
from core.words import format_count

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reading:
    """A table as it was understood: N images of C classes.

    `true` and `predicted` are indices of `classes` (N,), `confidence` that of the predicted class (N,), None where there
    is none, `probabilities` those of all classes (N, C); `listed` are the classes in the order of their columns in the
    table, () where there are none. `notes` say in sentences what was taken for what, and what was not used.
    """

    table: str
    images: Images
    classes: tuple[str, ...]
    columns: Columns
    paths: tuple[str, ...]
    true: Ints
    predicted: Ints
    confidence: Floats | None
    probabilities: Floats | None
    listed: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Return the share of images that are predicted right (0..1)."""
        return float((self.true == self.predicted).mean())


def understand_table(
    table: Table, root: Path, *, columns: Mapping[str, str] | None = None, classes: str = AUTO
) -> Reading:
    """Read a table about the images below `root`.

    `columns` gives the column of a role where it is not to be recognised, '' for none. `classes` says whether classes are
    `names` or `numbers` of those sorted as text; `auto` finds out.

    Raises:
        DataError: naming the row and the column that cannot be used, and what to do.
        ValueError: when `classes` is none of these.
    """
    if classes not in KINDS:
        raise ValueError(f"classes must be {', '.join(KINDS)}, got {classes!r}")
    images = scan_images(root)
    names = images.classes or _name_classes(table, recognise_roles(table, columns or {}))
    found = find_columns(table, names, columns or {})
    paths, assumed = _find_paths(table, found.path, images)
    probabilities = read_probabilities(table, found.probabilities) if found.probabilities else None
    true, true_kind = _read_true(table, found, names, images, paths, classes)
    predicted, kind = _read_predicted(table, found, names, images, probabilities, classes, true_kind)
    if probabilities is not None:
        confidence: Floats | None = probabilities[np.arange(len(paths)), predicted]
    else:
        confidence = read_confidences(table, found.confidence) if found.confidence else None
    notes = [
        _tell_columns(found, with_confidence=confidence is not None),
        *_tell_unused(table, found),
        *_tell_numbers(names, {true_kind, kind}),
        *_tell_assumed(assumed, len(paths)),
        *_tell_images(images, paths, names, true),
    ]
    return Reading(
        table.name, images, names, found, paths, true, predicted, confidence, probabilities, _list_classes(table, names, found),
        tuple(notes),
    )  # fmt: skip


def _name_classes(table: Table, roles: Mapping[str, str]) -> tuple[str, ...]:
    """Return the classes that a table itself names: of images that lie in no folders of classes."""
    if not roles[TRUE] or not roles[PREDICTED]:
        raise DataError(
            f"{table.name}: the images are not in class folders, so the table must give a true and a predicted class for "
            "each. Say which columns they are (--true-column, --predicted-column), or give the folder that has the classes."
        )
    cells = {normalise(cell) for role in (TRUE, PREDICTED) for cell in table.read_column(roles[role])}
    return tuple(sorted(cells - {""}, key=natural_key))


def _find_paths(table: Table, column: str, images: Images) -> tuple[tuple[str, ...], int]:
    """Return the path of each row's image, and of how many the split had to be assumed."""
    lines: dict[str, int] = {}
    assumed = 0
    for row, cell in enumerate(table.read_column(column)):
        if not cell:
            raise table.refuse(row, column, "is empty. Fill it in, or remove the row.")
        try:
            path, is_assumed = images.find(cell)
        except DataError as error:
            raise table.refuse(row, column, str(error)) from None
        if path in lines:
            raise table.refuse(
                row, column, f"{cell!r} is the same image as line {lines[path]}. Remove one of the two rows."
            )
        lines[path] = table.lines[row]
        assumed += is_assumed
    return tuple(lines), assumed


def _read_true(
    table: Table,
    columns: Columns,
    classes: tuple[str, ...],
    images: Images,
    paths: tuple[str, ...],
    kind: str,
) -> tuple[Ints, str]:
    """Return the true classes (N,) and how the column names them; AUTO where they are those of the folders."""
    index = {name: number for number, name in enumerate(classes)}
    folders = np.array([index.get(images.labels.get(path, ""), -1) for path in paths], dtype=np.int64)
    if columns.true:

        def fits(_: str, read: Ints) -> bool:
            return bool((read == folders).all())

        return read_classes(table, columns.true, classes, images.display, kind=kind, fits=fits)
    if (folders < 0).any():
        row = int((folders < 0).argmax())
        raise table.refuse(
            row,
            columns.path,
            f"{paths[row]} is not in a class folder. Say which column has the true class (--true-column).",
        )
    return folders, AUTO


def _read_predicted(
    table: Table,
    columns: Columns,
    classes: tuple[str, ...],
    images: Images,
    probabilities: Floats | None,
    kind: str,
    true_kind: str,
) -> tuple[Ints, str]:
    """Return the predicted classes (N,) and how the column names them; without a column the likeliest ones, and AUTO."""
    likeliest = None if probabilities is None else probabilities.argmax(axis=1).astype(np.int64)
    if not columns.predicted:
        assert likeliest is not None
        return likeliest, AUTO

    def fits(own: str, read: Ints) -> bool:
        return own == true_kind if likeliest is None else bool((read == likeliest).all())

    predicted, own = read_classes(table, columns.predicted, classes, images.display, kind=kind, fits=fits)
    if probabilities is not None:
        refuse_other_guess(table, columns.predicted, probabilities, predicted, classes)
    return predicted, own


def _tell_columns(columns: Columns, *, with_confidence: bool) -> str:
    taken = [
        f"path from {columns.path!r}",
        f"true class from {columns.true!r}" if columns.true else "true class from the folders",
        f"predicted class from {columns.predicted!r}"
        if columns.predicted
        else "predicted class from the probabilities",
    ]
    if columns.probabilities:
        taken.append(f"a probability for each of {format_count(len(columns.probabilities), 'class')}")
    else:
        taken.append(f"confidence from {columns.confidence!r}" if with_confidence else "no confidences")
    return f"Columns: {', '.join(taken)}."


def _list_classes(table: Table, classes: tuple[str, ...], columns: Columns) -> tuple[str, ...]:
    """Return the classes in the order in which their columns of probabilities come; () where there are none."""
    place = {
        table.head.index(column): name for name, column in zip(classes, columns.probabilities, strict=False)
    }
    return tuple(place[number] for number in sorted(place))


def _tell_unused(table: Table, columns: Columns) -> list[str]:
    confidence = () if columns.probabilities else (columns.confidence,)
    used = {columns.path, columns.true, columns.predicted, *confidence, *columns.probabilities, ""}
    unused = [column for column in table.head if column not in used]
    return [f"Columns not used: {name_some(unused)}."] if unused else []


def _tell_numbers(classes: tuple[str, ...], kinds: set[str]) -> list[str]:
    if NUMBERED not in kinds:
        return []
    order = sort_as_text(classes)
    last = len(order) - 1
    shown = ", ".join(f"{number} is {order[number]!r}" for number in sorted({0, min(1, last), last}))
    mixed = " Names are used too." if NAMED in kinds else ""
    return [f"Classes are numbers from 0 in alphabetical order: {shown}.{mixed}"]


def _tell_assumed(count: int, paths: int) -> list[str]:
    if not count:
        return []
    return [
        f"{format_count(count, 'path')} of {paths:,} could mean images in several splits; the validation image was taken."
    ]


def _tell_images(images: Images, paths: tuple[str, ...], classes: tuple[str, ...], true: Ints) -> list[str]:
    notes = []
    moved = sum(
        images.labels.get(path, classes[index]) != classes[index]
        for path, index in zip(paths, true.tolist(), strict=True)
    )
    if moved:
        notes.append(
            f"{format_count(moved, 'image')} of {len(paths):,} {'is' if moved == 1 else 'are'} in the folder of another "
            "class than the table says; the table counts."
        )
    left = len(images.validation - set(paths))
    if images.validation and left:
        notes.append(
            f"The table leaves out {left:,} of {format_count(len(images.validation), 'validation image')}."
        )
    return notes
