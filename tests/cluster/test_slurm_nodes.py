"""Several nodes of Slurm, as docs/cluster.md starts them: srun starts a torchrun a node; here two tasks stand for two nodes."""

from __future__ import annotations

import shlex
import socket
import sys
from pathlib import Path

import pytest

from core.cluster.slurm import submit_script
from core.runs.jobs import environment
from core.runs.run import Run
from tests.processes import REPOSITORY, make_images, train_words, wait_until
from tests.slurm import Slurm

pytestmark = pytest.mark.scale


def test_srun_starts_a_torchrun_on_each_and_the_same_script_goes_on_after_a_signal(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data", train=24)
    run, log = Run(runs_root / "nodes"), runs_root.parent / "nodes.log"
    words = train_words(data, "nodes", epochs=8, save_minutes=0.0)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    script = "\n".join(
        [
            "#!/bin/sh",
            "export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1",
            'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            f"srun {shlex.join(launcher)} --max-restarts=3 --rdzv-id=$SLURM_JOB_ID --rdzv-backend=c10d "
            f"--rdzv-endpoint=$first:{port} -m core {shlex.join(map(str, words))}",
        ]
    )
    options = ["--ntasks=2", "--signal=TERM@120", f"--chdir={REPOSITORY}", f"--output={log}"]
    job = submit_script(f"{script}\n", options, environment())
    wait_until(
        lambda: run.metrics_path.is_file() and len(run.read_metrics()[0]) >= 2, "steps are trained", 200
    )
    assert "Computing in 2 processes" in run.log_path.read_text(encoding="utf-8")
    slurm.tell("scancel", "--signal=TERM", job)  # to the tasks alone, as Slurm does before the time limit
    wait_until(lambda: run.read_status().state == "stopped", "it is saved and stopped", 60)
    again = submit_script(f"{script}\n", options, environment())
    wait_until(lambda: run.read_status().state == "finished", f"job {again} has finished", 200)
    assert run.read_status().epoch == 8
