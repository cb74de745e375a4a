"""A run on very many classes, whose pictures are but a few: what the analysis makes of it needs no others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from core.files import write_text
from core.image_table import Names, write_table
from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run
from tests.made_run import append_epoch

GROUP = 8  # classes that are taken for each other
IMAGES = 2  # of each class
FEW = 3  # classes whose pictures are there


def name_classes(classes: int) -> list[str]:
    return [f"class-{number:05d}" for number in range(classes)]


def make_answers(classes: int, images: int = IMAGES) -> tuple[np.ndarray, np.ndarray]:
    """Return the true and the predicted classes of all images: the first of each class is taken for the next in its group."""
    true = np.repeat(np.arange(classes), images)
    near = np.minimum(true // GROUP * GROUP + (true + 1) % GROUP, classes - 1)
    return true, np.where(np.arange(len(true)) % images == 0, near, true)


def make_large_run(root: Path, data: Path, classes: int, *, images: int = IMAGES, name: str = "large") -> Run:
    """Make a finished run of an epoch without a model."""
    names = name_classes(classes)
    true, predicted = make_answers(classes, images)
    paths = [f"val/{names[code]}/{number % images}.png" for number, code in enumerate(true)]
    for path in paths[: FEW * images]:
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), "teal").save(data / path)
    run = create_run(TrainConfig(data=str(data), name=name, arch="resnet18", image_size=32, epochs=1), root)
    record = {
        "root": str(data), "classes": names, "display": {}, "val_made": False, "skipped": [], "sizes": {},
        "train": [[f"train/{one}/0.png", one] for one in names],
        "val": [[path, names[code]] for path, code in zip(paths, true, strict=True)],
    }  # fmt: skip
    write_text(run.folder / "data.json", json.dumps(record))
    sure = np.full(len(true), 0.6)
    write_table(
        run.predictions_path(),
        {
            "path": paths,
            "true": Names(true, names),
            "predicted": Names(predicted, names),
            "confidence": sure,
            "true_confidence": np.where(true == predicted, 0.6, 0.2),
            "loss": np.where(true == predicted, 0.5, 1.6),
        },
    )
    append_epoch(run, 1)
    right = float((true == predicted).mean())
    run.write_status(
        replace(
            run.read_status(), state="finished", phase="finished", epoch=1, epochs=1, best_epoch=1, best_val_acc=right,
            val_count=len(true),
        )
    )  # fmt: skip
    return run
