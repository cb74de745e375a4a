"""Several people in processes of their own, as with several dashboards, who do anything to the same few runs at once."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path

import psutil

from core.errors import UserError
from core.files import sweep_drafts
from core.queue.order import move, read_line, set_held, set_priority
from core.queue.turn import revive_queue
from core.runs import jobs, notes
from core.runs.claim import is_held
from core.runs.run import Run, iter_runs, list_runs
from core.stored.status import ACTIVE
from tests.made_job import make_job
from tests.processes import tiny_config, wait_until

BUSY = "busy"  # the run that trains all the while, so that the jobs of all others wait
PATIENCE = 120.0  # seconds


@dataclass(frozen=True)
class Deed:
    """What one of them did to a run: how it ended (done, words or fault), and which run it made, if any."""

    what: str
    run: str
    end: str
    words: str = ""
    made: str = ""


def work_together(root: Path, chance: random.Random, *, people: int = 3, seconds: float = 5.0) -> list[Deed]:
    """Let people act on the runs under an empty root, with the real commands and real waiting jobs; return all they did.

    In the end all that waits is stopped.
    """
    make_job(root, BUSY, psutil.Process(), state="running")
    for number in range(3):
        make_job(root, f"run-{number}", state="stopped")
    before = os.environ.get("WEAKSPOT_RUNS")
    os.environ["WEAKSPOT_RUNS"] = str(root)
    context = multiprocessing.get_context("spawn")
    told: Queue[list[Deed]] = context.Queue()
    started = [
        context.Process(target=be_one, args=(root, who, chance.randrange(2**32), seconds, told))
        for who in range(people)
    ]
    try:
        for process in started:
            process.start()
        deeds = [deed for _ in started for deed in told.get(timeout=PATIENCE + seconds)]
    finally:
        for process in started:
            process.join(10)
            process.kill()
        end_all(root)
        if before is None:
            del os.environ["WEAKSPOT_RUNS"]
        else:
            os.environ["WEAKSPOT_RUNS"] = before
    return deeds


def be_one(root: Path, who: int, seed: int, seconds: float, told: Queue[list[Deed]]) -> None:
    """Be one of them for so many seconds."""
    chance, until, deeds = random.Random(seed), time.monotonic() + seconds, []
    while time.monotonic() < until:
        runs = [run for run in iter_runs(root) if run.id != BUSY]
        name = f"new-{who}-{len(deeds)}"
        run = chance.choice(runs) if runs else Run(root / "none")
        what = chance.choice(list(ACTS)) if len(runs) > 1 else "start"
        try:
            made = ACTS[what](run, name)
            deeds.append(Deed(what, run.id, "done", made=made.id if isinstance(made, Run) else ""))
        except UserError as error:
            deeds.append(Deed(what, run.id, "words", str(error)))
        except Exception as error:
            deeds.append(Deed(what, run.id, "fault", repr(error)))
    told.put(deeds)


def look(run: Run, _: str) -> None:
    """Do what a page does that shows all runs and one of them."""
    revive_queue(list_runs(run.folder.parent))
    read_line(run.folder.parent)
    jobs.live_status(run)
    run.find_damage()


ACTS: dict[str, Callable[[Run, str], object]] = {
    "start": lambda run, name: jobs.submit(tiny_config(run.folder.parent, name), run.folder.parent),
    "resume": lambda run, _: jobs.resume(run),
    "stop": lambda run, _: jobs.stop(run),
    "pause": lambda run, _: jobs.pause(run),
    "kill": lambda run, _: jobs.kill(run),
    "delete": lambda run, _: jobs.delete(run),
    "archive": lambda run, _: notes.archive([run]),
    "take out": lambda run, _: notes.archive([run], archived=False),
    "rename": notes.rename,
    "note": lambda run, _: notes.write_note(run, text="seen"),
    "hold": lambda run, _: set_held(run, True),
    "release": lambda run, _: set_held(run, False),
    "move up": lambda run, _: move(run, "up"),
    "move to the first": lambda run, _: move(run, "first"),
    "give priority": lambda run, _: set_priority(run, "high"),
    "look": look,
}


def end_all(root: Path) -> None:
    """Stop what waits, until nothing works on any run."""

    def is_over() -> bool:
        over = True
        for run, status in list_runs(root):
            if run.id != BUSY and (jobs.live_status(run).state in ACTIVE or is_held(run)):
                over = False
                if status.state in ACTIVE:
                    run.request_stop()
        return over

    wait_until(is_over, "all jobs have ended", PATIENCE)
    with suppress(AssertionError):  # told by who looks for faults
        wait_until(lambda: not find_workers(root), "their processes are gone", 20)


def find_faults(root: Path, deeds: list[Deed]) -> list[str]:
    """Return what is wrong after all of it: raw errors, runs lost or half there, drafts and jobs left behind."""
    faults = [f"{deed.what} {deed.run}: {deed.words}" for deed in deeds if deed.end == "fault"]
    done = [deed for deed in deeds if deed.end == "done"]
    known = {BUSY, *(f"run-{number}" for number in range(3)), *(deed.made for deed in done if deed.made)}
    known -= {deed.run for deed in done if deed.what in ("delete", "rename")}
    there = {folder.name for folder in root.iterdir() if not folder.name.startswith(".")}
    faults += [f"lost: {name}" for name in known - there] + [f"come again: {name}" for name in there - known]
    faults += [f"{run.id}: {problem}" for run, _ in list_runs(root) if (problem := run.find_damage())]
    for run, _ in list_runs(root):
        sweep_drafts(
            run.folder
        )  # as the run's next job does: who wrote while it was renamed cannot take back what it began
    faults += [f"left behind: {path}" for path in root.rglob("*.draft")]
    faults += [f"still at work: {pid}" for pid in find_workers(root)]
    return faults


def find_workers(root: Path) -> list[int]:
    """Return the processes of jobs on any run under a root."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words[-2:-1] == ["task"] and words[-1].startswith(str(root)):
            found.append(process.pid)
    return found
