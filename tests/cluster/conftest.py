"""A real Slurm, shared by all tests that a process runs, and what this process needs to use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.cluster import slurm as programs
from tests.slurm import Slurm, start_slurm


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with start_slurm(tmp_path_factory.mktemp("slurm")) as slurm:
        yield slurm


@pytest.fixture
def slurm(cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    """Return the cluster, which this process uses until the test's end; it has no jobs then."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(programs, "_FRESH", 0.3)  # tests look at one run, and wait for what Slurm says of it
    programs.forget_answer()
    yield cluster
    cluster.tell("scancel", "--user=root")
    programs.forget_answer()
