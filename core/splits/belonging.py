"""Which images belong together: by how their file names begin, by a table, and by being copies of each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
_BEGINNING = re.compile(r"(.+)[_-][^_-]*$")
_SHARED = (
    0.5  # of the images, at least, that share the beginning of their name where names seem to tell groups
)


@dataclass(frozen=True)
class Belonging:
    """What is known of images: `groups` gives that of a path by a name or a table, `copies` are paths that look the same.

    An image that has no group and no copy is alone.
    """

    groups: Mapping[str, str] = field(default_factory=dict)
    copies: Sequence[Sequence[str]] = ()

    def number_groups(self, paths: Sequence[str]) -> Numbers:
        """Return for each of N paths the number of its group (N,), leaving copies aside."""
        names = {group: number for number, group in enumerate(sorted(set(self.groups.values())))}
        return np.array(
            [
                names[self.groups[path]] if path in self.groups else len(names) + index
                for index, path in enumerate(paths)
            ],
            dtype=np.int64,
        )

    def number_all(self, paths: Sequence[str]) -> Numbers:
        """Return for each of N paths the number of what belongs together (N,): groups that share a copy are one."""
        place = {path: index for index, path in enumerate(paths)}
        copies = [[place[path] for path in group if path in place] for group in self.copies]
        return join_numbers(self.number_groups(paths), join_groups(len(paths), copies))


def join_groups(count: int, groups: Sequence[Sequence[int]]) -> Numbers:
    """Return a number for each of so many images, the same for all of a group; groups that share an image are one."""
    pairs = [(group[0], other) for group in groups for other in group[1:]]
    one, other = np.array(pairs, dtype=int).reshape(-1, 2).T
    return _join(count, one, other)


def join_numbers(first: Numbers, second: Numbers) -> Numbers:
    """Return a number for each image (N,), the same for those that are joined by either of two such numberings."""
    one, other = (np.unique(numbers, return_inverse=True)[1] for numbers in (first, second))
    count = int(one.max(initial=-1)) + 1
    whole = count + int(other.max(initial=-1)) + 1
    joined: Numbers = np.unique(_join(whole, one, count + other)[one], return_inverse=True)[1].astype(
        np.int64
    )
    return joined


def _join(count: int, one: Numbers, other: Numbers) -> Numbers:
    """Return for each of so many things the number of what it hangs together with, by pairs of them."""
    from scipy.sparse import coo_array  # pages that only list images do without scipy
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(one), dtype=bool), (one, other)), shape=(count, count))
    labels: Numbers = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def find_beginning(path: str) -> str:
    """Return the part of a file name before its last _ or -, by which images of one film or object are known; "": none."""
    found = _BEGINNING.match(PurePosixPath(path).stem)
    return found[1] if found else ""


def group_by_name(paths: Sequence[str]) -> dict[str, str]:
    """Return the group of each path whose file name tells one."""
    return {path: name for path in paths if (name := find_beginning(path))}


def name_example(paths: Mapping[str, Sequence[str]]) -> str:
    """Return the beginning of names that most images of one class share, where names seem to tell groups; else "".

    `paths` are those of each class. Names seem to where at least half of the images share theirs with another of their
    class, while no class of several images is one group: `img_001`, `img_002` … say nothing.
    """
    shared, count, largest = 0, 0, ("", 1)
    for own in paths.values():
        found = Counter(find_beginning(path) or path for path in own)
        if len(own) > 1 and len(found) == 1:
            return ""
        shared += sum(number for number in found.values() if number > 1)
        count += len(own)
        largest = max(largest, *found.items(), key=lambda item: item[1])
    return largest[0] if count and shared >= _SHARED * count else ""
