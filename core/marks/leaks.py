"""Images that are new to no model trained here: those with a copy, or another of their group, in training; how to leave that out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.dataset.audit import Audit
from core.dataset.label_report import HEAD, Fix
from core.errors import DataError
from core.files import write_rows
from core.words import format_class, format_count, format_share

MADE = "leak-fixes.csv"  # in the folder of an audit: what to leave out of training
_KINDS = ("leak", "leak-near", "leak-group")


@dataclass(frozen=True)
class Leaks:
    """Leaks between training and what judges it.

    `judges` of the `judging` images, of validation or held back, have a copy or another of their group among the images of
    training, `train` (path and class); `grouped` tells that some have the latter. Without those of training the classes
    `emptied` would have no training image.
    """

    judges: int
    judging: int
    train: tuple[tuple[str, str], ...]
    emptied: tuple[str, ...]
    grouped: bool

    def describe(self) -> str:
        """Say how many images prove less than they seem to."""
        verb = "has" if self.judges == 1 else "have"
        return (
            f"{self.judges:,} of {format_count(self.judging, 'validation image')} ({format_share(self.judges / self.judging)}) "
            f"{verb} a copy{' or another image of the same group' if self.grouped else ''} in training"
        )


def find_leaks(audit: Audit) -> Leaks | None:
    """Return the leaks between training and validation, or what is held back, that an audit has found; None where there are none."""
    images = {image.path: image for image in audit.images}
    judges: set[str] = set()
    train: set[str] = set()
    for finding in audit.findings:
        for group in finding.groups if finding.kind in _KINDS else ():
            sides = {
                True: [path for path in group if images[path].split == "train"],
                False: [path for path in group if images[path].split in ("val", "held")],
            }
            if all(sides.values()):
                train.update(sides[True])
                judges.update(sides[False])
    if not judges:
        return None
    left = {image.label for image in audit.images if image.split == "train" and image.path not in train}
    gone = {images[path].label for path in train} - left
    return Leaks(
        len(judges),
        audit.count_split("val") + audit.count_split("held"),
        tuple((image.path, image.label) for image in audit.images if image.path in train),
        tuple(name for name in audit.classes if name in gone),
        any(finding.kind == "leak-group" for finding in audit.findings),
    )


def write_leak_list(place: Path, audit: Audit, leaks: Leaks, corrections: Iterable[Fix] = ()) -> Path:
    """Write a fix list that leaves out the training images of leaks, beside other corrections; return where.

    Raises:
        DataError: when a class would be left without a training image.
        OSError: when it cannot be written.
    """
    if leaks.emptied:
        names = ", ".join(format_class(name, audit.display) for name in leaks.emptied)
        raise DataError(
            f"All training images of {names} have a copy, or another image of their group, in validation. Move each group to one of the "
            "two folders, or add images of other groups."
        )
    rows = {fix.path: (fix.path, fix.given, fix.suggested, "", fix.action) for fix in corrections}
    rows |= {path: (path, label, "", "", "drop") for path, label in leaks.train}
    write_rows(place, HEAD, list(rows.values()))
    return place
