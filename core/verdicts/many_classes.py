"""The order of very many classes for a confusion matrix, from the confusions that there are instead of from all pairs."""

from __future__ import annotations

import heapq

import numpy as np
import numpy.typing as npt

from core.verdicts.ordering import Order, order_by_recall

STRONGEST = (
    8  # confusions of a class by which it is put beside others: a giant's thousands would tell no more
)

Codes = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


def order_many(true: Codes, predicted: Codes, classes: int, by: Order) -> Codes:
    """Return the order of the classes as a permutation (C,) of their indices, as `ordering.order_classes` means it.

    `true` and `predicted` are the images' classes (N,). By `similarity` the classes are clustered by average linkage of
    their mutual confusion as there, each by its strongest confusions; those never confused come last.
    """
    support = np.bincount(true, minlength=classes)
    if by == "recall":
        return order_by_recall(np.bincount(true[true == predicted], minlength=classes), support)
    if by == "support":
        return np.argsort(-support, kind="stable")
    if by == "similarity":
        return _seriate(*_list_confusions(true, predicted, support), classes)
    return np.arange(classes)


def _list_confusions(true: Codes, predicted: Codes, support: Codes) -> tuple[Codes, Codes, Floats]:
    """Return the pairs of classes that are among the strongest confusions of either, and their mutual confusion (0..1)."""
    classes, wrong = len(support), true != predicted
    cells, images = np.unique(true[wrong] * classes + predicted[wrong], return_counts=True)
    row, column = cells // classes, cells % classes
    low, high = np.minimum(row, column), np.maximum(row, column)
    pairs, place = np.unique(low * classes + high, return_inverse=True)
    shares = np.bincount(place, images / support[row] / 2, minlength=len(pairs))
    strength = np.asarray(shares, dtype=np.float64)  # with weights it counts in floats
    low, high = pairs // classes, pairs % classes
    ends, both = np.concatenate([low, high]), np.concatenate([strength, strength])
    order = np.lexsort((-both, ends))
    _, first, counts = np.unique(ends[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    kept = np.unique(order[rank < STRONGEST] % max(len(pairs), 1))
    return low[kept], high[kept], strength[kept]


def _seriate(low: Codes, high: Codes, strength: Floats, classes: int) -> Codes:
    """Return an order in which confused classes stand together, by average linkage; pairs that are not given are 0 apart.

    Where two clusters become one, only those that either is confused with are looked at.
    """
    near: list[dict[int, float] | None] = [{} for _ in range(classes)]
    members: list[list[int]] = [[index] for index in range(classes)]
    heap: list[tuple[float, int, int]] = []
    for one, other, value in zip(low.tolist(), high.tolist(), strength.tolist(), strict=True):
        near[one][other] = near[other][one] = value
        heap.append((-value, one, other))
    heapq.heapify(heap)
    while heap:
        _, one, other = heapq.heappop(heap)
        first, second = near[one], near[other]
        if first is None or second is None:
            continue  # one of them is part of a larger cluster by now
        joined, added = (first, second) if len(first) >= len(second) else (second, first)
        for key, value in added.items():
            joined[key] = joined.get(key, 0.0) + value
        near[one] = near[other] = None
        new = len(near)
        members.append(members[one] + members[other])
        for key in (one, other):
            joined.pop(key, None)
            members[key] = []
        near.append(joined)
        for key, value in joined.items():
            others = near[key]
            assert others is not None  # what is merged is taken out of its neighbours at once
            others.pop(one, None)
            others.pop(other, None)
            others[new] = value
            heapq.heappush(heap, (-value / (len(members[new]) * len(members[key])), key, new))
    roots = sorted((group for group in members if group), key=lambda group: (len(group) == 1, min(group)))
    return np.array([index for group in roots for index in group], dtype=np.intp)
