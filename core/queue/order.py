"""The line of waiting runs: who is next, what its user changed in it, and when each will begin."""

from __future__ import annotations

import heapq
import json
import math
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import RunError, UserError
from core.files import write_text
from core.people.acting import TRAIN, needs
from core.queue.slots import Slots, read_slots, split_slots
from core.reading import read_object, take
from core.runs.jobs import list_live
from core.runs.run import Run, Status

PLACE = "queue.json"  # in a run's folder
PRIORITIES = {"high": 1, "normal": 0, "low": -1}
_MOST_BYTES = 100_000
_PATIENCE = 10.0  # seconds to wait for who has the line, which takes a moment
_LOOKED_THROUGH = 200  # runs that have ended, for how long one like them takes


@dataclass(frozen=True)
class Place:
    """What its user says of a run's turn: `since` stands for the time when it was made (seconds since the epoch)."""

    since: float = 0.0
    priority: int = 0
    held: bool = False


@dataclass(frozen=True)
class Waiting:
    """A run that waits, with its place in the line."""

    run: Run
    status: Status
    place: Place
    device: str = "auto"
    devices: int = 1

    @property
    def rank(self) -> tuple[int, float, str]:
        """Return what the line is sorted by: priority, then who waits longest."""
        return -self.place.priority, self.place.since or self.status.created, self.run.id


@dataclass(frozen=True)
class Line:
    """The runs that train here, and those that wait in the order of their turns; held ones keep their place."""

    running: tuple[tuple[Run, Status], ...]
    waiting: tuple[Waiting, ...]
    slots: Slots

    def find_free(self, device: str) -> list[str]:
        """Return the names of the slots that are free for a run with this device setting."""
        taken = [name for _, status in self.running for name in split_slots(status.slot)]
        free = [name for name in self.slots.list_names(device) if name not in taken]
        unnamed = sum(not slot for slot in taken)  # runs of an older version, which took no slot
        return free[unnamed:]

    def count_slots(self, one: Waiting) -> int:
        """Return how many slots a run takes: one a GPU that it trains on; on the CPU its processes share one."""
        return one.devices if self.slots.takes_gpus(one.device) else 1

    def list_ahead(self, run: Run) -> list[Waiting]:
        """Return the runs that take their turn before this one does, in the same slots."""
        mine = next((one for one in self.waiting if one.run == run), None)
        if mine is None:
            return []
        names = self.slots.list_names(mine.device)
        before = self.waiting[: self.waiting.index(mine)]
        return [one for one in before if not one.place.held and self.slots.list_names(one.device) == names]


class Busy(RunError):
    """Another process has the line for longer than any look at it takes."""

    def __init__(self) -> None:
        super().__init__(
            "Another process holds the queue and does not let it go. It may be suspended: let it go on, or end it."
        )


@contextmanager
def lock_line(root: Path) -> Iterator[None]:
    """Be the only one who takes a turn or changes the line until the end of the block; a crash frees it. Raises Busy."""
    lock = FileLock(root / ".queue.lock", timeout=_PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise Busy from None
    try:
        yield
    finally:
        lock.release()


def read_line(root: Path) -> Line:
    """Read the line of this machine's runs under a root."""
    return make_line(list_live(root), read_slots(root))


def make_line(found: Iterable[tuple[Run, Status]], slots: Slots) -> Line:
    """Make the line of this machine's runs among those found, with their live statuses."""
    running, waiting, here = [], [], socket.gethostname()
    for run, status in found:
        if status.host != here or status.job:  # a cluster has its own line
            continue
        if status.state == "running":
            running.append((run, status))
        elif status.state == "queued":
            needs = _read_devices(run) if slots.gpus else ("auto", 1)
            waiting.append(Waiting(run, status, read_place(run), *needs))
    return Line(tuple(running), tuple(sorted(waiting, key=lambda one: one.rank)), slots)


def read_place(run: Run) -> Place:
    """Read what its user says of a run's turn; the usual place where nothing is said, or nothing that can be read."""
    try:
        place = take(Place, read_object(run.folder / PLACE, most=_MOST_BYTES))
    except (OSError, ValueError):
        return Place()
    return place if math.isfinite(place.since) and place.priority in PRIORITIES.values() else Place()


@needs(TRAIN, "change the priority", lambda run, *_: run.id)
def set_priority(run: Run, priority: str) -> None:
    """Let a waiting run go before those of lower priority; raises RunError when it does not wait."""
    _change(run, lambda line, at: {at: replace(line[at].place, priority=PRIORITIES[priority])})


@needs(TRAIN, "hold or release", lambda run, *_: run.id)
def set_held(run: Run, held: bool) -> None:
    """Hold a waiting run back, or let it go on waiting where it was; raises RunError when it does not wait."""
    _change(run, lambda line, at: {at: replace(line[at].place, held=held)})


@needs(TRAIN, "move in the queue", lambda run, *_: run.id)
def move(run: Run, to: str) -> None:
    """Move a waiting run one place `up` or `down` in the line, or to the `first`; raises RunError when it does not wait."""

    def reorder(line: Sequence[Waiting], at: int) -> dict[int, Place]:
        last = len(line) - 1
        target = {"first": 0, "up": max(at - 1, 0), "down": min(at + 1, last)}[to]
        order = list(range(len(line)))
        order.insert(target, order.pop(at))
        # The places themselves stay; who stands in them changes. So whoever comes later is still behind all of them.
        times = _grow([line[index].rank[1] for index in range(len(line))])
        priority = line[target].place.priority
        return {
            one: replace(
                line[one].place,
                since=since,
                priority=priority if one == at else line[one].place.priority,
            )
            for one, since in zip(order, times, strict=True)
        }

    _change(run, reorder)


def _grow(times: Sequence[float]) -> list[float]:
    """Return times of a line, in which each priority begins anew, as ones that only grow, the last as it was or later."""
    grown = sorted(times)
    for index in range(1, len(grown)):
        grown[index] = max(grown[index], grown[index - 1] + 1e-3)
    return grown


def _change(run: Run, find_places: Callable[[Sequence[Waiting], int], dict[int, Place]]) -> None:
    root = run.folder.parent
    with lock_line(root):
        line = read_line(root).waiting
        at = next((index for index, one in enumerate(line) if one.run == run), None)
        if at is None:
            raise RunError(f"{run.id} does not wait for its turn: {run.read_status().state}.")
        for index, place in find_places(line, at).items():
            if place != line[index].place:
                write_text(line[index].run.folder / PLACE, json.dumps(asdict(place)) + "\n")


def forecast_starts(line: Line, ended: Iterable[tuple[Run, Status]]) -> dict[str, float]:
    """Return in how many seconds each waiting run will begin, by its id; one is left out where nobody can know.

    A run takes as long for an epoch as the last one that `ended` with the same images, network and size took. Held
    runs are left out, and so are those behind a run whose time is not known.
    """
    known = list(ended)[:_LOOKED_THROUGH]
    free: dict[str, list[float]] = {}
    starts: dict[str, float] = {}
    for one in line.waiting:
        if one.place.held:
            continue
        names = line.slots.list_names(one.device)
        kind = names[0]
        if kind not in free:
            busy = [
                s.seconds_left or _left(_expect(run, known) - s.seconds)
                for run, s in line.running
                for slot in split_slots(s.slot)
                if slot in names or not slot
            ]
            free[kind] = [0.0] * max(0, len(names) - len(busy)) + busy
            heapq.heapify(free[kind])
        # As many as there are, where it asks for more.
        taken = [heapq.heappop(free[kind]) for _ in range(min(line.count_slots(one), len(free[kind])))]
        start = taken[-1]
        if math.isfinite(start):
            starts[one.run.id] = start
        for _ in taken:
            heapq.heappush(free[kind], start + _expect(one.run, known))
    return starts


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


def _read_devices(run: Run) -> tuple[str, int]:
    """Return the kind of device a run trains on, and how many it asks for."""
    try:
        config = run.read_config()
    except UserError:
        return "auto", 1
    return config.device, config.devices
