"""Which part of a batch, and which batches of a pass, fall to each of the processes that train one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from core.recipe.rules import LEAST_A_DEVICE as LEAST

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """What a process has of a batch: the images from `start` to `end`, of which `counted` count; `whole` are all of it."""

    start: int
    end: int
    counted: int
    whole: int


@dataclass(frozen=True)
class Share:
    """The part that process `rank` (from 0) of `world` takes."""

    rank: int = 0
    world: int = 1

    def cut(self, count: int) -> Part:
        """Return this process' part of a batch of `count` images; the parts are one behind the other and as even as can be.

        Of a batch too small for all, the processes left over look at its first images too, which do not count for
        them: every process has to take part in every step.
        """
        takers = min(self.world, max(1, count // LEAST))
        if self.rank >= takers:
            return Part(0, min(LEAST, count), 0, count)
        start, end = (place * count // takers for place in (self.rank, self.rank + 1))
        return Part(start, end, end - start, count)

    def take(self, batch: Sequence[T], *, before: bool = False) -> list[T]:
        """Return this process' part of a batch; `before` puts that which stands before it, around the end, in front.

        That is the image with which the first of the part is blended by mixup and cutmix. With one process there is none.
        """
        part = self.cut(len(batch))
        front = [batch[part.start - 1]] if before and self.world > 1 else []
        return [*front, *batch[part.start : part.end]]

    def span(self, count: int) -> tuple[int, int]:
        """Return from which to before which of `count` whole batches of a pass this process takes."""
        return self.rank * count // self.world, (self.rank + 1) * count // self.world
