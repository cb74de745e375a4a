"""Orders of very many classes: those of the whole matrix, without making it, in seconds at ten thousand."""

from __future__ import annotations

import time

import numpy as np
import pytest

from core.verdicts.many_classes import order_many
from core.verdicts.ordering import ORDERS, order_classes
from core.verdicts.predictions import count_cells


def answer(classes: int, images: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return true and predicted classes: a third of the images are taken for another class of a group of five."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, images)
    near = np.minimum(true // 5 * 5 + rng.integers(0, 5, images), classes - 1)
    return true, np.where(rng.random(images) < 0.3, near, true)


@pytest.mark.parametrize("by", ORDERS)
@pytest.mark.parametrize("classes", [1, 2, 3, 50])
def test_every_order_is_a_permutation_of_the_classes(by: str, classes: int) -> None:
    true, predicted = answer(classes, 400)
    assert sorted(order_many(true, predicted, classes, by)) == list(range(classes))


@pytest.mark.parametrize("by", ["name", "recall", "support"])
def test_it_is_the_order_of_the_whole_matrix(by: str) -> None:
    true, predicted = answer(60, 500)
    assert (order_many(true, predicted, 60, by) == order_classes(count_cells(true, predicted, 60), by)).all()


def test_by_similarity_classes_that_are_confused_stand_together() -> None:
    shuffled = np.random.default_rng(1).permutation(100)
    true, predicted = (shuffled[codes] for codes in answer(100, 20_000))
    places = np.argsort(order_many(true, predicted, 100, "similarity"))
    for first in range(0, 100, 5):
        group = np.sort(places[shuffled[first : first + 5]])
        assert (np.diff(group) == 1).all()


def test_the_strongest_confusions_join_first_as_in_average_linkage() -> None:
    # 0 and 1 are confused most; 2 more with 1 than 3 is with 2.
    true = np.array([0] * 10 + [1] * 10 + [2] * 10 + [3] * 10 + [4] * 10)
    predicted = np.array(
        [1] * 8 + [0] * 2 + [0] * 8 + [1] * 2 + [1] * 4 + [2] * 6 + [2] * 1 + [3] * 9 + [4] * 10
    )
    order = order_many(true, predicted, 5, "similarity").tolist()
    assert order[-1] == 4  # never confused
    assert abs(order.index(0) - order.index(1)) == 1
    assert order.index(3) in (0, 3)


def test_without_any_error_the_classes_stay_by_name() -> None:
    true = np.arange(30)
    assert order_many(true, true, 30, "similarity").tolist() == list(range(30))


def test_ten_thousand_classes_with_errors_anywhere_are_ordered_in_seconds() -> None:
    rng = np.random.default_rng(0)
    true = np.repeat(np.arange(10_000), 50)
    predicted = np.where(rng.random(len(true)) < 0.4, rng.integers(0, 10_000, len(true)), true)
    start = time.perf_counter()
    assert len(set(order_many(true, predicted, 10_000, "similarity").tolist())) == 10_000
    assert time.perf_counter() - start < 20
