"""How often a sign-in may fail: for a name and for an address, within a quarter of an hour."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from core.addresses import name_house

WINDOW = 900.0  # seconds
PER_NAME, PER_ADDRESS = 10, 30  # failures within it; many may share an address behind a proxy
_LONGEST = 100  # letters of a name that are looked at; no user has a longer one
_MOST = 10_000  # names and addresses remembered; whoever makes up names pushes out old ones, not the limit of an address


class Attempts:
    """Counts failed sign-ins; any thread may ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._failed: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def take(self, name: str, address: str) -> float:
        """Count a try, failed until `forgive`; return 0, or the seconds to wait, and then nothing is counted."""
        now = self._clock()
        limits = dict(zip(_keys(name, address), (PER_NAME, PER_ADDRESS), strict=True))
        with self._lock:
            recent = {key: [at for at in self._failed.get(key, []) if at > now - WINDOW] for key in limits}
            waits = [
                recent[key][0] + WINDOW - now for key, most in limits.items() if len(recent[key]) >= most
            ]
            if waits:
                return max(waits)
            for key, times in recent.items():
                self._failed[key] = [*times, now]
                self._failed.move_to_end(key)
            while len(self._failed) > _MOST:
                self._failed.popitem(last=False)
            return 0.0

    def forgive(self, name: str, address: str) -> None:
        """Forget a name's failures, and one try of the address: the password was right."""
        of_name, of_address = _keys(name, address)
        with self._lock:
            self._failed.pop(of_name, None)
            if times := self._failed.get(of_address):
                times.pop()


def _keys(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return what a try counts for: the name, and the address, of IPv6 all that one client can have."""
    return ("name", name[:_LONGEST].casefold()), ("address", name_house(address))
