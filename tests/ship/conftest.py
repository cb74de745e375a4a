"""What the tests of shipping share: a run that learnt to tell the three colours of the tiny data apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runs.run import Run
from tests.made_run import make_run


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a run whose model is a ResNet18 with random weights."""
    run = make_run(runs_root, tiny_data)
    run.best_path.hardlink_to(best_model)
    return run


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Return a file of an image that is neither square nor of the network's size, as photos are."""
    import numpy as np
    from PIL import Image

    path = tmp_path / "image.png"
    pixels = np.random.default_rng(0).integers(0, 255, (57, 91, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path
