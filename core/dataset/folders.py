"""Image folders: classes and their names, splits, what is refused; no image is opened and no torch is loaded."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.dataset.images import BadImage
from core.errors import DataError

_VAL_NAMES = ("val", "valid", "validation")
_IGNORED = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Sample:
    """One labelled image: `path` is relative to the data folder, `target` the index into the class list."""

    path: str
    target: int


@dataclass(frozen=True)
class ImageFolders:
    """A data set on disk.

    `classes` are folder names sorted as people count; `display` maps those that have one to their display name.
    `val_made` tells that validation was split off from training since the data has no folder for it; `held`
    are training images that neither train nor choose a model, so that they can judge it. `dropped` are paths of
    training images that a fix list left out, `relabelled` of those it gave another class than their folder's.
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

    @property
    def files(self) -> list[str]:
        """Return the labelled images' paths, relative to the root."""
        return [sample.path for sample in (*self.train, *self.val, *self.held)]

    def sizes(self) -> dict[str, int]:
        """Return the size in bytes of each labelled image by its path."""
        return {path: (self.root / path).stat().st_size for path in self.files}

    def fingerprint(self) -> str:
        """Return a digest of classes, file names, file sizes and split: equal on a copy on another machine."""
        digest, sizes = hashlib.sha256(json.dumps(self.classes).encode()), self.sizes()
        for split in (self.train, self.val, *([self.held] if self.held else [])):
            for sample in split:
                digest.update(f"{sample.path}\0{sample.target}\0{sizes[sample.path]}\n".encode())
            digest.update(b"\0split\0")
        return digest.hexdigest()[:16]


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts 2 before 10; names that count alike (2 and 02, a and A) keep one order."""
    parts = (part for part in re.split(r"(\d+)", name) if part)
    key = [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts]
    return [*key, (-1, 0, name)]


def list_files(root: Path, *, deep: bool = False) -> list[Path]:
    """Return a folder's files (with `deep` those of its subfolders too) sorted as people count, no system files."""
    found = root.rglob("*") if deep else root.iterdir()
    kept = (p for p in found if p.is_file() and not p.name.startswith(".") and p.name.lower() not in _IGNORED)
    return sorted(kept, key=lambda p: natural_key(p.relative_to(root).as_posix()))


def find_split_roots(root: Path) -> dict[str, Path]:
    """Return where the splits lie: `train`, which is the root itself without a train/, and `val` and `test` if any."""
    train = root / "train"
    roots = {"train": train if train.is_dir() else root}
    val = next((root / name for name in _VAL_NAMES if (root / name).is_dir()), None)
    if val is not None:
        roots["val"] = val
    if (root / "test").is_dir():
        roots["test"] = root / "test"
    return roots


def list_class_folders(root: Path, split_root: Path) -> tuple[str, ...]:
    """Return the names of a split's class folders, sorted as people count; splits in the root are no classes."""
    splits = (*_VAL_NAMES, "test") if split_root == root else ()
    return tuple(sorted((p.name for p in _folders(split_root) if p.name not in splits), key=natural_key))


def scan_folders(root: Path, *, val_fraction: float = 0.15, hold_back: int = 0) -> ImageFolders:
    """Read a data set's layout without opening an image.

    Takes `root/train/<class>/*` with `root/val/<class>/*` and flat `root/test/*` where they are there, or plain
    `root/<class>/*`. Without validation a stratified share of training is split off, and `hold_back` training images
    of each class become `held`: both the same each time, so that runs of any seed are judged on the same images.

    Raises:
        DataError: naming the folder that is missing, empty or not matched, or the malformed names file.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder.")
    roots = find_split_roots(root)
    train_root = roots["train"]
    classes = list_class_folders(root, train_root)
    if len(classes) < 2:
        raise DataError(
            f"{train_root}: found {len(classes)} class folders, at least 2 are needed. "
            "Expected one folder a class with its images in it: train/<class>/*."
        )
    train = _collect(root, train_root, classes)
    filled = {sample.target for sample in train}
    empty = [name for index, name in enumerate(classes) if index not in filled]
    if empty:
        raise DataError(f"{train_root}: no images in {_some(empty)}. Add images or remove the folder.")
    train, held = split_held(train, hold_back, classes)
    val_root = roots.get("val")
    val, val_made = _collect_val(root, val_root, classes), False
    if val_root is None:
        train, val = split_stratified(train, fraction=val_fraction)
        val_made = True
        if not val:
            raise DataError(
                f"{train_root}: no class has the 2 images a validation split needs. Add images or a val/ folder."
            )
    test = (
        tuple(p.relative_to(root).as_posix() for p in list_files(roots["test"], deep=True))
        if "test" in roots
        else ()
    )
    names = read_display_names(root, classes)
    return ImageFolders(root, classes, names, train, val, test, val_made, held=held)


def split_held(
    samples: Sequence[Sample], count: int, classes: Sequence[str]
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Split `count` samples of each class off, chosen by a digest of their names: more of them include the fewer.

    Raises:
        DataError: naming a class that would keep none.
    """
    if not count:
        return tuple(samples), ()
    by_class: dict[int, list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.target, []).append(sample)
    held: set[Sample] = set()
    for target, members in by_class.items():
        if len(members) <= count:
            raise DataError(
                f"hold_back: class {classes[target]!r} has {len(members)} training images, so {count} cannot be held "
                f"back. Hold back at most {min(len(own) for own in by_class.values()) - 1} of each class."
            )
        held.update(sorted(members, key=lambda s: hashlib.sha256(s.path.encode()).digest())[:count])
    return tuple(s for s in samples if s not in held), tuple(s for s in samples if s in held)


def split_stratified(
    samples: Sequence[Sample], *, fraction: float
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """Split samples into training and validation class by class, the same each time; one alone stays in training."""
    by_class: dict[int, list[Sample]] = {}
    for sample in samples:
        by_class.setdefault(sample.target, []).append(sample)
    chosen = set()
    for target, members in by_class.items():
        count = min(len(members) - 1, max(1, round(fraction * len(members))))
        draw = random.Random(f"0/{target}")
        chosen.update(draw.sample(sorted(members, key=lambda s: s.path), count))
    return tuple(s for s in samples if s not in chosen), tuple(s for s in samples if s in chosen)


def read_display_names(root: Path, classes: Sequence[str]) -> dict[str, str]:
    """Read `class_names.csv` (`label,name`) or `cat_to_name.json`; labels that are no class are left out.

    Raises:
        DataError: naming the file and the line that is malformed.
    """
    table, mapping = root / "class_names.csv", root / "cat_to_name.json"
    names: dict[str, str] = {}
    try:
        if table.is_file():
            with table.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                if rows.fieldnames is None or not {"label", "name"} <= set(rows.fieldnames):
                    raise DataError(f"{table}: the first line must be 'label,name'.")
                for row in rows:
                    if row["label"] is None or row["name"] is None:
                        raise DataError(f"{table}, line {rows.line_num}: needs a label and a name.")
                    names[row["label"].strip()] = row["name"].strip()
        elif mapping.is_file():
            values = json.loads(mapping.read_text(encoding="utf-8-sig"))
            if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
                raise DataError(f"{mapping}: must be one JSON object of label: name.")
            names = values
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise DataError(f"{table if table.is_file() else mapping}: cannot be read: {error}.") from None
    return {label: names[label] for label in classes if names.get(label)}


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
        raise DataError(
            f"{len(bad)} of {len(folders.files)} files are no readable image: {listed}{more}. "
            "Remove or replace them, or start with bad_images = skip."
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
    return replace(folders, train=train, val=val, held=held, skipped=tuple(bad))


def _folders(root: Path) -> list[Path]:
    return [p for p in root.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))]


def _collect(root: Path, split_root: Path, classes: Sequence[str]) -> tuple[Sample, ...]:
    return tuple(
        Sample(path.relative_to(root).as_posix(), target)
        for target, name in enumerate(classes)
        if (split_root / name).is_dir()
        for path in list_files(split_root / name)
    )


def _collect_val(root: Path, val_root: Path | None, classes: Sequence[str]) -> tuple[Sample, ...]:
    if val_root is None:
        return ()
    unknown = sorted((p.name for p in _folders(val_root) if p.name not in classes), key=natural_key)
    if unknown:
        raise DataError(
            f"{val_root}: {_some(unknown)} not among the training classes. Rename, move or remove the folder."
        )
    val = _collect(root, val_root, classes)
    if not val:
        raise DataError(
            f"{val_root}: no images in its class folders. Add images, or remove the folder to split training."
        )
    return val


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:8])
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{'class' if len(names) == 1 else 'classes'} {shown}{more}"
