"""Groups of images that are the same, pixel by pixel or to the eye."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

HASH_DISTANCE = 8  # bits of 64 in which the perceptual hashes of one picture may differ
CORRELATION = 0.99  # of the thumbnails of one picture, at least
_ROWS = 256  # hashes compared with all others at a time
_PAIRS = 1 << 14  # thumbnails compared at a time

Group = tuple[int, ...]


def group_equal(pixels: npt.NDArray[np.uint64]) -> list[Group]:
    """Return the groups of two or more equal digests, as indices in rising order."""
    return _list_groups(np.unique(pixels, return_inverse=True)[1])


def group_similar(
    pixels: npt.NDArray[np.uint64], looks: npt.NDArray[np.uint64], thumbs: npt.NDArray[np.uint8]
) -> list[Group]:
    """Return the groups of images that look the same though not all their pixels are, as indices in rising order.

    `pixels` and `looks` are (N,), `thumbs` is (N, S, S). A pair is first sought by the Hamming distance of its
    perceptual hashes and then confirmed by its thumbnails: hashes alone take two digits on the same ground for one
    picture. Found are copies saved anew, resized, brightened or turned grey, not cuttings. Images joined by a chain
    of pairs are one group; so a group may hold equal images too, but never only them.

    All hashes are compared with all in numpy: some 300 million pairs for 25,000 images.
    """
    _, first, inverse = np.unique(pixels, return_index=True, return_inverse=True)
    labels = _join_similar(looks[first], thumbs[first])
    groups = _list_groups(labels[inverse])
    return [group for group in groups if len(set(inverse[list(group)].tolist())) > 1]


def _join_similar(looks: npt.NDArray[np.uint64], thumbs: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Return the group of each image, (N,)."""
    labels, normal = np.arange(len(looks)), _normalise(thumbs)
    for start in range(0, len(looks), _ROWS):
        distances = np.bitwise_count(looks[start : start + _ROWS, None] ^ looks[None, start:])
        rows, columns = np.nonzero(distances <= HASH_DISTANCE)
        one, other = rows + start, columns + start
        # Thousands of frames of one film are joined soon; what is joined need not be compared.
        open_ = (one < other) & (labels[one] != labels[other])
        one, other = one[open_], other[open_]
        for at in range(0, len(one), _PAIRS):
            a, b = one[at : at + _PAIRS], other[at : at + _PAIRS]
            open_ = labels[a] != labels[b]
            a, b = a[open_], b[open_]
            same = np.einsum("ps,ps->p", normal[a], normal[b]) >= CORRELATION
            if same.any():
                labels = _join(labels, a[same], b[same])
    return labels


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
