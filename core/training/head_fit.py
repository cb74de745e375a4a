"""The head fitted to convergence on features, its regularisation chosen by cross-validation on training images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from torch import nn

from core.words import format_share

# Inverse strengths of the L2 penalty, in scikit-learn's convention, on features scaled to a standard deviation of 1.
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1)
FOLDS = 3
JUDGED = 2500  # images outside the fit that tell strengths apart; where the first folds have as many, they do
_STEPS = 100  # of L-BFGS at most: what more would change is below what the folds tell

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FittedHead:
    """A linear head, `weight` (C, D) and `bias` (C,), the strength chosen, and its cross-validated accuracy (0..1).

    `accuracy` is NaN where no class has the two images that a fold needs.
    """

    weight: Floats
    bias: Floats
    strength: float
    accuracy: float

    def describe(self) -> str:
        """Say what was chosen and how good it was outside the fit, in a line for the console."""
        judged = (
            ""
            if math.isnan(self.accuracy)
            else f", accuracy {format_share(self.accuracy)} by cross-validation on training images"
        )
        return f"regularisation C = {self.strength:g}{judged}"


def fit_head(
    features: Floats,
    targets: Labels,
    classes: int,
    *,
    weights: npt.NDArray[np.float64] | None = None,
    strength: float | None = None,
    progress: Callable[[int, int], bool],
) -> FittedHead | None:
    """Fit multinomial logistic regression to features (N, D) and targets (N,); None when `progress` said to end.

    `weights` (N,) is how much each image counts. The strength with the highest accuracy over stratified folds is taken (of many images one fold is enough),
    the strongest of several equal ones, and fitted to all images. A class without an image gets a bias so low that it
    is never the answer. `progress(fits done, fits in all)` is called after each fit. A `strength` that is given is
    taken as it is.

    Source: S. Kornblith et al., "Do Better ImageNet Models Transfer Better?" (2019), section 3, for the protocol;
    scikit-learn's L-BFGS solver for the fit.
    """
    mean, deviation = features.mean(0), features.std(0) + 1e-6
    scaled = (features - mean) / deviation
    folds = _make_folds(targets) if strength is None else []
    everyone = np.ones(len(targets), dtype=bool)
    total, done = len(STRENGTHS) * len(folds) + 1, 0
    best = float("nan")
    strength = STRENGTHS[len(STRENGTHS) // 2] if strength is None else strength
    rights = dict.fromkeys(STRENGTHS, 0)
    for outside in folds:
        model = LogisticRegression(
            max_iter=_STEPS, warm_start=True
        )  # each begins where the stronger one ended
        for candidate in STRENGTHS:
            _fit(model.set_params(C=candidate), scaled, targets, ~outside, weights)
            rights[candidate] += int((model.predict(scaled[outside]) == targets[outside]).sum())
            done += 1
            if not progress(done, total):
                return None
    if folds:
        strength = max(STRENGTHS, key=lambda candidate: (rights[candidate], -candidate))
        best = rights[strength] / sum(int(outside.sum()) for outside in folds)
    model = LogisticRegression(C=strength, max_iter=_STEPS)
    _fit(model, scaled, targets, everyone, weights)
    progress(total, total)
    slopes, offsets = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps one row, the other being its negative
        slopes, offsets = np.concatenate([-slopes, slopes]) / 2, np.concatenate([-offsets, offsets]) / 2
    weight = np.zeros((classes, features.shape[1]), dtype=np.float32)
    bias = np.full(classes, -1e4, dtype=np.float32)
    weight[model.classes_] = slopes / deviation
    bias[model.classes_] = offsets - (slopes / deviation) @ mean
    return FittedHead(weight, bias, strength, best)


def fit_outside(
    features: Floats,
    targets: Labels,
    groups: Labels,
    classes: int,
    *,
    folds: int,
    seed: int = 0,
    progress: Callable[[int, int], bool],
) -> Floats | None:
    """Return the log-probabilities (N, C) of each image by a head that was fitted without it; None when told to end.

    Images of a group (N,) lie in one fold, which is stratified by class as far as that allows. The strength is chosen
    outside the first fold, which takes most of the fits. `progress(fits done, fits in all)` is called after each one.
    """
    found = np.empty((len(targets), classes), dtype=np.float32)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    strength: float | None = None
    before, total = 0, 0

    def report(done: int, fits: int) -> bool:
        nonlocal total
        total = total or fits + folds - 1  # once the strength is known a fold is one fit
        return progress(before + done, total)

    for rest, held in splitter.split(features, targets, groups):
        fitted = fit_head(features[rest], targets[rest], classes, strength=strength, progress=report)
        before = before + 1 if before else total - folds + 1
        if fitted is None or not progress(before, total):
            return None
        strength = fitted.strength
        found[held] = log_softmax(features[held] @ fitted.weight.T + fitted.bias, axis=1)
    return found


@torch.no_grad()
def load_head(head: nn.Module, fitted: FittedHead) -> None:
    """Give a last layer, linear or a convolution of one pixel, the weights that were fitted."""
    head.get_parameter("weight").copy_(
        torch.from_numpy(fitted.weight).reshape(head.get_parameter("weight").shape)
    )
    head.get_parameter("bias").copy_(torch.from_numpy(fitted.bias))


def _fit(
    model: LogisticRegression,
    scaled: Floats,
    targets: Labels,
    chosen: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64] | None,
) -> None:
    """Fit to the images `chosen` (N,)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a head that is nearly converged is a head
        counts = None if weights is None else weights[chosen]
        model.fit(scaled[chosen], targets[chosen], sample_weight=counts)


def _make_folds(targets: Labels) -> list[npt.NDArray[np.bool_]]:
    """Return for each fold which images (N,) lie outside the fit; none where every class has one image."""
    if np.bincount(targets).max() < FOLDS:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class of fewer images than folds is left out of some
        splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        masks = []
        for _, outside in splitter.split(targets, targets):
            mask = np.zeros(len(targets), dtype=bool)
            mask[outside] = True
            masks.append(mask)
            if sum(int(one.sum()) for one in masks) >= JUDGED:
                break
    return masks
