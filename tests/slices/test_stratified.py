"""The test of a slice against the other images of its classes: exact, fair to weak classes, corrected for many looks."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import fisher_exact

from core.slices.stratified import SliceTest, compare_slices


def compare(right: list[int], classes: list[int], *slices: list[int], shuffles: int = 500) -> list[SliceTest]:
    rows = [np.array(rows) for rows in slices]
    return compare_slices(np.array(right, dtype=bool), np.array(classes), rows, shuffles=shuffles)


def test_of_one_class_it_is_fishers_exact_test() -> None:
    right = [0, 0, 0, 1, 1] + [1] * 8 + [0, 0]
    (found,) = compare(right, [0] * 15, [0, 1, 2, 3, 4])
    assert (found.images, found.right) == (5, 2)
    assert found.p_value == pytest.approx(fisher_exact([[3, 2], [2, 8]], alternative="greater").pvalue)
    assert found.difference == pytest.approx(2 / 5 - 8 / 10)


def test_of_several_classes_it_is_what_trying_every_order_gives() -> None:
    classes = [0] * 5 + [1] * 6 + [2] * 2 + [3]
    right = [0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    inside = [0, 1, 5, 6, 11, 13]
    (found,) = compare(right, classes, inside)
    orders = product(combinations(range(5), 2), combinations(range(5, 11), 2))
    wrong = [len(set(inside) & {*one, *other, 11, 12, 13}) for one, other in orders]
    assert found.p_value == pytest.approx(np.mean(np.array(wrong) >= 5))


def test_a_slice_of_a_weak_class_is_not_accused_of_it() -> None:
    """Every image of the weak class is in the slice, and a few of the strong one: nothing speaks against the slice."""
    right = [0, 1] * 30 + [1] * 59 + [0]
    (found,) = compare(right, [0] * 60 + [1] * 60, [*range(60), *range(60, 80)])
    assert found.right == 50
    assert found.p_value == pytest.approx(1)
    assert found.difference == pytest.approx(1 - 39 / 40)


def test_what_cannot_be_compared_has_no_difference() -> None:
    (found,) = compare([0, 1, 1, 1], [0, 0, 1, 1], [0, 1])
    assert np.isnan(found.difference)
    assert (found.p_value, found.corrected) == (1, 1)
    assert np.isnan(found.unseen)


def test_without_slices_there_is_nothing_to_say() -> None:
    assert compare([0, 1], [0, 0]) == []


def test_a_single_look_is_corrected_for_nothing_and_twenty_for_what_they_add() -> None:
    rng = np.random.default_rng(1)
    right, classes = rng.random(400) < 0.8, np.arange(400) % 10
    worst = np.flatnonzero(~right)[:20]
    rows = np.concatenate([worst, np.flatnonzero(right)[:40]])
    (alone,) = compare_slices(right, classes, [rows], shuffles=4000)
    assert alone.corrected == pytest.approx(alone.p_value, abs=0.01)
    others = [rng.permutation(400)[:60] for _ in range(19)]
    first, *_ = compare_slices(right, classes, [rows, *others], shuffles=4000)
    assert first.p_value == alone.p_value
    assert 5 * first.p_value < first.corrected < 25 * first.p_value
    (again,) = compare_slices(right, classes, [rows, rows], shuffles=4000)[:1]
    assert again.corrected == pytest.approx(alone.p_value, abs=0.01)  # the same look twice is one look


def test_the_interval_of_the_difference_holds_it_nineteen_times_in_twenty() -> None:
    """With few images a class and with many: Sato's variance is for both."""
    rng = np.random.default_rng(2)
    for images, classes in ((240, 80), (1000, 5)):
        which = np.arange(images) % classes
        rows = np.arange(images // 4)
        held = 0
        for _ in range(200):
            wrong = rng.random(images) < 0.2 + 0.1 * (np.arange(images) < len(rows))
            (found,) = compare_slices(~wrong, which, [rows], shuffles=20)
            held += found.low <= -0.1 <= found.high
        assert 0.92 <= held / 200 <= 0.98
