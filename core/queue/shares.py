"""How users share the slots: they take turns, and nobody takes more at a time than they may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ask:
    """A waiting run by its id, the user whose it is (empty: nobody's), and how many slots it asks for."""

    id: str
    owner: str
    slots: int


def take_turns(
    asks: Iterable[tuple[str, int, bool]], taken: Mapping[str, int], turns: Mapping[str, int]
) -> list[int]:
    """Return the places of waiting runs in the order of their turns: those of each user alternate with those of the others.

    `asks` are user, priority and whether it is held, of each run in the order that its user wants. Of equal priority goes
    first whose user has fewer slots and fewer runs before it, then whose user had their last turn longest ago: `turns`
    has the number of that.
    """
    before, keys = Counter(taken), []
    for place, (owner, priority, held) in enumerate(asks):
        keys.append((-priority, before[owner], turns.get(owner, 0), place))
        before[owner] += not held
    return [place for *_, place in sorted(keys)]


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


def count_to_end(slots: Sequence[int], asked: int, limit: int) -> int:
    """Return how many of a user's runs, by the slots of each, have to end at least before one more gets what it asks for."""
    ended, most = 0, sorted(slots)
    while most and sum(most) + asked > limit:
        most.pop()
        ended += 1
    return ended
