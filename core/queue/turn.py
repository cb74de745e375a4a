"""Waiting for one's turn to train on this machine, and the runs whose waiting job was lost.

The queue is the run folders: each launched job waits in its own process, and a lock makes taking the turn atomic. No
process is in charge, so none can be missing: the lock goes with whoever holds it, and what a job does not know it reads.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from core.queue.order import Busy, Line, Waiting, keep_turn, lock_line, read_line, read_place
from core.queue.restart import is_to_go_on, tell_of_restart
from core.queue.shares import count_to_end
from core.queue.slots import describe_slot_environment, join_slots, read_slots
from core.runs.claim import REMOTE_SILENCE, Gone, Taken, hold, is_alive
from core.runs.jobs import launch
from core.runs.run import Run
from core.stored.status import ON_HOLD, Status
from core.words import format_count, name_some

_NAMED = 3  # of the runs that one waits for
_RARELY = 10  # as many before it: room on the disk is made by hand


def wait_for_turn(
    run: Run, *, should_stop: Callable[[], bool], tell: Callable[[str], None] | None = None, poll: float = 1.0
) -> bool:
    """Wait until a slot of this machine is free and no run before this one waits for it; False when a stop or pause came first.

    A run whose user takes as many slots as they may waits for that user's own, one whose user is at the limit of the
    disk until there is room; both hold up nobody meanwhile.

    On True the run's status is `running` and names its slot, set under the queue's lock, so that no two runs take the
    same turn. `tell` gets in words what it waits for, each time that changes, and that it was stopped.
    """
    root, told, next_look = run.folder.parent, "", 0.0
    while not (state := "stopped" if should_stop() else run.requested_state()):
        if (now := time.monotonic()) >= next_look:
            try:
                line = read_line(root)  # its users' folders are measured before anybody is held up
                slot, message, ahead = _find_turn(run, line)
                if slot:
                    with lock_line(root):
                        line = read_line(root, line.full)
                        slot, message, ahead = _find_turn(run, line)
                        if slot:
                            keep_turn(root, line, run)
                            status = replace(run.read_status(), state="running", phase="starting", slot=slot)
                            run.write_status(status)
                            return True
            except Busy as busy:
                message, ahead = str(busy), 1
            status = run.read_status()
            if message != status.message or time.time() - status.updated > REMOTE_SILENCE / 4:
                run.write_status(replace(status, phase="waiting", message=message))
            if tell is not None and message != told:
                tell(message)
                told = message
            # The farther back in the queue the rarer a look, else dozens of waiting runs would keep a core busy.
            next_look = now + poll * min(max(ahead, 1), 10)
        time.sleep(poll)
    run.clear_requests()
    message = f"{state.capitalize()} before it began."
    run.write_status(replace(run.read_status(), state=state, phase=state, message=message, ended=time.time()))
    if tell is not None:
        tell(message)
    return False


def keep_to_slot(run: Run) -> None:
    """Let this process, which has its turn, compute in its slot alone; before torch is loaded, which reads it once."""
    slots = read_slots(run.folder.parent)
    os.environ.update(describe_slot_environment(run.read_status().slot, slots, os.cpu_count() or 1))


def describe_wait(run: Run, line: Line) -> str:
    """Say what a run waits for now, which its own job looks for only now and then; empty where it waits for nothing here."""
    return _find_turn(run, line)[1] if any(one.run == run for one in line.waiting) else ""


def _find_turn(run: Run, line: Line) -> tuple[str, str, int]:
    """Return the slot a run may take now, else "" and in words what it waits for, and how many are before it."""
    mine = next((one for one in line.waiting if one.run == run), None)
    if mine is None:  # its status says at this moment that it does not wait
        return "", "Waiting for its turn.", 1
    if mine.place.held:
        return "", ON_HOLD, len(line.waiting)
    owner = line.owners[run.id]
    if owner in line.full:
        return "", _describe_full(line.full[owner]), _RARELY
    if run.id in line.find_over():
        return "", *_describe_limit(line, mine)
    free, ahead = line.find_free(mine.device), line.list_ahead(run)
    first = sum(line.count_slots(one) for one in ahead)
    end = first + line.count_slots(mine)
    if end <= len(free):
        return join_slots(free[first:end]), "", 0
    return "", _describe_ahead(line, [one.run.id for one in ahead]), len(line.running) + len(ahead)


def _describe_full(use: str) -> str:
    return f"Waits for room on the disk: {use}. Delete runs that are no longer needed, or ask an administrator for more."


def _describe_limit(line: Line, mine: Waiting) -> tuple[str, int]:
    """Say why a run waits whose user may take no more slots: the runs to be done first, by id; and how many these are."""
    owner = line.owners[mine.run.id]
    own, limit, asked = line.list_own(mine), line.limits[owner], line.count_slots(mine)
    if asked > limit:
        return (
            f"It asks for {format_count(asked, 'slot')}, and {owner} may use {limit} at a time. Stop it and ask for fewer, or "
            "ask an administrator for more."
        ), len(own)
    slots, names = [one.slots for one in own], name_some([one.id for one in own], _NAMED)
    ended = count_to_end(slots, asked, limit)
    if len(own) == 1:
        which = f"{owner}'s own run {names} is"
    elif ended == len(own):
        which = f"{owner}'s own runs {names} are"
    else:
        least = "" if len(set(slots)) == 1 else "at least "  # the largest may not be the first to end
        which = f"{least}{ended} of {owner}'s own runs ({names}) {'is' if ended == 1 else 'are'}"
    return f"Waits until {which} done: {owner} may use {format_count(limit, 'slot')} at a time.", len(own)


def _describe_ahead(line: Line, ahead: list[str]) -> str:
    return f"Waiting for {name_some([*[run.id for run, _ in reversed(line.running)], *ahead], _NAMED)}."


def revive_queue(found: Iterable[tuple[Run, Status]]) -> list[Run]:
    """Launch again those of the runs whose waiting job is gone, and those that trained when the machine was restarted.

    `found` are runs with their statuses as written, from `list_runs`. Who is first in the line is launched first: one that
    asks for its turn knows only of those that live.
    """
    lost = [
        Waiting(run, status, read_place(run))
        for run, status in found
        if _is_lost(run, status) or is_to_go_on(run, status)
    ]
    revived = []
    for run in (one.run for one in sorted(lost, key=lambda one: one.rank)):
        try:
            with hold(run):  # of two pages that ask at once the second finds the run launched
                status = run.read_status()
                if status.state == "running" and is_to_go_on(run, status, held=True):
                    tell_of_restart(run)
                elif not _is_lost(run, status, held=True):
                    continue
                launch(run)
                revived.append(run)
        except (Taken, Gone, OSError):
            continue  # its job came late, it was deleted, or its status says why it cannot be started
    return revived


def _is_lost(run: Run, status: Status, *, held: bool = False) -> bool:
    here = status.host == socket.gethostname()
    return status.state == "queued" and here and not is_alive(run, status, held=held)
