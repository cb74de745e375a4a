"""What the search names in images made by chance: nothing where nothing is wrong, a planted fault where there is one.

The rates over a thousand such sets are in docs/slices.md; here are enough of them to fail when something breaks.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.slices.properties import list_measured
from core.slices.report import SliceReport
from core.slices.search import search_table
from tests.slices.planted import draw_judged


def search(seed: int, *, images: int, classes: int = 100, fault: float = 0.0) -> SliceReport:
    table, facts = draw_judged(np.random.default_rng(seed), images=images, classes=classes, fault=fault)
    return search_table(table, list_measured(facts), shuffles=300)


def names_darkness(report: SliceReport) -> bool:
    return any(found.title.startswith("The darkest images (") for found in report.weak)


def test_a_clean_set_accuses_nothing_nineteen_times_in_twenty() -> None:
    accused = sum(bool(search(seed, images=2000).weak) for seed in range(60))
    assert accused <= 5


def test_of_few_images_too() -> None:
    accused = sum(bool(search(seed, images=243, classes=81).weak) for seed in range(60))
    assert accused <= 5


def test_twenty_points_on_a_tenth_of_two_thousand_images_are_named() -> None:
    reports = [search(seed, images=2000, fault=0.2) for seed in range(40)]
    assert sum(map(names_darkness, reports)) >= 36
    first = reports[0].weak[0]
    assert first.low <= -0.2 <= first.high


@pytest.mark.parametrize(("images", "classes"), [(2000, 100), (243, 81)])
def test_the_difference_that_would_go_unseen_is_about_the_one_that_is_seen_four_times_in_five(
    images: int, classes: int
) -> None:
    """For a kind of middling size; this one is a tenth of the images, which is on the small side, so it is seen less often."""
    unseen = search(0, images=images, classes=classes).unseen
    assert not math.isnan(unseen)
    seen = [names_darkness(search(seed, images=images, classes=classes, fault=unseen)) for seed in range(40)]
    assert 0.4 <= np.mean(seen) <= 0.95
