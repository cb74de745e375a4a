"""Is it the data? What is wrong with a folder of images: copies across splits, conflicting labels, files of no use."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from core.dataset.duplicates import Group, Step, group_equal, group_similar
from core.dataset.findings import Finding
from core.dataset.folders import Sample, find_groups, read_display_names, split_training
from core.dataset.image_facts import ImageFacts, measure_images
from core.dataset.kept import name_data
from core.dataset.layout import Fault, find_split, read_tree
from core.dataset.walk import MISNAMED
from core.errors import DataError, RunError, describe_unreadable
from core.file_names import natural_key
from core.files import write_text
from core.places import name_place
from core.reading import read_object
from core.recipe.config import COPIES, NONE
from core.splits.belonging import Belonging

FOLDER = ".audit"  # in the folder of all runs
BLANK_CONTRAST = 3.0  # grey levels of standard deviation; a white page with one word has more
TINY_SIDE = 32  # pixels
LONG_RATIO = 3.0
IMBALANCE = 5.0
SPLITS = ("train", "val", "held", "test")
GONE = "gone"  # in place of its split, of an image that a run took and that is no longer there
_VERSION = 1
_MOST = 1_000_000_000  # bytes of an audit


@dataclass(frozen=True)
class AuditedImage:
    """One file: its path relative to the data folder, split, class ('' in test), pixels, and what is wrong.

    The split is one of SPLITS, '' for what no run takes, or GONE; `held` are images that a run holds back from training.
    """

    path: str
    split: str
    label: str
    width: int = 0
    height: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Listing:
    """The files of a data set as they lie, with all that training would refuse; `classes` are those of any split.

    `faults` are files and folders that cannot be opened as an image, or that no split has.
    """

    root: Path
    classes: tuple[str, ...]
    display: dict[str, str]
    images: tuple[AuditedImage, ...]
    faults: tuple[Fault, ...]
    empty: tuple[tuple[str, str], ...]  # split and class of the folders without files
    val_made: bool


@dataclass(frozen=True)
class Audit:
    """What was found in a data set; `created` is in seconds since the epoch."""

    root: Path
    classes: tuple[str, ...]
    display: dict[str, str]
    val_made: bool
    created: float
    images: tuple[AuditedImage, ...]
    findings: tuple[Finding, ...]

    @property
    def splits(self) -> list[str]:
        """Return the splits to tell of, in their order: `held` only where images are held back."""
        return [split for split in SPLITS if split != "held" or self.count_split(split)]

    def count_images(self) -> dict[str, dict[str, int]]:
        """Return the number of files of each class by split, classes in order; test images have no class."""
        found = Counter((image.split, image.label) for image in self.images)
        return {
            split: {name: found[split, name] for name in self.classes}
            for split in self.splits
            if split != "test"
        }

    def count_split(self, split: str) -> int:
        """Return the number of files of a split."""
        return sum(image.split == split for image in self.images)


def audit_data(
    data: Path,
    runs_root: Path,
    *,
    val_fraction: float = 0.15,
    hold_back: int = 0,
    group_by: str = NONE,
    progress: Callable[[int, int], bool] | None = None,
) -> Audit | None:
    """Look at every image of a data folder and write down what is found; None when `progress` said to stop.

    `val_fraction`, which matters where validation is split off training, `hold_back` and `group_by` are those of a run. What is
    measured of each file is kept under `runs_root`, so that a stopped audit goes on and a second one is quick.

    Raises:
        DataError: as `list_splits` does.
    """
    listing = list_splits(data, val_fraction=val_fraction, hold_back=hold_back)
    groups = find_groups(group_by, [image.path for image in listing.images if image.label])
    facts = measure_images(
        data, [image.path for image in listing.images], cache=facts_path(data, runs_root), progress=progress
    )
    if facts is None:
        return None
    if group_by != NONE:
        belonging = Belonging(groups, _name_alike(facts))
        listing = _split_together(listing, belonging, val_fraction=val_fraction, hold_back=hold_back)
    audit = judge_images(listing, facts, groups)
    folder = audit_folder(data, runs_root, val_fraction=val_fraction, hold_back=hold_back, group_by=group_by)
    path = folder / "audit.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(_to_json(audit), separators=(",", ":")))
    return audit


def audit_folder(
    data: Path, runs_root: Path, *, val_fraction: float = 0.15, hold_back: int = 0, group_by: str = NONE
) -> Path:
    """Return the folder of an audit's task and result; it depends on how the data is split, as far as that has a say."""
    parts = [str(data.resolve())]
    made = data.is_dir() and find_split(data, "val") is None
    if made:
        parts.append(f"{val_fraction:g}")
    if hold_back:
        parts.append(f"held {hold_back}")
    if group_by not in (NONE, COPIES) or (group_by == COPIES and (made or hold_back)):
        parts.append(f"together {group_by}")
    return runs_root / FOLDER / _digest("\0".join(parts))


def read_audit(folder: Path) -> Audit:
    """Read an audit from its folder.

    Raises:
        RunError: when it is damaged or of another version.
    """
    try:
        values = read_object(folder / "audit.json", most=_MOST)
        if values.pop("version") != _VERSION:
            raise ValueError("it was written by another version")
        columns = values.pop("images")
        return Audit(
            Path(values.pop("root")),
            tuple(values.pop("classes")),
            images=tuple(AuditedImage(*row) for row in columns),
            findings=tuple(Finding.from_dict(row) for row in values.pop("findings")),
            **values,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"The audit in {name_place(folder)} cannot be read: {describe_unreadable(error)}. Scan the data again."
        ) from None


def list_splits(root: Path, *, val_fraction: float = 0.15, hold_back: int = 0) -> Listing:
    """List a data set's files by split and class as training would, but without refusing what is wrong with them.

    Raises:
        DataError: when there is no such folder or no class folder in it, its layout cannot be told, or a class has too
            few images to hold back.
    """
    tree = read_tree(root)
    layout, labels = tree.layout, {fault.label for fault in tree.faults} - {""}
    classes = tuple(sorted(labels.union(*layout.classes.values()), key=natural_key))
    if not classes:
        raise DataError(f"{root}: there are no class folders. Expected train/<class>/* or <class>/*.")
    images = [
        AuditedImage(path, split, name) for (split, name), paths in tree.files.items() for path in paths
    ]
    val_made = "val" not in layout.splits
    images = _split_training(
        images, classes, val_fraction=val_fraction if val_made else None, hold_back=hold_back
    )
    images += [AuditedImage(path, "test", "") for path in tree.test]
    spoilt = {(fault.split, fault.label) for fault in tree.faults}
    empty = tuple(place for place, paths in tree.files.items() if not paths and place not in spoilt)
    display = {**tree.display, **read_display_names(root, classes)}
    return Listing(root, classes, display, tuple(images), tree.faults, empty, val_made)


def judge_images(listing: Listing, facts: ImageFacts, groups: Mapping[str, str] | None = None) -> Audit:
    """Return the audit of a data set from what was measured of its images, in the listing's order.

    `groups` gives the group of a path where one is known by a name or a table.
    """
    widths, heights = facts.values["width"].tolist(), facts.values["height"].tolist()
    images = tuple(
        replace(image, width=width, height=height, problem=problem)
        for image, width, height, problem in zip(listing.images, widths, heights, facts.problems, strict=True)
    )
    faults = tuple(AuditedImage(f.path, f.split, f.label, problem=f.reason) for f in listing.faults)
    audit = Audit(
        listing.root,
        listing.classes,
        listing.display,
        listing.val_made,
        time.time(),
        (*images, *faults),
        (),
    )
    found = [
        *_find_copies(images, facts),
        *_find_divided(images, groups or {}),
        *_find_class_faults(audit, listing),
        *_find_poor_images(images, facts),
        *_find_unreadable(audit, listing),
    ]
    return replace(audit, findings=tuple(sorted(found, key=lambda finding: finding.rank)))


def add_gone(audit: Audit, taken: Mapping[str, str]) -> Audit:
    """Return an audit with a finding of the images that a run took, as path and class, and that it did not find."""
    found = {image.path for image in audit.images}
    gone = tuple(AuditedImage(path, GONE, label) for path, label in taken.items() if path not in found)
    if not gone:
        return audit
    finding = Finding(GONE, tuple((image.path,) for image in gone))
    return replace(audit, images=(*audit.images, *gone), findings=(finding, *audit.findings))


def _split_training(
    images: Sequence[AuditedImage],
    classes: Sequence[str],
    *,
    val_fraction: float | None,
    hold_back: int,
    belonging: Belonging | None = None,
) -> list[AuditedImage]:
    """Return the images with those of training split as a run splits them; validation has its folder without a share."""
    index = {name: number for number, name in enumerate(classes)}
    samples = [Sample(image.path, index[image.label]) for image in images if image.split == "train"]
    _, val, held, _ = split_training(
        samples, classes, val_fraction=val_fraction, hold_back=hold_back, belonging=belonging
    )
    moved = {s.path: "held" for s in held} | {s.path: "val" for s in val}
    return [replace(image, split=moved[image.path]) if image.path in moved else image for image in images]


def _split_together(
    listing: Listing, belonging: Belonging, *, val_fraction: float, hold_back: int
) -> Listing:
    """Return a listing whose training images are split anew so that what belongs together stays on one side."""
    made = ("val", "held") if listing.val_made else ("held",)
    whole = [replace(image, split="train") if image.split in made else image for image in listing.images]
    images = _split_training(
        whole, listing.classes, val_fraction=val_fraction if listing.val_made else None, hold_back=hold_back,
        belonging=belonging,
    )  # fmt: skip
    return replace(listing, images=tuple(images))


def _name_alike(facts: ImageFacts, step: Step = lambda _: None) -> list[tuple[str, ...]]:
    """Return the paths of images that are the same or near copies, by group."""
    return [
        tuple(facts.paths[number] for number in group) for kind in _group_alike(facts, step) for group in kind
    ]


def _group_alike(facts: ImageFacts, step: Step = lambda _: None) -> tuple[list[Group], list[Group]]:
    """Return the groups of equal and of similar images, as places in `facts`.

    Blank images are in none: all of them look the same, which says nothing.
    """
    chosen = np.flatnonzero((facts.values["width"] > 0) & (facts.values["contrast"] >= BLANK_CONTRAST))
    pixels, looks, thumbs = (facts.values[name][chosen] for name in ("pixels", "look", "thumb"))
    equal, similar = (
        [tuple(int(chosen[number]) for number in group) for group in groups]
        for groups in (group_equal(pixels), group_similar(pixels, looks, thumbs, step))
    )
    return equal, similar


def _find_divided(images: Sequence[AuditedImage], groups: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the known groups that lie in more than one split."""
    members: dict[str, list[AuditedImage]] = {}
    for image in images:
        if image.path in groups:
            members.setdefault(groups[image.path], []).append(image)
    divided = [own for own in members.values() if len({image.split for image in own}) > 1]
    if divided:
        yield Finding("leak-group", tuple(tuple(image.path for image in own) for own in divided))


def _find_copies(images: Sequence[AuditedImage], facts: ImageFacts) -> Iterator[Finding]:
    """Yield what groups of equal and of similar images tell: leaks, conflicts and plain copies."""
    for ending, groups in zip(("", "-near"), _group_alike(facts), strict=True):
        sorted_out: dict[str, list[Group]] = {"leak": [], "conflict": [], "duplicate": []}
        for members in groups:
            splits = {images[member].split for member in members}
            labels = {images[member].label for member in members} - {""}
            if len(splits) > 1:
                sorted_out["leak"].append(members)
            if len(labels) > 1:
                sorted_out["conflict"].append(members)
            if len(splits) == 1 and len(labels) == 1:  # copies among unlabelled images do no harm
                sorted_out["duplicate"].append(members)
        for kind, found in sorted_out.items():
            if found:
                yield Finding(kind + ending, tuple(tuple(images[m].path for m in group) for group in found))


def _find_class_faults(audit: Audit, listing: Listing) -> Iterator[Finding]:
    """Yield classes that differ between splits, are empty, or have far fewer images than the largest."""
    counts = audit.count_images()
    train, val = counts["train"], counts["val"]
    # Nobody knows how many images lie in a folder that cannot be looked into.
    hidden = {fault.label for fault in listing.faults if fault.kind == "folder"}

    def paths_of(names: Sequence[str], split: str) -> tuple[tuple[str, ...], ...]:
        by_class = {
            name: tuple(i.path for i in audit.images if (i.split, i.label) == (split, name)) for name in names
        }
        return tuple(paths for paths in by_class.values() if paths)

    unknown = [name for name in audit.classes if val[name] and not train[name] and name not in hidden]
    if unknown:
        yield Finding("unknown", paths_of(unknown, "val"), tuple(unknown))
    unseen = [name for name in audit.classes if train[name] and not val[name] and name not in hidden]
    if unseen:
        yield Finding("unvalidated", paths_of(unseen, "train"), tuple(unseen))
    empty = [name for split, name in listing.empty if split == "train" and name not in unknown]
    if empty:
        yield Finding("empty", (), tuple(empty))
    most = max(train.values())
    few = [name for name in audit.classes if 0 < train[name] * IMBALANCE < most and name not in hidden]
    if few:
        yield Finding("imbalance", paths_of(sorted(few, key=lambda name: train[name]), "train"), tuple(few))


def _find_poor_images(images: Sequence[AuditedImage], facts: ImageFacts) -> Iterator[Finding]:
    """Yield images that hardly show anything."""
    short = np.minimum(facts.values["width"], facts.values["height"])
    long = np.maximum(facts.values["width"], facts.values["height"])
    read = short > 0
    for kind, found in (
        ("blank", read & (facts.values["contrast"] < BLANK_CONTRAST)),
        ("tiny", read & (short < TINY_SIDE)),
        ("elongated", read & (long > LONG_RATIO * short)),
    ):
        if found.any():
            yield Finding(kind, tuple((images[index].path,) for index in np.flatnonzero(found).tolist()))


def _find_unreadable(audit: Audit, listing: Listing) -> Iterator[Finding]:
    """Yield what cannot be read or has a name that cannot be written down, and what lies in no class folder."""
    found: dict[str, list[tuple[str]]] = {"misnamed": [], "unreadable": [], "stray": [], "closed": []}
    closed = {fault.path for fault in listing.faults if fault.kind == "folder"}
    for image in audit.images:
        if image.problem:
            kind = "stray" if not image.split else "closed" if image.path in closed else "unreadable"
            found["misnamed" if image.problem == MISNAMED else kind].append((image.path,))
    yield from (Finding(kind, tuple(paths)) for kind, paths in found.items() if paths)


def _to_json(audit: Audit) -> dict[str, object]:
    images = [[i.path, i.split, i.label, i.width, i.height, i.problem] for i in audit.images]
    findings = [asdict(finding) for finding in audit.findings]
    values = {**vars(audit), "root": str(audit.root), "images": images, "findings": findings}
    return {"version": _VERSION, **values}


def find_copies(
    root: Path,
    paths: Sequence[str],
    runs_root: Path,
    progress: Callable[[int, int], bool] | None = None,
    *,
    processes: bool = True,
    step: Step = lambda _: None,
) -> list[tuple[str, ...]] | None:
    """Return the groups of images that are the same or near copies, as paths relative to `root`; None when stopped.

    What is measured of each file is kept under `runs_root` as an audit keeps it. `step` is told of the comparison, after all are
    measured, as `group_similar` does.
    """
    facts = measure_images(
        root, paths, cache=facts_path(root, runs_root), processes=processes, progress=progress
    )
    return None if facts is None else _name_alike(facts, step)


def facts_path(data: Path, runs_root: Path) -> Path:
    """Return where what is measured of the images of a data folder is kept."""
    return runs_root / FOLDER / f"{name_data(data)}.npz"


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
