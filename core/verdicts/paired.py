"""Two or more models on the same images: is one better, by how much, and could these images tell?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

from core.errors import RunError

LEVEL = 0.05  # a difference counts below this p
RESAMPLES = 20_000
POWER = 0.8


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same images: how many only the first and only the second gets right, and McNemar's p.

    `low` and `high` are the 95 % bootstrap interval of the second's accuracy less the first's (-1..1).
    """

    images: int
    first_only: int
    second_only: int
    p_value: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """Return the second's accuracy less the first's, -1..1."""
        return (self.second_only - self.first_only) / self.images if self.images else 0.0

    def describe(self, first: str, second: str, *, p_value: float | None = None) -> str:
        """Return the verdict in words; `p_value` replaces the test's own where it was corrected for many tests."""
        p = self.p_value if p_value is None else p_value
        if self.first_only == self.second_only == 0:
            return f"{first} and {second} are right and wrong on the same {self.images} images."
        only = (
            f"only {first} is right on {self.first_only} and only {second} on {self.second_only} "
            f"of {self.images} images"
        )
        sign = 1 if self.difference >= 0 else -1
        better, worse = (second, first) if sign > 0 else (first, second)
        bounds = sorted((sign * self.low * 100, sign * self.high * 100))
        figures = f"95 % interval {bounds[0]:.1f} to {bounds[1]:.1f}, p = {p:.2g}"
        points = f"{abs(self.difference) * 100:+.1f} points"
        if p < LEVEL:
            return f"**{better}** is better than {worse}: {points}, {figures} ({only})."
        needed = images_needed(self)
        more = (
            f" {describe_need(needed, self.images).capitalize()} would be needed to see one of this size."
            if needed is not None and needed > self.images
            else ""
        )
        return f"No evidence of a difference between {first} and {second}: {points} for {better}, {figures} ({only}).{more}"


def describe_need(needed: int, images: int) -> str:
    """Return in words what it takes to see a difference for which `needed` images are needed where there are `images`."""
    if needed > 100 * images:
        return "more than a hundred times as many images"
    return f"about {needed - images:,} more such images"


def compare_paired(first: pd.DataFrame, second: pd.DataFrame) -> PairedTest:
    """Test whether two predictions tables of the same images differ in accuracy, by McNemar's exact test.

    Raises:
        RunError: when the tables are not of the same images with the same true classes.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions" (1947); exact
    as the two-sided binomial test of the discordant images.
    """
    both = pair_tables(first, second)
    right = (both["predicted_first"] == both["true"]), (both["predicted_second"] == both["true"])
    return test_of_counts(len(both), int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum()))


def test_of_counts(images: int, first_only: int, second_only: int) -> PairedTest:
    """Return the test of `images` of which so many only one of two models gets right."""
    p_value = mcnemar_p(first_only, second_only)
    return PairedTest(images, first_only, second_only, p_value, *_bootstrap(images, first_only, second_only))


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Return McNemar's exact two-sided p of the images that only one of two models gets right; 1 where there are none."""
    discordant = first_only + second_only
    return float(binomtest(min(first_only, second_only), discordant, 0.5).pvalue) if discordant else 1.0


def _bootstrap(images: int, first_only: int, second_only: int) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the difference of two accuracies on the same images.

    To draw images again with replacement is to draw the three kinds of image from a multinomial distribution.
    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
    """
    if not images:
        return 0.0, 0.0
    shares = np.array([first_only, second_only, images - first_only - second_only]) / images
    drawn = np.random.default_rng(0).multinomial(images, shares, size=RESAMPLES)
    low, high = np.percentile((drawn[:, 1] - drawn[:, 0]) / images, (2.5, 97.5))
    return float(low), float(high)


def changes_by_class(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each class that changed: class, images, first and second (right of them), won, lost, low, high.

    Won are the images that only the second gets right, lost those that only the first does; `low` and `high` are the
    interval of the class's change (`change_interval`). Most change first.

    Raises:
        RunError: as `compare_paired` does.
    """
    both = pair_tables(first, second)
    before, after = both["predicted_first"] == both["true"], both["predicted_second"] == both["true"]
    columns = {
        "images": True,
        "first": before,
        "second": after,
        "won": ~before & after,
        "lost": before & ~after,
    }
    table = both[["true"]].assign(**columns).groupby("true", sort=False).sum().reset_index()
    table = table.rename(columns={"true": "class"})
    changed = table[(table["won"] > 0) | (table["lost"] > 0)]
    bounds = [change_interval(row.images, row.lost, row.won) for row in changed.itertuples()]
    changed = changed.assign(low=[low for low, _ in bounds], high=[high for _, high in bounds])
    order = (changed["second"] - changed["first"]).abs().sort_values(ascending=False, kind="stable").index
    return changed.loc[order].reset_index(drop=True)


def change_interval(images: int, first_only: int, second_only: int) -> tuple[float, float]:
    """Return the 95 % interval (-1..1) of the second's accuracy less the first's on few images, such as one class's.

    The bootstrap fails there: with all of three images won it is sure of 100 points. This adds one image to each kind
    of change. Source: D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data" (2012).
    """
    won, lost = (second_only + 1) / (images + 2), (first_only + 1) / (images + 2)
    half = float(norm.ppf(0.975)) * math.sqrt((won + lost - (won - lost) ** 2) / (images + 2))
    return max(-1.0, won - lost - half), min(1.0, won - lost + half)


def describe_gain(own: PairedTest, others: PairedTest) -> str:
    """Say in a sentence whether what specialising won on its classes is real, and whether the other classes paid."""
    paid = "and there is no evidence that the others paid for it"
    if others.p_value < LEVEL:
        paid = "and the others gained too" if others.difference > 0 else "but the others paid for it"
    if own.difference <= 0:
        real = own.p_value < LEVEL
        return "The chosen classes got **worse**." if real else "There is **no gain** on the chosen classes."
    if own.p_value < LEVEL:
        return f"The gain on the chosen classes is **real**, {paid}."
    return f"The gain on the chosen classes **may be chance**, {paid}."


def pair_tables(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Join two predictions tables of the same images; columns but path and true get _first and _second.

    Raises:
        RunError: when the tables are not of the same images with the same true classes.
    """
    both = first.merge(second, on=["path", "true"], suffixes=("_first", "_second"))
    if not len(both) == len(first) == len(second):
        raise RunError(
            "They were validated on different images, so their accuracies say nothing of each other."
        )
    return both


def images_needed(test: PairedTest) -> int | None:
    """Return how many images would show a difference of this size at p < 0.05 four times in five; None for none.

    Source: R. J. Connor, "Sample size for testing differences in proportions for the paired-sample design" (1987).
    """
    if not test.images or not test.difference:
        return None
    discordant = (test.first_only + test.second_only) / test.images
    size = abs(test.difference)
    alpha, beta = float(norm.ppf(1 - LEVEL / 2)), float(norm.ppf(POWER))
    root = math.sqrt(max(0.0, discordant - size**2))
    return math.ceil(((alpha * math.sqrt(discordant) + beta * root) / size) ** 2)


def correct_holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for testing many pairs at once, in their order.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure" (1979).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = running
    return corrected
