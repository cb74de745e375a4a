"""What a job tells while it works, its status and its console, and what it is asked: to stop or to pause."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from core.runs.run import Run, Status

STATUS_EVERY = 0.5  # seconds between writes of the status file


class Console(Protocol):
    """Where the job writes what a terminal shows: a file, a terminal or both."""

    def write(self, text: str, /) -> int:
        """Write text as it is."""

    def flush(self) -> None:
        """Hand on what was written."""


class Interrupted(Exception):
    """The stop or pause asked for was obeyed; the text is the state to end in."""


class Journal:
    """A run's status file and console, and its requests; `should_stop` is asked beside the run's own.

    Made when the work begins, since the status counts the time from then on as worked.
    """

    def __init__(self, run: Run, console: Console, should_stop: Callable[[], bool]) -> None:
        self.run, self.console, self._should_stop = run, console, should_stop
        self.status: Status = run.read_status()
        self._written = time.monotonic()

    def set(self, *, force: bool = False, **changes: Any) -> None:
        """Change fields of the status; it is written now and then, with `force` at once."""
        self.status = replace(self.status, **changes)
        since = time.monotonic() - self._written
        if force or since > STATUS_EVERY:
            self.status = self.run.write_status(replace(self.status, worked=self.status.worked + since))
            self._written += since

    def write(self, line: str) -> None:
        """Write a line to the console."""
        self.console.write(line + "\n")
        self.console.flush()

    def end(self, state: str, message: str) -> None:
        """Write the last status: the state ended in, and why."""
        self.write(f"error: {message}" if state == "failed" else message)
        self.run.clear_requests()
        self.set(state=state, phase=state, message=message, ended=time.time(), seconds_left=0.0, force=True)

    def asked(self) -> str:
        """Return the state to end in when a stop or pause was asked for, else nothing."""
        return "stopped" if self._should_stop() else self.run.requested_state()

    def check_asked(self) -> None:
        """Raise Interrupted when a stop or pause was asked for."""
        if state := self.asked():
            raise Interrupted(state)

    def count_done(self, done: int, total: int) -> bool:
        """Note how much of a step is done; False when a stop or pause was asked for."""
        self.set(done=done, total=total)
        return not self.asked()
