"""A run folder as a training leaves it, made in a moment through the same functions that a training uses."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax

from core.confidence.kept import keep_calibration
from core.confidence.measured import Calibration, calibrate
from core.dataset.folders import scan_folders
from core.model.evaluate import write_predictions
from core.recipe.config import TrainConfig
from core.runs.bakeoff import name_run
from core.runs.run import Run, create_run
from core.runs.run_data import record_data, scan_config
from core.training.engine import Outcome

# What the run says of the six validation images of the tiny data, by index of class: one of class 10 and one of
# class 35 are taken for class 2.
TRUE = np.array([0, 0, 1, 1, 2, 2])
GUESSED = np.array([0, 0, 1, 0, 0, 2])
# The same after the first epoch: of class 10 both are taken for class 2, and the one of class 35 for class 10.
GUESSED_FIRST = np.array([0, 0, 0, 0, 1, 2])


def make_run(
    root: Path,
    data: Path,
    *,
    name: str = "first",
    state: str = "finished",
    guessed: np.ndarray = GUESSED,
    **changes: object,
) -> Run:
    """Make a run of two epochs on the tiny data, without a model, a predictions table an epoch.

    `guessed` are the indices of the classes that its best model takes the validation images for.
    """
    values = {
        "data": str(data),
        "name": name,
        "arch": "resnet18",
        "image_size": 32,
        "resize_size": 32,
        "epochs": 2,
    }
    config = TrainConfig.from_dict({**values, **changes})
    run = create_run(config, root)
    folders = scan_folders(data)
    record_data(run, folders, config)
    run.epoch_path(1).parent.mkdir()
    for epoch, guesses in ((1, GUESSED_FIRST), (2, guessed)):
        append_epoch(run, epoch)
        write_predictions(run.epoch_path(epoch), folders.val, _outcome(guesses), folders.classes)
    right = float((guessed == TRUE).mean())
    write_predictions(run.predictions_path(), folders.val, _outcome(guessed), folders.classes)
    run.log_path.write_text("Epoch 1/2\nEpoch 2/2\n", encoding="utf-8")
    run.write_status(
        replace(
            run.read_status(), state=state, phase=state, message=f"It has {state}.", started=time.time() - 60,
            ended=time.time(), worked=60.0, epoch=2, best_epoch=2, best_val_acc=right, val_count=len(TRUE),
        )
    )  # fmt: skip
    return run


def make_member(root: Path, data: Path, *, guessed: np.ndarray = GUESSED, **changes: object) -> Run:
    """Make a finished run as the bake-off `bake` has it."""
    values = {"group": "bake", "arch": "resnet18", **changes}
    name = name_run(TrainConfig.from_dict({"data": str(data), **values}))
    return make_run(root, data, name=name, guessed=guessed, **values)


def make_fold(
    root: Path, data: Path, number: int, count: int = 3, *, wrong: int = 0, name: str = "", **changes: object
) -> Run:
    """Make a finished run of the bake-off `bake` that validates on a fold and gets its first `wrong` images wrong."""
    values = {
        "data": str(data),
        "group": "bake",
        "arch": "resnet18",
        "fold": f"{number}/{count}",
        "epochs": 1,
    }
    config = TrainConfig.from_dict({**values, **changes})
    config = replace(config, name=name or name_run(config))
    run, folders = create_run(config, root), scan_config(config)
    record_data(run, folders, config)
    true = np.array([sample.target for sample in folders.val])
    guessed = np.where(np.arange(len(true)) < wrong, (true + 1) % 3, true)
    write_predictions(run.predictions_path(), folders.val, _outcome(guessed, true), folders.classes)
    run.write_status(
        replace(
            run.read_status(), state="finished", phase="finished", ended=time.time(), epoch=1, best_epoch=1,
            best_val_acc=float((guessed == true).mean()), val_count=len(true),
        )
    )  # fmt: skip
    return run


def append_epoch(run: Run, epoch: int, *, steps: int = 3) -> None:
    """Append the figures of one epoch and its steps."""
    for step in range(steps * (epoch - 1) + 1, steps * epoch + 1):
        run.append_metrics(
            {"kind": "step", "step": step, "epoch": step / steps, "loss": 2 / step, "acc": 0.5, "lr": 0.001}
        )
    figures = {"train_loss": 2 / epoch, "train_acc": 0.5, "val_loss": 1.5, "val_acc": 0.6, "seconds": 20.0}
    counts = {
        "step": steps * epoch,
        "images_per_second": 9.0,
        "val_seconds": 3.0,
        "val_correct": [2, min(1, epoch - 1), 1],
    }
    run.append_metrics({"kind": "epoch", "epoch": epoch, **counts, **figures})


def _outcome(guessed: np.ndarray, true: np.ndarray = TRUE) -> Outcome:
    others = np.array([[1, 2], [0, 2], [0, 1]])
    top = np.column_stack([guessed, others[guessed]])
    prob = np.tile(np.array([0.7, 0.2, 0.1], dtype=np.float32), (len(true), 1))
    prob[:, 0] += np.linspace(0, 0.2, len(true), dtype=np.float32)
    true_prob = prob[np.arange(len(true)), (top == true[:, None]).argmax(axis=1)]
    return Outcome(top, prob, true_prob, -np.log(true_prob), true)


def plant_answers(
    count: int = 400, *, classes: int = 5, sharpness: float = 2.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return log-probabilities (count, classes) that would hold if their temperature were `sharpness`, and targets."""
    random = np.random.default_rng(0)
    honest = log_softmax(random.normal(0, 2, (count, classes)), axis=1)
    targets = (random.random((count, 1)) > np.exp(honest).cumsum(axis=1)).sum(axis=1).clip(max=classes - 1)
    return log_softmax(honest * sharpness, axis=1).astype(np.float32), targets


def measure_confidence(run: Run, **planted: Any) -> Calibration:
    """Keep with a run what would be measured of its model if it answered as `plant_answers` does."""
    found = calibrate(*plant_answers(**planted), epoch=run.read_status().best_epoch)
    keep_calibration(run, found)
    return found
