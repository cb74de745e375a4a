"""Training images divided into those that train, that validate and that are held back: one by one, or by what belongs together."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import DataError
from core.splits.belonging import Belonging, Numbers
from core.splits.deal import deal_folds
from core.splits.fold import Fold
from core.splits.keep_together import Mask, keep_together
from core.words import format_count


@dataclass(frozen=True)
class Kept:
    """What keeping images together changed: so many `groups` of several images, `images` in all, `moved` for it to another side.

    The images of the classes `torn` are all copies of each other, so that they are on both sides all the same; the classes
    `bare` have no validation image, since their groups hold images of others too.
    """

    groups: int = 0
    images: int = 0
    moved: int = 0
    torn: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()


@dataclass(frozen=True)
class Division:
    """Which of N images are held back and which validate, each (N,); all others train."""

    held: Mask
    val: Mask
    kept: Kept = Kept()


def draw_count(paths: Sequence[str], targets: Numbers, count: int, classes: Sequence[str]) -> Mask:
    """Return `count` images of each class, chosen by a digest of their paths: more of them include the fewer.

    Raises:
        DataError: naming a class that would keep none.
    """
    chosen = np.zeros(len(paths), dtype=bool)
    members = _list_members(targets) if count else {}
    for target, own in members.items():
        if len(own) <= count:
            raise DataError(
                f"hold_back: class {classes[target]!r} has {format_count(len(own), 'training image')}, so {count} cannot be held "
                f"back. Hold back at most {min(map(len, members.values())) - 1} of each class."
            )
        chosen[sorted(own, key=lambda index: hashlib.sha256(paths[index].encode()).digest())[:count]] = True
    return chosen


def draw_share(paths: Sequence[str], targets: Numbers, fraction: float) -> Mask:
    """Return a share of each class's images, the same each time; one alone is not taken."""
    chosen = np.zeros(len(paths), dtype=bool)
    for target, own in _list_members(targets).items():
        count = min(len(own) - 1, max(1, round(fraction * len(own))))
        draw = random.Random(f"0/{target}")
        taken = draw.sample(sorted(own, key=lambda index: paths[index]), count)
        chosen[np.array(taken, dtype=int)] = True
    return chosen


def divide(
    paths: Sequence[str],
    targets: Numbers,
    classes: Sequence[str],
    *,
    val_fraction: float | None,
    hold_back: int = 0,
    belonging: Belonging | None = None,
    fold: Fold | None = None,
) -> Division:
    """Divide N training images: `hold_back` of each class, and of the others a share for validation (None: none).

    With a `fold` the images of that one validate in place of a share. All folds of a number are dealt at once, so that
    each image validates once at most (see `deal_folds`).
    With `belonging` what belongs together stays on one side. Near copies give way in a class that consists of nothing
    else; groups that are known do not.

    Raises:
        DataError: naming a class that has too few images to hold back, or too few groups to be divided.
    """
    if fold is not None:
        return _divide_fold(paths, targets, classes, fold, hold_back, belonging)
    held, val = _draw(paths, targets, classes, val_fraction=val_fraction, hold_back=hold_back)
    if belonging is None:
        return Division(held, val)
    plain = held.astype(int) + 2 * val
    sides = 1 + (hold_back > 0) + (val_fraction is not None)
    groups, torn = _number(paths, targets, classes, belonging, sides)
    bare: tuple[str, ...] = ()
    if hold_back:
        held = keep_together(held, targets, groups)
    if val_fraction is not None:
        rest = np.flatnonzero(~held)
        drawn = draw_share([paths[index] for index in rest.tolist()], targets[rest], val_fraction)
        val = np.zeros_like(held)
        val[rest] = keep_together(drawn, targets[rest], groups[rest])
        bare = tuple(classes[target] for target in np.setdiff1d(targets[rest[drawn]], targets[val]).tolist())
    moved = int((plain != held.astype(int) + 2 * val).sum())
    return Division(held, val, Kept(*_count_groups(groups), moved, torn, bare))


def _divide_fold(
    paths: Sequence[str],
    targets: Numbers,
    classes: Sequence[str],
    fold: Fold,
    hold_back: int,
    belonging: Belonging | None,
) -> Division:
    held = draw_count(paths, targets, hold_back, classes)
    groups: Numbers = np.arange(len(paths))
    torn: tuple[str, ...] = ()
    if belonging is not None:
        groups, torn = _number(paths, targets, classes, belonging, 2 + (hold_back > 0))
        held = keep_together(held, targets, groups) if hold_back else held
    rest = np.flatnonzero(~held)
    val = np.zeros_like(held)
    dealt = deal_folds([paths[index] for index in rest.tolist()], targets[rest], groups[rest], fold.count)
    val[rest] = dealt == fold.number - 1
    return Division(held, val, Kept(*_count_groups(groups), torn=torn))


def _count_groups(groups: Numbers) -> tuple[int, int]:
    """Return how many groups of several images there are, and their images."""
    sizes = np.unique(groups, return_counts=True)[1]
    several = sizes[sizes > 1]
    return len(several), int(several.sum())


def _draw(
    paths: Sequence[str],
    targets: Numbers,
    classes: Sequence[str],
    *,
    val_fraction: float | None,
    hold_back: int,
) -> tuple[Mask, Mask]:
    """Return which images are held back and which validate, drawn one by one."""
    held = draw_count(paths, targets, hold_back, classes)
    val = np.zeros(len(paths), dtype=bool)
    if val_fraction is not None:
        rest = np.flatnonzero(~held)
        val[rest] = draw_share([paths[index] for index in rest.tolist()], targets[rest], val_fraction)
    return held, val


def _number(
    paths: Sequence[str], targets: Numbers, classes: Sequence[str], belonging: Belonging, sides: int
) -> tuple[Numbers, tuple[str, ...]]:
    """Return for each image the number of what belongs together (N,), and the classes in which copies give way.

    Raises:
        DataError: naming a class whose known groups are fewer than the sides to divide it into.
    """
    known, joined = belonging.number_groups(paths), belonging.number_all(paths)
    torn: list[int] = []
    for target, own in _list_members(targets).items():
        if len(own) < sides or len(np.unique(joined[own])) >= sides:
            continue
        if (count := len(np.unique(known[own]))) < sides:
            raise DataError(
                _describe_few_groups(classes[target], len(own), belonging.groups[paths[own[0]]], count, sides)
            )
        torn.append(target)
    if torn:
        given_way = {paths[index] for index in np.flatnonzero(np.isin(targets, torn)).tolist()}
        copies = [[path for path in group if path not in given_way] for group in belonging.copies]
        joined = Belonging(belonging.groups, [group for group in copies if group]).number_all(paths)
    return joined, tuple(classes[target] for target in torn)


def _describe_few_groups(name: str, images: int, group: str, count: int, sides: int) -> str:
    lie = (
        f"all {images:,} images of class {name!r} belong to one group ({group!r})"
        if count == 1
        else f"the {images:,} images of class {name!r} belong to only {count} groups"
    )
    return (
        f"group_by: {lie}, and images of a group stay on one side, so it cannot be divided into {sides}. Add images of "
        "another group to the class, correct the groups, or set group_by to copies, which knows near copies only."
    )


def _list_members(targets: Numbers) -> dict[int, list[int]]:
    """Return the places of each class's images, in their order."""
    members: dict[int, list[int]] = {}
    for index, target in enumerate(targets.tolist()):
        members.setdefault(target, []).append(index)
    return members
