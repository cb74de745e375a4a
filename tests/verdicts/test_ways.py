"""Ways to predict, judged: which is surely better, in words that claim no more than the images can tell."""

from __future__ import annotations

import numpy as np
import pytest

from core.verdicts.ways import WayResult, compare_ways, describe_judges, describe_verdict, tabulate_ways

N = 400


def plant(name: str, wrong: range, seconds: float = 0.01) -> WayResult:
    right = np.ones(N, dtype=bool)
    right[list(wrong)] = False
    return WayResult(name, right, seconds)


PLAIN = plant("first, plain", range(60))


def test_a_way_that_wins_forty_images_and_loses_none_is_surely_better() -> None:
    gains = compare_ways([PLAIN, plant("flip", range(20), 0.02), plant("crops", range(58), 0.03)])
    assert [gain.is_real for gain in gains] == [True, False]
    assert gains[0].test.difference == pytest.approx(0.1)
    said = describe_verdict("first, plain", gains)
    assert said.startswith("Clearly better than first, plain: flip. It gains +10.0 points (")
    assert said.endswith("2.0 times the time an image.")


def test_where_nothing_is_sure_the_most_seen_is_told_as_chance() -> None:
    said = describe_verdict("first, plain", compare_ways([PLAIN, plant("flip", range(58))]))
    assert said.startswith(
        "No way is clearly better than first, plain. The largest gain seen is flip: +0.5 points ("
    )
    assert said.endswith("That may be chance.")
    alike = describe_verdict("first, plain", compare_ways([PLAIN, plant("flip", range(60))]))
    assert alike == "No way is clearly better than first, plain."


def test_a_way_that_loses_is_told_as_surely_worse() -> None:
    gains = compare_ways([PLAIN, plant("flip", range(120)), plant("crops", range(130))])
    assert describe_verdict("first, plain", gains) == (
        "No way is clearly better than first, plain. Clearly worse: flip; crops."
    )


def test_the_cheapest_of_several_better_ways_is_named_beside_the_best() -> None:
    gains = compare_ways([PLAIN, plant("flip", range(30), 0.02), plant("all", range(10), 0.09)])
    said = describe_verdict("first, plain", gains)
    assert "Clearly better than first, plain: all." in said
    assert "The cheapest that is clearly better is flip: +7.5 points (" in said


def test_many_ways_need_a_clearer_gain_than_one() -> None:
    lucky = plant("flip", range(6, 60))  # six won, none lost: p = 0.03 alone
    assert compare_ways([PLAIN, lucky])[0].is_real
    assert not compare_ways([PLAIN, lucky, plant("crops", range(60)), plant("all", range(60))])[0].is_real


def test_the_table_names_each_way_with_accuracy_gain_and_cost() -> None:
    head, plain, flip = tabulate_ways(PLAIN, compare_ways([PLAIN, plant("flip", range(20), 0.02)]))
    assert head.split()[:2] == ["way", "accuracy"]
    assert plain.startswith("first, plain  85.0 % (")
    assert plain.split()[-2:] == ["10.0", "1.0"]
    assert "95.0 % (" in flip
    assert "+10.0 points (" in flip
    assert flip.split()[-2:] == ["20.0", "2.0"]


def test_what_judges_is_told_with_how_far_to_trust_it() -> None:
    held = describe_judges("first", "held", 30, soup_chosen=True, unknown={})
    assert held == "Judged on 30 images that first held back. No run was trained on them or chosen by them."
    val = describe_judges(
        "first", "val", 1, soup_chosen=True, unknown={"second": "the file x.pt", "third": "the file x.pt"}
    )
    assert val.startswith("Judged on 1 validation image of first. ")
    assert "The soup was chosen on these very images" in val
    assert val.endswith("second, third came from the file x.pt, and what that model had seen is not known: if it knew these images, the figures are too high.")  # fmt: skip
    assert "soup" not in describe_judges("first", "val", 9, soup_chosen=False, unknown={})
    assert "No run is known to have been trained" in describe_judges(
        "first", "held", 9, soup_chosen=False, unknown={"first": "the run lost"}
    )
