"""What a run's figures say, read on as they grow: every epoch, and of very many steps every n-th, so that memory is bounded."""

from __future__ import annotations

import math
from typing import Any

from core.runs.run import Run
from core.stored.metric_rows import parse_rows

MOST_STEPS = 40_000  # steps kept; twenty times what a curve shows
BLOCK = 16_000_000  # bytes that are looked at at a time: longer than any line of ours
STEP_COLUMNS = ["step", "epoch", "loss", "acc", "lr"]
EPOCH_COLUMNS = [
    "epoch",
    "step",
    "train_loss",
    "train_acc",
    "val_loss",
    "val_acc",
    "seconds",
    "val_seconds",
    "images_per_second",
    "val_correct",  # right validation images of each class, a list
]
_EPOCHS = (b':"epoch"', b': "epoch"')  # by which a line of an epoch is known without being parsed


class Figures:
    """What was read of a run's figures so far: lists by column, of which tables are made in milliseconds.

    Where there are more than `most` steps every second one is given up, and from then on only each second, fourth, …
    line is parsed. A power of two makes those kept stay the same while a run grows, so that its curve does not tremble.
    """

    def __init__(self, run: Run, *, most: int = MOST_STEPS) -> None:
        """Begin with nothing read."""
        self._run, self._most = run, most
        self._file = 0
        self._begin()

    def _begin(self) -> None:
        self._offset, self._lines = 0, 0
        self.stride = 1
        self._numbers: list[int] = []  # the lines of the steps that are kept
        self.steps: dict[str, list[Any]] = {name: [] for name in STEP_COLUMNS}
        self.epochs: dict[str, list[Any]] = {name: [] for name in EPOCH_COLUMNS}

    def read_on(self) -> None:
        """Read the lines that are new since the last call, a block at a time; raises RunError as `Run.read_block` does."""
        try:
            found = self._run.metrics_path.stat()
            file, size = found.st_ino, found.st_size
        except FileNotFoundError:
            file, size = 0, 0
        if self._file != file or self._offset > size:  # a resume writes the file anew
            self._file = file
            self._begin()
        while True:
            block, offset = self._run.read_block(self._offset, BLOCK)
            if not block:
                return
            self._take(block)
            self._offset = offset

    def _take(self, block: bytes) -> None:
        lines, epochs = block.removesuffix(b"\n").split(b"\n"), _find_epochs(block)
        steps = self._choose_steps(len(lines))
        while len(self._numbers) + len(steps) - len(epochs.intersection(steps)) > self._most:
            self._thin_out()  # before they are parsed, which takes longest
            steps = self._choose_steps(len(lines))
        for index in sorted(epochs.union(steps)):
            number = self._lines + index
            for row in parse_rows((lines[index],)):
                if row["kind"] == "epoch":
                    _append(self.epochs, row)
                elif not number % self.stride:
                    _append(self.steps, row)
                    self._numbers.append(number)
        self._lines += len(lines)

    def _choose_steps(self, count: int) -> range:
        return range(-self._lines % self.stride, count, self.stride)

    def _thin_out(self) -> None:
        self.stride *= 2
        kept = [place for place, number in enumerate(self._numbers) if not number % self.stride]
        self._numbers = [self._numbers[place] for place in kept]
        self.steps = {name: [column[place] for place in kept] for name, column in self.steps.items()}


def _find_epochs(block: bytes) -> set[int]:
    """Return which lines of a block, from 0, are those of an epoch."""
    found = set()
    for mark in _EPOCHS:
        line, seen, at = 0, 0, block.find(mark)
        while at >= 0:
            line, seen = line + block.count(b"\n", seen, at), at
            found.add(line)
            at = block.find(mark, at + len(mark))
    return found


def read_figures(run: Run) -> Figures:
    """Return all figures of a run; raises RunError as `Run.read_block` does."""
    figures = Figures(run)
    figures.read_on()
    return figures


def _append(columns: dict[str, list[Any]], row: dict[str, Any]) -> None:
    for name, column in columns.items():
        column.append(row.get(name, math.nan))
