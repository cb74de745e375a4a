"""What int8 costs: accuracy on all validation images, judged pair by pair, against size and time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.dataset.folders import Sample
from core.ship.check import Progress, make_cutter, read_batches
from core.ship.readers import Pixels, Probabilities, Shipped
from core.verdicts.paired import LEVEL, PairedTest, test_of_counts
from core.words import format_count, format_share

_SINGLE = 15  # calls with one image that are timed a side
_Answer = Callable[[Pixels], Probabilities]


@dataclass(frozen=True)
class Side:
    """One of the two files: images right, bytes, seconds for one image alone and for an image in a batch of 32.

    The seconds are the least of several calls, since other work on the machine only ever adds to them.
    """

    right: int
    size: int
    alone: float
    batched: float


@dataclass(frozen=True)
class Cost:
    """What the int8 file of a `kind` (static or dynamic) costs against fp32 on `images` validation images.

    `first_only` counts the images that only fp32 gets right, `second_only` those that only int8 does.
    """

    kind: str
    images: int
    first_only: int
    second_only: int
    fp32: Side
    int8: Side

    @property
    def test(self) -> PairedTest:
        """Return McNemar's test of the pair."""
        return test_of_counts(self.images, self.first_only, self.second_only)

    def describe(self) -> list[str]:
        """Return it in sentences, the verdict first."""
        return [self._judge(), self._describe_accuracy(), self._describe_gain()]

    def _judge(self) -> str:
        test = self.test
        if test.p_value < LEVEL and test.difference < 0:
            return f"int8 costs accuracy: {-test.difference * 100:.1f} points on validation."
        return "These validation images show no loss of accuracy by int8."

    def _describe_accuracy(self) -> str:
        right = f"fp32 has {self.fp32.right:,} and int8 {self.int8.right:,} of {format_count(self.images, 'image')} right"
        return f"{right}. {self.test.describe('fp32', 'int8').replace('**', '')}"

    def _describe_gain(self) -> str:
        share = format_share(self.int8.size / self.fp32.size)
        return (
            f"The file has {self.int8.size / 1e6:.1f} MB, {share} of the fp32 file's. On this machine an image takes "
            f"{self.int8.alone * 1000:.1f} ms alone (fp32: {self.fp32.alone * 1000:.1f} ms) and "
            f"{self.int8.batched * 1000:.1f} ms in a batch of 32 (fp32: {self.fp32.batched * 1000:.1f} ms)."
        )


def measure_cost(
    kind: str, files: tuple[Path, Path], opened: tuple[Shipped, Shipped], root: Path,
    samples: Sequence[Sample], progress: Progress,
) -> Cost | None:  # fmt: skip
    """Ask the fp32 and the int8 file about images, in turns; None when `progress(images done)` told to stop.

    Raises:
        DataError: naming an image that cannot be read.
    """
    cut = make_cutter(opened[0].contract)
    targets: list[int] = []
    found: tuple[list[np.ndarray], ...] = ([], [])
    seconds: tuple[list[float], ...] = ([], [])
    alone = (0.0, 0.0)
    for batch, images in read_batches(root, samples):
        pixels = cut(images)
        if not targets:
            alone = _time_alone([side.answer for side in opened], pixels[:1])
            for side in opened:
                side.answer(pixels)  # the first time costs more than any later one
        for side, answers, times in zip(opened, found, seconds, strict=True):
            begun = time.perf_counter()
            answers.append(side.answer(pixels).argmax(1))
            times.append((time.perf_counter() - begun) / len(batch))
        targets += [sample.target for sample in batch]
        if not progress(len(targets)):
            return None
    rights = [np.concatenate(answers) == np.array(targets) for answers in found]
    sides = [
        Side(int(right.sum()), file.stat().st_size, single, min(times))
        for right, file, single, times in zip(rights, files, alone, seconds, strict=True)
    ]
    first_only, second_only = int((rights[0] & ~rights[1]).sum()), int((rights[1] & ~rights[0]).sum())
    return Cost(kind, len(targets), first_only, second_only, *sides)


def _time_alone(answers: Sequence[_Answer], pixels: Pixels) -> tuple[float, float]:
    """Return each side's seconds for one image, asked in turns."""
    times: list[list[float]] = [[] for _ in answers]
    for _ in range(_SINGLE):
        for answer, own in zip(answers, times, strict=True):
            begun = time.perf_counter()
            answer(pixels)
            own.append(time.perf_counter() - begun)
    return min(times[0]), min(times[1])
