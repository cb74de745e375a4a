"""Thresholds on the confidence: against a slow direct count, and what they buy on images that did not choose them."""

from __future__ import annotations

import numpy as np
import pytest

from core.verdicts.predictions import wilson_interval
from core.verdicts.selective import (
    Answers,
    ThresholdEffect,
    choose_threshold,
    cross_choose,
    images_to_show,
    judge_threshold,
    risk_areas,
    risk_coverage,
)

CONFIDENCE = np.array([0.9, 0.5, 0.7, 0.7, 0.95, 0.3])
RIGHT = np.array([True, False, True, False, True, True])


def area(confidence: np.ndarray, right: np.ndarray) -> float:
    return float(risk_areas(confidence, right, np.ones((1, len(right))))[0])


def random_answers(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    confidence = random.integers(1, 40, count) / 40  # with ties
    return confidence, random.random(count) < confidence


def test_the_curve_is_that_of_a_slow_count() -> None:
    confidence, right = random_answers(200)
    curve = risk_coverage(confidence, right)
    assert curve["threshold"].tolist() == sorted(set(confidence), reverse=True)
    for row in curve.itertuples():
        sure = [ok for value, ok in zip(confidence, right, strict=True) if value >= row.threshold]
        assert (row.answered, row.wrong) == (len(sure), len(sure) - sum(sure))
        assert row.coverage == pytest.approx(len(sure) / 200)
        assert row.risk == pytest.approx(1 - sum(sure) / len(sure))


def test_the_area_is_the_mean_risk_of_a_slow_count() -> None:
    confidence, right = random_answers(150)
    slow = np.mean([1 - right[confidence >= limit].mean() for limit in confidence])
    assert area(confidence, right) == pytest.approx(slow)
    assert area(np.ones(150), right) == pytest.approx(1 - right.mean())


def test_weights_count_an_image_as_often_as_they_say() -> None:
    confidence, right = random_answers(50)
    again = np.random.default_rng(1).integers(0, 50, 50)
    (weighted,) = risk_areas(confidence, right, np.bincount(again, minlength=50)[None].astype(float))
    assert weighted == pytest.approx(area(confidence[again], right[again]))


@pytest.mark.parametrize(
    ("wanted", "threshold"),
    [
        (1.0, 0.8),  # 0.95 and 0.9
        (0.75, 0.6),  # the two of 0.7 too, one of them wrong
        (4 / 6, 0.0),  # all
        (0.2, 0.0),
    ],
)
def test_the_lowest_threshold_that_is_right_often_enough_is_chosen(wanted: float, threshold: float) -> None:
    assert choose_threshold(CONFIDENCE, RIGHT, wanted) == pytest.approx(threshold)


def test_where_the_surest_is_wrong_there_may_be_no_threshold() -> None:
    assert choose_threshold(np.array([0.9, 0.5]), np.array([False, True]), 0.9) is None
    assert choose_threshold(np.array([]), np.array([], dtype=bool), 0.9) is None


def test_a_choice_has_wilsons_intervals() -> None:
    choice = ThresholdEffect(0.5, count=300, answered=200, right=190)
    assert choice.coverage == pytest.approx((2 / 3, *map(float, wilson_interval(200, 300))))
    assert choice.accuracy == pytest.approx((0.95, *map(float, wilson_interval(190, 200))))
    nothing = ThresholdEffect(0.5, count=300, answered=0, right=0).accuracy
    assert np.isnan(nothing[0])
    assert nothing[1:] == (0, 1)


def test_what_a_threshold_buys_is_judged_on_images_that_did_not_choose_it() -> None:
    """Fold 0 is always wrong and fold 1 always right: each has what the other chose, which is just the wrong thing."""
    right = np.array([False] * 5 + [True] * 5)
    confidence = np.where(right, 0.9, 0.4)
    answers = Answers(right, confidence, confidence, (~right).astype(np.int64), np.stack([confidence] * 2))
    choice = cross_choose(answers, 0.9)
    assert choice is not None
    assert choice.threshold == pytest.approx(0.65)
    assert (choice.answered, choice.right) == (5, 0)
    assert cross_choose(Answers(~right, confidence, confidence, answers.fold, answers.without), 0.9) is None


def test_a_threshold_given_is_judged_at_temperatures_fitted_without_the_image() -> None:
    right, fold = np.array([True, True, False]), np.array([0, 1, 1])
    without = np.array([[0.6, 0.1, 0.1], [0.1, 0.6, 0.4]])
    answers = Answers(right, np.array([0.9, 0.4, 0.9]), np.zeros(3), fold, without)
    assert judge_threshold(answers, 0.5) == ThresholdEffect(0.5, 3, 2, 2)
    assert judge_threshold(answers, 0.5, raw=True) == ThresholdEffect(0.5, 3, 2, 1)


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.95, 0.99])
def test_it_takes_so_many_answers_to_show_an_accuracy(wanted: float) -> None:
    needed = images_to_show(wanted)
    assert wilson_interval(needed, needed)[0] >= wanted - 1e-9
    assert wilson_interval(needed - 1, needed - 1)[0] < wanted
