"""Trainings that differ in their seed alone, as one set: mean and spread, and whether two sets differ by more than luck."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from core.verdicts.differences import match_images
from core.verdicts.paired import (
    LEVEL,
    POWER,
    PairedTest,
    correct_holm,
    describe_need,
    format_bounds,
    format_p,
    mcnemar_p,
    test_of_counts,
)

MOST_SPLITS = 50_000  # more ways to share out the seeds (from 10 + 9 on) are sampled instead of gone through


@dataclass(frozen=True, eq=False)
class SeedSet:
    """Models trained alike but for the seed and judged on the same images: which images each gets right, (S, N) bool.

    `loss` is their mean loss over all images in nats.
    """

    right: npt.NDArray[np.bool_]
    loss: float = 0.0

    @property
    def accuracies(self) -> npt.NDArray[np.float64]:
        """Return the accuracy (0..1) of each model, (S,)."""
        found: npt.NDArray[np.float64] = self.right.mean(axis=1)
        return found

    @property
    def mean(self) -> float:
        """Return the mean accuracy of the models, 0..1."""
        return float(self.right.mean())

    @property
    def deviation(self) -> float:
        """Return the standard deviation of the accuracies over the seeds (divisor S - 1); NaN for a single model."""
        return float(self.accuracies.std(ddof=1)) if len(self.right) > 1 else math.nan

    def describe(self) -> str:
        """Return the mean accuracy with its standard deviation in words: '84.1 ± 0.5 % of 4 seeds'."""
        if len(self.right) == 1:
            return f"{self.mean * 100:.1f} % of 1 seed"
        return f"{self.mean * 100:.1f} ± {self.deviation * 100:.1f} % of {len(self.right)} seeds"


@dataclass(frozen=True)
class SeedTest:
    """Two sets on the same images: p of the permutation test over the seeds, interval over the images.

    `low` and `high` are the 95 % interval of the second's mean accuracy less the first's (-1..1); `deviation` is the
    standard deviation over the images of that difference.
    """

    first: SeedSet
    second: SeedSet
    p_value: float
    low: float
    high: float
    deviation: float

    @property
    def images(self) -> int:
        """Return the number of images."""
        return int(self.first.right.shape[1])

    @property
    def difference(self) -> float:
        """Return the second's mean accuracy less the first's, -1..1."""
        return self.second.mean - self.first.mean

    @property
    def smallest_p(self) -> float:
        """Return the smallest p that so many seeds can give."""
        return smallest_p(len(self.first.right), len(self.second.right))

    def describe(self, first: str, second: str, *, p_value: float | None = None, comparisons: int = 1) -> str:
        """Return the verdict in words; `p_value` is the test's own corrected for so many `comparisons`.

        One is called better only where both say so: the seeds, that it is no luck of the training, and the
        interval, that it is no luck of the images.
        """
        p = self.p_value if p_value is None else p_value
        sign = 1 if self.difference >= 0 else -1
        better, worse = (second, first) if sign > 0 else (first, second)
        more, less = (self.second, self.first) if sign > 0 else (self.first, self.second)
        low = min(sign * self.low, sign * self.high)
        points = f"{abs(self.difference) * 100:+.1f} points"
        alone, corrected = (
            (" for this pair alone", f", corrected for {comparisons} pairs") if comparisons > 1 else ("", "")
        )
        figures = (
            f"95 % interval over the images {format_bounds(sign * self.low, sign * self.high)}{alone}, "
            f"p = {format_p(p)} over the seeds{corrected} ({more.describe()} against {less.describe()})"
        )
        if p < LEVEL and low > 0:
            return f"**{better}** is better than {worse}: {points}, {figures}."
        text = (
            f"No evidence of a difference between {first} and {second}: {points} for {better}, {figures}."
            if self.difference
            else f"No evidence of a difference between {first} and {second}: the same mean accuracy ({more.describe()} and {less.describe()})."
        )
        return f"{text}{self._describe_lack(p, low, comparisons)}"

    def _describe_lack(self, p: float, low: float, comparisons: int) -> str:
        """Say what would have to be more for a difference to show: seeds where they are too few, else images."""
        least = min(1.0, self.smallest_p * comparisons)
        if least >= LEVEL:
            sizes = f"{len(self.first.right)} + {len(self.second.right)} seeds"
            tests = f" and {comparisons} pairs" if comparisons > 1 else ""
            return f" With {sizes}{tests} no smaller p than {least:.2g} can come out: {seeds_needed(comparisons)} seeds each could tell."
        needed = self._images_needed()
        if low > 0 or needed is None or needed <= self.images:
            return " It may be luck in training." if p >= LEVEL else ""
        luck = (
            "It may be luck in training, or" if p >= LEVEL else "It is not luck in training, but may be luck"
        )
        return (
            f" {luck} in the images: {describe_need(needed, self.images)} would be needed to see "
            "one of this size."
        )

    def _images_needed(self) -> int | None:
        if not self.difference:
            return None
        reach = float(ndtri(1 - LEVEL / 2)) + float(ndtri(POWER))
        return math.ceil((reach * self.deviation / self.difference) ** 2)


Comparison = PairedTest | SeedTest
Pair = tuple[tuple[str, SeedSet], tuple[str, SeedSet]]  # each with its name


def make_set(tables: Sequence[pd.DataFrame]) -> SeedSet:
    """Make a set of the predictions tables of its models; images are matched by path.

    Raises:
        RunError: saying how they differ, when the tables are not of the same images with the same true classes.
    """
    return match_sets({"": tables})[""]


def match_sets(tables: Mapping[str, Sequence[pd.DataFrame]]) -> dict[str, SeedSet]:
    """Make sets of the predictions tables of their models, all over the same images in the same order.

    Raises:
        RunError: as `make_set` does.
    """
    first = next(table for members in tables.values() for table in members)
    sets = {}
    for name, members in tables.items():
        rows = []
        for table in members:
            right = (table["true"] == table["predicted"]).to_numpy(dtype=bool)
            rows.append(right[match_images(first, table)])
        sets[name] = SeedSet(np.array(rows), float(np.mean([table["loss"].mean() for table in members])))
    return sets


def compare_sets(first: SeedSet, second: SeedSet) -> Comparison:
    """Test whether two sets over the same images, in the same order, differ.

    Of a single model each it is McNemar's exact test (see `paired`), which speaks of these two models. Else it is the
    permutation test over the seeds, which speaks of the two ways to train, and the interval over the images.
    """
    if len(first.right) == len(second.right) == 1:
        return test_of_counts(first.right.shape[1], *_count_discordant(first, second))
    gains = second.right.mean(axis=0) - first.right.mean(axis=0)
    low, high = gain_interval(gains)
    deviation = float(gains.std(ddof=1)) if len(gains) > 1 else 0.0
    return SeedTest(first, second, p_of_sets(first, second), low, high, deviation)


def p_of_sets(first: SeedSet, second: SeedSet) -> float:
    """Return the p of `compare_sets`, without the interval, which takes longer."""
    if len(first.right) == len(second.right) == 1:
        return mcnemar_p(*_count_discordant(first, second))
    return permutation_p(first.right.sum(axis=1), second.right.sum(axis=1))


def _count_discordant(first: SeedSet, second: SeedSet) -> tuple[int, int]:
    one, other = first.right[0], second.right[0]
    return int((one & ~other).sum()), int((other & ~one).sum())


def permutation_p(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the two-sided p of the difference of two means: the share of all ways to split the counts that reach it.

    The values are counts of right images: whole numbers add up without rounding, so that ties are seen as such. Exact,
    and where there are more than `MOST_SPLITS` splits by so many drawn by chance.
    Source: R. A. Fisher, "The Design of Experiments" (1935), as in scipy.
    """
    one, other = np.asarray(first), np.asarray(second)
    if (
        min(len(one), len(other)) == 1
    ):  # which scipy refuses: every value of all was as likely to be the single one
        pooled, single = np.concatenate([one, other]), one[0] if len(one) == 1 else other[0]
        return min(1.0, 2 * float(min((pooled <= single).mean(), (pooled >= single).mean())))

    # The difference of the means grows with the sum of one group alone, as sizes and total are fixed.
    def add(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64], axis: int) -> npt.NDArray[np.int64]:  # noqa: ARG001
        total: npt.NDArray[np.int64] = one.sum(axis=axis)
        return total

    from scipy.stats import permutation_test  # takes half a second to load, which most do without

    found = permutation_test(
        (one, other),
        add,
        vectorized=True,
        n_resamples=MOST_SPLITS,
        batch=10_000,
        rng=np.random.default_rng(0),
    )
    return float(found.pvalue)


def smallest_p(first: int, second: int) -> float:
    """Return the smallest two-sided p that the permutation test of so many seeds against so many can give."""
    return min(1.0, 2 / math.comb(first + second, first))


def seeds_needed(comparisons: int = 1) -> int:
    """Return how many seeds each make a p below 0.05 possible after Holm's correction for so many comparisons."""
    return next(n for n in range(1, 100) if smallest_p(n, n) * comparisons < LEVEL)


def describe_power(seeds: int, comparisons: int = 1) -> str:
    """Say what so many seeds each can tell at best, before any is trained."""
    if seeds == 1:
        return (
            "With one seed each, McNemar's test can tell whether these very models differ, not whether the ways to train do: "
            f"for that, give {seeds_needed(comparisons)} seeds."
        )
    least = min(1.0, smallest_p(seeds, seeds) * comparisons)
    tests = f"{comparisons} pairs" if comparisons > 1 else "a pair"
    if least < LEVEL:
        return f"With {seeds} seeds each, the smallest p that can come out of {tests} is {least:.2g}: a difference can show."
    return (
        f"With {seeds} seeds each, no smaller p than {least:.2g} can come out of {tests}, so no difference can be called "
        f"one: {seeds_needed(comparisons)} seeds each could tell."
    )


def gain_interval(gains: npt.ArrayLike) -> tuple[float, float]:
    """Return the 95 % interval of the mean of one gain (-1..1) an image, cut at -1 and 1; (0, 0) of no image.

    It counts one image more that is won by all and one that is lost by all: what a few images have not shown is not
    thereby impossible. Source: D. G. Bonett, R. M. Price, "Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data" (2012), for gains that also lie between -1, 0 and 1.
    """
    values = np.asarray(gains, dtype=float)
    if not len(values):
        return 0.0, 0.0
    count = len(values) + 2
    mean = float(values.sum()) / count
    variance = (float((values**2).sum()) + 2) / count - mean**2
    half = float(ndtri(1 - LEVEL / 2)) * math.sqrt(variance / count)
    return max(-1.0, mean - half), min(1.0, mean + half)


def rank_sets(sets: Mapping[str, SeedSet]) -> list[str]:
    """Return the names of sets by their mean accuracy, the best first; ties go to the lower loss."""
    return sorted(sets, key=lambda name: (-sets[name].mean, sets[name].loss))


def compare_with_best(sets: Mapping[str, SeedSet]) -> list[str]:
    """Return a verdict in words on the best set against each of the others.

    p is corrected for all pairs there are, not only for those told: which set is the best was found by looking at all
    of them.
    """
    return describe_pairs(*pairs_with_best(sets))


def pairs_with_best(sets: Mapping[str, SeedSet]) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs of each set with the best, and all other pairs."""
    best, *others = [(name, sets[name]) for name in rank_sets(sets)]
    return [(other, best) for other in others], list(combinations(others, 2))


def describe_pairs(told: Sequence[Pair], untold: Sequence[Pair] = ()) -> list[str]:
    """Return the verdicts on pairs of named sets in words, p corrected by Holm's method for all, told and untold."""
    tests = [compare_sets(first, second) for (_, first), (_, second) in told]
    p_values = [test.p_value for test in tests] + [p_of_sets(one, other) for (_, one), (_, other) in untold]
    return [
        test.describe(first, second, p_value=p_value, comparisons=len(p_values))
        for test, ((first, _), (second, _)), p_value in zip(tests, told, correct_holm(p_values), strict=False)
    ]


def describe_tests(sizes: Collection[int], comparisons: int) -> str:
    """Say which tests the verdicts on sets of so many seeds are of, and what these can tell."""
    corrected = (
        f" p is corrected for all {comparisons} pairs by Holm's method, intervals are of each pair alone."
        if comparisons > 1
        else ""
    )
    mcnemar = (
        "McNemar's exact test on the images that one model gets right and the other wrong, with an interval of the "
        "difference that leaves 0 out exactly where p is below 0.05. It is about these very models; other seeds may give another result."
    )
    permutation = (
        "the exact permutation test of the mean accuracies over the seeds (is it luck in training?), with an "
        "interval of the difference over the images (is it luck in these images?). One is called better only where both "
        "say so."
    )
    if set(sizes) == {1}:
        return f"Tested by {mcnemar}{corrected}"
    single = f" Models of one seed each are compared by {mcnemar}" if list(sizes).count(1) > 1 else ""
    return f"Tested by {permutation}{single}{corrected}"
