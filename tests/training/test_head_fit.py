"""The head fitted to convergence on features."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from core.training.head_fit import FOLDS, STRENGTHS, fit_head, load_head

DIMENSIONS = 12


def make_features(classes: int, each: int, *, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(classes)
    centres = 2 * random.normal(size=(classes, DIMENSIONS))
    targets = np.repeat(np.arange(classes), each)
    features = 5 + 3 * (centres[targets] + noise * random.normal(size=(len(targets), DIMENSIONS)))
    return features.astype(np.float32), targets


def go_on() -> Callable[[int, int], bool]:
    return lambda *_: True


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_layer_answers_as_the_fit_does_on_features_as_they_are(classes: int) -> None:
    features, targets = make_features(classes, 20)
    fitted = fit_head(features, targets, classes, progress=go_on())
    assert fitted is not None
    assert fitted.strength in STRENGTHS
    assert fitted.accuracy > 0.9
    head = nn.Linear(DIMENSIONS, classes)
    load_head(head, fitted)
    answers = head(torch.from_numpy(features)).argmax(1).numpy()
    assert (answers == targets).mean() > 0.95


def test_labels_by_chance_are_not_said_to_be_told_apart() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(200, DIMENSIONS)).astype(np.float32)
    targets = random.integers(0, 2, 200)
    fitted = fit_head(features, targets, 2, progress=go_on())
    assert fitted is not None
    assert fitted.accuracy < 0.65


def test_a_class_without_a_training_image_is_never_the_answer() -> None:
    features, targets = make_features(3, 10)
    kept = targets != 1
    fitted = fit_head(features[kept], targets[kept], 3, progress=go_on())
    assert fitted is not None
    logits = features @ fitted.weight.T + fitted.bias
    assert set(logits.argmax(1)) == {0, 2}


def test_one_image_a_class_is_fitted_without_folds() -> None:
    features, targets = make_features(4, 1, noise=0)
    fitted = fit_head(features, targets, 4, progress=go_on())
    assert fitted is not None
    assert np.isnan(fitted.accuracy)
    assert ((features @ fitted.weight.T + fitted.bias).argmax(1) == targets).all()


def test_images_that_count_more_are_answered_rather() -> None:
    features, targets = make_features(2, 100, noise=4)
    plain = fit_head(features, targets, 2, progress=go_on())
    heavy = fit_head(features, targets, 2, weights=np.where(targets == 1, 9.0, 1.0), progress=go_on())
    assert plain is not None
    assert heavy is not None

    def recall(fit: object) -> float:
        answers = (features @ fit.weight.T + fit.bias).argmax(1)  # type: ignore[attr-defined]
        return float((answers == 1)[targets == 1].mean())

    assert recall(heavy) > recall(plain)


def test_it_tells_how_far_it_is_and_ends_when_it_is_told_to() -> None:
    features, targets = make_features(3, 10)
    told: list[tuple[int, int]] = []
    assert fit_head(features, targets, 3, progress=lambda *step: bool(told.append(step))) is None
    fits = FOLDS * len(STRENGTHS) + 1
    assert told == [(1, fits)]
