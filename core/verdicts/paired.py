"""Two or more models on the same images: is one better, by how much, and could these images tell?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import bdtr, betaincinv, ndtr, ndtri

from core.errors import RunError
from core.words import format_count

LEVEL = 0.05  # a difference counts below this p
POWER = 0.8
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PairedTest:
    """Two models on the same images: how many only the first and only the second gets right, and McNemar's p.

    `low` and `high` are the 95 % interval of the second's accuracy less the first's (-1..1): see `difference_interval`.
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

    def describe(self, first: str, second: str, *, p_value: float | None = None, comparisons: int = 1) -> str:
        """Return the verdict in words; `p_value` is the test's own corrected for so many `comparisons`."""
        p = self.p_value if p_value is None else p_value
        if self.first_only == self.second_only == 0:
            return (
                f"{first} and {second} are right and wrong on the same {format_count(self.images, 'image')}."
            )
        only = (
            f"only {first} is right on {self.first_only} and only {second} on {self.second_only} "
            f"of {format_count(self.images, 'image')}"
        )
        sign = 1 if self.difference >= 0 else -1
        better, worse = (second, first) if sign > 0 else (first, second)
        figures = (
            f"95 % interval {format_bounds(sign * self.low, sign * self.high)}, p = {format_p(self.p_value)}"
        )
        if comparisons > 1:
            figures = f"p = {format_p(p)} corrected for {comparisons} pairs (this pair alone: {figures})"
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


def format_bounds(one: float, other: float) -> str:
    """Return the ends of an interval of a difference (-1..1) in points, the lower first; no end is rounded to 0."""
    return " to ".join(
        f"{end:.1f}" if abs(end) >= 0.05 or not end else f"{end:.1g}"
        for end in sorted((100 * one, 100 * other))
    )


def format_p(p_value: float) -> str:
    """Return p with two digits, or as many more as keep it off the level that it did not reach or fell below."""
    digits = next(n for n in range(2, 17) if n == 16 or float(f"{p_value:.{n}g}") != LEVEL)
    return f"{p_value:.{digits}g}"


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
    low, high = difference_interval(images, first_only, second_only)
    return PairedTest(images, first_only, second_only, p_value, low, high)


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Return McNemar's exact two-sided p of the images that only one of two models gets right; 1 where there are none."""
    return min(1.0, 2 * float(bdtr(min(first_only, second_only), first_only + second_only, 0.5)))


@lru_cache(maxsize=4096)  # the classes of a table come to few different counts
def difference_interval(images: int, first_only: int, second_only: int) -> tuple[float, float]:
    """Return the 95 % interval (-1..1) of the second's accuracy less the first's on the same images, many or few.

    It leaves 0 out exactly where McNemar's exact p is below 0.05. The difference is the share of images that only one
    gets right, times twice the second's share of these less 1. Both shares have exact intervals; the errors of both at
    once are spread over the two in every proportion, and the least and the most that comes of it are the ends. All of it
    on the second share is the interval that McNemar's test inverts, which is why the two agree.

    Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial" (1934), combined as R. G. Newcombe, "Propagating imprecision: combining confidence intervals from
    independent sources" (2011), does.
    """
    if not images:
        return 0.0, 0.0
    discordant = first_only + second_only
    angle = np.linspace(0, np.pi / 2, 91)
    reach = float(ndtri(1 - LEVEL / 2))
    least, most = _share_interval(discordant, images, ndtr(-reach * np.cos(angle)))
    low, high = (
        2 * end - 1 for end in _share_interval(second_only, discordant, ndtr(-reach * np.sin(angle)))
    )
    return (
        float(np.minimum(least * low, most * low).min()),
        float(np.maximum(least * high, most * high).max()),
    )


def _share_interval(count: int, total: int, tail: Floats) -> tuple[Floats, Floats]:
    """Return Clopper and Pearson's limits of a share of which `count` of `total` were seen, at each `tail` probability."""
    low = betaincinv(count, total - count + 1, tail) if count else np.zeros_like(tail)
    high = betaincinv(count + 1, total - count, 1 - tail) if count < total else np.ones_like(tail)
    return low, high


def changes_by_class(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each class that changed: class, images, first and second (right of them), won, lost, low, high.

    Won are the images that only the second gets right, lost those that only the first does; `low` and `high` are the
    interval of the class's change (`difference_interval`). Most change first.

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
    bounds = [difference_interval(row.images, row.lost, row.won) for row in changed.itertuples()]
    changed = changed.assign(low=[low for low, _ in bounds], high=[high for _, high in bounds])
    order = (changed["second"] - changed["first"]).abs().sort_values(ascending=False, kind="stable").index
    return changed.loc[order].reset_index(drop=True)


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
    shared = ["path", "true"]
    one, two = first.reset_index(drop=True), second.reset_index(drop=True)
    if all(
        one[name].equals(two[name]) for name in shared
    ):  # as of two runs on one data set; nothing is to be sought
        rest = two.drop(columns=shared)
        return one.merge(rest, left_index=True, right_index=True, suffixes=("_first", "_second"))
    both = first.merge(second, on=shared, suffixes=("_first", "_second"))
    if not len(both) == len(first) == len(second):
        raise RunError("They were validated on different images, so their accuracies cannot be compared.")
    return both


def images_needed(test: PairedTest) -> int | None:
    """Return how many images would show a difference of this size at p < 0.05 four times in five; None for none.

    Source: R. J. Connor, "Sample size for testing differences in proportions for the paired-sample design" (1987).
    """
    if not test.images or not test.difference:
        return None
    discordant = (test.first_only + test.second_only) / test.images
    size = abs(test.difference)
    alpha, beta = float(ndtri(1 - LEVEL / 2)), float(ndtri(POWER))
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
