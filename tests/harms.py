"""More harm that is done to trainings (see `tests.chaos`): what they live on is taken away, or those that help them are."""

from __future__ import annotations

import random
import resource
import shutil
import time
from contextlib import suppress
from dataclasses import replace

import psutil

from core.errors import UserError
from core.queue.turn import revive_queue
from core.runs import jobs
from core.runs.claim import is_alive
from core.runs.run import Run, list_runs
from core.stored.status import ACTIVE
from tests.harmed import PATIENCE, Place, assert_told, begin

HOUR = 3600.0
NOTICED = (
    60.0  # seconds in which a training has to go on or to end that lost a process which loads its images
)


def take_the_data_away(place: Place, run: Run, chance: random.Random) -> None:
    """Move the images elsewhere at a random moment, as when a disk is unmounted; it has to be told, and they come back."""
    process, away = begin(place, run, chance), place.data.with_name("away")
    place.data.rename(away)
    try:
        process.join(PATIENCE)
        assert_told(run)
    finally:
        away.rename(place.data)


def delete_the_folder(place: Place, run: Run, chance: random.Random) -> None:
    """Delete the run's folder while it trains: the trainer has to end, and nothing of the run may come back."""
    process = begin(place, run, chance)
    while run.folder.exists():
        shutil.rmtree(run.folder, ignore_errors=True)
    process.join(PATIENCE)
    assert not process.is_alive(), "it trains on without a folder"
    assert not run.folder.exists(), f"it made its folder again: {sorted(run.folder.iterdir())}"


def take_the_memory(place: Place, run: Run, chance: random.Random) -> None:
    """Let the trainer have no more memory than it has at a random moment, and a few MB."""
    process = begin(place, run, chance)
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        most = psutil.Process(process.pid).memory_info().vms + chance.randint(0, 30) * 1_000_000
        resource.prlimit(process.pid or 0, resource.RLIMIT_AS, (most, most))
    process.join(PATIENCE)
    assert jobs.live_status(run).state not in ACTIVE


def take_the_handles(place: Place, run: Run, chance: random.Random) -> None:
    """Let the trainer open no more files than it has at a random moment, and at most three."""
    process = begin(place, run, chance)
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        most = psutil.Process(process.pid).num_fds() + chance.randint(0, 3)
        resource.prlimit(process.pid or 0, resource.RLIMIT_NOFILE, (most, most))
    process.join(PATIENCE)
    assert_told(run)


def kill_a_loader(place: Place, run: Run, chance: random.Random) -> None:
    """Kill processes that load images, up to two of them at random moments: the training goes on, or ends in words."""
    run.write_config(replace(run.read_config(), workers=chance.randint(1, 2)))
    process = begin(place, run, chance, within=1.0)
    trainer = psutil.Process(process.pid)
    for _ in range(chance.randint(1, 2)):
        with suppress(psutil.Error, IndexError):
            chance.choice(trainer.children()).kill()
        process.join(chance.uniform(0, 1.0))
    process.join(NOTICED)
    if process.is_alive():
        run.request_stop()  # which has to work at least
        process.join(NOTICED)
        raise AssertionError(f"it hung; asked to stop it was {jobs.live_status(run).state}")
    assert_told(run)


def suspend_everything(place: Place, run: Run, chance: random.Random) -> None:
    """Suspend a training with all that loads for it, as a machine that sleeps, until its times are long past; two look on.

    Nobody may take it for dead and start it anew.
    """
    run.write_config(replace(run.read_config(), workers=1))
    process = begin(place, run, chance)
    with suppress(psutil.NoSuchProcess):
        trainer = psutil.Process(process.pid)
        family = [trainer, *trainer.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.suspend()
        time.sleep(0.1)
        status = run.read_status()
        asleep = trainer.status() == psutil.STATUS_STOPPED and is_alive(run, status)
        if asleep and status.state in ACTIVE:
            off = chance.choice([-HOUR, HOUR])  # the clock may have been set meanwhile too
            run.write_status(replace(status, started=status.started + off, created=status.created + off))
            known = jobs.live_status(run)
            assert known.state in ACTIVE, f"it was taken for {known.state}"
            assert not revive_queue(list_runs(place.root)), "a run that was suspended was launched again"
            with suppress(UserError):
                jobs.resume(run)
                raise AssertionError("a run that was suspended was resumed")
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.resume()
    process.join(PATIENCE)
