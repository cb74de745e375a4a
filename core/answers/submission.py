"""How a hand-in is written: its columns, what it calls images and classes, and their order; by choice or as a sample has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from core.answers.sources import name_images
from core.csv_table import Table, read_table
from core.dataset.walk import name_some
from core.errors import DataError
from core.words import format_count, show_path

LabelStyle = Literal["", "folder", "name"]  # "": as the sample has it, else the class folder's name
COLUMNS = ("image_name", "pred_label")


@dataclass(frozen=True)
class Form:
    """What the lines of a hand-in look like: the names of its two columns, and whether images or labels come first.

    `extension` tells whether an image's name has its ending, `labels` whether a class is called by its folder or by its
    display name.
    """

    columns: tuple[str, str] = COLUMNS
    images_first: bool = True
    extension: bool = True
    labels: LabelStyle = ""

    def order(self, image: str, label: str) -> tuple[str, str]:
        """Return a line of the hand-in."""
        return (image, label) if self.images_first else (label, image)


@dataclass(frozen=True)
class Sample:
    """A sample submission: the file's name, its two columns, and all of its lines."""

    name: str
    columns: tuple[str, str]
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Plan:
    """The lines of a hand-in to be: the images in their order, what each is called, and how all of it is written.

    `missing` are names in the sample for which there is no file, and `extra` counts files that the sample does not name.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    form: Form
    sample: Sample | None = None
    missing: tuple[str, ...] = ()
    extra: int = 0

    @property
    def wanted(self) -> tuple[str, ...]:
        """Return the names of all lines that the hand-in must have, in their order."""
        if self.sample is None:
            return self.names
        return tuple(dict.fromkeys(row[0 if self.form.images_first else 1] for row in self.sample.rows))


def read_sample(path: Path, name: str = "", *, what: str = "sample submission") -> Sample:
    """Read a sample submission or another table of images and labels; its user may know it by another `name` than the file's.

    Raises:
        DataError: as `take_sample`, and where the file is no table that can be read.
    """
    return take_sample(read_table(path, name), what=what)


def take_sample(table: Table, *, what: str = "sample submission") -> Sample:
    """Return the sample submission that a table holds; raises DataError where it has other than two columns."""
    if len(table.head) != 2:
        raise DataError(
            f"{table.name} has {format_count(len(table.head), 'column')}. A {what} needs two, separated by a comma: the "
            "image and its label."
        )
    return Sample(table.name, (table.head[0], table.head[1]), tuple((row[0], row[1]) for row in table.rows))


def plan_hand_in(
    paths: Sequence[Path],
    form: Form,
    *,
    classes: Sequence[str],
    display: Mapping[str, str],
    folder: Path | None = None,
    sample: Sample | None = None,
) -> Plan:
    """Return what a hand-in of these images will be; `folder` is the one they lie in, where they lie in one.

    Without a sample every image has a line, in the order of `paths`. With one its columns, its lines' order and its way to
    name images are taken over, and so is its way to name classes, where its labels show one and none is asked for.

    Raises:
        DataError: where two images would have the same name, two classes the same label, or the sample names none of the
            images.
    """
    paths = tuple(dict.fromkeys(paths))
    plan = Plan(paths, (), form)
    if sample is None:
        names = [name if form.extension else _drop_ending(name) for name in name_images(paths)]
        plan = replace(plan, names=tuple(names))
    else:
        labels_known = {"", *classes, *display.values()}
        plan = _follow(sample, paths, form, folder, labels_known)
    _refuse_twins(plan)
    labels = plan.form.labels or _read_style(plan, classes, display)
    if labels == "name":
        _refuse_same_labels(classes, display)
    return replace(plan, form=replace(plan.form, labels=labels))


def label_classes(form: Form, classes: Sequence[str], display: Mapping[str, str]) -> dict[str, str]:
    """Return what a hand-in calls each class."""
    return {name: display.get(name, name) if form.labels == "name" else name for name in classes}


def _follow(
    sample: Sample, paths: Sequence[Path], form: Form, folder: Path | None, labels: Collection[str]
) -> Plan:
    """Return the plan that finds most images of the sample, by which column and which way to call them may be."""
    best: tuple[int, Plan] | None = None
    for images_first in (True, False):
        if not images_first and not {label for label, _ in sample.rows} <= set(labels):
            continue  # a first column of something else than labels is one of images
        asked = [row[0 if images_first else 1] for row in sample.rows]
        for extension, name in _list_ways(folder):
            counts = Counter(names := [name(path) for path in paths])
            by_name = {one: path for one, path in zip(names, paths, strict=True) if counts[one] == 1}
            unique = [one for one in dict.fromkeys(asked) if one in by_name]
            if best is not None and len(unique) <= best[0]:
                continue
            plan = Plan(
                tuple(by_name[one] for one in unique),
                tuple(unique),
                replace(form, columns=sample.columns, images_first=images_first, extension=extension),
                sample,
                tuple(one for one in dict.fromkeys(asked) if one not in by_name),
                len(paths) - len(unique),
            )
            best = (len(unique), plan)
    assert best is not None
    if not best[0]:
        raise DataError(
            f"{sample.name} names none of these images. Its first line is {', '.join(sample.rows[0])}, but the first "
            f"image is {show_path(paths[0].name)}. Choose the folder that the sample belongs to."
        )
    return best[1]


def _list_ways(folder: Path | None) -> list[tuple[bool, Callable[[Path], str]]]:
    """Return the ways to call an image: by its file, by its path in the folder, and by that with the folder's name.

    Each comes with its ending and without.
    """
    ways: list[Callable[[Path], str]] = [lambda path: path.name]
    if folder is not None:
        ways += [
            lambda path: path.relative_to(folder).as_posix(),
            lambda path: path.relative_to(folder.parent).as_posix(),
        ]
    return [*((True, way) for way in ways), *((False, _without_ending(way)) for way in ways)]


def _without_ending(way: Callable[[Path], str]) -> Callable[[Path], str]:
    return lambda path: _drop_ending(way(path))


def _drop_ending(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _refuse_twins(plan: Plan) -> None:
    counts = Counter(plan.names)
    if double := [name for name, count in counts.items() if count > 1]:
        raise DataError(
            f"Without their extensions, {counts[double[0]]} images would be called {double[0]}. Hand in names with extensions."
        )


def _read_style(plan: Plan, classes: Sequence[str], display: Mapping[str, str]) -> LabelStyle:
    """Return how the labels of the sample call the classes; by folder where they do not tell."""
    if plan.sample is None:
        return "folder"
    shown = {row[1 if plan.form.images_first else 0] for row in plan.sample.rows} - {""}
    if shown <= set(classes):
        return "folder"
    return "name" if shown <= {display.get(name, name) for name in classes} else "folder"


def _refuse_same_labels(classes: Sequence[str], display: Mapping[str, str]) -> None:
    counts = Counter(display.get(name, name) for name in classes)
    if double := [label for label, count in counts.items() if count > 1]:
        folders = [name for name in classes if display.get(name, name) == double[0]]
        raise DataError(
            f"The classes {name_some(folders)} are all called {double[0]!r}, so class names cannot tell them apart. Hand in "
            "the names of the class folders."
        )
