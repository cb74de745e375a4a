"""Training images unlike their class: further from the others of it than is usual there, by the network's features."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_NEAREST = 5  # other images of the class that an image is held against
_LEAST = 4  # images of a class that say what is usual in it
_CLOSEST = 1e-3  # cosine distance below which images are copies: of a class of copies nothing is far
LISTED = 500  # images, those furthest from their class, whose nearest image of all is looked for


def rate_strangers(unit: Floats, targets: Ints) -> npt.NDArray[np.float64]:
    """Return how many times as far as usual each image is from its class, (N,); NaN in a class of under four images.

    `unit` (N, D) are features of length 1 and `targets` (N,) indices of classes. Far is an image by its mean cosine
    distance to the five nearest others of its class, and usual is the median of the class.
    """
    found = np.full(len(unit), np.nan)
    for target in np.unique(targets):
        own = np.flatnonzero(targets == target)
        if len(own) < _LEAST:
            continue
        near = NearestNeighbors(n_neighbors=min(_NEAREST, len(own) - 1), metric="cosine").fit(unit[own])
        far = near.kneighbors()[0].mean(axis=1)  # without arguments an image is not its own neighbour
        found[own] = far / max(float(np.median(far)), _CLOSEST)
    return found


def find_nearest(unit: Floats, rows: Ints) -> Ints:
    """Return for some rows (M,) of features (N, D) of length 1 the row that is nearest to each, not itself, (M,)."""
    similar = unit[rows] @ unit.T
    similar[np.arange(len(rows)), rows] = -np.inf
    nearest: Ints = similar.argmax(axis=1)
    return nearest
