"""Is a model worse on some images than on others of the same classes? An exact test, for many slices of the images at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import ndtr, ndtri

from core.verdicts.paired import LEVEL, POWER
from core.verdicts.predictions import Z95

SHUFFLES = 2000
Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SliceTest:
    """How a slice of the images does beside the other images of the same classes.

    `right` of its `images` are predicted right. `difference` (-1..1) is its accuracy less that of the others, `low` and
    `high` the 95 % interval of that; NaN where no class has both. `p_value` is of the test that the slice is no worse,
    `corrected` the same for all slices that were tested together. `unseen` (0..1) is the smallest difference that would
    be found four times in five.
    """

    images: int
    right: int
    difference: float
    low: float
    high: float
    p_value: float
    corrected: float
    unseen: float


@dataclass(frozen=True)
class _Counts:
    """The images of each class (C,) in a slice and outside it, and how many of them are wrong."""

    inside: Rows
    wrong: Rows
    outside: Rows
    wrong_outside: Rows


def compare_slices(
    right: Bools, classes: Rows, slices: Sequence[Rows], *, shuffles: int = SHUFFLES, seed: int = 0
) -> list[SliceTest]:
    """Test of each slice, given by its rows, whether fewer of its images are right than of others of their classes.

    `right` (N,) and `classes` (N,), counted from 0, are those of all images. If a slice were no worse, the wrong images
    of a class would fall on any of its images alike: the number in the slice is hypergeometric in each class, and the
    p value is that of the sum over the classes, exactly. For the many looks, the wrong images are shuffled within their
    classes: the corrected p is the share of shuffles, this order among them, in which any slice looks as bad.

    Sources: N. Mantel and W. Haenszel, "Statistical aspects of the analysis of data from retrospective studies of
    disease" (1959), in its exact form; P. H. Westfall and S. S. Young, "Resampling-based multiple testing" (1993), the
    single-step minP.
    """
    if not slices:
        return []
    wrong = ~right
    counts = [_count(rows, wrong, classes) for rows in slices]
    tails = [_find_tail(count) for count in counts]
    p_values = [float(tail[count.wrong.sum()]) for tail, count in zip(tails, counts, strict=True)]
    smallest = np.sort(_shuffle(wrong, classes, slices, tails, shuffles=shuffles, seed=seed))
    corrected = (1 + np.searchsorted(smallest, p_values, side="right")) / (shuffles + 1)
    last = max(0, math.ceil(LEVEL * (shuffles + 1)) - 2)
    level = min(LEVEL, float(smallest[last]))  # what is below it is found
    return [
        SliceTest(
            len(rows),
            len(rows) - int(count.wrong.sum()),
            *_find_difference(count),
            p_value,
            float(fair),
            _find_unseen(count, level),
        )
        for rows, count, p_value, fair in zip(slices, counts, p_values, corrected, strict=True)
    ]


def _count(rows: Rows, wrong: Bools, classes: Rows) -> _Counts:
    most = int(classes.max()) + 1
    total, total_wrong = (np.bincount(found, minlength=most) for found in (classes, classes[wrong]))
    inside = np.bincount(classes[rows], minlength=most)
    wrong_inside = np.bincount(classes[rows[wrong[rows]]], minlength=most)
    return _Counts(inside, wrong_inside, total - inside, total_wrong - wrong_inside)


def _find_tail(counts: _Counts) -> Floats:
    """Return the chance that 0 or more, 1 or more … wrong images fall into a slice."""
    images, wrong = counts.inside + counts.outside, counts.wrong + counts.wrong_outside
    free = (counts.inside > 0) & (counts.outside > 0) & (wrong > 0) & (wrong < images)
    chance = np.ones(1)
    if free.any():
        from scipy.stats import hypergeom  # takes half a second to load, which most pages and jobs do without

        most = np.minimum(counts.inside, wrong)[free]
        number = np.arange(most.max() + 1)
        each = hypergeom.pmf(number, *(n[free][:, None] for n in (images, wrong, counts.inside)))
        for row, end in zip(each, most, strict=True):
            chance = np.convolve(chance, row[: end + 1])
    tail = np.cumsum(chance[::-1])[::-1].clip(max=1.0)
    certain = int(counts.wrong[~free].sum())  # in classes that leave chance no choice
    return np.concatenate([np.ones(certain), tail])


def _shuffle(
    wrong: Bools, classes: Rows, slices: Sequence[Rows], tails: Sequence[Floats], *, shuffles: int, seed: int
) -> Floats:
    """Return the smallest p of all slices in each shuffle (B,) of the wrong images within their classes."""
    rng = np.random.default_rng(seed)
    columns = np.repeat(np.arange(len(slices)), [len(rows) for rows in slices])
    places = np.concatenate(slices), columns
    member = csr_array((np.ones(len(columns), np.float32), places), shape=(len(wrong), len(slices)))
    found = np.zeros((shuffles, len(slices)), np.float32)
    order = np.argsort(classes, kind="stable")
    for own in np.split(order, np.flatnonzero(np.diff(classes[order])) + 1):
        if not wrong[own].any():
            continue
        shuffled = rng.permuted(np.tile(wrong[own], (shuffles, 1)), axis=1).astype(np.float32)
        inside = member[own].toarray()
        touched = np.flatnonzero(inside.any(axis=0))
        found[:, touched] += shuffled @ inside[:, touched]
    smallest = np.ones(shuffles)
    for number, tail in enumerate(tails):
        np.minimum(smallest, tail[found[:, number].astype(np.intp)], out=smallest)
    return smallest


def _find_difference(counts: _Counts) -> tuple[float, float, float]:
    """Return the accuracy of a slice less that of the other images of its classes, and the 95 % interval.

    It is the mean over the classes that Mantel and Haenszel weight by how much each can tell.

    Source of the interval, which holds for few and for many images a class: T. Sato, "On the variance estimator for the
    Mantel-Haenszel risk difference", Biometrics 45 (1989).
    """
    both = (counts.inside > 0) & (counts.outside > 0)
    if not both.any():
        return math.nan, math.nan, math.nan
    n1, x1, n0, x0 = (
        counted[both].astype(float)
        for counted in (counts.inside, counts.wrong, counts.outside, counts.wrong_outside)
    )
    n = n1 + n0
    weight = float((n1 * n0 / n).sum())
    worse = float(((x1 * n0 - x0 * n1) / n).sum()) / weight
    one = ((n1**2 * x0 - n0**2 * x1 + n1 * n0 * (n0 - n1) / 2) / n**2).sum()
    other = ((x1 * (n0 - x0) + x0 * (n1 - x1)) / (2 * n)).sum()
    half = Z95 * math.sqrt(max(0.0, float(worse * one + other))) / weight
    return -worse, max(-1.0, -worse - half), min(1.0, -worse + half)


def _find_unseen(counts: _Counts, level: float) -> float:
    """Return the smallest difference that is found with a chance of POWER below the p `level`; NaN where none can be.

    The others are taken to be wrong as often as all images are now; by the normal approximation.
    """
    both = (counts.inside > 0) & (counts.outside > 0)
    n1, n0 = (counted[both].astype(float) for counted in (counts.inside, counts.outside))
    weights = n1 * n0 / (n1 + n0)
    weight = float(weights.sum())
    if not weight:
        return math.nan
    share = 1 - weight / float(n1.sum())
    base = float(np.average((counts.wrong + counts.wrong_outside)[both] / (n1 + n0), weights=weights))
    worse = np.arange(0.005, 1 - base, 0.005)
    there, together = base + worse, base + share * worse
    by_chance = np.sqrt(weight * together * (1 - together))
    spread = np.sqrt(weight * ((1 - share) * there * (1 - there) + share * base * (1 - base)))
    seen = ndtr((worse * weight + ndtri(level) * by_chance) / spread) >= POWER
    return float(worse[seen.argmax()]) if seen.any() else math.nan
