"""The benchmark of several processes: its table, and that an interruption leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.scaling import Way, list_rows
from tests.processes import REPOSITORY, environment, wait_until


def test_each_network_is_measured_against_its_own_single_process() -> None:
    one, two = Way(1, 1), Way(2, 1)
    rows = list_rows(
        {("a", one): [9.0, 10.0, 30.0], ("a", two): [18.0], ("b", one): [4.0], ("b", two): [4.0]}
    )
    assert rows == [
        "| a | 1 process, 1 thread | 10.0 | 1.00 | 100 |",
        "| a | 2 processes, 1 thread each | 18.0 | 1.80 | 90 |",
        "| b | 1 process, 1 thread | 4.0 | 1.00 | 100 |",
        "| b | 2 processes, 1 thread each | 4.0 | 1.00 | 50 |",
    ]


@pytest.mark.scale
def test_a_benchmark_that_is_told_to_end_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scaling", "--archs", "resnet18", "--epochs=500", "--size=32"],
        cwd=REPOSITORY, env=environment(tmp_path, {"TMPDIR": str(tmp_path)}), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: list(tmp_path.glob("weakspot-scaling-*/runs/*/metrics.jsonl")), "it trains", 120)
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        process.terminate()
        assert process.wait(60) == 128 + 15
        assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        assert list(tmp_path.glob("weakspot-scaling-*")) == []
    finally:
        process.kill()
        process.wait()
