"""ONNX Runtime in PyTorch's place: made where it is worth it, used where it answers alike, and never a reason to fail."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from core.model.predict import Predictor
from core.runs.run import Run
from core.ship.quick import WORTH, find_place, hasten


def make_image(path: Path) -> Image.Image:
    return Image.open(path).convert("RGB")


def test_a_file_is_made_for_many_images_and_answers_as_pytorch_at_any_temperature(
    run: Run, photo: Path
) -> None:
    plain, quick, few = (Predictor.from_run(run) for _ in range(3))
    hasten(few, run, images=WORTH - 1)
    assert few.shortcut is None
    assert not find_place(run).parent.exists()
    hasten(quick, run, images=WORTH)
    assert quick.shortcut is not None
    images = [make_image(photo), make_image(photo).rotate(90, expand=True)]
    for temperature in (1.0, 0.5, 3.0):
        found, wanted = (one.weigh_classes(images, temperature=temperature) for one in (quick, plain))
        assert torch.allclose(found, wanted, atol=1e-5)
        assert not torch.equal(found, torch.zeros_like(found))
    hasten(few, run)  # what is kept is used for one image too
    assert few.shortcut is not None
    assert [path.name for path in find_place(run).parent.iterdir()] == [find_place(run).name]


def test_a_file_that_answers_otherwise_is_not_used_and_the_log_says_so(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    hasten(Predictor.from_run(run), run, images=WORTH)
    predictor = Predictor.from_run(run)
    with torch.no_grad():
        for parameter in predictor.model.parameters():
            parameter.mul_(1.5)
    with caplog.at_level(logging.WARNING, "weakspot"):
        hasten(predictor, run)
    assert predictor.shortcut is None
    assert (
        "first is asked by PyTorch, not by ONNX Runtime: the stored file gives different answers"
        in caplog.text
    )
    find_place(run).write_bytes(b"no model")
    hasten(predictor := Predictor.from_run(run), run)
    assert predictor.shortcut is None


def test_where_no_file_can_be_made_and_while_a_run_trains_pytorch_answers(
    run: Run, tiny_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run.write_status(replace(run.read_status(), state="queued"))
    predictor = Predictor.from_run(run)
    hasten(predictor, run, images=WORTH)
    assert (predictor.shortcut, caplog.text) == (None, "")
    run.write_status(replace(run.read_status(), state="finished"))
    shutil.rmtree(tiny_data)
    hasten(predictor, run, images=WORTH)
    assert predictor.shortcut is None
    assert "first is asked by PyTorch" in caplog.text
    assert len(predictor.predict([Image.new("RGB", (40, 40))])) == 1
