"""What is on record about where and with what a run was computed."""

from __future__ import annotations

from pathlib import Path

from core.recipe.config import TrainConfig
from core.runs.run import create_run
from core.training.engine import choose_compute
from core.training.environment import record_environment


def test_a_run_that_goes_on_elsewhere_keeps_on_record_where_it_was_before(runs_root: Path) -> None:
    run = create_run(TrainConfig(data="flowers"), runs_root)
    compute = choose_compute("cpu")
    for workers in (0, 2, 2, 1):
        record_environment(run, compute, workers, "abc")
    environment = run.read_json("environment.json")
    assert [environment["workers"], *(one["workers"] for one in environment["earlier"])] == [1, 0, 2]
    assert "earlier" not in environment["earlier"][1]
