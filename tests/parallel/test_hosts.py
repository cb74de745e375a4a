"""Two machines under torchrun, here two launchers on two addresses of this one, and what is left when one of them is lost."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.runs.run import Run
from tests.processes import REPOSITORY, call, environment, finish, make_images, train_words, wait_until

pytestmark = pytest.mark.scale
PATIENCE = 300  # seconds; torchrun takes half a minute to give a lost machine up
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
Host = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    make_images(tmp_path / "data")
    return tmp_path


@pytest.fixture
def host(place: Path) -> Iterator[Host]:
    """Give a function that starts a launcher at an address, of the same run as the others; all are killed at the end."""
    with socket.socket() as free:
        free.bind((FIRST, 0))
        port = free.getsockname()[1]
    started: list[subprocess.Popen[str]] = []

    def start(address: str, epochs: int = 12) -> subprocess.Popen[str]:
        words = train_words(place / "data", "shared", epochs=epochs, save_minutes=0.0)
        # Both addresses are this machine's, so torchrun cannot tell by itself who is the one at which they meet.
        meets = f"--rdzv-conf=is_host={int(address == FIRST)},last_call_timeout=5"
        rendezvous = [f"--rdzv-endpoint={FIRST}:{port}", "--rdzv-backend=c10d", "--rdzv-id=shared", meets]
        launcher = subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes=1:2", "--nproc-per-node=1"),
                *(*rendezvous, "--max-restarts=3", f"--local-addr={address}", "-m", "core", *words),
            ],
            cwd=REPOSITORY,
            env=environment(place / "runs", {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(launcher)
        return launcher

    yield start
    for launcher in started:
        if launcher.poll() is None:
            for one in [*psutil.Process(launcher.pid).children(recursive=True), launcher]:
                one.kill()
        launcher.communicate()


def steps_of(run: Run) -> int:
    return len(run.read_metrics()[0]) if run.metrics_path.is_file() else 0


def test_a_run_goes_on_from_its_last_save_when_one_of_two_machines_is_lost(place: Path, host: Host) -> None:
    run = Run(place / "runs" / "shared")
    first, second = host(FIRST), host(SECOND)
    wait_until(lambda: steps_of(run) >= 5 or first.poll() is not None, "steps are trained", PATIENCE)
    log = run.log_path.read_text(encoding="utf-8")
    assert "Computing in 2 processes" in log
    lost = psutil.Process(second.pid).children(recursive=True)
    second.kill()
    done = finish(first, PATIENCE)
    assert done.returncode == 0, done.stderr
    status = run.read_status()
    assert (status.state, status.epoch) == ("finished", 12), status.message
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in lost)
    log = run.log_path.read_text(encoding="utf-8")
    assert "It goes on in 1 process, before it was 2." in log
    assert "Resumed at epoch" in log
    rows = [row for row in run.read_metrics()[0] if row["kind"] == "step"]
    assert [row["step"] for row in rows] == list(range(1, 12 * 3 + 1))


def test_a_stop_ends_all_machines_and_the_same_command_goes_on(place: Path, host: Host) -> None:
    run = Run(place / "runs" / "shared")
    both = [host(FIRST), host(SECOND)]
    wait_until(lambda: steps_of(run) >= 2 or both[0].poll() is not None, "steps are trained", PATIENCE)
    assert call("stop", run.id, root=place / "runs").returncode == 0
    assert [finish(one, PATIENCE).returncode for one in both] == [0, 0]
    assert run.read_status().state == "stopped"
    again = finish(host(FIRST), PATIENCE)
    assert (again.returncode, run.read_status().state) == (0, "finished"), again.stderr


def test_a_machine_that_joins_takes_part_from_the_last_step_on(place: Path, host: Host) -> None:
    run = Run(place / "runs" / "shared")
    first = host(FIRST, 60)
    wait_until(lambda: steps_of(run) >= 2 or first.poll() is not None, "steps are trained", PATIENCE)
    before = [row["step"] for row in run.read_metrics()[0] if row["kind"] == "step"]
    second = host(SECOND, 60)
    assert [finish(one, PATIENCE).returncode for one in (first, second)] == [0, 0]
    log = run.log_path.read_text(encoding="utf-8")
    assert "It goes on in 2 processes, before it was 1." in log
    rows = [row["step"] for row in run.read_metrics()[0] if row["kind"] == "step"]
    assert rows == list(range(1, len(rows) + 1))
    assert len(rows) > len(before)
    assert run.read_status().state == "finished"
