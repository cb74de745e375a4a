"""Orders of the classes for a confusion matrix, and the groups of classes that are confused with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

Order = Literal["name", "recall", "support", "similarity"]
ORDERS: tuple[Order, ...] = get_args(Order)
# Optimal leaf ordering grows with the cube of the classes: 0.2 s for 300, many seconds for 1,000.
MAX_OPTIMAL = 300
# A block's pairs of classes are confused this often on average: of both classes' images, the share given to the other.
LEAST_CONFUSION = 0.02


@dataclass(frozen=True)
class Block:
    """Classes confused with each other: `members` are indices into the matrix, in the order of similarity.

    `confusions` is the number of images of one member taken for another.
    """

    members: tuple[int, ...]
    confusions: int


def choose_confused(
    true: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], classes: int, most: int
) -> npt.NDArray[np.intp]:
    """Return the classes whose matrix says most of the errors, at most so many, in their order: all where they fit.

    They are those with most images taken for another class or another's taken for them; `true` and `predicted` are
    the images' classes (N,).
    """
    if classes <= most:
        return np.arange(classes)
    wrong = true != predicted
    errors = np.bincount(true[wrong], minlength=classes) + np.bincount(predicted[wrong], minlength=classes)
    return np.sort(np.argsort(-errors, kind="stable")[:most])


def order_classes(
    counts: npt.NDArray[np.integer[Any]], by: Order, support: npt.NDArray[np.integer[Any]] | None = None
) -> npt.NDArray[np.intp]:
    """Return the order of the classes of a confusion matrix (C, C) as a permutation (C,) of its indices.

    By `name` the classes stay as they are; by `recall` the lowest comes first and classes without images last; by
    `support` the class of most images comes first; by `similarity` confused classes stand together. Where the matrix
    is of some of the classes only, `support` (C,) says how many images they have.

    Raises:
        ValueError: when `by` is no order.
    """
    if by not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, got {by!r}")
    support = counts.sum(axis=1) if support is None else support
    if by == "recall":
        return order_by_recall(counts.diagonal(), support)
    if by == "support":
        return np.argsort(-support, kind="stable")
    if by == "similarity" and len(counts) > 2:
        return _seriate(measure_confusion(counts, support))
    return np.arange(len(counts))


def order_by_recall(
    right: npt.NDArray[np.integer[Any]], support: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.intp]:
    """Return classes of so many right images of `support` (C,) with the lowest recall first, those without images last."""
    recall = np.where(support > 0, right / np.maximum(support, 1), np.inf)
    return np.argsort(recall, kind="stable")


def find_blocks(
    counts: npt.NDArray[np.integer[Any]], support: npt.NDArray[np.integer[Any]] | None = None
) -> list[Block]:
    """Return the groups of classes confused with each other, the most confusions first; no class is in two of them.

    The classes are clustered by average linkage of their mutual confusion. A group counts while its pairs are
    confused at least `LEAST_CONFUSION` and 1.5 times as much as all pairs are on average, and by more than one
    image, since a single mistake is no pattern. `support` is as in `order_classes`.
    """
    confusion = measure_confusion(counts, support)
    classes = len(confusion)
    if classes < 3:  # two classes are one pair, of which the matrix itself says all
        return []
    average = float(confusion.sum()) / (classes * (classes - 1))
    least = max(LEAST_CONFUSION, 1.5 * average)
    groups: dict[int, list[int]] = {index: [index] for index in range(classes)}
    for number, (one, other, distance, _) in enumerate(_cluster(confusion)):
        # Average linkage never merges nearer than before, so the first merge too far ends the groups.
        if 1 - distance < least:
            break
        groups[classes + number] = groups.pop(int(one)) + groups.pop(int(other))
    found = [_make_block(counts, members) for members in groups.values() if len(members) > 1]
    kept = [block for block in found if block.confusions > 1]
    return sorted(kept, key=lambda block: (-block.confusions, block.members))


def measure_confusion(
    counts: npt.NDArray[np.integer[Any]], support: npt.NDArray[np.integer[Any]] | None = None
) -> npt.NDArray[np.float64]:
    """Return the mutual confusion (C, C) of each pair of classes, 0..1, symmetric with a diagonal of 0.

    It is the mean of the share of the one's images taken for the other and the share of the other's for the one.
    `support` is as in `order_classes`.
    """
    totals = counts.sum(axis=1) if support is None else support
    share = counts / np.maximum(totals[:, None], 1)
    np.fill_diagonal(share, 0.0)
    confusion: npt.NDArray[np.float64] = (share + share.T) / 2
    return confusion


def _cluster(confusion: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the merges (C - 1, 4) of average linkage, the most confused first, as scipy has them."""
    return np.asarray(linkage(_distances(confusion), "average"))


def _distances(confusion: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    apart = 1 - confusion
    np.fill_diagonal(apart, 0.0)
    return np.asarray(squareform(apart, checks=False))


def _seriate(confusion: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return an order in which confused classes stand together.

    Source of the order of the leaves: Z. Bar-Joseph, D. Gifford, T. Jaakkola, "Fast optimal leaf ordering for
    hierarchical clustering" (2001).
    """
    merges = _cluster(confusion)
    if len(confusion) <= MAX_OPTIMAL:
        merges = optimal_leaf_ordering(merges, _distances(confusion))
    return np.asarray(leaves_list(merges), dtype=np.intp)


def _make_block(counts: npt.NDArray[np.integer[Any]], members: list[int]) -> Block:
    inside = counts[np.ix_(members, members)]
    ordered = np.asarray(members)
    if len(members) > 2:
        ordered = ordered[_seriate(measure_confusion(inside))]
    return Block(tuple(int(index) for index in ordered), int(inside.sum() - np.trace(inside)))
