"""The line of waiting runs: who is next, who has to let others pass, and what its user changed in it."""

from __future__ import annotations

import json
import math
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import RunError, UserError
from core.files import write_text
from core.people.acting import ADMINISTER, TRAIN, NotAllowed, needs, refusal_of
from core.people.limits import find_full, read_slot_limits
from core.people.owner import is_own, read_owner
from core.queue.shares import Ask, find_over, take_turns
from core.queue.slots import Slots, read_slots, split_slots
from core.reading import read_object, take
from core.runs.claim import told_when_gone
from core.runs.jobs import list_live
from core.runs.run import Run
from core.stored.status import Status

PLACE = "queue.json"  # in a run's folder
TURNS = ".turns.json"  # beside the runs: which turn each user had last, by number
PRIORITIES = {"high": 1, "normal": 0, "low": -1}
_MOST_BYTES = 100_000
_PATIENCE = 10.0  # seconds to wait for who has the line, which takes a moment


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
        """Return what the runs of one user are sorted by: priority, then which waits longest."""
        return -self.place.priority, self.place.since or self.status.created, self.run.id


@dataclass(frozen=True)
class Line:
    """The runs that train here, and those that wait in the order of their turns; held ones keep their place.

    `owners` has the user of each of these runs by its id, empty for nobody's, and `limits` the slots that a user may
    take at a time, where there is such a limit. `full` says of users whose disk limit is reached what they use.
    """

    running: tuple[tuple[Run, Status], ...]
    waiting: tuple[Waiting, ...]
    slots: Slots
    owners: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    full: Mapping[str, str] = field(default_factory=dict)

    def find_free(self, device: str) -> list[str]:
        """Return the names of the slots that are free for a run with this device setting."""
        taken = [name for _, status in self.running for name in split_slots(status.slot)]
        free = [name for name in self.slots.list_names(device) if name not in taken]
        unnamed = sum(not slot for slot in taken)  # runs of an older version, which took no slot
        if self.slots.takes_gpus(device):
            return free[unnamed:]
        # After the user has lowered the number, some may train in slots that there are no longer.
        room = self.slots.cpu - sum(not name.startswith("GPU ") for name in taken)
        return free[unnamed:][: max(0, room)]

    def count_slots(self, one: Waiting) -> int:
        """Return how many slots a run takes: one a GPU that it trains on; on the CPU its processes share one."""
        return one.devices if self.slots.takes_gpus(one.device) else 1

    def count_taken(self) -> Counter[str]:
        """Return how many slots the running runs of each user take."""
        taken: Counter[str] = Counter()
        for run, status in self.running:
            taken[self.owners.get(run.id, "")] += len(split_slots(status.slot))
        return taken

    def is_shared(self) -> bool:
        """Tell whether runs of several users, or of one and of nobody, train or wait here."""
        return len(set(self.owners.values())) > 1

    def find_over(self) -> frozenset[str]:
        """Return the ids of the waiting runs that a limit of their user holds back, of the slots or of the disk."""
        asks = [
            Ask(one.run.id, self.owners.get(one.run.id, ""), self.count_slots(one))
            for one in self.waiting
            if not one.place.held
        ]
        full = {ask.id for ask in asks if ask.owner in self.full}
        return find_over(asks, self.count_taken(), self.limits) | full

    def list_own(self, mine: Waiting) -> list[Ask]:
        """Return the runs of the same user that train, or that wait and come before this one, with their slots."""
        owner = self.owners[mine.run.id]
        limit = self.limits[owner]
        before = [one for one in self.waiting[: self.waiting.index(mine)] if not one.place.held]
        slots = {run.id: len(split_slots(status.slot)) for run, status in reversed(self.running)}
        # One that asks for more than its user may ever take holds up no other.
        slots |= {one.run.id: count for one in before if (count := self.count_slots(one)) <= limit}
        return [Ask(id, owner, count) for id, count in slots.items() if self.owners.get(id) == owner]

    def list_ahead(self, run: Run) -> list[Waiting]:
        """Return the runs that take their turn before this one does, in the same slots."""
        mine = next((one for one in self.waiting if one.run == run), None)
        if mine is None:
            return []
        names, over = self.slots.list_names(mine.device), self.find_over()
        before = self.waiting[: self.waiting.index(mine)]
        return [
            one
            for one in before
            if not one.place.held and one.run.id not in over and self.slots.list_names(one.device) == names
        ]


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


def read_line(root: Path, full: Mapping[str, str] | None = None) -> Line:
    """Read the line of this machine's runs under a root; the users at their disk limit are measured where not given.

    That may take long, so who has locked the line gives those that were measured before.
    """
    return make_line(list_live(root), read_slots(root), full)


def make_line(
    found: Iterable[tuple[Run, Status]], slots: Slots, full: Mapping[str, str] | None = None
) -> Line:
    """Make the line of this machine's runs among those found, with their live statuses; `full` is as for `read_line`.

    A run that was asked to end stands in no line, though its own job takes a moment to see that.
    """
    running, waiting, here = [], [], socket.gethostname()
    for run, status in found:
        if status.host != here or status.job:  # a cluster has its own line
            continue
        if status.state == "running":
            running.append((run, status))
        elif status.state == "queued" and not run.requested_state():
            asked = _read_devices(run) if slots.gpus else ("auto", 1)
            waiting.append(Waiting(run, status, read_place(run), *asked))
    waiting.sort(key=lambda one: one.rank)
    owners = {
        run.id: read_owner(run.folder)
        for run in (*(run for run, _ in running), *(one.run for one in waiting))
    }
    line = Line(tuple(running), tuple(waiting), slots, owners, read_slot_limits())
    if not waiting:
        return line
    root = waiting[0].run.folder.parent
    if full is None:
        full = find_full({owners[one.run.id] for one in waiting}, root)
    line = replace(line, full=full)
    if not line.is_shared():
        return line
    asks = [(owners[one.run.id], one.place.priority, one.place.held) for one in waiting]
    order = take_turns(asks, line.count_taken(), _read_turns(root))
    return replace(line, waiting=tuple(waiting[place] for place in order))


def keep_turn(root: Path, line: Line, run: Run) -> None:
    """Keep that the user of a run had a turn, where there are others to wait for; called by who has locked the line."""
    if line.is_shared():
        known = _read_turns(root)
        known[line.owners.get(run.id, "")] = max(known.values(), default=0) + 1
        write_text(root / TURNS, json.dumps(known) + "\n")


def _read_turns(root: Path) -> dict[str, int]:
    try:
        found = read_object(root / TURNS, most=_MOST_BYTES)
    except (OSError, ValueError):
        return {}
    return {owner: turn for owner, turn in found.items() if type(turn) is int}


def read_place(run: Run) -> Place:
    """Read what its user says of a run's turn; the usual place where nothing is said, or nothing that can be read."""
    try:
        place = take(Place, read_object(run.folder / PLACE, most=_MOST_BYTES))
    except (OSError, ValueError):
        return Place()
    return place if math.isfinite(place.since) and place.priority in PRIORITIES.values() else Place()


def role_to_place(run: Run, *_: object) -> str:
    """Return the role that it takes to change a run's turn: less for one's own."""
    return TRAIN if is_own(run.folder) else ADMINISTER


def _role_to_prefer(run: Run, priority: str) -> str:
    return ADMINISTER if priority == "high" else role_to_place(run)  # it goes before the runs of all others


@needs(_role_to_prefer, "change the priority", lambda run, *_: run.id)
def set_priority(run: Run, priority: str) -> None:
    """Let a waiting run go before those of lower priority, whosever they are; raises RunError when it does not wait."""
    _change(run, lambda line, at: {at: replace(line[at].place, priority=PRIORITIES[priority])})


@needs(role_to_place, "hold or release", lambda run, *_: run.id)
def set_held(run: Run, held: bool) -> None:
    """Hold a waiting run back, or let it go on waiting where it was; raises RunError when it does not wait."""
    _change(run, lambda line, at: {at: replace(line[at].place, held=held)})


@needs(role_to_place, "move in the queue", lambda run, *_: run.id)
def move(run: Run, to: str) -> None:
    """Move a waiting run one place `up` or `down` among those of its user, or to the `first`.

    It takes over the priority of the run whose place it takes.

    Raises:
        RunError: when it does not wait.
        NotAllowed: when that priority is high, and whoever moves it may not give it.
    """

    def reorder(line: Sequence[Waiting], at: int) -> dict[int, Place]:
        target = find_target(at, to, len(line))
        if gains_high(line, at, to) and (refusal := refusal_of(ADMINISTER)):
            raise NotAllowed(
                f"{line[target].run.id} has high priority, and {run.id} would get it too. {refusal}"
            )
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


def find_target(at: int, to: str, count: int) -> int:
    """Return the place that the run at one of `count` places is moved to."""
    return {"first": 0, "up": max(at - 1, 0), "down": min(at + 1, count - 1)}[to]


def gains_high(line: Sequence[Waiting], at: int, to: str) -> bool:
    """Tell whether a run gets high priority by being moved among those of its user."""
    high = PRIORITIES["high"]
    return line[find_target(at, to, len(line))].place.priority == high != line[at].place.priority


def _grow(times: Sequence[float]) -> list[float]:
    """Return times of a line, in which each priority begins anew, as ones that only grow, the last as it was or later."""
    grown = sorted(times)
    for index in range(1, len(grown)):
        grown[index] = max(grown[index], grown[index - 1] + 1e-3)
    return grown


def _change(run: Run, find_places: Callable[[Sequence[Waiting], int], dict[int, Place]]) -> None:
    root = run.folder.parent
    with told_when_gone(run), lock_line(root):
        found = read_line(root, {})  # who is at the disk limit keeps their place
        line = [one for one in found.waiting if found.owners[one.run.id] == found.owners.get(run.id)]
        at = next((index for index, one in enumerate(line) if one.run == run), None)
        if at is None:
            raise RunError(f"{run.id} is not waiting for its turn: it is {run.read_status().state}.")
        for index, place in find_places(line, at).items():
            if place != line[index].place:
                _write_place(line[index].run, place)


def _write_place(run: Run, place: Place) -> None:
    try:
        write_text(run.folder / PLACE, json.dumps(asdict(place)) + "\n")
    except OSError:
        if run.folder.is_dir():  # else it was deleted meanwhile, and stands in no line
            raise


def _read_devices(run: Run) -> tuple[str, int]:
    """Return the kind of device a run trains on, and how many it asks for."""
    try:
        config = run.read_config()
    except UserError:
        return "auto", 1
    return config.device, config.devices
