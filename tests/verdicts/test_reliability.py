"""Calibration error, Brier score, bins and temperatures: by hand, by scikit-learn, and by what was planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from core.verdicts import reliability
from core.verdicts.predictions import wilson_interval
from core.verdicts.reliability import (
    bin_of,
    calibration_errors,
    chance_errors,
    cross_fit,
    deal_folds,
    fit_temperature,
    judge,
    reliability_bins,
    resample_weights,
    scale,
)
from tests.made_run import plant_answers

TWO = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]]))
TARGETS = np.array([0, 0, 0, 1])


def ece(confidence: np.ndarray, right: np.ndarray) -> float:
    return float(calibration_errors(confidence, right, np.ones((1, len(right))))[0])


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    confidence = np.array([0.95, 0.97, 0.55, 0.57, 0.59])
    right = np.array([True, False, True, True, True])
    # Two bins: 2 images with a mean confidence of 0.96 and half of them right, 3 with 0.57 and all of them right.
    assert ece(confidence, right) == pytest.approx(0.4 * 0.46 + 0.6 * 0.43)


def test_a_gap_up_and_a_gap_down_in_one_bin_cancel_and_in_two_do_not() -> None:
    assert ece(np.array([0.97, 0.95]), np.array([True, True])) == pytest.approx(0.04)
    assert ece(np.array([1.0, 0.5]), np.array([False, True])) == pytest.approx(0.75)


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    assert bin_of(np.array([0.0, 1 / 15, 1 / 15 + 1e-9, 0.5, 1.0])).tolist() == [0, 0, 1, 7, 14]


def test_weights_count_an_image_as_often_as_they_say() -> None:
    confidence, right = np.array([0.9, 0.5, 0.3]), np.array([True, False, True])
    (weighted,) = calibration_errors(confidence, right, np.array([[2.0, 0.0, 1.0]]))
    again = [0, 0, 2]
    assert weighted == pytest.approx(ece(confidence[again], right[again]))


def test_bins_are_those_of_scikit_learn_with_wilsons_intervals() -> None:
    log_probs, targets = plant_answers()
    judged = judge(log_probs, targets)
    table = reliability_bins(judged.confidence, judged.right)
    accuracy, confidence = calibration_curve(judged.right, judged.confidence, n_bins=15)
    assert table["accuracy"].to_numpy() == pytest.approx(accuracy)
    assert table["confidence"].to_numpy() == pytest.approx(confidence)
    assert table["count"].sum() == 400
    row = table.iloc[-1]
    assert (row["from"], row["to"]) == pytest.approx((14 / 15, 1))
    low, high = wilson_interval(row["accuracy"] * row["count"], row["count"])
    assert (row["low"], row["high"]) == pytest.approx((float(low), float(high)))


def test_the_brier_score_of_two_classes_is_twice_scikit_learns() -> None:
    judged = judge(TWO, TARGETS)
    expected = 2 * brier_score_loss(TARGETS, np.exp(TWO)[:, 1])
    assert judged.squared.mean() == pytest.approx(expected)


def test_the_brier_score_of_three_classes_is_as_by_hand() -> None:
    judged = judge(np.log(np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]])), np.array([0, 2]))
    assert judged.squared == pytest.approx([0.09 + 0.04 + 0.01, 0.49 + 0.04 + 0.81])
    assert judged.confidence == pytest.approx([0.7, 0.7])
    assert judged.right.tolist() == [True, False]
    assert judged.loss == pytest.approx([-np.log(0.7), -np.log(0.1)])


# Chance


def test_a_model_that_keeps_its_word_shows_an_error_by_chance_alone() -> None:
    log_probs, targets = plant_answers(300, sharpness=1.0)
    judged = judge(log_probs, targets)
    low, high = np.percentile(chance_errors(judged.confidence), (2.5, 97.5))
    assert 0.01 < low < ece(judged.confidence, judged.right) < high < 0.12
    sharper = judge(*plant_answers(300, sharpness=2.5))
    assert ece(sharper.confidence, sharper.right) > high


def test_draws_hold_as_many_images_and_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reliability, "_AT_ONCE", 70)  # in parts of seven draws
    parts = list(resample_weights(10, 20))
    assert [part.shape for part in parts] == [(7, 10), (7, 10), (6, 10)]
    drawn = np.concatenate(parts)
    assert (drawn.sum(axis=1) == 10).all()
    assert (drawn == np.concatenate(list(resample_weights(10, 20)))).all()
    assert len(np.unique(drawn, axis=0)) == 20


# Temperature


def test_a_temperature_divides_the_logits() -> None:
    logits = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, -1.0]])
    assert scale(log_softmax(logits, axis=1), 2.0) == pytest.approx(log_softmax(logits / 2, axis=1))
    each = scale(log_softmax(logits, axis=1), np.array([[1.0], [4.0]]))
    assert each[0] == pytest.approx(log_softmax(logits[0]))
    assert each[1] == pytest.approx(log_softmax(logits[1] / 4))


@pytest.mark.parametrize("planted", [0.4, 1.0, 2.5])
def test_a_planted_temperature_is_found(planted: float) -> None:
    assert fit_temperature(*plant_answers(8000, sharpness=planted)) == pytest.approx(planted, rel=0.04)


def test_folds_have_the_wrong_images_evenly() -> None:
    right = np.arange(103) % 10 > 0
    fold = deal_folds(right)
    assert np.bincount(fold).tolist() == [21, 21, 21, 20, 20]
    assert np.ptp(np.bincount(fold[~right])) <= 1
    assert (fold == deal_folds(right)).all()
    assert (fold != deal_folds(right, seed=1)).any()
    assert sorted(deal_folds(right[:3])) == [0, 1, 2]


def test_cross_fitting_never_sees_the_fold_it_judges() -> None:
    log_probs, targets = plant_answers(200)
    before = cross_fit(log_probs, targets)
    own = before.fold == 2
    changed = log_probs.copy()
    changed[own] = scale(log_probs[own], 5.0)  # right and wrong, and so the folds, stay
    after = cross_fit(changed, targets)
    assert (after.fold == before.fold).all()
    assert after.without[2] == before.without[2]
    assert (np.delete(after.without, 2) != np.delete(before.without, 2)).all()
    assert after.temperature != before.temperature
