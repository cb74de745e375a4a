"""A table of labels, one row an image: which column is which, and each row's image among the files of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.csv_table import Table
from core.dataset.walk import walk_through
from core.errors import DataError
from core.file_names import IMAGE_ENDINGS, SPLIT_NAMES
from core.words import format_count

# How the columns of such tables are usually called, the likeliest first.
IMAGE_COLUMNS = (
    "image", "image_name", "imagename", "filename", "file_name", "file", "path", "filepath", "file_path", "image_path",
    "image_id", "imageid", "img", "img_name", "photo", "picture", "id", "name",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "class", "category", "target", "species", "breed", "class_name", "label_name", "labels", "diagnosis", "dx",
    "category_id", "class_id", "label_id", "y",
)  # fmt: skip
SPLIT_COLUMNS = ("split", "subset", "set", "partition", "usage", "fold")
_TOLD = 3  # wrong rows that are told one by one


@dataclass(frozen=True)
class Columns:
    """The columns that name the image, its label and, where there is one, its split."""

    image: str
    label: str
    split: str = ""


@dataclass(frozen=True)
class Labelled:
    """An image's path in the folder, its label, and its split: train, val or test."""

    path: str
    label: str
    split: str


def suggest_columns(head: Sequence[str]) -> Columns | None:
    """Return the columns by their names, as they usually are; of two columns the first is the image's. None: not to be told."""
    known = {name.casefold().replace(" ", "_").replace("-", "_"): name for name in reversed(head)}
    image, label, split = (
        next((known[name] for name in names if name in known), "")
        for names in (IMAGE_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS)
    )
    if len(head) == 2 and not (image and label):
        image = image or next((name for name in head if name != label), "")
        label = next((name for name in head if name != image), "")
    return Columns(image, label, split) if image and label else None


def match_rows(
    table: Table, columns: Columns, images: Path, *, skip_missing: bool = False
) -> tuple[Labelled, ...]:
    """Return the labelled image of each row; a row names a path in the folder, a file's name, or that without its ending.

    Raises:
        DataError: naming the table's line and column of what has no image, no label or a split of no known name, or of
            an image with two labels. With `skip_missing` rows without an image are left out.
    """
    for column in filter(None, (columns.image, columns.label, columns.split)):
        if column not in table.head:
            raise DataError(
                f"{table.name} has no column {column!r}. Its columns are {', '.join(table.head)}."
            )
    index = _Index(images)
    found: dict[str, tuple[Labelled, int]] = {}
    problems: list[str] = []
    for line, row in table.list_rows():
        try:
            one = _match_row(row, columns, index, skip_missing=skip_missing)
        except ValueError as error:
            problems.append(f"line {line}, {error}")
            continue
        if one is None:
            continue
        before = found.setdefault(one.path, (one, line))
        if before[0] != one:
            problems.append(
                f"line {line}, column {columns.label}: {one.path} has {before[0].label!r} on line {before[1]} and "
                f"{one.label!r} here"
            )
    if problems:
        rest = len(problems) - _TOLD
        more = f"; and {format_count(rest, 'more row')}" if rest > 0 else ""
        raise DataError(f"{table.name}: {'; '.join(problems[:_TOLD])}{more}.")
    if not found:
        raise DataError(
            f"{table.name}: no row names an image in {images}. Check the column of the images, and the folder."
        )
    return tuple(one for one, _ in found.values())


def _match_row(
    row: Mapping[str, str], columns: Columns, index: _Index, *, skip_missing: bool
) -> Labelled | None:
    """Return the image of a row, None where it has none and may; ValueError says what is wrong in which column."""
    name, label = row[columns.image], row[columns.label]
    paths = index.find(name)
    if not paths and skip_missing:
        return None
    if not paths:
        raise ValueError(f"column {columns.image}: there is no image {name!r}")
    if len(paths) > 1:
        raise ValueError(f"column {columns.image}: {name!r} could be {paths[0]} or {paths[1]}")
    if not label:
        raise ValueError(f"column {columns.label} is empty")
    split = _find_split(row[columns.split]) if columns.split else "train"
    if not split:
        raise ValueError(f"column {columns.split}: {row[columns.split]!r} is not train, val or test")
    return Labelled(paths[0], label, split)


def _find_split(value: str) -> str:
    return next((split for split, names in SPLIT_NAMES.items() if value.casefold() in names), "")


class _Index:
    """The images of a folder by their paths, their names and these without the ending."""

    def __init__(self, root: Path) -> None:
        found = walk_through(root)
        if found.closed and not found.files:
            raise DataError(f"{root} {found.closed[0].reason}.")
        self._paths = {path for path in found.files if path.lower().endswith(IMAGE_ENDINGS)}
        self._short: dict[str, list[str]] = {}
        for path in found.files:
            if path in self._paths:
                for name in _shorten(path):
                    self._short.setdefault(name, []).append(path)

    def find(self, name: str) -> list[str]:
        """Return the images that a cell may mean: one path where it is clear."""
        name = name.replace("\\", "/").removeprefix("./")
        if name in self._paths:
            return [name]
        return self._short.get(name) or self._short.get(PurePosixPath(name).name, [])


def _shorten(path: str) -> Iterator[str]:
    """Yield what a table may call an image: without its ending, and both without the folders."""
    whole = PurePosixPath(path)
    yield from dict.fromkeys((str(whole.with_suffix("")), whole.name, whole.stem))
