"""Paired tests: against published values, statistics known in closed form, and a false alarm rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

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
    assert (result.p_value, result.difference, result.low) == (1.0, 0.0, -result.high)
    assert result.describe("one", "two") == "one and two are right and wrong on the same 10 images."


def test_a_difference_that_counts_names_the_better_run_its_interval_and_p() -> None:
    text = paired.compare_paired(*two_runs(5, 15, both=80)).describe("one", "two")
    assert text.startswith("**two** is better than one: +10.0 points, 95 % interval ")
    assert "p = 0.041 (only one is right on 5 and only two on 15 of 100 images)" in text


def test_the_better_run_s_interval_is_told_from_its_side() -> None:
    turned = paired.test_of_counts(100, 15, 5)
    straight = paired.test_of_counts(100, 5, 15)
    assert turned.describe("one", "two").startswith("**one** is better than two: +10.0 points")
    assert f"interval {straight.low * 100:.1f} to {straight.high * 100:.1f}," in turned.describe("one", "two")
    assert (straight.low, straight.high) == pytest.approx((-turned.high, -turned.low))


def test_an_interval_and_its_test_say_the_same_of_all_small_counts() -> None:
    for images in (1, 3, 7, 15, 60, 300):
        for first_only in range(min(images, 16) + 1):
            for second_only in range(min(images - first_only, 16) + 1):
                test = paired.test_of_counts(images, first_only, second_only)
                assert (test.low > 0 or test.high < 0) == (test.p_value < paired.LEVEL), test
                assert -1 <= test.low <= test.difference <= test.high <= 1


def test_five_won_of_300_and_none_lost_are_no_evidence_and_the_interval_says_so_too() -> None:
    text = paired.test_of_counts(300, 0, 5).describe("one", "two")
    assert text.startswith("No evidence of a difference")
    assert "95 % interval -0.1 to 3.8, p = 0.062" in text


def test_what_is_printed_of_an_interval_and_of_p_is_rounded_to_neither_side() -> None:
    assert paired.format_bounds(0.066, 0.0004) == "0.04 to 6.6"
    assert paired.format_bounds(-0.0002, 0.034) == "-0.02 to 3.4"
    assert [paired.format_p(p) for p in (0.0414, 0.0496, 0.0504, 0.05)] == [
        "0.041",
        "0.0496",
        "0.0504",
        "0.05",
    ]


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


def test_a_corrected_p_decides_the_verdict_and_the_interval_is_called_this_pair_s_alone() -> None:
    result = paired.test_of_counts(100, 5, 15)
    assert "is better than" in result.describe("one", "two")
    text = result.describe("one", "two", p_value=0.12, comparisons=3)
    assert text.startswith("No evidence of a difference")
    assert "p = 0.12 corrected for 3 pairs (this pair alone: 95 % interval 0.3 to 20.2, p = 0.041)" in text


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
    assert (result.low, result.high) == pytest.approx((size - half, size + half), abs=0.0015)


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
    assert table.loc[1, ["low", "high"]].tolist() == pytest.approx(paired.difference_interval(3, 1, 0))
    assert paired.changes_by_class(first, first).empty


def test_few_images_prove_little() -> None:
    assert paired.difference_interval(3, 0, 3)[0] < -0.3  # three of three won
    low, high = paired.difference_interval(3, 0, 0)
    assert low == pytest.approx(-high)
    assert high > 0.5  # three that no one won may come from a set where every second is
    assert paired.difference_interval(0, 0, 0) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("lost", "won"), [(0.0, 0.02), (0.02, 0.05), (0.1, 0.1), (0.05, 0.3), (0.0, 0.9), (0.4, 0.5)]
)
@pytest.mark.parametrize("images", [3, 15, 60])
def test_the_interval_holds_the_truth_in_95_per_cent_of_all_outcomes(
    images: int, lost: float, won: float
) -> None:
    inside = 0.0  # the probability, added up over all outcomes that are worth a thought
    for first_only in range(images + 1):
        for second_only in range(images - first_only + 1):
            chance = binom.pmf(first_only, images, lost) * binom.pmf(
                second_only, images - first_only, won / (1 - lost)
            )
            if chance > 1e-6:
                low, high = paired.difference_interval(images, first_only, second_only)
                inside += chance * (low <= won - lost <= high)
    assert inside > 0.95


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
