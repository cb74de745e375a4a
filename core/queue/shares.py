"""Which waiting runs have to let others pass, since their user takes as many slots as they may at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ask:
    """A waiting run by its id, the user whose it is (empty: nobody's), and how many slots it asks for."""

    id: str
    owner: str
    slots: int


def find_over(asks: Iterable[Ask], taken: Mapping[str, int], limits: Mapping[str, int]) -> frozenset[str]:
    """Return the ids of those that go beyond the limit of their user; `asks` are in the order of the line.

    `taken` has how many slots each user's running runs take, `limits` how many they may. Runs of one user keep their
    order among themselves, so that a large one is not put off for ever by small ones; one that asks for more than its user
    may ever take holds up none of the others.
    """
    used, over, full = Counter(taken), set(), set()
    for ask in asks:
        limit = limits.get(ask.owner)
        if limit is None:
            continue
        if ask.owner not in full and used[ask.owner] + ask.slots <= limit:
            used[ask.owner] += ask.slots
            continue
        over.add(ask.id)
        if ask.slots <= limit:
            full.add(ask.owner)
    return frozenset(over)
