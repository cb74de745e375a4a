"""Ways to predict against the plain one on the same images: what each gains, whether that is real, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.verdicts.judged_on import JudgedOn
from core.verdicts.paired import LEVEL, PairedTest, correct_holm, format_bounds, format_p, test_of_counts
from core.verdicts.predictions import wilson_interval
from core.words import format_accuracy, format_count


@dataclass(frozen=True, eq=False)
class WayResult:
    """A way to predict: which of N images it gets right, (N,) bool, and its seconds an image."""

    name: str
    right: npt.NDArray[np.bool_]
    seconds: float

    @property
    def accuracy(self) -> str:
        """Return the accuracy with its interval in words."""
        count = len(self.right)
        low, high = wilson_interval(int(self.right.sum()), count)
        return format_accuracy(float(self.right.mean()), float(low), float(high))


@dataclass(frozen=True)
class Gain:
    """What a way gains over the plain one: the test of the pair, its p corrected for all ways, and times its cost."""

    way: WayResult
    test: PairedTest
    p_value: float
    times: float

    @property
    def is_real(self) -> bool:
        """Tell whether the difference is no chance."""
        return self.p_value < LEVEL

    @property
    def points(self) -> str:
        """Return the gain in words, with the interval that its pair alone has."""
        test = self.test
        return f"{test.difference * 100:+.1f} points ({format_bounds(test.low, test.high)})"

    def describe(self) -> str:
        """Return the gain with its interval, p and cost."""
        return f"{self.points}, p = {format_p(self.p_value)}, {self.times:.1f} times the time an image"


def compare_ways(results: Sequence[WayResult]) -> list[Gain]:
    """Return what each way but the first gains over the first, by McNemar's exact test with Holm's correction."""
    plain, others = results[0], results[1:]
    tests = [
        test_of_counts(
            len(plain.right), int((plain.right & ~way.right).sum()), int((way.right & ~plain.right).sum())
        )
        for way in others
    ]
    corrected = correct_holm([test.p_value for test in tests])
    return [
        Gain(way, test, p, way.seconds / plain.seconds)
        for way, test, p in zip(others, tests, corrected, strict=True)
    ]


def describe_verdict(plain: str, gains: Sequence[Gain]) -> str:
    """Say which way is surely better than the plain one of the name `plain`, and which are surely worse."""
    better = [gain for gain in gains if gain.is_real and gain.test.difference > 0]
    worse = [gain for gain in gains if gain.is_real and gain.test.difference < 0]
    lines = []
    if better:
        best = max(better, key=lambda gain: gain.test.difference)
        lines.append(f"Clearly better than {plain}: {best.way.name}. It gains {best.describe()}.")
        cheapest = min(better, key=lambda gain: gain.times)
        if cheapest is not best:
            lines.append(
                f"The cheapest that is clearly better is {cheapest.way.name}: {cheapest.describe()}."
            )
    else:
        lines.append(f"No way is clearly better than {plain}.")
        most = max(gains, key=lambda gain: gain.test.difference)
        if most.test.difference > 0:
            lines.append(f"The largest gain seen is {most.way.name}: {most.describe()}. That may be chance.")
    if worse:
        lines.append(f"Clearly worse: {'; '.join(gain.way.name for gain in worse)}.")
    return " ".join(lines)


def describe_judges(
    first: str, judged_on: JudgedOn, images: int, *, soup_chosen: bool, unknown: Mapping[str, str]
) -> str:
    """Say which images judge, how far that is to be trusted, and what is not known of where a run came from."""
    doubts = [
        f"{', '.join(run for run, its in unknown.items() if its == origin)} came from {origin}, and what that model had seen is not known: if it knew these images, the figures are too high."
        for origin in dict.fromkeys(unknown.values())
    ]
    if judged_on == "held":
        count = format_count(images, "image")
        known = "No run is known to have been" if unknown else "No run was"
        said = [f"Judged on {count} that {first} held back. {known} trained on them or chosen by them."]
    else:
        count = format_count(images, "validation image")
        said = [
            f"Judged on {count} of {first}. Best epochs are chosen on such images, so each accuracy is a little too "
            "high. Images held back would settle it."
        ]
        if soup_chosen:
            said.append("The soup was chosen on these very images, so its gain looks too large.")
    return " ".join([*said, *doubts])


def tabulate_ways(plain: WayResult, gains: Sequence[Gain]) -> list[str]:
    """Return the lines of a table for a terminal: way, accuracy, gain, p, milliseconds an image, times the plain way's."""
    rows = [
        ("way", "accuracy (95 % interval)", "gain (95 % interval)", "p", "ms an image", "times"),
        (plain.name, plain.accuracy, "", "", f"{plain.seconds * 1000:.1f}", "1.0"),
        *(
            (
                gain.way.name,
                gain.way.accuracy,
                gain.points,
                format_p(gain.p_value),
                f"{gain.way.seconds * 1000:.1f}",
                f"{gain.times:.1f}",
            )
            for gain in gains
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
