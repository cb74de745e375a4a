"""Harm that takes a disk of its own, in a process with mounts of its own (see `tests.chaos`): full, too small, read-only."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.runs import jobs
from core.runs.run import Run, create_run
from tests.forks import fork_server
from tests.harmed import PATIENCE, Harm, Place, assert_told, begin
from tests.processes import REPOSITORY, tiny_config

# MB of the small disk: of a run 45 are for its best model and 90 for what it goes on from
_SMALLEST, _LARGEST = 20, 260


def can_mount() -> bool:
    """Tell whether this system lets its user mount a disk."""
    with tempfile.TemporaryDirectory() as name:
        words = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", name]
        return shutil.which("unshare") is not None and subprocess.run(words, check=False).returncode == 0


def _alone(work: Callable[[Path, Run, random.Random], None]) -> Harm:
    """Return the harm that does this work in a process with mounts of its own, in place of the run it is given."""

    def harm(place: Place, run: Run, chance: random.Random) -> None:
        words = [work.__name__, str(place.data), str(place.undisturbed.folder), str(chance.randrange(2**32))]
        done = subprocess.run(
            ["unshare", "-rm", sys.executable, "-m", "tests.mounts", *words],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr.strip().splitlines()[-1]
        shutil.rmtree(run.folder)

    harm.__name__ = work.__name__
    return harm


@contextmanager
def mounted(place: Path, size: str) -> Iterator[None]:
    """Have a small disk of this size (as mount names it) at a place, over what lies there."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def make_larger(place: Path) -> None:
    """Make room on a small disk."""
    subprocess.run(["mount", "-o", "remount,size=1g", str(place)], check=True)


def train_on_a_full_disk(data: Path, undisturbed: Run, chance: random.Random) -> None:
    """Train on a small disk until it is full, see that it is said, make room, and go on."""
    with tempfile.TemporaryDirectory() as name, fork_server() as launch:
        root = Path(name)
        with mounted(root, f"{chance.randint(_SMALLEST, _LARGEST)}m"):
            run = create_run(tiny_config(data, "small", save_minutes=0.0), root)
            launch(run).join(PATIENCE)
            status = jobs.live_status(run)
            if status.state != "finished":
                assert (status.state, "disk is full" in status.message) == ("failed", True), status
            make_larger(root)
            Place(data, root, launch, undisturbed).finish(run)


def train_with_little_shared_memory(data: Path, undisturbed: Run, chance: random.Random) -> None:
    """Train where the processes that load images have too little room to pass them on, see that it is said, and go on."""
    shared, size = Path("/dev/shm"), f"{chance.randint(4, 800)}k"
    with tempfile.TemporaryDirectory() as name, mounted(shared, size), fork_server() as launch:
        run = create_run(tiny_config(data, "small", save_minutes=0.0, workers=2), Path(name))
        launch(run).join(PATIENCE)
        assert_told(run)
        status = jobs.live_status(run)
        assert status.state == "finished" or "Shared memory" in status.message, status.message
        make_larger(shared)
        Place(data, Path(name), launch, undisturbed).finish(run)


def train_on_a_disk_gone_read_only(data: Path, undisturbed: Run, chance: random.Random) -> None:
    """Let nothing more be written where the runs lie, at a random moment; the pages still show them, and it goes on."""
    from tests.looks import dashboard_on, look_at_all

    with tempfile.TemporaryDirectory() as name, fork_server() as launch:
        root = Path(name) / "runs"
        run = create_run(tiny_config(data, "protected", save_minutes=0.0), root)
        place = Place(data, root, launch, undisturbed)
        process = begin(place, run, chance)
        subprocess.run(["mount", "--bind", str(root), str(root)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
        try:
            process.join(PATIENCE)
            assert not process.is_alive(), "it trains on where nothing can be kept"
            status = jobs.live_status(run)
            assert status.state in ("finished", "failed", "crashed"), status
            log = "\n".join(run.read_log(100))
            assert status.state != "crashed" or "Read-only file system" in log, log
            with dashboard_on(root, data):
                look_at_all(["runs", "live"], run=run.id)
        finally:
            subprocess.run(["umount", "--lazy", str(root)], check=True)
        place.finish(run)


def use_the_dashboard_on_a_full_disk(data: Path, undisturbed: Run, chance: random.Random) -> None:
    """Do all that pages write on a disk without room: each is done whole or refused in words, and the pages are drawn."""
    from tests.full_disk import act_on_full_disk

    with tempfile.TemporaryDirectory() as name, mounted(Path(name), "8m"):
        act_on_full_disk(Path(name), data, chance)


WORKS = {
    work.__name__: work
    for work in (
        train_on_a_full_disk,
        train_with_little_shared_memory,
        train_on_a_disk_gone_read_only,
        use_the_dashboard_on_a_full_disk,
    )
}
fill_the_disk = _alone(train_on_a_full_disk)
shrink_shared_memory = _alone(train_with_little_shared_memory)
write_protect = _alone(train_on_a_disk_gone_read_only)
fill_the_dashboards_disk = _alone(use_the_dashboard_on_a_full_disk)

if __name__ == "__main__":
    kind, images, model, seed = sys.argv[1:]
    WORKS[kind](Path(images), Run(Path(model)), random.Random(int(seed)))
