"""The command `map` as its user meets it: what is printed, and where the table lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.__main__ import main
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from tests.made_run import make_run
from tests.processes import wait_until


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    run = make_run(runs_root, tiny_data, precision="fp32", device="cpu", workers=0)
    run.best_path.hardlink_to(best_model)
    return run


def test_it_says_how_true_the_map_is_and_where_it_lies(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "first"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("27 images placed. Of the ten images that the network finds nearest to one, ")
    assert "at least twice as far from" in said[1]
    assert said[-1] == str(run.folder / "map.csv.gz")


def test_as_a_task_it_counts_each_image_twice_and_ends_with_what_was_made(run: Run) -> None:
    folder = run.folder / ".map"
    launch_task(folder, "map", run="first")
    wait_until(lambda: read_task(folder).state not in ACTIVE, "the map is made")
    status = read_task(folder)
    assert (status.state, status.done, status.total) == ("finished", 54, 54), status.message
    assert status.message.startswith("27 images placed.")


def test_a_run_without_a_model_is_told(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.best_path.unlink()
    assert main(["map", "first"]) == 2
    assert "there is no best.pt yet" in capsys.readouterr().err
