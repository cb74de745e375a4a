"""A run whose job is a process that need not be one."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil

from core.runs.claim import claim_process
from core.runs.run import Run, create_run
from tests.processes import tiny_config


def make_job(root: Path, name: str, process: psutil.Process | None = None, state: str = "queued") -> Run:
    """Make a run whose job, by its status, is the process given, or one that has ended."""
    run = create_run(tiny_config(root, name), root)
    pid, created = (process.pid, process.create_time()) if process else (dead_pid(), time.time())
    run.write_status(replace(claim_process(run), state=state, pid=pid, pid_created=created))
    return run


def dead_pid() -> int:
    """Return the pid of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
