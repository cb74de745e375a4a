"""When each waiting run will begin: the line played ahead, as its turns are taken."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from core.errors import UserError
from core.queue.order import Line, Waiting
from core.queue.shares import Ask, find_over
from core.queue.slots import split_slots
from core.runs.run import Run
from core.stored.status import Status

_LOOKED_THROUGH = 200  # runs that have ended, for how long one like them takes


@dataclass(frozen=True)
class _Busy:
    """Slots that are taken until so many seconds from now: how many of each kind, a kind being its first slot's name."""

    until: float
    kinds: Counter[str]
    owner: str
    slots: int


def forecast_starts(line: Line, ended: Iterable[tuple[Run, Status]]) -> dict[str, float]:
    """Return in how many seconds each waiting run will begin, by its id; one is left out where nobody can know.

    A run takes as long for an epoch as the last one that `ended` with the same images, network and size took. Held
    runs are left out, and so are those behind a run whose time is not known, and those that their user's limit never
    lets begin.
    """
    known = list(ended)[:_LOOKED_THROUGH]
    left = [
        one for one in line.waiting if not one.place.held and line.owners.get(one.run.id) not in line.full
    ]
    kinds = {name[0]: name for name in (line.slots.list_names(one.device) for one in left)}
    busy = [_judge_running(line, run, status, kinds, known) for run, status in line.running]
    starts: dict[str, float] = {}
    now = 0.0
    while left:
        begun = _list_next(line, left, busy, kinds)
        for one in begun:
            starts[one.run.id] = now
            kind, count = _ask_slots(line, one)
            until = now + _expect(one.run, known)
            busy.append(_Busy(until, Counter({kind: count}), line.owners.get(one.run.id, ""), count))
        left = [one for one in left if one.run.id not in starts]
        now = max(now, min((one.until for one in busy), default=math.inf))
        if not math.isfinite(now):
            break
        busy = [one for one in busy if one.until > now]
    return starts


def _judge_running(
    line: Line, run: Run, status: Status, kinds: dict[str, list[str]], known: Sequence[tuple[Run, Status]]
) -> _Busy:
    slots = split_slots(status.slot)
    # A run of an older version names no slot: it may be in any. One of the CPU may be in a slot that is no longer there.
    taken = {
        kind: sum(not slot or slot in names or slot[:3] == kind[:3] == "CPU" for slot in slots)
        for kind, names in kinds.items()
    }
    until = status.seconds_left or _left(_expect(run, known) - status.seconds)
    return _Busy(until, Counter(taken), line.owners.get(run.id, ""), len(slots))


def _list_next(
    line: Line, left: Sequence[Waiting], busy: Sequence[_Busy], kinds: dict[str, list[str]]
) -> list[Waiting]:
    """Return which runs begin now, as `turn` lets them."""
    taken: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for other in busy:
        taken += other.kinds
        used[other.owner] += other.slots
    free = {kind: len(names) - taken[kind] for kind, names in kinds.items()}
    asks = [Ask(one.run.id, line.owners.get(one.run.id, ""), line.count_slots(one)) for one in left]
    over = find_over(asks, used, line.limits)
    begun = []
    for one in left:
        if one.run.id in over:
            continue
        kind, count = _ask_slots(line, one)
        free[kind] -= count
        if free[kind] >= 0:  # else nobody behind it begins there either
            begun.append(one)
        if max(free.values()) <= 0:
            break
    return begun


def _ask_slots(line: Line, one: Waiting) -> tuple[str, int]:
    """Return the kind of slots that a run takes, and how many: all there are, where it asks for more."""
    names = line.slots.list_names(one.device)
    return names[0], min(line.count_slots(one), len(names))


def _left(seconds: float) -> float:
    """Return the seconds a run still takes by one like it; infinity where it takes longer than that one did."""
    return seconds if seconds > 0 else math.inf


def _expect(run: Run, ended: Sequence[tuple[Run, Status]]) -> float:
    """Return the seconds a run will take by one like it; infinity where there is none."""
    with suppress(UserError):
        config = run.read_config()
        like = ("data", "arch", "image_size", "preset", "head_only")
        for other, status in ended:
            if status.worked <= 0 or status.epoch <= 0:
                continue
            with suppress(UserError):
                theirs = other.read_config()
                if all(getattr(theirs, name) == getattr(config, name) for name in like):
                    return status.worked / status.epoch * config.epochs
    return math.inf
