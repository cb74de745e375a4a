"""What several test modules share: a tiny data set on disk and a root for runs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# As in core/__main__.py, and before any test loads torch.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Sorted as text they would be 10, 2, 35.
COLOURS = {"2": (200, 40, 40), "10": (40, 200, 40), "35": (40, 40, 200)}


@pytest.fixture
def tiny_data(tmp_path: Path) -> Path:
    """Return a data folder of three classes: 6 training and 2 validation images each, 3 test images, names."""
    rng = np.random.default_rng(0)
    root = tmp_path / "tiny"
    for label, colour in COLOURS.items():
        for split, count in (("train", 6), ("val", 2)):
            for number in range(1, count + 1):
                _save_noisy(root / split / label / f"{number}.png", colour, rng)
    for number, colour in enumerate(COLOURS.values(), start=1):
        _save_noisy(root / "test" / f"{number}.png", colour, rng)
    (root / "class_names.csv").write_text("label,name\n2,rose\n10,tulip\n35,iris\n", encoding="utf-8")
    return root


@pytest.fixture
def runs_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the root of all runs, for this process and those it starts."""
    root = tmp_path / "runs"
    root.mkdir()
    monkeypatch.setenv("WEAKSPOT_RUNS", str(root))
    return root


def _save_noisy(path: Path, colour: tuple[int, int, int], rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.clip(np.array(colour) + rng.normal(0, 25, (32, 32, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)
