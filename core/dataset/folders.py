"""A data set as training takes it: classes and their names, splits, what is refused; no image is opened, no torch."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from core.dataset.images import BadImage, find_obstacle
from core.dataset.layout import Fault, Layout, Tree, find_deeper, read_tree
from core.dataset.walk import Watch, name_some
from core.errors import DataError, describe_cause
from core.reading import is_there, open_text, parse_json, read_plain
from core.recipe.class_names import normalise
from core.recipe.config import COPIES, NAME, NONE
from core.shards.shards import find_shards
from core.splits.belonging import Belonging, group_by_name, name_example
from core.splits.divide import Kept, divide
from core.splits.fold import Fold
from core.splits.group_table import read_groups
from core.words import format_count, show_path

_MOST = 100_000_000  # bytes of a file of names


@dataclass(frozen=True)
class Sample:
    """One labelled image: `path` is relative to the data folder, `target` the index into the class list."""

    path: str
    target: int


@dataclass(frozen=True)
class ImageFolders:
    """A data set on disk.

    `classes` are folder names, composed and sorted as people count; `display` maps those that have one to their display
    name. `val_made` tells that validation was split off from training since the data has no folder for it; `held`
    are training images that neither train nor choose a model, so that they can judge it. `dropped` are paths of
    training images that a fix list left out, `relabelled` of those it gave another class than their folder's.
    `unread` are files of training and validation that are no plain ones, which a run refuses or moves to `skipped`;
    `left_out` is what no run takes: images in no class folder, folders of no split, test files that cannot be read, and
    `closed_test` those folders of it that cannot be looked into, so that `test` may lack any number of images.
    `groups` gives the group of each training image, also of one that validates or is held back, of which one is known
    by its name or a table; `kept` tells what keeping images together changed.
    """

    root: Path
    classes: tuple[str, ...]
    display: dict[str, str]
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[str, ...]
    val_made: bool = False
    skipped: tuple[BadImage, ...] = field(default=())
    held: tuple[Sample, ...] = ()
    dropped: tuple[str, ...] = ()
    relabelled: tuple[str, ...] = ()
    unread: tuple[BadImage, ...] = ()
    left_out: tuple[BadImage, ...] = ()
    closed_test: tuple[BadImage, ...] = ()
    groups: dict[str, str] = field(default_factory=dict)
    kept: Kept | None = None

    @property
    def files(self) -> list[str]:
        """Return the labelled images' paths, relative to the root."""
        return [sample.path for sample in (*self.train, *self.val, *self.held)]


def scan_folders(
    root: Path,
    *,
    val_fraction: float = 0.15,
    hold_back: int = 0,
    group_by: str = NONE,
    copies: Sequence[Sequence[str]] = (),
    fold: Fold | None = None,
    watch: Watch | None = None,
) -> ImageFolders:
    """Read a data set's layout without opening an image.

    Takes `root/train/<class>/*` with `root/val/<class>/*` and flat `root/test/*` where they are there, or plain
    `root/<class>/*`, by any usual name of a split and with all files below. Without validation a stratified share of
    training is split off, and `hold_back` training images of each class become `held`: both the same each time, so that
    runs of any seed are judged on the same images. By the setting `group_by` images that belong together stay on one side,
    and so do `copies`, paths that look the same, where it is not `none`. `watch` as `read_tree` has it.

    With a `fold` that part of the training images validates. The images of a folder for validation then are `held`: they
    judge the models of all folds and none is chosen by them.

    Raises:
        DataError: naming the folder that is missing, empty, locked or not matched, the malformed names file or table of
            groups, or the class that has too few groups.
    """
    tree = read_tree(root, watch)
    layout, train_root = tree.layout, root / tree.layout.splits["train"]
    _refuse_closed(root, tree.faults)
    classes = tuple(layout.classes["train"])
    if len(classes) < 2:
        raise DataError(_describe_few(layout, train_root))
    train = _collect(tree, "train", classes)
    known = {classes[sample.target] for sample in train}
    known |= {
        fault.label for fault in tree.faults if fault.split == "train"
    }  # told by what is to become of them
    if empty := [name for name in classes if name not in known]:
        raise DataError(f"{train_root}: no images in {_some(empty)}. Add images or remove the folder.")
    val, val_made = _collect_val(tree, classes), fold is not None or "val" not in layout.splits
    groups = find_groups(group_by, [s.path for s in train], [s.path for s in val] + list(tree.test))
    train, made, held, kept = split_training(
        train, classes, val_fraction=val_fraction if val_made else None, hold_back=hold_back,
        belonging=None if group_by == NONE else Belonging(groups, copies), fold=fold,
    )  # fmt: skip
    if fold is not None:
        if not made:
            raise DataError(
                f"fold: {train_root} has too few images that can validate for {fold.count} folds: {fold.words} has none. "
                "Choose fewer folds, or add images."
            )
        held, val = (*held, *val), ()
    if val_made and not made:
        why = (
            "the 2 images a validation split needs" if group_by == NONE else "images to spare for validation"
        )
        raise DataError(f"{train_root}: no class has {why}. Add images or a val/ folder.")
    unread = tuple(f.item for f in tree.faults if f.kind == "file" and f.split != "test")
    left_out = tuple(f.item for f in tree.faults if f.kind == "stray" or f.split == "test")
    names = {**tree.display, **read_display_names(root, classes)}
    closed_test = tuple(f.item for f in tree.faults if f.kind == "folder" and f.split == "test")
    return ImageFolders(
        root, classes, names, train, made or val, tree.test, val_made,
        held=held, unread=unread, left_out=left_out, closed_test=closed_test, groups=groups, kept=kept,
    )  # fmt: skip


def describe_closed_test(folders: ImageFolders) -> str:
    """Say of a test split that cannot be looked into that nobody knows its images; empty where it can be, or there is none."""
    for item in folders.closed_test:
        return f"test images that cannot be counted ({item.path} {item.reason})"
    return ""


def find_groups(group_by: str, paths: Sequence[str], others: Sequence[str] = ()) -> dict[str, str]:
    """Return the group of each path of which the setting `group_by` tells one; copies are known by their looks alone.

    Raises:
        DataError: when the table it names cannot be used; `others` are images of the data that may stand there too.
    """
    if group_by in (COPIES, NONE):
        return {}
    return group_by_name(paths) if group_by == NAME else read_groups(group_by, paths, others)


def find_beginning_of(folders: ImageFolders) -> str:
    """Return the beginning of names that most images to be split share with others of their class, such as a film's; "": none."""
    if not folders.val_made and not folders.held:
        return ""
    paths: dict[str, list[str]] = {}
    for sample in (*folders.train, *folders.held, *(folders.val if folders.val_made else ())):
        paths.setdefault(folders.classes[sample.target], []).append(sample.path)
    return name_example(paths)


def split_training(
    samples: Sequence[Sample],
    classes: Sequence[str],
    *,
    val_fraction: float | None,
    hold_back: int = 0,
    belonging: Belonging | None = None,
    fold: Fold | None = None,
) -> tuple[tuple[Sample, ...], tuple[Sample, ...], tuple[Sample, ...], Kept | None]:
    """Return the samples that train, validate (none without a share) and are held back, and what was kept together.

    Raises:
        DataError: as `divide` does.
    """
    if val_fraction is None and fold is None and not hold_back:
        return tuple(samples), (), (), None
    found = divide(
        [sample.path for sample in samples], np.array([sample.target for sample in samples], dtype=np.int64), classes,
        val_fraction=val_fraction, hold_back=hold_back, belonging=belonging, fold=fold,
    )  # fmt: skip
    sides = [
        tuple(samples[index] for index in np.flatnonzero(side).tolist())
        for side in (~(found.held | found.val), found.val, found.held)
    ]
    return sides[0], sides[1], sides[2], found.kept if belonging is not None else None


def read_display_names(root: Path, classes: Sequence[str]) -> dict[str, str]:
    """Read `class_names.csv` (`label,name`) or `cat_to_name.json`; labels that are no class are left out.

    Raises:
        DataError: naming the file and the line that is malformed.
    """
    table, mapping = root / "class_names.csv", root / "cat_to_name.json"
    names: dict[str, str] = {}
    for place in (table, mapping):
        if place.is_symlink() and (why := find_obstacle(place)):
            raise DataError(f"{place} {why}. Replace it with a file of names, or remove it.")
    place = table if _is_present(table) else mapping
    try:
        if place == table:
            names = _read_table(table)
        elif _is_present(mapping):
            values = parse_json(read_plain(mapping, most=_MOST).decode("utf-8-sig"))
            if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
                raise DataError(f"{mapping} must be one JSON object that gives each label a name.")
            names = values
    except OSError as error:
        raise DataError(f"{place} cannot be read: {describe_cause(error)}. Repair or remove it.") from None
    except (ValueError, csv.Error) as error:
        raise DataError(f"{place} cannot be read: {error}. Repair or remove it.") from None
    composed = {normalise(label): normalise(name.strip()) for label, name in names.items()}
    plain = {label.strip(): name for label, name in composed.items()}
    found = {label: composed.get(label, plain.get(label, "")) for label in classes}
    return {label: name for label, name in found.items() if name}


def _is_present(place: Path) -> bool:
    """Tell whether a file of names was put there; a folder of the name may be one of images."""
    return is_there(place) and not place.is_dir()


def _read_table(table: Path) -> dict[str, str]:
    """Return the names by label that a CSV file gives.

    Raises:
        DataError: naming the line that is malformed, or gives a label another name than a line before it.
        OSError: when it cannot be read.
        ValueError, csv.Error: when it is no table in UTF-8.
    """
    names: dict[str, str] = {}
    lines: dict[str, tuple[int, str]] = {}
    with open_text(table) as file:
        rows = csv.DictReader(file)
        if rows.fieldnames is None or not {"label", "name"} <= set(rows.fieldnames):
            raise DataError(f"{table}: the first line must be 'label,name'.")
        for row in rows:
            if row["label"] is None or row["name"] is None:
                raise DataError(f"{table}, line {rows.line_num} needs both a label and a name.")
            label, name = normalise(row["label"]), row["name"].strip()
            line, before = lines.setdefault(label, (rows.line_num, name))
            if before != name:
                raise DataError(
                    f"{table}, line {rows.line_num}: {label!r} is called {name!r} here and {before!r} in line {line}. "
                    "Keep one of the two lines."
                )
            names[row["label"]] = row["name"]
    return names


def drop_bad_images(folders: ImageFolders, bad: Sequence[BadImage], *, policy: str) -> ImageFolders:
    """Return the data set without its bad files, or refuse it.

    Raises:
        DataError: under the policy `refuse` when there are any, or when a class has no image left.
    """
    if not bad:
        return folders
    listed = "; ".join(f"{item.path} {item.reason}" for item in bad[:5])
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    if policy == "refuse":
        every = {*folders.files, *(item.path for item in folders.unread)}
        raise DataError(
            f"{len(bad)} of {len(every)} files are not readable images: {listed}{more}. "
            "Remove or replace them, or set “Unreadable files” to skip (on the command line: --bad-images skip)."
        )
    names = {item.path for item in bad}
    train = tuple(s for s in folders.train if s.path not in names)
    val = tuple(s for s in folders.val if s.path not in names)
    held = tuple(s for s in folders.held if s.path not in names)
    left = {s.target for s in train}
    empty = [name for index, name in enumerate(folders.classes) if index not in left]
    if empty or not val:
        what = (
            f"no readable image is left in {_some(empty)}"
            if empty
            else "no readable validation image is left"
        )
        raise DataError(f"{folders.root}: {what} ({listed}{more}).")
    return replace(folders, train=train, val=val, held=held, skipped=(*folders.skipped, *bad), unread=())


def _refuse_closed(root: Path, faults: Sequence[Fault]) -> None:
    """Refuse folders of training and validation that cannot be looked into: nobody knows how many images they hold."""
    closed = [fault for fault in faults if fault.kind == "folder" and fault.split != "test"]
    if closed:
        more = f" There are {len(closed) - 1} more such folders." if len(closed) > 1 else ""
        raise DataError(
            f"{show_path(root)}/{closed[0].path} {closed[0].reason}, so its images would be missed. "
            f"Repair or remove it.{more}"
        )


def _describe_few(layout: Layout, train_root: Path) -> str:
    count = len(layout.classes["train"])
    if shards := find_shards(layout.root):
        return (
            f"{layout.root} holds {shards.describe()} with training images of {format_count(count, 'class')}, but at least 2 are "
            "needed. The class of an image in a tar archive is read from the .cls or .json file beside it or from its folder, in a "
            "table from the column of labels."
        )
    text = (
        f"{train_root}: found {format_count(count, 'class folder')}, but at least 2 are needed. "
        "Expected one folder for each class, with its images in it: train/<class>/*."
    )
    if (deeper := find_deeper(train_root)) is None:
        return text
    remedy = f"give {deeper}" if train_root == layout.root else f"move them up into {train_root}"
    return f"{text} If the classes are the folders in {deeper.relative_to(layout.root)}, {remedy}."


def _collect(tree: Tree, split: str, classes: Sequence[str]) -> tuple[Sample, ...]:
    return tuple(
        Sample(path, target)
        for target, name in enumerate(classes)
        for path in tree.files.get((split, name), ())
    )


def _collect_val(tree: Tree, classes: Sequence[str]) -> tuple[Sample, ...]:
    found = tree.layout.classes.get("val")
    if found is None:
        return ()
    val_root = tree.layout.root / tree.layout.splits["val"]
    if unknown := [name for name in found if name not in classes]:
        raise DataError(
            f"{val_root}: the training data has no {_some(unknown)}. Rename, move or remove {'it' if len(unknown) == 1 else 'them'}."
        )
    val = _collect(tree, "val", classes)
    if not val and not any(fault.split == "val" for fault in tree.faults):
        raise DataError(
            f"{val_root}: no images in its class folders. Add images, or remove the folder so that validation is split off training."
        )
    return val


def _some(names: Sequence[str]) -> str:
    return f"{'class' if len(names) == 1 else 'classes'} {name_some(names)}"
