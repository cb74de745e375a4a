"""Weakspot from Python: the functions on a tiny data set, and the example notebook from its first cell to its last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import weakspot
from core import api
from core.errors import ConfigError, RunError
from core.runs.run import Run
from tests.api_docs import PAGE, describe_api

pytestmark = pytest.mark.slow(40)
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "examples/weak_classes.ipynb"
TINY = {"arch": "resnet18", "weights": "none", "image_size": 32, "resize_size": 32, "epochs": 1, "workers": 0, "device": "cpu"}  # fmt: skip


@pytest.fixture
def run(runs_root: Path, tiny_data: Path) -> Run:
    return weakspot.train(tiny_data, preset="demo", name="first", **TINY)


def test_a_run_is_trained_judged_asked_and_compared(run: Run, tiny_data: Path) -> None:
    assert run.read_status().state == "finished"
    assert weakspot.open_run("first").folder == run.folder
    table = weakspot.evaluate(run)
    assert len(table) == 6
    assert len(weakspot.evaluate(run, "train")) == 18
    report = weakspot.weak_classes(run)
    assert set(report["class"]) == {"2", "10", "35"}
    assert report["right"].sum() == (table["true"] == table["predicted"]).sum()
    images = [tiny_data / "test/1.png", Image.open(tiny_data / "test/2.png").convert("L")]
    answers = weakspot.predict(run, images)
    assert answers["image"].tolist() == [str(images[0]), "1"]
    assert answers["confidence"].between(0, 1).all()
    picture, heat = weakspot.explain(run, images[0], name="35", rather_than="2")
    assert heat.shape == (32, 32)
    assert heat.dtype == np.float32
    assert picture.width >= 32
    test = weakspot.compare(run, run)
    assert (test.images, test.p_value) == (6, 1.0)


def test_what_is_wrong_is_said_in_words(run: Run, tiny_data: Path) -> None:
    with pytest.raises(ConfigError, match="epochs"):
        weakspot.train(tiny_data, preset="demo", **{**TINY, "epochs": 0})
    with pytest.raises(RunError, match="'99' is not a class of first"):
        weakspot.explain(run, tiny_data / "test/1.png", name="99")
    with pytest.raises(RunError, match="method must be one of Grad-CAM"):
        weakspot.explain(run, tiny_data / "test/1.png", method="SmoothGrad")
    with pytest.raises(RunError, match="failed"):
        weakspot.train(tiny_data / "nowhere", preset="demo", **TINY)
    with pytest.raises(AttributeError, match="weakspot has no 'fit'; it has compare"):
        _ = weakspot.fit


def test_every_function_says_what_it_takes_returns_and_refuses() -> None:
    for name in api.__all__:
        words = getattr(api, name).__doc__ or ""
        assert words.strip(), name
        assert name == "demo" or "Raises:" in words, name


def test_the_example_notebook_runs_from_its_first_cell_to_its_last(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WEAKSPOT_RUNS": str(tmp_path / "runs")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "32 px" in done.stdout
    assert (tmp_path / "runs/second/best.pt").exists()


def test_the_page_on_it_says_what_the_docstrings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == describe_api(), "write it anew: python -m tests.api_docs"
