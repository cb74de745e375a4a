"""All training images dealt into folds, each of which validates one of as many trainings: equal parts, what belongs together whole."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.splits.belonging import Numbers


def deal_folds(paths: Sequence[str], targets: Numbers, groups: Numbers, count: int) -> Numbers:
    """Return for each of N images the fold it is in (N,), 0 to `count` - 1; -1 of one that is in none and always trains.

    `targets` (N,) are the images' classes, of each of which every fold gets as many, and `groups` (N,) tell what stays
    together. The largest groups are dealt first, each to the fold that has least of its classes, and those of one size in
    the order of a digest of their paths: the same each time, in whatever order the images come. No class is ever in one
    fold as a whole, since a network that validates there would not know it: a class's only group is in none.
    """
    members: dict[int, list[int]] = {}
    for index, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(index)
    classes = targets.tolist()
    sizes = Counter(classes)
    dealt = {target: [0] * count for target in sizes}
    total = [0] * count
    folds = np.full(len(paths), -1, dtype=np.int64)

    def order(own: list[int]) -> tuple[int, bytes]:
        return -len(own), hashlib.sha256(min(paths[index] for index in own).encode()).digest()

    for own in sorted(members.values(), key=order):
        of_class = Counter(classes[index] for index in own)
        free = [
            fold
            for fold in range(count)
            if all(dealt[target][fold] + number < sizes[target] for target, number in of_class.items())
        ]
        if not free:
            continue
        fold = min(
            free,
            key=lambda fold: (
                sum(number * dealt[target][fold] / sizes[target] for target, number in of_class.items()),
                total[fold],
            ),
        )
        folds[own] = fold
        total[fold] += len(own)
        for target, number in of_class.items():
            dealt[target][fold] += number
    return folds
