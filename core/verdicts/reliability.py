"""Whether confidences hold: calibration error, Brier score, reliability by bins, and the temperature that mends them.

Log-probabilities are natural ones, (N, C) of N images over C classes; targets are the indices of the true classes, (N,).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from core.verdicts.predictions import wilson_interval

BINS = 15
FOLDS = 5
RESAMPLES = 2000
COLDEST, HOTTEST = 0.05, 20.0  # temperatures tried
_AT_ONCE = 4_000_000  # random numbers in memory

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """How a model did on N images, a value each (N,).

    `confidence` in its first guess (0..1), whether that is `right`, the `squared` error of its probabilities summed over
    the classes (0..2), and its `loss` (nats).
    """

    confidence: Floats
    right: Bools
    squared: Floats
    loss: Floats


def judge(log_probs: Floats, targets: Ints) -> Scores:
    """Return how log-probabilities (N, C) do on targets (N,).

    The mean of `squared` is the Brier score in its original form for many classes; for two classes that is twice the
    form that counts one of them. Source: G. W. Brier, "Verification of forecasts expressed in terms of probability"
    (1950).
    """
    rows, probs = np.arange(len(targets)), np.exp(log_probs)
    squared = np.square(probs).sum(axis=1, dtype=np.float64) - 2.0 * probs[rows, targets] + 1.0
    confidence = np.minimum(probs.max(axis=1), 1.0).astype(np.float64)
    return Scores(confidence, log_probs.argmax(axis=1) == targets, squared, -log_probs[rows, targets])


def calibration_errors(confidence: Floats, right: Bools, weights: Floats) -> Floats:
    """Return the expected calibration error (R,) under each row of weights (R, N), how often each image counts.

    It is the mean gap (0..1) of confidence and accuracy over 15 equal-width bins. With few images it is too large: chance
    alone opens gaps, see `chance_errors`. Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern
    neural networks" (2017), section 2.
    """
    gaps = _spread(right - confidence, bin_of(confidence))
    errors: Floats = np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)
    return errors


def chance_errors(confidence: Floats, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Return expected calibration errors (R,) of a model that has these confidences (N,) and keeps every one of them.

    So large a figure comes by chance alone. Source: J. Bröcker, L. A. Smith, "Increasing the reliability of reliability
    diagrams" (2007), consistency resampling.
    """
    bins = _spread(np.ones(len(confidence)), bin_of(confidence))
    random = np.random.default_rng(seed)
    parts = [
        np.abs(((random.random((size, len(confidence))) < confidence) - confidence) @ bins).sum(axis=1)
        for size in _chunks(len(confidence), resamples)
    ]
    return np.concatenate(parts) / len(confidence)


def reliability_bins(confidence: Floats, right: Bools) -> pd.DataFrame:
    """Return a row for each bin with images: from, to, count, confidence (their mean), accuracy, low and high (0..1).

    A bin holds the confidences above `from` up to `to`; low to high is the 95 % Wilson interval of the accuracy.
    """
    bins = bin_of(confidence)
    count, sure, hits = (
        np.bincount(bins, weights=values, minlength=BINS) for values in (None, confidence, right)
    )
    low, high = wilson_interval(hits, count)
    edges, filled = np.linspace(0, 1, BINS + 1), count > 0
    columns = {
        "from": edges[:-1],
        "to": edges[1:],
        "count": count.astype(int),
        "confidence": sure / np.maximum(count, 1),
        "accuracy": hits / np.maximum(count, 1),
        "low": low,
        "high": high,
    }
    return pd.DataFrame(columns)[filled].reset_index(drop=True)


def bin_of(confidence: Floats) -> Ints:
    """Return the bin (N,) of each confidence, from 0; an edge belongs to the bin below it."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence, side="left").astype(np.int64)


def resample_weights(count: int, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[Floats]:
    """Yield how often each of `count` images is drawn (R, N), with replacement, in parts that fit into memory.

    The same count and seed give the same draws, so that two models are compared on the same images.
    """
    random = np.random.default_rng(seed)
    for size in _chunks(count, resamples):
        yield random.multinomial(count, np.full(count, 1 / count), size=size).astype(np.float64)


def scale(log_probs: Floats, temperature: float | Floats) -> Floats:
    """Return the log-probabilities at a temperature, one for all or one a row (N, 1): above 1 they claim less."""
    scaled: Floats = log_softmax(log_probs / np.asarray(temperature, dtype=log_probs.dtype), axis=1)
    return scaled


def fit_temperature(log_probs: Floats, targets: Ints) -> float:
    """Return the temperature that makes the mean loss on these images the lowest.

    Source: C. Guo et al. (2017), section 4.2. The loss is convex in 1/T, so it has one minimum.
    """
    rows = np.arange(len(targets))

    def mean_loss(log_temperature: float) -> float:
        return -float(scale(log_probs, float(np.exp(log_temperature)))[rows, targets].mean(dtype=np.float64))

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    found = minimize_scalar(mean_loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


@dataclass(frozen=True, eq=False)
class CrossFit:
    """A temperature fitted on all images, and for each fold the one fitted without it: `fold` (N,), `without` (K,)."""

    temperature: float
    fold: Ints
    without: Floats


def cross_fit(log_probs: Floats, targets: Ints, *, seed: int = 0) -> CrossFit:
    """Fit a temperature on all images, and one without each of up to five folds, to be judged on images it has not seen."""
    fold = deal_folds(log_probs.argmax(axis=1) == targets, seed=seed)
    without = [
        fit_temperature(log_probs[fold != number], targets[fold != number])
        for number in range(int(fold.max()) + 1)
    ]
    return CrossFit(fit_temperature(log_probs, targets), fold, np.array(without))


def deal_folds(right: Bools, *, seed: int = 0) -> Ints:
    """Deal images (N,) into up to five folds at random, the right and the wrong ones evenly; return their folds (N,).

    It is the wrong ones that a temperature hangs on, and of a class there may be fewer images than folds.
    """
    order = np.random.default_rng(seed).permutation(len(right))
    order = order[np.argsort(right[order], kind="stable")]
    fold = np.empty(len(right), dtype=np.int64)
    fold[order] = np.arange(len(right)) % FOLDS
    return fold


def _spread(values: Floats, bins: Ints) -> Floats:
    """Return a matrix (N, 15) with each value in the column of its bin."""
    spread = np.zeros((len(values), BINS))
    spread[np.arange(len(values)), bins] = values
    return spread


def _chunks(count: int, resamples: int) -> Iterator[int]:
    size = max(1, min(resamples, _AT_ONCE // max(1, count)))
    for start in range(0, resamples, size):
        yield min(size, resamples - start)
