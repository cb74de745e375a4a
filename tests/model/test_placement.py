"""Where a best model is asked: as its confidences were measured, and beside a training never on the GPU."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from core.confidence.kept import calibration_path
from core.dataset.images import read_image
from core.model.calibration import calibrate_run
from core.model.placement import choose_device, choose_placement
from core.model.predict import Predictor
from core.runs.run import Run
from core.runs.run_data import recorded_folders
from tests.made_run import make_run, measure_confidence


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a run that trained in bf16 wherever it was."""
    run = make_run(runs_root, tiny_data, precision="bf16", workers=0)
    shutil.copy(best_model, run.best_path)
    return run


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have a GPU, which is named and never asked to compute."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def training(runs_root: Path, tiny_data: Path) -> Run:
    """Return another run, whose job is the parent of this process."""
    other = make_run(runs_root, tiny_data, name="other", state="running")
    parent = psutil.Process(os.getppid())
    other.write_status(
        replace(other.read_status(), pid=parent.pid, pid_created=parent.create_time(), host="")
    )
    return other


@pytest.mark.usefixtures("gpu")
def test_a_model_is_asked_on_the_gpu_while_no_one_trains_there(run: Run) -> None:
    assert str(choose_placement(run)) == "cuda, fp32, channels_last"
    run.write_config(replace(run.read_config(), device="cpu"))
    assert choose_device(run) == "cpu"


@pytest.mark.usefixtures("gpu")
def test_beside_a_training_on_the_gpu_it_is_asked_on_the_cpu(run: Run, training: Run) -> None:
    assert choose_device(run) == choose_device(training) == "cpu"
    training.write_config(replace(training.read_config(), device="cpu"))
    assert choose_device(run) == "cuda"
    training.write_config(replace(training.read_config(), device="cuda"))
    training.write_status(replace(training.read_status(), state="finished"))
    assert choose_device(run) == "cuda"


@pytest.mark.usefixtures("gpu")
def test_a_training_asks_its_own_model_where_it_trains(training: Run) -> None:
    me = psutil.Process()
    training.write_status(replace(training.read_status(), pid=me.pid, pid_created=me.create_time()))
    assert choose_device(training) == "cuda"


def test_a_device_that_is_on_another_machine_is_no_reason_not_to_predict(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    run.write_config(replace(run.read_config(), device="cuda"))
    assert choose_device(run) == "cpu"


def test_confidences_are_measured_and_shown_in_one_precision_whatever_the_training_s(run: Run) -> None:
    found = calibrate_run(run)
    assert found is not None
    predictor = Predictor.from_run(run)
    assert found.precision == "fp32"
    assert not predictor.compute.bf16
    folders = recorded_folders(run)
    images = [read_image(folders.root / sample.path) for sample in folders.val]
    shown = [one.confidences[0] for one in predictor.predict(images)]
    np.testing.assert_allclose(shown, found.answers.raw, atol=1e-5)


def test_a_temperature_that_an_older_version_fitted_in_bf16_is_used_in_bf16(run: Run) -> None:
    measure_confidence(run)
    values = json.loads(calibration_path(run).read_text())
    del values["precision"]
    calibration_path(run).write_text(json.dumps(values))
    assert not choose_placement(run).bf16
    (run.folder / "environment.json").write_text('{"precision": "bf16"}')
    assert choose_placement(run).bf16
    calibration_path(run).unlink()
    assert not choose_placement(run).bf16
