"""How long one of many equal pieces of work takes, from when each of the first ones was done."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import pairwise

# What a few pieces cannot tell of all: other work on the machine, a processor that gets warm, a disk that has to be read.
UNSEEN = 0.1
_LONE = 0.25  # the error where the pieces are too few to differ
_ENOUGH = 20  # pieces
_STEADY = 0.05  # of so small an error there is no need to know more


@dataclass(frozen=True)
class Pace:
    """The seconds of one piece, and by what share of them that may be off."""

    seconds: float
    error: float


class Stopwatch:
    """Notes when pieces of work are done; begun when it is made."""

    def __init__(self, now: float) -> None:
        self._marks = [(0, now)]

    def mark(self, done: int, now: float) -> None:
        """Note that so many pieces are done."""
        self._marks.append((done, now))

    def has_enough(self, budget: float) -> bool:
        """Tell whether a pace can be read: some pieces are done, and the seconds of the budget are over or all are alike."""
        if len(self._marks) < 2:
            return False
        if self._marks[-1][1] - self._marks[0][1] >= budget:
            return True
        return len(self._marks) > _ENOUGH and self.read().error <= UNSEEN + _STEADY

    def read(self) -> Pace:
        """Return the pace without the first third, which finds caches empty and queues full; of one piece it is all there is."""
        marks = self._marks
        if len(marks) > 2:
            marks = marks[max(1, len(marks) // 3) :] if len(marks) > 3 else marks[1:]
        (first, begun), (last, ended) = marks[0], marks[-1]
        seconds = (ended - begun) / (last - first)
        each = [(later - now) / (after - before) for (before, now), (after, later) in pairwise(marks)]
        if len(each) < 3:
            return Pace(seconds, UNSEEN + _LONE)
        spread = 2 * statistics.stdev(each) / math.sqrt(len(each)) / max(seconds, 1e-9)
        return Pace(seconds, UNSEEN + min(spread, 1.0))


def mix_paces(one: Pace, other: Pace, share: float) -> Pace:
    """Return the pace between two, `share` (0..1) of the way from one to the other."""
    seconds = one.seconds + share * (other.seconds - one.seconds)
    return Pace(seconds, max(one.error, other.error))
