"""Features of many dimensions brought to a plane: images that the network finds alike lie beside each other."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from openTSNE import TSNE
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

Floats = npt.NDArray[np.float32]
Progress = Callable[[int, int], bool]

_COMPONENTS = (
    50  # as usual before t-SNE: what is beyond is mostly noise, and neighbours are found many times as fast
)
_PERPLEXITY = 30.0  # about as many neighbours an image keeps close
_FEW = 10  # images below which there are no neighbourhoods to keep
_EARLY, _LATER = 250, 500  # iterations, the first with clusters pulled together
_EVERY = 10  # iterations between two looks at whether to stop
NEAREST = 10  # neighbours by which a map is judged
_ASKED = 2000  # images by which it is


def scale_rows(features: npt.NDArray[np.floating]) -> Floats:
    """Return features (N, D) with each row of length 1, so that Euclidean neighbours are those by cosine."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scaled: Floats = (features / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


def reduce_rows(unit: Floats, *, seed: int = 0) -> Floats:
    """Return rows (N, D) by their first 50 principal components, float32; as they are where there are no more."""
    if unit.shape[1] <= _COMPONENTS or len(unit) <= _COMPONENTS:
        return unit
    found = PCA(_COMPONENTS, svd_solver="randomized", random_state=seed).fit_transform(unit)
    reduced: Floats = found.astype(np.float32)
    return reduced


def project(values: Floats, *, seed: int = 0, progress: Progress | None = None) -> Floats | None:
    """Return places (N, 2) in 0..1 for rows (N, D), the same for the same seed; None when `progress` said to end.

    `progress(done, total)` is called every ten iterations. Both axes have the same scale, which means nothing by itself.

    Source: L. van der Maaten, G. Hinton, "Visualizing Data using t-SNE" (2008); P. G. Poličar, M. Stražar, B. Zupan,
    "openTSNE: A Modular Python Library for t-SNE Dimensionality Reduction and Embedding" (2024).
    """
    if len(values) < _FEW:
        return _fit_square(_lay_out_few(values))
    done, stopped = 0, False

    def look(*_: object) -> bool:
        nonlocal done, stopped
        done += _EVERY
        stopped = progress is not None and not progress(min(done, _EARLY + _LATER), _EARLY + _LATER)
        return stopped

    places = TSNE(
        perplexity=min(_PERPLEXITY, (len(values) - 1) / 3),
        initialization="pca",
        early_exaggeration_iter=_EARLY,
        n_iter=_LATER,
        n_jobs=os.cpu_count() or 1,
        random_state=seed,
        callbacks=look,
        callbacks_every_iters=_EVERY,
    ).fit(values)
    return None if stopped else _fit_square(np.asarray(places))


def measure_kept(values: Floats, places: Floats, *, seed: int = 0) -> float:
    """Return which share (0..1) of an image's ten nearest by rows (N, D) is among its ten nearest by places (N, 2).

    The mean of 2,000 images at most, drawn by the seed; NaN of fewer than twelve, where all are near.
    """
    if len(values) < NEAREST + 2:
        return float("nan")
    rows = np.arange(len(values))
    if len(rows) > _ASKED:
        rows = np.random.default_rng(seed).choice(rows, _ASKED, replace=False)
    found = []
    for table in (values, places):
        # One more than asked for, since each row is its own nearest, and of copies perhaps not the first.
        nearest = NearestNeighbors(n_neighbors=NEAREST + 1).fit(table).kneighbors(table[rows])[1]
        found.append([set(near) - {row} for near, row in zip(nearest.tolist(), rows.tolist(), strict=True)])
    shares = [min(len(one & other), NEAREST) / NEAREST for one, other in zip(*found, strict=True)]
    return float(np.mean(shares))


def _lay_out_few(values: Floats) -> npt.NDArray[np.floating]:
    found = np.zeros((len(values), 2))
    components = min(2, *values.shape)
    if len(values) > 1:
        found[:, :components] = PCA(components, svd_solver="full").fit_transform(values)
    return found


def _fit_square(places: npt.NDArray[np.floating]) -> Floats:
    """Return places moved and scaled, both axes alike, so that they fill the square from 0 to 1."""
    low, high = places.min(axis=0), places.max(axis=0)
    size = max(float((high - low).max()), 1e-12)
    fitted: Floats = ((places - (low + high) / 2) / size + 0.5).astype(np.float32)
    return fitted
