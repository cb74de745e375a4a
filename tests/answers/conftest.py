"""What the tests of this room share: a model that tells colours apart, and one that a run has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.model.predict import Predictor
from core.runs.run import Run
from core.training.engine import Compute
from tests.made_run import make_run

CLASSES = ("2", "10", "35")
NAMES = {"2": "rose", "10": "tulip", "35": "iris"}


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """Return a predictor whose network tells the brightest channel: red is class 2, green 10, blue 35."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 3))
    model[2].weight.data = torch.eye(3) * 4
    model[2].bias.data.zero_()
    fp32 = Compute(torch.device("cpu"), bf16=False, channels_last=False)
    return Predictor(model, classes=CLASSES, image_size=32, resize_size=32, compute=fp32, display=NAMES)


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a run with a model of random weights."""
    run = make_run(runs_root, tiny_data)
    run.best_path.hardlink_to(best_model)
    return run
