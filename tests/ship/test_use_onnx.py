"""The example program: it needs nothing of this project, and names the classes that Predict names."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from core.model.predict import Predictor
from core.runs.run import Run
from core.ship.formats import ONNX
from core.ship.package import ship_to_file
from tests.made_run import measure_confidence
from tests.processes import REPOSITORY


def test_the_example_prints_what_predict_says_away_from_the_project(
    run: Run, photo: Path, tmp_path: Path
) -> None:
    temperature = measure_confidence(run).temperature
    place = tmp_path / "away"
    place.mkdir()
    assert ship_to_file(run, ONNX, place / "flowers.onnx", progress=lambda *_: True) is not None
    shutil.copy(REPOSITORY / "examples" / "use_onnx.py", place)
    done = subprocess.run(
        [sys.executable, "-I", "use_onnx.py", "flowers.onnx", str(photo)],
        cwd=place, check=True, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    named, *lines = done.stdout.splitlines()
    assert named == str(photo)
    (wanted,) = Predictor.from_run(run).predict([Image.open(photo)], temperature=temperature)
    assert [line.split()[1] for line in lines] == list(wanted.classes)
    shares = [float(re.match(r"\s*([\d.]+)%", line)[1]) / 100 for line in lines]  # type: ignore[index]
    assert shares == pytest.approx(wanted.confidences, abs=2e-3)

    # The model card's own program says the same.
    (program,) = re.findall(r"```python\n(.+?)```", (place / "flowers.onnx.md").read_text(), re.DOTALL)
    (place / "image.jpg").hardlink_to(photo)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=place,
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout.split()[0] == wanted.classes[0]


def test_the_example_imports_nothing_of_this_project() -> None:
    text = (REPOSITORY / "examples" / "use_onnx.py").read_text(encoding="utf-8")
    found = {name.split(".")[0] for name in re.findall(r"^(?:import|from) ([\w.]+)", text, re.MULTILINE)}
    assert found == {"json", "sys", "numpy", "onnxruntime", "PIL"}
    assert len(text.splitlines()) <= 28
