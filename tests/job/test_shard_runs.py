"""A training on shards of any kind is that on the folder: the same figures, and the same answers for the same images."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from core.image_table import read_table
from core.job.job import TrainingJob
from core.runs.run import create_run
from tests.processes import tiny_config
from tests.same_runs import figures
from tests.shards.same_flowers import KINDS, make_folder, make_shards

pytestmark = pytest.mark.slow(3)


def train(data: Path, root: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the figures of a run and the rows of its predictions, with the names of the images alone."""
    run = create_run(tiny_config(data, data.name, epochs=1, workers=0), root)
    status = TrainingJob(run, io.StringIO()).execute()
    assert status.state == "finished", status.message
    table = read_table(run.predictions_path(), most=10**6)
    table["path"] = [Path(path).name for path in table["path"]]
    return figures(run), table.to_dict("records")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    place = tmp_path_factory.mktemp("plain")
    return train(make_folder(place / "folder"), place / "runs")


@pytest.mark.parametrize("kind", KINDS)
def test_shards_are_trained_on_as_their_folder_is(
    tmp_path: Path, runs_root: Path, kind: str, plain: tuple[Any, Any]
) -> None:
    losses, answers = train(make_shards(tmp_path / kind, kind), runs_root)
    assert losses == plain[0]
    assert answers == plain[1]
    assert len(answers) == 4
