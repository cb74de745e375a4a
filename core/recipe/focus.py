"""Specialising on classes: how often each image comes, and which model is best at them without harm elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.errors import DataError
from core.recipe.class_names import find_class
from core.recipe.config import TrainConfig


@dataclass(frozen=True)
class Recalls:
    """Mean recall (0..1) of the classes specialised on and of all others, on validation."""

    focus: float
    elsewhere: float


def focus_indices(config: TrainConfig, classes: Sequence[str]) -> list[int]:
    """Return the indices of the classes a config specialises on, empty for none.

    Raises:
        DataError: naming what is not a class of the data.
    """
    chosen = {_find_class("focus", name, classes) for name in config.focus}
    if chosen and len(chosen) == len(classes):
        raise DataError("focus: it names every class; leave some out, or leave it empty.")
    return sorted(chosen)


def pair_indices(config: TrainConfig, classes: Sequence[str]) -> list[tuple[int, int]]:
    """Return the pairs of classes a config tells apart, as indices; empty for none.

    Raises:
        DataError: naming what is not a class of the data.
    """
    return [
        (_find_class("pairs", one, classes), _find_class("pairs", other, classes))
        for one, other in config.pairs
    ]


def _find_class(field: str, name: str, classes: Sequence[str]) -> int:
    found = find_class(name, classes)
    if found is None:
        known = ", ".join(list(classes)[:8]) + (" …" if len(classes) > 8 else "")
        raise DataError(f"{field}: {name!r} is not a class of this data. Its classes are {known}")
    return found


def weigh_images(
    config: TrainConfig, targets: Sequence[int], classes: Sequence[str]
) -> npt.NDArray[np.float64] | None:
    """Return how often each training image is to come in an epoch, (N,) and 1 on average without focus; None: once each."""
    chosen = focus_indices(config, classes)
    if not chosen and not config.class_balance:
        return None
    labels = np.asarray(targets)
    weights = np.ones(len(labels))
    if config.class_balance:
        counts = np.bincount(labels, minlength=len(classes))
        weights = len(labels) / ((counts > 0).sum() * counts[labels])
    weights[np.isin(labels, chosen)] *= config.focus_factor if chosen else 1.0
    return weights


def measure_recalls(
    right: npt.NDArray[np.bool_], targets: npt.NDArray[np.int64], chosen: Sequence[int]
) -> Recalls:
    """Return the recalls of N validation images, `right` (N,) saying which are told right; 0 where there is no image."""
    recall = {int(c): float(right[targets == c].mean()) for c in np.unique(targets)}
    own = [value for index, value in recall.items() if index in set(chosen)]
    others = [value for index, value in recall.items() if index not in set(chosen)]
    return Recalls(float(np.mean(own)) if own else 0.0, float(np.mean(others)) if others else 0.0)


def is_allowed(elsewhere: float, at_start: float, guard: float) -> bool:
    """Tell whether the other classes' mean recall (0..1) lost at most `guard` percentage points since the start."""
    return elsewhere >= at_start - guard / 100 - 1e-9
