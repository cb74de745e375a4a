"""The command `export` as its user meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.__main__ import main
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.ship.package import read_shipment
from core.stored.status import ACTIVE
from tests.made_run import make_run
from tests.processes import wait_until


@pytest.fixture
def run(
    runs_root: Path, tiny_data: Path, best_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Return a run with a model of random weights; the command is given in an empty folder."""
    run = make_run(runs_root, tiny_data)
    run.best_path.hardlink_to(best_model)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return run


def test_export_says_how_the_answers_compare_and_where_the_files_are(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "first", "--format", "safetensors"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("On 6 validation images it names the same class as this program does")
    assert said[1:3] == [
        "first.safetensors.json: what goes in and comes out",
        "first.safetensors.md: the model card",
    ]
    assert said[3].startswith("first.safetensors: safetensors, 44.")
    assert Path("first.safetensors").is_file()


def test_export_refuses_what_cannot_be_before_the_work(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "first", "--format", "torchscript", "--int8"]) == 2
    assert "int8 is only for ONNX" in capsys.readouterr().err
    assert main(["export", "first", "--out", "gone/m.onnx"]) == 2
    assert "there is no folder gone" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


def test_export_as_a_task_ends_with_what_it_made(run: Run) -> None:
    task = run.folder / ".ship"
    launch_task(task, "export", run="first", form="safetensors", int8=False)
    wait_until(lambda: read_task(task).state not in ACTIVE, "it is written")
    status = read_task(task)
    assert (status.state, status.done) == ("finished", status.total)
    assert status.message.startswith("first.safetensors: safetensors, 44.")
    assert read_shipment(task) is not None
