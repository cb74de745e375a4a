"""Groups of images that are the same, pixel by pixel or to the eye."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

HASH_DISTANCE = 8  # bits of 64 in which the perceptual hashes of one picture may differ
CORRELATION = 0.99  # of the thumbnails of one picture, at least
_BANDS = (
    (0, 22),
    (22, 21),
    (43, 21),
)  # first bit and number of bits of the parts that a hash is looked up by
_IN_BAND = HASH_DISTANCE // len(
    _BANDS
)  # bits in which the parts differ, at most, of some band of any pair within the distance
_AT_ONCE = 1 << 20  # pairs of hashes compared at a time
_PAIRS = 1 << 14  # thumbnails compared at a time

Group = tuple[int, ...]
Places = npt.NDArray[np.intp]
Step = Callable[[float], None]  # is told which share of the work (0..1) is done; what it raises ends it


def group_equal(pixels: npt.NDArray[np.uint64]) -> list[Group]:
    """Return the groups of two or more equal digests, as indices in rising order."""
    return _list_groups(np.unique(pixels, return_inverse=True)[1])


def group_similar(
    pixels: npt.NDArray[np.uint64],
    looks: npt.NDArray[np.uint64],
    thumbs: npt.NDArray[np.uint8],
    step: Step = lambda _: None,
) -> list[Group]:
    """Return the groups of images that look the same though not all their pixels are, as indices in rising order.

    `pixels` and `looks` are (N,), `thumbs` is (N, S, S). A pair is first sought by the Hamming distance of its
    perceptual hashes and then confirmed by its thumbnails: hashes alone take two digits on the same ground for one
    picture. Found are copies saved anew, resized, brightened or turned grey, not cuttings. Images joined by a chain
    of pairs are one group; so a group may hold equal images too, but never only them.

    Hashes are not compared all with all: of three parts of 64 bits that differ in 8 at most, one differs in 2 at most, so each
    hash is looked up by its parts. 200,000 that have nothing in common take seconds; many that are alike take longer, as pairs do.
    Source: M. Norouzi, A. Punjani, D. J. Fleet, "Fast search in Hamming space with multi-index hashing", CVPR 2012.
    """
    _, first, inverse = np.unique(pixels, return_index=True, return_inverse=True)
    labels = _join_similar(looks[first], thumbs[first], step)
    groups = _list_groups(labels[inverse])
    return [group for group in groups if len(set(inverse[list(group)].tolist())) > 1]


def _join_similar(
    looks: npt.NDArray[np.uint64], thumbs: npt.NDArray[np.uint8], step: Step
) -> npt.NDArray[np.intp]:
    """Return the group of each image, (N,)."""
    step(0.0)
    labels, normal = np.arange(len(looks)), _normalise(thumbs)
    for one, other, share in _list_near(looks):
        step(share)
        # Thousands of frames of one film are joined soon; what is joined need not be compared.
        open_ = labels[one] != labels[other]
        one, other = one[open_], other[open_]
        for at in range(0, len(one), _PAIRS):
            a, b = one[at : at + _PAIRS], other[at : at + _PAIRS]
            open_ = labels[a] != labels[b]
            a, b = a[open_], b[open_]
            same = np.einsum("ps,ps->p", normal[a], normal[b]) >= CORRELATION
            if same.any():
                labels = _join(labels, a[same], b[same])
    return labels


def _list_near(looks: npt.NDArray[np.uint64]) -> Iterator[tuple[Places, Places, float]]:
    """Yield the pairs of hashes within the distance, as two arrays of places, some more than once, with the share of work done."""
    for number, (low, bits) in enumerate(_BANDS):
        parts = (looks >> np.uint64(low) & np.uint64((1 << bits) - 1)).astype(np.intp)
        order = np.argsort(parts, kind="stable")
        parts = parts[order]
        starts = np.concatenate([[0], np.cumsum(np.bincount(parts, minlength=1 << bits))])
        flips = [
            sum(1 << bit for bit in some)
            for k in range(_IN_BAND + 1)
            for some in combinations(range(bits), k)
        ]
        for tried, flip in enumerate(flips):
            begins = starts[parts ^ flip]
            counts = starts[(parts ^ flip) + 1] - begins
            share = (number + tried / len(flips)) / len(_BANDS)
            for one, other in _pair_up(begins, counts):
                one, other = order[one], order[other]
                near = (one < other) & (np.bitwise_count(looks[one] ^ looks[other]) <= HASH_DISTANCE)
                yield one[near], other[near], share


def _pair_up(begins: Places, counts: Places) -> Iterator[tuple[Places, Places]]:
    """Yield each place with all from `begins` on, as many as `counts` says, so that few lie in memory at a time."""
    filled = np.flatnonzero(counts)
    ends = np.cumsum(counts[filled])
    start = 0
    while start < len(filled):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + _AT_ONCE)))
        some = filled[start:end]
        one = np.repeat(some, counts[some])
        inside = np.arange(len(one)) - np.repeat(ends[start:end] - counts[some] - before, counts[some])
        yield one, begins[one] + inside
        start = end


def _normalise(thumbs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return thumbnails (N, S, S) as vectors (N, S·S) whose dot products are Pearson's correlations, -1..1."""
    values = thumbs.reshape(len(thumbs), int(np.prod(thumbs.shape[1:]))).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    normal: npt.NDArray[np.float32] = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1.0)
    return normal


def _join(
    labels: npt.NDArray[np.intp], one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    count = int(labels.max()) + 1
    edges = coo_array((np.ones(len(one), bool), (labels[one], labels[other])), shape=(count, count))
    joined: npt.NDArray[np.intp] = connected_components(edges, directed=False)[1][labels]
    return joined


def _list_groups(labels: npt.NDArray[np.intp]) -> list[Group]:
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    groups = [tuple(part.tolist()) for part in np.split(order, bounds) if len(part) > 1]
    return sorted(groups)
