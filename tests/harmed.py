"""Where trainings are harmed, what a harmed one has to be in the end, and what may not be left of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import psutil

from core.files import DRAFT, sweep_drafts
from core.runs import jobs
from core.runs.claim import is_held
from core.runs.run import Run, create_run
from tests.forks import Start
from tests.processes import tiny_config, wait_until
from tests.same_runs import assert_same_run

PATIENCE = 300.0  # seconds for one training, which takes a few
_LINGER = 30.0  # seconds that processes which load images may need to see that who started them is gone


@dataclass(frozen=True)
class Place:
    """Where trainings are harmed: the data and the root of all runs, how a job is started, and the run to be like."""

    data: Path
    root: Path
    launch: Start
    undisturbed: Run
    kills: list[str] = field(default_factory=list)  # a run's id for each time its trainer was killed
    before: frozenset[int] = field(
        default_factory=lambda: frozenset(psutil.pids())
    )  # processes that are not of here

    def make_run(self, name: str) -> Run:
        """Make a run like the undisturbed one, saved after each step."""
        return create_run(tiny_config(self.data, name, save_minutes=0.0), self.root)

    def finish(self, run: Run) -> None:
        """Let a run go on to its end; AssertionError where it is not the same as the undisturbed one."""
        code: int | None = 0
        if jobs.live_status(run).state != "finished":
            process = self.launch(run)
            process.join(PATIENCE)
            code = process.exitcode
        status = run.read_status()
        assert status.state == "finished", (
            f"{status.state}, {status.phase} {status.message} (exit code {code}; {run.read_log(3)})"
        )
        assert_same_run(run, self.undisturbed)
        sweep_drafts(run.folder)  # as who is launched does: what the killed ones began is known by their pids
        drafts = [path.name for path in run.folder.iterdir() if path.name.endswith(DRAFT)]
        assert not drafts, f"left behind: {drafts}"
        wait_until(lambda: not is_held(run), "its lock is let go", _LINGER)

    def assert_nobody_left(self) -> None:
        """Assert that no process of a job or a dashboard on these runs is left."""
        deadline = time.monotonic() + _LINGER
        while left := self._find_left():
            assert time.monotonic() < deadline, f"still at work: {left}"
            time.sleep(0.2)

    def _find_left(self) -> list[str]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid in self.before or process.environ().get("WEAKSPOT_RUNS") != str(self.root):
                    continue
                words = process.cmdline()
                if any(word in words for word in ("task", "dashboard")):
                    found.append(" ".join(words[-3:]))
            except psutil.Error:
                continue
        return found


def begin(place: Place, run: Run, chance: random.Random, *, within: float = 1.2) -> ForkServerProcess:
    """Start the trainer and wait for a random moment once it works."""
    process = place.launch(run)
    wait_until(lambda: run.read_status().pid == process.pid or not process.is_alive(), "it begins", PATIENCE)
    process.join(chance.uniform(0, within))
    return process


def assert_told(run: Run) -> None:
    """Assert that a run which did not finish says why in words."""
    status = jobs.live_status(run)
    assert status.state in ("finished", "failed"), status
    assert "unexpected fault" not in status.message, status.message


Harm = Callable[[Place, Run, random.Random], None]
