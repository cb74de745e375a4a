"""Sets of seeds: against scipy, by hand, and a false alarm rate."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from core.errors import RunError
from core.verdicts import seeds
from core.verdicts.paired import LEVEL, PairedTest
from core.verdicts.seeds import SeedSet, SeedTest


def set_of(*accuracies: int, images: int = 100) -> SeedSet:
    """Return models that are right on the first so many images."""
    return SeedSet(np.array([np.arange(images) < right for right in accuracies]))


def table_of(right: list[bool]) -> pd.DataFrame:
    predicted = ["a" if good else "b" for good in right]
    return pd.DataFrame(
        {"path": [f"{i}.png" for i in range(len(right))], "true": "a", "predicted": predicted, "loss": 1.0}
    )


def test_a_set_has_a_mean_and_the_standard_deviation_of_a_sample() -> None:
    found = set_of(80, 84, 85)
    assert found.mean == pytest.approx(0.83)
    assert found.deviation == pytest.approx(np.std([0.8, 0.84, 0.85], ddof=1))
    assert found.describe() == "83.0 ± 2.6 % of 3 seeds"
    assert math.isnan(set_of(80).deviation)
    assert set_of(80).describe() == "80.0 % of 1 seed"


def test_p_is_the_share_of_all_splits_that_reach_the_difference() -> None:
    # By hand: of the 20 splits of these six in threes only {1, 2, 3} and {1, 2, 4} add up to 7 or less.
    assert seeds.permutation_p([1, 2, 4], [3, 5, 6]) == pytest.approx(2 * 2 / 20)
    assert seeds.permutation_p([3, 5, 6], [1, 2, 4]) == pytest.approx(2 * 2 / 20)


def test_counts_that_are_alike_are_split_in_ways_that_all_count() -> None:
    assert seeds.permutation_p([8, 8], [8, 8]) == 1.0
    # Of the six splits of 1, 1, 2, 2 one reaches the difference, and its mirror.
    assert seeds.permutation_p([1, 1], [2, 2]) == pytest.approx(1 / 3)
    # As shares of 1,000 images these means tie only to the last digit of a float; as counts they tie.
    first, second = set_of(803, 807, 815, 811, images=1000), set_of(815, 803, 811, 812, images=1000)
    assert seeds.p_of_sets(first, second) == seeds.permutation_p([3, 7, 15, 11], [15, 3, 11, 12])


def test_many_seeds_are_split_by_chance_and_never_come_to_0() -> None:
    assert 0 < seeds.permutation_p(range(12), range(100, 112)) < 1e-4


def test_the_smallest_p_of_so_many_seeds_is_known_before_they_are_trained() -> None:
    assert seeds.smallest_p(3, 3) == pytest.approx(0.1)
    assert seeds.permutation_p([1, 2, 3], [4, 5, 6]) == pytest.approx(0.1)
    assert seeds.smallest_p(1, 3) == seeds.permutation_p([1], [2, 3, 4]) == pytest.approx(0.5)
    assert seeds.smallest_p(1, 1) == 1.0
    assert [seeds.seeds_needed(comparisons) for comparisons in (1, 2, 9)] == [4, 5, 6]


def test_the_interval_of_whole_gains_is_that_of_bonett_and_price() -> None:
    # By hand: of 21 images 7 lost and 1 won; with one more of each kind 8 and 2 of 23.
    size, discordant = -6 / 23, 10 / 23
    half = 1.959964 * np.sqrt((discordant - size**2) / 23)
    found = seeds.gain_interval([-1] * 7 + [1] + [0] * 13)
    assert found == pytest.approx((size - half, size + half))
    assert seeds.gain_interval([]) == (0.0, 0.0)


@pytest.mark.parametrize("images", [3, 15, 60, 300])
def test_the_interval_of_the_images_holds_the_truth_nearly_as_often_as_it_says(images: int) -> None:
    gains, shares = np.array([-1, -1 / 3, 0, 1 / 3, 1]), (0.03, 0.1, 0.64, 0.15, 0.08)
    drawn = np.random.default_rng(0).choice(gains, p=shares, size=(1000, images))
    bounds = np.array([seeds.gain_interval(row) for row in drawn])
    truth = float(gains @ shares)
    assert np.mean((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])) > 0.935


def test_one_model_each_is_compared_by_mcnemars_test() -> None:
    test = seeds.compare_sets(set_of(80), set_of(88))
    assert isinstance(test, PairedTest)
    assert (test.first_only, test.second_only) == (0, 8)


def test_a_difference_of_seeds_and_images_alike_names_the_better_with_all_its_figures() -> None:
    test = seeds.compare_sets(set_of(88, 89, 90, 91), set_of(80, 81, 80, 79))
    assert isinstance(test, SeedTest)
    text = test.describe("one", "two")
    assert text.startswith("**one** is better than two: +9.5 points, 95 % interval over the images ")
    assert text.endswith(
        "p = 0.029 over the seeds (89.5 ± 1.3 % of 4 seeds against 80.0 ± 0.8 % of 4 seeds)."
    )
    assert 0 < -test.high < 0.095 < -test.low


def test_too_few_seeds_are_told_to_be_too_few() -> None:
    test = seeds.compare_sets(set_of(60, 61, 62), set_of(90, 91, 92))
    assert isinstance(test, SeedTest)
    text = test.describe("one", "two")
    assert text.startswith("No evidence of a difference between one and two: +30.0 points for two")
    assert text.endswith("With 3 + 3 seeds no smaller p than 0.1 can come out: 4 seeds each could tell.")
    enough = seeds.compare_sets(set_of(60, 61, 62, 63), set_of(90, 91, 92, 93))
    assert isinstance(enough, SeedTest)
    told = enough.describe("one", "two", p_value=2 * enough.p_value, comparisons=2)
    assert " for this pair alone, p = 0.057 over the seeds, corrected for 2 pairs (" in told
    assert told.endswith(
        "With 4 + 4 seeds and 2 pairs no smaller p than 0.057 can come out: 5 seeds each could tell."
    )


def test_a_difference_that_a_few_images_make_asks_for_more_images() -> None:
    test = seeds.compare_sets(set_of(80, 80, 80, 80), set_of(81, 81, 81, 81))
    assert isinstance(test, SeedTest)
    assert test.p_value < LEVEL
    text = test.describe("one", "two")
    assert text.startswith("No evidence of a difference")
    assert "It is not luck in training, but may be luck in the images: about " in text


def test_the_images_asked_for_show_the_difference_four_times_in_five() -> None:
    rng = np.random.default_rng(2)
    pattern = (
        np.array([[1] * 5 + [0] * 3 + [0] * 92] * 4, dtype=bool),
        np.array([[0] * 5 + [1] * 3 + [0] * 92] * 4, dtype=bool),
    )
    test = seeds.compare_sets(SeedSet(pattern[0]), SeedSet(pattern[1]))
    assert isinstance(test, SeedTest)
    needed = test._images_needed()
    assert needed is not None
    drawn = rng.choice([1.0] * 5 + [-1.0] * 3 + [0.0] * 92, size=(2000, needed))
    z = drawn.mean(axis=1) / (drawn.std(axis=1, ddof=1) / np.sqrt(needed))
    assert 0.75 < (np.abs(z) > 1.96).mean() < 0.85


def test_sets_are_put_over_the_same_images_and_other_images_are_refused() -> None:
    first, second = table_of([True, True, False]), table_of([True, False, False])
    shuffled = second.iloc[::-1]
    sets = seeds.match_sets({"one": [first], "two": [shuffled, first]})
    assert sets["two"].right.tolist() == [[True, False, False], [True, True, False]]
    with pytest.raises(RunError, match="validated on different images"):
        seeds.make_set([first, second.iloc[1:]])


def test_sets_are_ranked_by_their_mean_and_the_best_is_tested_against_each() -> None:
    sets = {"low": set_of(60, 61), "best": set_of(90, 92), "mid": set_of(89, 91)}
    assert seeds.rank_sets(sets) == ["best", "mid", "low"]
    verdicts = seeds.compare_with_best(sets)
    assert [text.split(":")[0] for text in verdicts] == [
        "No evidence of a difference between mid and best",
        "No evidence of a difference between low and best",
    ]
    assert seeds.compare_with_best({"only": set_of(60)}) == []


def test_of_sets_as_accurate_that_of_the_lower_loss_is_the_better() -> None:
    tables = [table_of([True, False]).assign(loss=loss) for loss in (0.9, 0.4, 0.6)]
    sets = seeds.match_sets({"high": [tables[0]], "low": [tables[1]], "mid": [tables[2], tables[2]]})
    assert seeds.rank_sets(sets) == ["low", "mid", "high"]


def test_verdicts_on_the_best_are_corrected_for_all_pairs_by_holm() -> None:
    single = seeds.compare_with_best({"a": set_of(80), "b": set_of(86), "c": set_of(86)})
    assert single[0].startswith("c and b are right and wrong on the same 100 images.")
    assert "**b** is better than a" not in single[1]  # p = 0.031 of one pair is 0.094 of three
    assert "p = 0.094" in single[1]


def test_the_best_of_many_alike_is_called_better_in_at_most_5_per_cent_of_80_bake_offs() -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.beta(4, 1, (80, 1, 1, 100))
    talent = rng.normal(0, 0.02, (80, 8, 7, 1))
    right = rng.random((80, 8, 7, 100)) < difficulty + talent
    alarms = 0
    for bake_off in right:
        found = sorted(map(SeedSet, bake_off), key=lambda each: each.mean, reverse=True)
        # The likeliest verdict of all is that on the best and the last; Holm's smallest p is that times all pairs.
        alarms += seeds.p_of_sets(found[0], found[-1]) * 28 < LEVEL
    assert alarms <= 4


@pytest.mark.parametrize("count", [4, 5])
def test_sets_that_differ_by_luck_are_called_different_in_at_most_5_per_cent_of_200_pairs(count: int) -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.beta(4, 1, (200, 1, 1, 300))  # some images are harder for all
    talent = rng.normal(0, 0.02, (200, 2, count, 1))  # and some seeds luckier on all
    right = (rng.random((200, 2, count, 300)) < difficulty + talent).sum(axis=3)
    alarms = sum(seeds.permutation_p(*pair) < LEVEL for pair in right)
    assert alarms <= 10


def test_what_is_tested_is_said_as_it_is() -> None:
    assert "very models" in seeds.describe_tests([1, 1, 1], 2)
    assert seeds.describe_tests([1, 1, 1], 2).endswith("by Holm's method, intervals are of each pair alone.")
    assert "McNemar" not in seeds.describe_tests([3, 3], 1)
    assert "Holm" not in seeds.describe_tests([3, 3], 1)
    assert "Models of one seed each" in seeds.describe_tests([3, 1, 1], 3)


@pytest.mark.parametrize(
    ("count", "comparisons", "told"),
    [
        (1, 1, "McNemar's test can tell whether these very models differ"),
        (3, 1, "no smaller p than 0.1 can come out of a pair"),
        (4, 1, "the smallest p that can come out of a pair is 0.029"),
        (
            4,
            2,
            "no smaller p than 0.057 can come out of 2 pairs, so no difference can be called one: 5 seeds",
        ),
    ],
)
def test_what_so_many_seeds_can_tell_is_said_before_they_are_trained(
    count: int, comparisons: int, told: str
) -> None:
    assert told in seeds.describe_power(count, comparisons)
