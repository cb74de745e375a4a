"""A split drawn image by image, changed so that what belongs together stays on one side, with as few moves as that takes.

scikit-learn's StratifiedGroupKFold, by which training images are judged out of fold, gives a k-th of all images and leaves
classes of few images without any. Here each class is to keep the number drawn for it, be that a share or a fixed count.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from core.splits.belonging import Numbers

Mask = npt.NDArray[np.bool_]


def keep_together(chosen: Mask, targets: Numbers, groups: Numbers) -> Mask:
    """Return which of N images are taken, groups whole, when `chosen` (N,) were drawn one by one; `targets` are (N,).

    A group that was drawn in part is taken where that brings its classes nearer to the numbers drawn, those drawn most of
    first. What then is missing is made up for by other groups. A class none of which is taken gets its smallest group, and
    no class is ever taken whole, except where it was drawn so. A class of which every group is also another class's may get none.
    """
    numbers = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(numbers)
    drawn = np.bincount(numbers, weights=chosen) / np.maximum(sizes, 1)
    draw = _Draw(chosen & (drawn == 1)[numbers], chosen, targets, numbers)
    split = np.flatnonzero((drawn > 0) & (drawn < 1))
    for group in split[np.argsort(-drawn[split], kind="stable")].tolist():
        draw.take_if_nearer(group)
    if split.size:
        # In an order of its own: by name, a class's first images would always be those that make up.
        rest = np.random.default_rng(0).permutation(np.flatnonzero(drawn < 1)).tolist()
        for group in rest:
            if draw.is_short(group):
                draw.take_if_nearer(group)
        for target in draw.list_bare():
            draw.take_smallest(target, rest)
    return draw.taken[numbers]


class _Draw:
    """How many images of each class are wanted and taken; groups are taken one after the other."""

    def __init__(self, whole: Mask, chosen: Mask, targets: Numbers, numbers: Numbers) -> None:
        classes = int(targets.max(initial=0)) + 1
        self.wanted = np.bincount(targets[chosen], minlength=classes)
        self.have = np.bincount(targets[whole], minlength=classes)
        self.counts = np.bincount(targets, minlength=classes)
        self.taken = np.zeros(int(numbers.max(initial=-1)) + 1, dtype=bool)
        self.taken[numbers[whole]] = True
        # Each group's classes and their counts lie beside each other, from where it starts to where the next does.
        pairs, self._members = np.unique(numbers * classes + targets, return_counts=True)
        self._classes = pairs % classes
        self._starts = np.searchsorted(pairs // classes, np.arange(len(self.taken) + 1))

    def take_if_nearer(self, group: int) -> None:
        """Take a group where that brings its classes nearer to what is wanted of them and leaves some of each."""
        if not self.taken[group] and self._fits(group) and self._miss_with(group) < self._miss_without(group):
            self._take(group)

    def is_short(self, group: int) -> bool:
        """Tell whether a group has images of a class of which more are wanted."""
        classes, _ = self._read(group)
        return bool((self.have[classes] < self.wanted[classes]).any())

    def list_bare(self) -> Iterator[int]:
        """Yield the classes of which some images are wanted and none is taken."""
        for target in np.flatnonzero(self.wanted > 0).tolist():
            if not self.have[target]:
                yield target

    def take_smallest(self, target: int, groups: list[int]) -> None:
        """Take of the groups that have images of a class the one that costs least, where one leaves some of each class."""
        own = [
            group
            for group in groups
            if not self.taken[group] and target in self._read(group)[0] and self._fits(group)
        ]
        if own:
            self._take(min(own, key=lambda group: self._miss_with(group) - self._miss_without(group)))

    def _read(self, group: int) -> tuple[Numbers, Numbers]:
        """Return the classes of a group's images and how many it has of each."""
        start, end = self._starts[group : group + 2]
        return self._classes[start:end], self._members[start:end]

    def _fits(self, group: int) -> bool:
        classes, counts = self._read(group)
        return bool((self.have[classes] + counts < self.counts[classes]).all())

    def _miss_with(self, group: int) -> int:
        classes, counts = self._read(group)
        return int(np.abs(self.wanted[classes] - self.have[classes] - counts).sum())

    def _miss_without(self, group: int) -> int:
        classes, _ = self._read(group)
        return int(np.abs(self.wanted[classes] - self.have[classes]).sum())

    def _take(self, group: int) -> None:
        classes, counts = self._read(group)
        self.taken[group] = True
        np.add.at(self.have, classes, counts)
