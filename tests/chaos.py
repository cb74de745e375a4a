"""Does harm to trainings by chance and counts what is lost: `python -m tests.chaos [ROUNDS]`, told in docs/reliability.md.

Every run is one of a tiny network, so that many can be harmed in minutes. It survives where, once it is resumed, it ends
bit for bit as one that nothing disturbed: figures, checkpoints and predictions.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from benchmarks.engine import describe_machine
from benchmarks.sections import write_section
from core.files import write_text
from core.queue.turn import revive_queue
from core.runs import jobs
from core.runs.claim import is_alive
from core.runs.run import Run, create_run, list_runs
from core.stored.status import ACTIVE
from tests import browser, dashboard_harms, half_copies, hands, harms, mounts
from tests.forks import fork_server
from tests.harmed import PATIENCE, Harm, Place
from tests.processes import REPOSITORY, make_images, tiny_config, wait_until

REPORT = REPOSITORY / "docs" / "reliability.md"
KILLS = 4  # of one run at most; it may have finished before
OFTEN = 14  # times as many runs are killed as have any other fault: some 200 kills before the time is up
LONGEST = 17 * 60.0  # seconds in all, but for what is begun
YEAR = 365 * 86400.0


def kill_at_random(place: Place, run: Run, chance: random.Random) -> None:
    """Kill the trainer with -9 at random moments, from its first to its last second, and resume it each time."""
    for _ in range(KILLS):
        if jobs.live_status(run).state == "finished":
            return
        process = place.launch(run)
        process.join(chance.uniform(0, 1.5))
        process.kill()
        process.join()
        place.kills.append(run.id)


def ask_to_end(place: Place, run: Run, chance: random.Random) -> None:
    """Send the trainer what a system sends that shuts down (-15), or a Ctrl-C, at a random moment; then it is resumed."""
    process = place.launch(run)
    process.join(chance.uniform(0, 1.5))
    if process.is_alive() and process.pid is not None:
        os.kill(process.pid, chance.choice([signal.SIGTERM, signal.SIGINT]))
    process.join(PATIENCE)


def suspend(place: Place, run: Run, chance: random.Random) -> None:
    """Suspend the trainer at a random moment, as a closed lid does, look at the run meanwhile, and let it go on."""
    process = place.launch(run)
    process.join(chance.uniform(0, 1.0))
    trainer = psutil.Process(process.pid)
    with suppress(psutil.NoSuchProcess):
        trainer.suspend()
        known = jobs.live_status(run)
        if trainer.status() == psutil.STATUS_STOPPED and is_alive(run, run.read_status()):
            assert known.state in ("queued", "running"), (
                f"it was taken for {known.state} while it was suspended"
            )
        assert not revive_queue(list_runs(place.root)), "a run that was suspended was launched again"
        time.sleep(chance.uniform(0, 0.5))
        trainer.resume()
    process.join(PATIENCE)


def reuse_the_pid(place: Place, run: Run, chance: random.Random) -> None:
    """Kill the trainer and give its pid to a program that has nothing to do with it."""
    process = place.launch(run)
    wait_until(lambda: run.read_status().pid == process.pid or not process.is_alive(), "it begins", PATIENCE)
    process.join(chance.uniform(0, 1.0))
    process.kill()
    process.join()
    status = run.read_status()
    if status.state in ACTIVE:
        run.write_status(replace(status, pid=os.getpid(), pid_created=status.pid_created or 1.0))
        # Processes that load images for it may hold its lock for the seconds in which they do not know that it is gone.
        wait_until(lambda: jobs.live_status(run).state == "crashed", "it is known for crashed", 30)
        jobs.kill(run)  # must not end this program


def kill_the_launcher(place: Place, run: Run, chance: random.Random) -> None:
    """Kill, at a random moment, the program that launches the job, as the dashboard does, and at times the job with it."""
    words = [sys.executable, "-c", LAUNCHER, str(run.folder)]
    launcher = subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    born = psutil.Process(launcher.pid).create_time()
    run.write_status(
        replace(run.read_status(), pid=launcher.pid, pid_created=born)
    )  # as if it had made the run
    with suppress(subprocess.TimeoutExpired):
        launcher.wait(chance.uniform(0.2, 3.0))
    launcher.kill()
    launcher.wait()
    if chance.random() < 0.5:
        time.sleep(chance.uniform(0, 2.0))
        jobs.kill(run)
    revive_queue(list_runs(place.root))  # as a page does that is opened next
    wait_until(lambda: jobs.live_status(run).state not in ACTIVE, "its job has ended", PATIENCE)


def damage_status(place: Place, run: Run, chance: random.Random) -> None:
    """Write anything over the status while the run trains."""
    process = place.launch(run)
    wait_until(lambda: run.read_metrics()[0] or not process.is_alive(), "it trains", PATIENCE)
    write_text(
        run.folder / "status.json", chance.choice(["", "{", "[" * 100_000, '{"created": null}', "\0" * 500])
    )
    process.join(PATIENCE)


def set_the_clock(place: Place, run: Run, chance: random.Random) -> None:
    """Put every time in the status a year off while the run trains, as after a clock was set; nobody may launch it again."""
    process = place.launch(run)
    wait_until(lambda: run.read_metrics()[0] or not process.is_alive(), "it trains", PATIENCE)
    off = chance.choice([-YEAR, YEAR])
    status = run.read_status()
    times = {name: getattr(status, name) + off for name in ("created", "started", "updated", "pid_created")}
    values = {**vars(status), **times, "created": max(0.0, times["created"])}
    write_text(run.folder / "status.json", json.dumps(values))
    if process.is_alive() and jobs.live_status(run).state not in ("running", "finished"):
        raise AssertionError(f"it was taken for {jobs.live_status(run).state} while it trained")
    assert not revive_queue(list_runs(place.root)), "a run that trains was launched again"
    process.join(PATIENCE)


def start_two(place: Place, run: Run, chance: random.Random) -> None:
    """Start two trainers on one folder within a moment of each other; one has to leave."""
    first = place.launch(run)
    time.sleep(chance.uniform(0, 0.3))
    second = place.launch(run)
    first.join(PATIENCE)
    second.join(PATIENCE)


def lend_many_hands(place: Place, run: Run, chance: random.Random) -> None:
    """Let three people in processes of their own do anything to the same few runs at once."""
    root = place.root.with_name(f"hands-{run.id}")
    root.mkdir()
    faults = hands.find_faults(root, hands.work_together(root, chance))
    assert not faults, "; ".join(faults)
    shutil.rmtree(root)
    shutil.rmtree(run.folder)


# What launches the job of a run, as the dashboard does.
LAUNCHER = """
import sys, time
from pathlib import Path
from core.runs.claim import hold
from core.runs.jobs import launch
from core.runs.run import Run
run = Run(Path(sys.argv[1]))
with hold(run):
    launch(run)
time.sleep(60)
"""

FAULTS: dict[str, Harm] = {
    "the trainer is killed (-9), up to four times, at random moments": kill_at_random,
    "the trainer is told to end (-15 or Ctrl-C) at a random moment": ask_to_end,
    "processes that load its images are killed (-9) at random moments": harms.kill_a_loader,
    "the trainer is suspended for a while": suspend,
    "all of a training is suspended until its times are long past, as a machine that sleeps": harms.suspend_everything,
    "the trainer is killed and another program has its pid": reuse_the_pid,
    "the launching program is killed at a random moment, at times with the trainer": kill_the_launcher,
    "the dashboard is killed (-9) while a job that it started is at work": dashboard_harms.kill_the_dashboard,
    "the dashboard and the job are killed (-9)": dashboard_harms.kill_both,
    "the status file is overwritten by something else": damage_status,
    "the clock is set a year back or forth": set_the_clock,
    "two trainers are started on one folder": start_two,
    "three people do anything to the same runs at once, from processes of their own": lend_many_hands,
    "the disk is full (a small one, of random size)": mounts.fill_the_disk,
    "the disk of the dashboard is full: marks, notes, settings, users": mounts.fill_the_dashboards_disk,
    "the folder of the runs becomes read-only": mounts.write_protect,
    "shared memory (/dev/shm) is too small (4 to 800 kB)": mounts.shrink_shared_memory,
    "the data set is gone for a while": harms.take_the_data_away,
    "the run folder is deleted under the trainer": harms.delete_the_folder,
    "run folders are half copied, or of another version, while their pages are open": half_copies.copy_half,
    "the trainer may take no more memory (RLIMIT_AS)": harms.take_the_memory,
    "the trainer may open no more files (RLIMIT_NOFILE)": harms.take_the_handles,
}
OF_MOUNTS = (
    mounts.fill_the_disk, mounts.fill_the_dashboards_disk, mounts.write_protect, mounts.shrink_shared_memory,
)  # fmt: skip
OF_BROWSERS = (dashboard_harms.kill_the_dashboard, dashboard_harms.kill_both)


@dataclass
class Row:
    """What came of a fault: to how many runs it was done, and of each that did not survive what was lost."""

    fault: str
    tried: int = 0
    lost: list[str] = field(default_factory=list)


def do_harm(
    folder: Path,
    rounds: int,
    chance: random.Random,
    faults: Mapping[str, Harm],
    *,
    seconds: float = math.inf,
    tell: Callable[[str], None] = lambda _: None,
    kills: list[str] | None = None,
) -> list[Row]:
    """Do each fault so many times to a run of its own, for so many seconds at most; return what came of it.

    Into `kills` goes the id of a run for each time that its trainer was killed at a random moment.
    """
    data, root = make_images(folder / "data"), folder / "runs"
    deadline = time.monotonic() + seconds
    with fork_server() as launch:
        undisturbed = create_run(tiny_config(data, "undisturbed"), root)
        launch(undisturbed).join(PATIENCE)
        assert undisturbed.read_status().state == "finished", undisturbed.read_status().message
        place = Place(data, root, launch, undisturbed, [] if kills is None else kills)
        rows = {fault: Row(fault) for fault in faults}
        for turn in range(rounds):
            for number, (fault, harm) in enumerate(faults.items()):
                for again in range(OFTEN if harm is kill_at_random else 1):
                    if time.monotonic() > deadline:
                        return list(rows.values())
                    begun = time.monotonic()
                    try_fault(
                        place, harm, place.make_run(f"harmed-{number}-{turn}-{again}"), chance, rows[fault]
                    )
                    tell(
                        f"{time.monotonic() - begun:5.1f} s, {len(rows[fault].lost)} lost: {fault} {rows[fault].lost[-1:] or ''}"
                    )
    return list(rows.values())


def try_fault(place: Place, harm: Harm, run: Run, chance: random.Random, row: Row) -> None:
    """Do a fault to a run, let the run go on where it is still there, and note in the row what was lost."""
    row.tried += 1
    try:
        harm(place, run, chance)
        if run.folder.is_dir():
            place.finish(run)
        place.assert_nobody_left()
    except Exception as error:
        row.lost.append(" ".join(f"{type(error).__name__}: {error}".split())[:300])
    shutil.rmtree(run.folder, ignore_errors=True)


def write_report(rows: list[Row], seconds: float, kills: int) -> None:
    """Write the table of what was tried as its section of the page."""
    table = "\n".join(
        f"| {row.fault} | {row.tried} | {row.tried - len(row.lost)} | {len(row.lost)} |" for row in rows
    )
    lost = "".join(f"\n- {row.fault}: {why}" for row in rows for why in row.lost)
    write_section(
        "chaos",
        "## What a training survives\n\n"
        "`make chaos` trains tiny networks, does harm to each, lets it go on and compares it with one that nothing "
        "disturbed. It survived where figures, checkpoints and predictions are the same, bit for bit (CPU, fp32), where no "
        "draft, process or lock is left, and where the pages show every run and say in words what is wrong. It ends with "
        "an error where anything was lost.\n\n"
        f"| fault | tried | survived | lost |\n|---|---|---|---|\n{table}\n\n"
        f"{sum(row.tried for row in rows)} trainings in {seconds / 60:.0f} minutes; the trainer was killed (-9) at a random "
        f"moment {kills} times {describe_machine()}." + (f"\n\nWhat was lost:\n{lost}" if lost else ""),
        REPORT,
    )


def list_possible() -> dict[str, Harm]:
    """Return the faults that this machine lets be done, and say which it does not."""
    left_out: tuple[Harm, ...] = ()
    if not mounts.can_mount():
        print("This system lets nobody mount a disk, so not tried is what takes one.")
        left_out += OF_MOUNTS
    if not browser.is_usable():
        left_out += OF_BROWSERS
    return {fault: harm for fault, harm in FAULTS.items() if harm not in left_out}


def main() -> int:
    """Do harm, tell it and return 1 where anything was lost."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    kills: list[str] = []
    seed, begun = random.SystemRandom().randrange(2**32), time.monotonic()
    print(f"{rounds} rounds of {len(FAULTS)} faults, by the seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        os.environ["WEAKSPOT_RUNS"] = str(Path(name) / "runs")
        rows = do_harm(
            Path(name), rounds, random.Random(seed), list_possible(), seconds=LONGEST,
            tell=lambda line: print(line, flush=True), kills=kills,
        )  # fmt: skip
    rows = [row for row in rows if row.tried]
    for row in rows:
        print(f"{row.tried - len(row.lost)} of {row.tried} survived: {row.fault}", *row.lost, sep="\n  ")
    write_report(rows, time.monotonic() - begun, len(kills))
    return 1 if any(row.lost for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
