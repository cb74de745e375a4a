"""Images unlike their class: planted ones come first, and nothing is said where too few say what is usual."""

from __future__ import annotations

import numpy as np
import pytest

from core.landscape.projection import scale_rows
from core.landscape.strangers import find_nearest, rate_strangers


def plant(*, wide: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Return forty images of each of two classes, of which the second is more varied, as rows of length 1."""
    random = np.random.default_rng(0)
    middles = random.normal(0, 1, (2, 32))
    targets = np.repeat([0, 1], 40)
    spread = np.where(targets == 0, 0.1, wide)[:, None]
    return middles[targets] + random.normal(0, 1, (80, 32)) * spread, targets


def test_planted_strangers_are_furthest_from_their_class() -> None:
    rows, targets = plant()
    random = np.random.default_rng(1)
    rows[[3, 50]] = random.normal(0, 1, (2, 32))  # of nothing that is known
    rows[[7]] = rows[[60]]  # an image of the other class
    far = rate_strangers(scale_rows(rows), targets)
    assert set(np.argsort(-far)[:3].tolist()) == {3, 50, 7}
    assert far[[3, 50, 7]].min() > 2


def test_a_varied_class_has_no_more_of_them_than_a_plain_one() -> None:
    rows, targets = plant()
    far = rate_strangers(scale_rows(rows), targets)
    assert (far < 2).all()
    assert np.median(far[targets == 0]) == pytest.approx(1)
    assert np.median(far[targets == 1]) == pytest.approx(1)


def test_a_class_of_few_images_or_of_copies_has_none() -> None:
    random = np.random.default_rng(0)
    rows = np.concatenate([random.normal(0, 1, (3, 8)), np.ones((6, 8))])
    far = rate_strangers(scale_rows(rows), np.array([0] * 3 + [1] * 6))
    assert np.isnan(far[:3]).all()
    assert (far[3:] < 1).all()


def test_the_nearest_image_is_another_one() -> None:
    rows = scale_rows(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]))
    assert find_nearest(rows, np.array([0, 2])).tolist() == [1, 1]
