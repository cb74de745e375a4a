"""Paired tests: against published values, statistics known in closed form, and a false alarm rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from core.errors import RunError
from core.verdicts import paired


def table_of(true: list[str], predicted: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {"path": [f"{i}.png" for i in range(len(true))], "true": true, "predicted": predicted}
    )


def two_runs(first_only: int, second_only: int, both: int = 10) -> tuple[pd.DataFrame, pd.DataFrame]:
    true = ["a"] * (first_only + second_only + both)
    first = ["a"] * first_only + ["b"] * second_only + ["a"] * both
    second = ["b"] * first_only + ["a"] * second_only + ["a"] * both
    return table_of(true, first), table_of(true, second)


@pytest.mark.parametrize(
    ("first_only", "second_only", "p_value"),
    [(5, 15, 0.0414), (15, 5, 0.0414), (1, 5, 0.2188), (0, 6, 0.03125)],
)
def test_two_runs_are_compared_by_mcnemars_exact_test(
    first_only: int, second_only: int, p_value: float
) -> None:
    result = paired.compare_paired(*two_runs(first_only, second_only))
    assert (result.first_only, result.second_only) == (first_only, second_only)
    assert result.images == first_only + second_only + 10
    assert result.p_value == pytest.approx(p_value, abs=5e-5)


def test_a_run_is_no_better_than_itself() -> None:
    result = paired.compare_paired(*two_runs(0, 0))
    assert (result.p_value, result.difference, result.low, result.high) == (1.0, 0.0, 0.0, 0.0)
    assert result.describe("one", "two") == "one and two are right and wrong on the same 10 images."


def test_a_difference_that_counts_names_the_better_run_its_interval_and_p() -> None:
    text = paired.compare_paired(*two_runs(5, 15, both=80)).describe("one", "two")
    assert text.startswith("**two** is better than one: +10.0 points, 95 % interval ")
    assert "p = 0.041 (only one is right on 5 and only two on 15 of 100 images)" in text


def test_the_better_run_s_interval_is_told_from_its_side() -> None:
    turned = paired.test_of_counts(100, 15, 5)
    straight = paired.test_of_counts(100, 5, 15)
    assert turned.describe("one", "two").startswith("**one** is better than two: +10.0 points")
    low, high = -turned.high * 100, -turned.low * 100
    assert f"interval {low:.1f} to {high:.1f}" in turned.describe("one", "two")
    assert (straight.low, straight.high) == pytest.approx((-turned.high, -turned.low), abs=0.011)


def test_a_difference_that_may_be_chance_is_called_none_and_says_how_many_images_would_tell() -> None:
    result = paired.compare_paired(*two_runs(1, 5))
    text = result.describe("one", "two")
    needed = paired.images_needed(result)
    assert needed is not None
    assert text.startswith("No evidence of a difference between one and two: +25.0 points for two")
    assert text.endswith(f"About {needed - 16} more such images would be needed to see one of this size.")


def test_a_difference_of_next_to_nothing_is_not_given_a_number_of_images() -> None:
    text = paired.test_of_counts(1240, 79, 80).describe("one", "two")
    assert text.endswith("More than a hundred times as many images would be needed to see one of this size.")


def test_a_corrected_p_decides_the_verdict() -> None:
    result = paired.test_of_counts(100, 5, 15)
    assert "is better than" in result.describe("one", "two")
    assert result.describe("one", "two", p_value=0.12).startswith("No evidence of a difference")


def test_images_are_paired_by_path_not_by_row() -> None:
    first, second = two_runs(3, 8)
    shuffled = second.sample(frac=1, random_state=0)
    assert paired.compare_paired(first, shuffled) == paired.compare_paired(first, second)


def test_runs_on_different_images_are_not_compared() -> None:
    first, second = two_runs(3, 8)
    with pytest.raises(RunError, match="validated on different images"):
        paired.compare_paired(first, second.iloc[1:])
    with pytest.raises(RunError, match="validated on different images"):
        paired.compare_paired(first, second.assign(true="c"))


def test_the_interval_is_near_the_normal_one_on_many_images() -> None:
    result = paired.test_of_counts(2000, 100, 160)
    size, discordant = 60 / 2000, 260 / 2000
    half = 1.96 * np.sqrt((discordant - size**2) / 2000)
    assert (result.low, result.high) == pytest.approx((size - half, size + half), abs=0.001)


def test_the_images_needed_give_the_power_they_promise() -> None:
    needed = paired.images_needed(paired.test_of_counts(300, 20, 32))
    assert needed is not None
    drawn = np.random.default_rng(1).multinomial(needed, (20 / 300, 32 / 300, 248 / 300), size=1000)
    found = np.mean([binomtest(int(a), int(a + b), 0.5).pvalue < 0.05 for a, b, _ in drawn])
    assert 0.74 < found < 0.86
    assert paired.images_needed(paired.test_of_counts(300, 20, 20)) is None


def test_two_equal_models_are_called_different_in_at_most_5_per_cent_of_2000_pairs() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(2000):
        difficulty = rng.beta(4, 1, 300)  # some images are harder for both
        right = rng.random((2, 300)) < difficulty
        only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
        alarms += paired.mcnemar_p(*only) < paired.LEVEL
    assert alarms <= 100


def test_p_values_are_corrected_as_holm_does() -> None:
    # The example of the R documentation's p.adjust family, by hand: 0.01·4, 0.02·3, 0.03·2, 0.04·1, never falling.
    assert paired.correct_holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert paired.correct_holm([0.6, 0.9]) == [1.0, 1.0]
    assert paired.correct_holm([]) == []


def test_changes_are_listed_by_class_with_what_was_won_and_lost() -> None:
    true = ["a"] * 4 + ["b"] * 3 + ["c"]
    first = table_of(true, ["a", "a", "b", "b", "b", "b", "b", "c"])
    second = table_of(true, ["a", "b", "a", "a", "b", "b", "a", "c"])
    table = paired.changes_by_class(first, second)
    columns = ["class", "images", "first", "second", "won", "lost"]
    assert table[columns].values.tolist() == [["a", 4, 2, 3, 2, 1], ["b", 3, 3, 2, 0, 1]]
    assert table.loc[1, ["low", "high"]].tolist() == pytest.approx(paired.change_interval(3, 1, 0))
    assert paired.changes_by_class(first, first).empty


def test_the_interval_of_a_change_is_that_of_bonett_and_price() -> None:
    # By hand: of 21 images 7 lost and 1 won; with one more of each kind 8 and 2 of 23.
    low, high = paired.change_interval(21, 7, 1)
    size, discordant = -6 / 23, 10 / 23
    half = 1.959964 * np.sqrt((discordant - size**2) / 23)
    assert (low, high) == pytest.approx((size - half, size + half))
    assert paired.change_interval(3, 0, 3)[0] < 0.5  # three of three prove little
    assert paired.change_interval(1, 0, 1)[1] == 1.0


@pytest.mark.parametrize(("images", "lost", "won"), [(3, 0.05, 0.3), (10, 0.1, 0.2), (40, 0.02, 0.1)])
def test_the_interval_of_a_change_holds_on_few_images(images: int, lost: float, won: float) -> None:
    drawn = np.random.default_rng(0).multinomial(images, (lost, won, 1 - lost - won), size=2000)
    inside = 0
    for first_only, second_only, _ in drawn:
        low, high = paired.change_interval(images, int(first_only), int(second_only))
        inside += low <= won - lost <= high
    assert inside / 2000 > 0.93


@pytest.mark.parametrize(
    ("own", "others", "sentence"),
    [
        ((30, 0, 10), (300, 5, 5), "is **real**, and there is no evidence that the others paid for it."),
        ((30, 0, 10), (300, 20, 5), "is **real**, but the others paid for it."),
        ((30, 0, 10), (300, 5, 20), "is **real**, and the others gained too."),
        ((30, 1, 3), (300, 5, 5), "**may be chance**, and there is no evidence"),
        ((30, 2, 2), (300, 5, 5), "There is **no gain** on the chosen classes."),
        ((30, 10, 0), (300, 5, 5), "The chosen classes got **worse**."),
    ],
)
def test_a_gain_is_called_real_only_when_the_test_says_so(
    own: tuple[int, int, int], others: tuple[int, int, int], sentence: str
) -> None:
    assert sentence in paired.describe_gain(paired.test_of_counts(*own), paired.test_of_counts(*others))
