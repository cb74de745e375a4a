"""How many requests one address may make: a bucket for each that fills again over a minute."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from core.addresses import name_house
from core.serve.refusals import Refusal
from core.words import format_count

_ADDRESSES = 10_000  # kept at a time; the one seen longest ago goes, as if it had been quiet


class Pace:
    """Counts requests by address, `most` a minute of each; 0 is without a limit. All of it in the server's one thread."""

    def __init__(self, most: int, *, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was

    def find_refusal(self, address: str) -> Refusal | None:
        """Count a request of an address; return why it is refused, None where it is let through."""
        if not self._most:
            return None
        name, now = name_house(address), self._clock()
        left, then = self._seen.pop(name, (float(self._most), now))
        left = min(float(self._most), left + (now - then) * self._most / 60)
        refused = left < 1
        self._seen[name] = (left if refused else left - 1, now)
        if len(self._seen) > _ADDRESSES:
            self._seen.popitem(last=False)
        if not refused:
            return None
        wait = str(math.ceil((1 - left) * 60 / self._most))
        return Refusal(
            429, f"This address has made {format_count(self._most, 'request')} within a minute, which is the limit.",
            f"Send it again in {wait} s, or several images in one request.", {"Retry-After": wait},
        )  # fmt: skip
