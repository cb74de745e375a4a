"""Images unlike anything a model was trained on: told by the nearest training images, of which few validation images lack one."""

from __future__ import annotations

import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from core.dataset.images import read_image
from core.errors import RunError
from core.model.predict import Predictor
from core.model.strangers import (
    KEPT,
    Strangers,
    fit_strangers,
    learn_strangers,
    read_strangers,
)
from core.runs.run import Run
from tests.made_run import make_run


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a run with a model of random weights."""
    run = make_run(runs_root, tiny_data, precision="fp32", device="cpu", workers=0)
    shutil.copy(best_model, run.best_path)
    return run


def around(direction: int, count: int, seed: int) -> torch.Tensor:
    """Return features (count, 16) that lie around one axis."""
    noise = torch.randn(count, 16, generator=torch.Generator().manual_seed(seed)) * 0.1
    noise[:, direction] += 1
    return noise


def count_strangers(known: Strangers, features: torch.Tensor) -> int:
    return int((known.measure(features) < known.threshold).sum())


def test_what_lies_where_no_training_image_does_is_a_stranger_whatever_its_length() -> None:
    train = torch.cat([around(0, 50, 0), around(1, 50, 1)])
    known = fit_strangers(train, torch.cat([around(0, 30, 2), around(1, 30, 3)]), epoch=4)
    assert (known.epoch, known.count) == (4, 60)
    assert count_strangers(known, around(2, 20, 4)) == 20
    assert count_strangers(known, around(1, 200, 5)) < 40
    assert count_strangers(known, 100 * around(2, 20, 4)) == 20


def test_the_share_wanted_of_the_validation_images_is_kept() -> None:
    val = around(0, 40, 2)
    known = fit_strangers(around(0, 50, 0), val)
    assert 1 - count_strangers(known, val) / 40 >= KEPT
    assert count_strangers(fit_strangers(around(0, 50, 0), val[:6]), val[:6]) == 0  # of so few, all


def test_what_was_learned_is_kept_with_the_run_and_used_by_its_model(run: Run, tiny_data: Path) -> None:
    plain = Predictor.from_run(run)
    image = read_image(tiny_data / "val/2/1.png")
    assert plain.predict([image])[0].strange is None
    calls: list[tuple[int, int]] = []
    learned = learn_strangers(run, progress=lambda *call: bool(calls.append(call)) or True)
    assert learned is not None
    assert calls[-1][0] == calls[-1][1]
    kept = read_strangers(run)
    assert kept is not None
    assert torch.equal(kept.bank, learned.bank)
    predictor = Predictor.from_run(run)
    same, other = predictor.predict([image])[0], plain.predict([image])[0]
    assert (same.classes, same.strange) == (other.classes, False)
    assert same.confidences == pytest.approx(other.confidences, abs=1e-6)


def test_a_picture_of_nothing_it_knows_is_told(run: Run) -> None:
    learn_strangers(run)
    stripes = Image.new("RGB", (32, 32), "black")
    for column in range(0, 32, 4):
        stripes.paste("white", (column, 0, column + 2, 32))
    assert Predictor.from_run(run).predict([stripes])[0].strange is True


def test_what_was_learned_of_another_model_is_not_used(run: Run) -> None:
    learn_strangers(run)
    run.write_status(replace(run.read_status(), best_epoch=1))
    assert read_strangers(run) is None


def test_a_stop_keeps_nothing_and_a_damaged_record_is_told(run: Run) -> None:
    assert learn_strangers(run, progress=lambda *_: False) is None
    assert not run.strangers_path.exists()
    empty = io.BytesIO()
    torch.save({"format": 1}, empty)
    run.strangers_path.write_bytes(empty.getvalue())
    with pytest.raises(RunError, match="Learn to recognise strangers again"):
        read_strangers(run)
    run.strangers_path.write_bytes(b"no checkpoint")
    with pytest.raises(RunError, match=r"strangers\.pt is damaged"):
        read_strangers(run)
