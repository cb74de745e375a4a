"""What a job tells while it works, its status and its console, what it is asked, to stop or to pause, and how it ends."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from core.errors import RunError, UserError, describe_error, describe_fault
from core.reading import open_at_once
from core.runs.run import Run
from core.runs.tasks import TASK
from core.stored.status import Status

STATUS_EVERY = 0.5  # seconds between writes of the status file


class Console(Protocol):
    """Where the job writes what a terminal shows: a file, a terminal or both."""

    def write(self, text: str, /) -> int:
        """Write text as it is."""

    def flush(self) -> None:
        """Hand on what was written."""


class Interrupted(Exception):
    """The stop or pause asked for was obeyed; the text is the state to end in."""


class Hopeless(RunError):
    """The work failed by what was asked of it: to go on from where it stands would fail alike."""


class Journal:
    """A job's status file and console, and its requests; `should_stop` is asked beside the folder's own.

    Made when the work begins, since the status counts the time from then on as worked.
    """

    def __init__(self, run: Run, console: Console, should_stop: Callable[[], bool] = lambda: False) -> None:
        self.run, self.console, self._should_stop = run, console, should_stop
        self.status: Status = run.read_status()
        self._written = time.monotonic()
        self.heard = self._written  # when the work last told or asked something
        # What makes the folder a run's, or a task's: where that is gone, somebody has deleted the folder.
        self._made_of = [path for name in ("config.json", TASK) if (path := run.folder / name).is_file()]
        self.own_state = "stopped"  # to end in where `should_stop` asks, and no request in the folder
        self.obeys = False  # whether it has seen that it is to end, and saves
        self._timed = 0  # how much there is to do of the part that is timed
        self._first = (
            0,
            0.0,
        )  # what was done of it without work, such as files known already, and when it began

    def perform(self, work: Callable[[], str], *, describe_stop: Callable[[str], str]) -> Status:
        """Do the work and write how it ended; return the last status: errors end in it, not in an exception.

        `work` returns the message to end with, or raises Interrupted; `describe_stop(state)` gives the message then.

        Raises:
            RunError: where the folder was deleted meanwhile, so that nothing can be written down.
        """
        started = self.status.started or time.time()
        self.set(
            state="running",
            phase="starting",
            started=started,
            ended=0.0,
            message="",
            hopeless=False,
            force=True,
        )
        try:
            self.end("finished", work())
        except Interrupted as interrupted:
            self.end(str(interrupted), describe_stop(str(interrupted)))
        except Hopeless as error:
            self.end("failed", str(error), hopeless=True)
        except (UserError, OSError) as error:
            self.end("failed", describe_error(error))
        except Exception as error:
            self.end("failed", self.log_fault(error))
        return self.status

    def log_fault(self, error: Exception) -> str:
        """Leave the traceback of what is being handled in the log, not on a terminal; return the line to tell."""
        with (
            suppress(OSError),  # a full disk
            open(self.run.log_path, "a", encoding="utf-8", opener=open_at_once) as log,
        ):
            traceback.print_exc(file=log)
        return describe_fault(error, self.run.log_path.name)

    def set(self, *, force: bool = False, **changes: Any) -> None:
        """Change fields of the status; it is written now and then, with `force` at once."""
        self.heard = time.monotonic()
        if changes.get("phase", self.status.phase) != self.status.phase:
            changes = {"phase_left": 0.0, **changes}
        self.status = replace(self.status, **changes)
        since = time.monotonic() - self._written
        if force or since > STATUS_EVERY:
            if not all(path.is_file() for path in self._made_of):
                raise RunError(f"{self.run.id}: its folder was deleted while it was at work, so it ended.")
            self.status = self.run.write_status(replace(self.status, worked=self.status.worked + since))
            self._written += since

    def write(self, line: str) -> None:
        """Write a line to the console."""
        self.console.write(line + "\n")
        self.console.flush()

    def end(self, state: str, message: str, *, hopeless: bool = False) -> None:
        """Write the last status: the state ended in, and why; it is `hopeless` where to go on would fail alike."""
        with suppress(OSError):  # on a full disk the status alone can still be written
            self.write(f"error: {message}" if state == "failed" else message)
        self.run.clear_requests()
        self.set(
            state=state,
            phase=state,
            message=message,
            ended=time.time(),
            seconds_left=0.0,
            hopeless=hopeless,
            force=True,
        )

    def asked(self) -> str:
        """Return the state to end in when a stop or pause was asked for, else nothing."""
        self.heard = time.monotonic()
        state = self.find_request()
        self.obeys = self.obeys or bool(state)
        return state

    def find_request(self) -> str:
        """Return what `asked` does, for who only looks: the work itself has not asked then."""
        return self.own_state if self._should_stop() else self.run.requested_state()

    def begin(self, phase: str) -> None:
        """Note that a part of the work begins, of which nothing is done yet."""
        self._timed = 0
        self.set(phase=phase, done=0, total=0, force=True)

    def count_done(self, done: int, total: int) -> bool:
        """Note how much of a phase is done, from which comes the time left of it; False when a stop or pause was asked for."""
        _, left = self._time_left(done, total)
        self.set(done=done, total=total, phase_left=left)
        return not self.asked()

    def count_all(self, done: int, total: int) -> bool:
        """Note how much of all the work is done, from which comes the time left; the rest as `count_done`."""
        begins, left = self._time_left(done, total)
        phase = "working" if done < total else "finishing"
        self.set(phase=phase, done=done, total=total, seconds_left=left, force=begins)
        return not self.asked()

    def _time_left(self, done: int, total: int) -> tuple[bool, float]:
        """Return whether another part of the work begins, and about how many seconds this one still takes."""
        now, begins = time.monotonic(), total != self._timed
        if begins or done < self._first[0]:
            self._timed, self._first = total, (done, now)
        return begins, (now - self._first[1]) / max(1, done - self._first[0]) * max(0, total - done)
