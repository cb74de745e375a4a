"""A fix list on a data set: which training images are left out or get another label; no torch."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.dataset.folders import ImageFolders, Sample
from core.dataset.label_report import Fix, read_fixes
from core.errors import DataError, RunError, UserError, describe_cause
from core.files import write_file
from core.places import expand_home
from core.reading import open_plain
from core.recipe.class_names import normalise
from core.recipe.config import TrainConfig

KEPT = "fixes.csv"  # in the run folder: the list as it was when the run was made


def keep_fixes(folder: Path, config: TrainConfig) -> Path | None:
    """Return the run's own copy of the fix list its config names, made now where there is none; None without a list.

    Raises:
        RunError: when the list is not there or cannot be copied.
    """
    if not config.fixes:
        return None
    kept = folder / KEPT
    if not kept.exists():
        try:
            with open_plain(expand_home(config.fixes)) as original:
                write_file(kept, partial(shutil.copyfileobj, original))
        except OSError as error:
            raise RunError(f"fixes: {config.fixes} cannot be copied ({describe_cause(error)}).") from None
    return kept


def apply_fixes(folders: ImageFolders, path: Path, *, named: str, spare_val: bool = False) -> ImageFolders:
    """Return a data set with the training images of a fix list dropped or relabelled; all other images stay.

    `named` is what the list is called in an error. With `spare_val` what it says of validation images is passed over: each
    training image is one in one of the runs of several folds, and keeps its label there.

    Raises:
        DataError: when the list cannot be used, naming the row and what is wrong with it.
    """
    try:
        spared = {sample.path for sample in folders.val} if spare_val else set()
        fixes = [fix for fix in read_fixes(path) if fix.action != "keep" and fix.path not in spared]
    except UserError as error:
        raise DataError(f"fixes: {str(error).replace(str(path), named)}") from None
    except OSError as error:
        raise DataError(f"fixes: {named} cannot be read ({describe_cause(error)}).") from None
    by_path = {fix.path: fix for fix in reversed(fixes)}  # the first row of a path
    places = {sample.path: "train" for sample in folders.train}
    places |= {sample.path: "a validation image" for sample in folders.val}
    places |= {sample.path: "an image held back" for sample in folders.held}
    for fix in fixes:
        if problem := _find_problem(fix, places, folders.classes, first=by_path[fix.path] is fix):
            raise DataError(f"fixes: {named}, line {fix.line}: {problem}")
    index = {normalise(name): number for number, name in enumerate(folders.classes)}
    train = tuple(
        Sample(sample.path, index[normalise(by_path[sample.path].suggested)])
        if sample.path in by_path
        else sample
        for sample in folders.train
        if sample.path not in by_path or by_path[sample.path].action == "relabel"
    )
    emptied = {sample.target for sample in folders.train} - {sample.target for sample in train}
    if emptied:
        raise DataError(
            f"fixes: {named} leaves no training image in class {folders.classes[min(emptied)]!r}. Keep one of its "
            "images, or remove its folder."
        )
    dropped = tuple(fix.path for fix in fixes if fix.action == "drop")
    relabelled = tuple(fix.path for fix in fixes if fix.action == "relabel")
    return replace(folders, train=train, dropped=dropped, relabelled=relabelled)


def describe_fixes(folders: ImageFolders) -> str:
    """Say how many training images a fix list has changed; empty for none."""
    counts = {"left out": len(folders.dropped), "relabelled": len(folders.relabelled)}
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _find_problem(fix: Fix, places: dict[str, str], classes: Sequence[str], *, first: bool) -> str:
    place = places.get(fix.path)
    if place is None:
        return f"{fix.path} is not a training image of this data."
    if place != "train":
        return (
            f"{fix.path} is {place}. Those are never changed, so that runs are judged on the same images and labels; "
            "use a fix list of training images."
        )
    if not first:
        return f"{fix.path} is named more than once."
    if fix.action == "relabel" and normalise(fix.suggested) not in map(normalise, classes):
        known = ", ".join(classes[:8]) + (" …" if len(classes) > 8 else "")
        return f"{fix.suggested!r} is not a class of this data. Its classes are {known}"
    return ""
