"""When a model should answer: the errors among what it answers by how much that is, and the threshold for a wanted accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.verdicts.predictions import Z95, wilson_interval
from core.verdicts.reliability import Bools, Floats, Ints


@dataclass(frozen=True, eq=False)
class Answers:
    """N validation images as a model answers them, and how sure it is (0..1) in what it says first.

    `right` (N,); `raw` (N,) as the network gives it, `calibrated` (N,) at the temperature fitted on all of them;
    `fold` (N,) from 0, and `without` (K, N), the confidence at the temperature fitted without each fold.
    """

    right: Bools
    raw: Floats
    calibrated: Floats
    fold: Ints
    without: Floats

    @property
    def cross_fitted(self) -> Floats:
        """Return the confidences (N,) at temperatures fitted without the images they are of."""
        return self.without[self.fold, np.arange(len(self.fold))]


@dataclass(frozen=True)
class ThresholdEffect:
    """A threshold on the confidence, and what it does: of `count` images it answers some, and some of these are right."""

    threshold: float
    count: int
    answered: int
    right: int

    @property
    def coverage(self) -> tuple[float, float, float]:
        """Return the share of images that are answered (0..1) with its 95 % Wilson interval."""
        return _share(self.answered, self.count)

    @property
    def accuracy(self) -> tuple[float, float, float]:
        """Return the share of the answered that are right (0..1) with its 95 % Wilson interval; NaN of none."""
        return _share(self.right, self.answered)


def risk_coverage(confidence: Floats, right: Bools) -> pd.DataFrame:
    """Return what answering from each confidence on does, the surest first: threshold, answered, coverage, wrong, risk.

    A row for each confidence there is: answered are the images at least as sure, `coverage` is their share of all,
    `risk` the share of them that is wrong (0..1). Source: R. El-Yaniv, Y. Wiener, "On the foundations of noise-free
    selective classification" (2010).
    """
    order = np.argsort(-confidence, kind="stable")
    last = np.flatnonzero(np.diff(confidence[order], append=-1.0))  # of images equally sure, all or none
    answered, wrong = last + 1, np.cumsum(~right[order])[last]
    return pd.DataFrame(
        {
            "threshold": confidence[order][last],
            "answered": answered,
            "coverage": answered / max(1, len(right)),
            "wrong": wrong,
            "risk": wrong / answered,
        }
    )


def risk_areas(confidence: Floats, right: Bools, weights: Floats) -> Floats:
    """Return the area under the risk–coverage curve (R,) under each row of weights (R, N), how often each image counts.

    It is the mean risk (0..1) over all thresholds: the error rate where the confidence says nothing, and the lower the
    better errors come with low confidence. Source: Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-reduced uncertainty estimation
    for deep neural classifiers" (2019).
    """
    order = np.argsort(-confidence, kind="stable")
    falling, weights = -confidence[order], weights[:, order]
    last = np.searchsorted(falling, falling, side="right") - 1  # of images equally sure, all or none
    answered = np.cumsum(weights, axis=1)
    wrong = np.cumsum(weights * ~right[order], axis=1)
    risk = (wrong / np.maximum(answered, 1))[:, last]
    areas: Floats = (weights * risk).sum(axis=1) / weights.sum(axis=1)
    return areas


def choose_threshold(confidence: Floats, right: Bools, wanted: float) -> float | None:
    """Return the lowest threshold above which these images are right at the wanted accuracy (0..1); None for none.

    It lies halfway between the least sure image that is answered and the next; 0 where all can be answered.
    """
    curve = risk_coverage(confidence, right)
    enough = np.flatnonzero(1 - curve["risk"].to_numpy() >= wanted - 1e-12)
    if not len(enough):
        return None
    at = int(enough[-1])
    if at == len(curve) - 1:
        return 0.0
    return float(curve["threshold"].iloc[at : at + 2].mean())


def cross_choose(answers: Answers, wanted: float) -> ThresholdEffect | None:
    """Choose a threshold for a wanted accuracy (0..1), judged on images that had no part in choosing; None for none.

    The threshold is chosen on all images. What it does is counted fold by fold, with temperature and threshold from the
    other folds: on the images it was chosen by it would look better than it is.
    """
    threshold = choose_threshold(answers.calibrated, answers.right, wanted)
    if threshold is None:
        return None
    sure = np.zeros(len(answers.right), dtype=bool)
    for number, confidence in enumerate(answers.without):
        own = answers.fold == number
        limit = choose_threshold(confidence[~own], answers.right[~own], wanted)
        if limit is not None:
            sure[own] = confidence[own] >= limit
    return _count(threshold, sure, answers.right)


def judge_threshold(answers: Answers, threshold: float, *, raw: bool = False) -> ThresholdEffect:
    """Count what a threshold (0..1) that was not chosen by these images does, on calibrated or on `raw` confidences."""
    return _count(threshold, (answers.raw if raw else answers.cross_fitted) >= threshold, answers.right)


def images_to_show(wanted: float) -> int:
    """Return how many answers without one error it takes until the 95 % Wilson interval begins at the accuracy wanted."""
    return int(np.ceil(Z95**2 * wanted / max(1 - wanted, 1e-9)))


def _count(threshold: float, sure: Bools, right: Bools) -> ThresholdEffect:
    return ThresholdEffect(threshold, len(right), int(sure.sum()), int((sure & right).sum()))


def _share(part: int, whole: int) -> tuple[float, float, float]:
    low, high = wilson_interval(part, whole)
    return (part / whole if whole else float("nan")), float(low), float(high)
