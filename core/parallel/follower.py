"""What stands in for a job's journal and console in a process that follows: it tells and asks nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from core.parallel.group import Left
from core.runs.journal import Hopeless, Interrupted, Journal
from core.runs.run import Run
from core.stored.status import Status


class Silence:
    """A console that nobody reads."""

    def write(self, text: str, /) -> int:
        """Drop a text."""
        return len(text)

    def flush(self) -> None:
        """Do nothing."""


class Follower(Journal):
    """A journal that writes nothing: what there is to tell of the run the leader tells."""

    def __init__(self, run: Run) -> None:
        super().__init__(run, Silence())

    def perform(self, work: Callable[[], str], *, describe_stop: Callable[[str], str]) -> Status:  # noqa: ARG002
        """Do the work; what ends it for all processes ends it quietly.

        Raises:
            UserError, OSError, Exception: what went wrong in this process alone.
        """
        with suppress(Interrupted, Hopeless, Left):
            work()
        return self.status

    def log_fault(self, error: Exception) -> str:
        """Raise the fault: the log is the leader's."""
        raise error

    def set(self, *, force: bool = False, **changes: Any) -> None:
        """Keep nothing."""

    def end(self, state: str, message: str, *, hopeless: bool = False) -> None:
        """Write nothing."""

    def find_request(self) -> str:
        """Ask nothing: what was asked the leader says."""
        return ""
