"""More harm that is done to trainings (see `tests.chaos`): what they live on is taken away."""

from __future__ import annotations

import random
import resource
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from core.runs import jobs
from core.runs.run import ACTIVE, Run
from tests.processes import wait_until

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

    from tests.chaos import Place

PATIENCE = 300.0  # seconds for one training, which takes a few


def take_the_data_away(place: Place, run: Run, chance: random.Random) -> None:
    """Move the images elsewhere at a random moment, as when a disk is unmounted; it has to be told, and they come back."""
    process, away = _begin(place, run, chance), place.data.with_name("away")
    place.data.rename(away)
    try:
        process.join(PATIENCE)
        _assert_told(run)
    finally:
        away.rename(place.data)


def delete_the_folder(place: Place, run: Run, chance: random.Random) -> None:
    """Delete the run's folder while it trains: the trainer has to end, and nothing of the run may come back."""
    process = _begin(place, run, chance)
    while run.folder.exists():
        shutil.rmtree(run.folder, ignore_errors=True)
    process.join(PATIENCE)
    assert not process.is_alive(), "it trains on without a folder"
    assert not run.folder.exists(), f"it made its folder again: {sorted(run.folder.iterdir())}"


def take_the_memory(place: Place, run: Run, chance: random.Random) -> None:
    """Let the trainer have no more memory than it has at a random moment, and a few MB."""
    process = _begin(place, run, chance)
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        most = psutil.Process(process.pid).memory_info().vms + chance.randint(0, 30) * 1_000_000
        resource.prlimit(process.pid or 0, resource.RLIMIT_AS, (most, most))
    process.join(PATIENCE)
    assert jobs.live_status(run).state not in ACTIVE


def take_the_handles(place: Place, run: Run, chance: random.Random) -> None:
    """Let the trainer open no more files than it has at a random moment, and at most three."""
    process = _begin(place, run, chance)
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        most = psutil.Process(process.pid).num_fds() + chance.randint(0, 3)
        resource.prlimit(process.pid or 0, resource.RLIMIT_NOFILE, (most, most))
    process.join(PATIENCE)
    _assert_told(run)


def _begin(place: Place, run: Run, chance: random.Random) -> ForkServerProcess:
    """Start the trainer and wait for a random moment once it works."""
    process = place.launch(run)
    wait_until(lambda: run.read_status().pid == process.pid or not process.is_alive(), "it begins", PATIENCE)
    process.join(chance.uniform(0, 1.2))
    return process


def _assert_told(run: Run) -> None:
    """Assert that a run which did not finish says why in words."""
    status = jobs.live_status(run)
    assert status.state in ("finished", "failed"), status
    assert "unexpected fault" not in status.message, status.message
