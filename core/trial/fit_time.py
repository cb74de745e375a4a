"""How long the fit of a head will take, from a few of its steps on as many numbers."""

from __future__ import annotations

import math
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from core.training.head_fit import FOLDS, JUDGED, STRENGTHS
from core.trial.pace import Pace

_TRIED = 1000  # images
_STEPS = 5  # of L-BFGS that are timed
# Steps that a fit takes on average, of which most begin from the one before: on 817 photos of 81 classes 10 to 51.
_USUAL = 30
_ERROR = 0.5


def estimate_fit(images: int, width: int, classes: int) -> Pace:
    """Return how long `core.training.head_fit.fit_head` takes on so many images of `width` features and of some classes."""
    count = max(classes, min(images, _TRIED))
    random = np.random.default_rng(0)
    features = random.standard_normal((count, width), dtype=np.float32)
    targets = np.arange(count) % classes
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        LogisticRegression(C=STRENGTHS[-1], max_iter=_STEPS).fit(features, targets)
    step = (time.perf_counter() - begun) / _STEPS / count
    folds = min(FOLDS, math.ceil(JUDGED / max(1, images / FOLDS)))
    fitted = folds * len(STRENGTHS) * images * (FOLDS - 1) / FOLDS + images
    return Pace(step * _USUAL * fitted, _ERROR)
