"""Weakspot from Python: train, evaluate, predict, explain and compare, in a notebook or a script.

    import weakspot
    run = weakspot.train("photos", preset="quick")
    weakspot.weak_classes(run)

The same runs as those of the dashboard: what is trained here is seen there, and the other way round.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from core.errors import RunError
from core.runs.run import Run, default_root, find_run

if TYPE_CHECKING:
    from core.verdicts.paired import PairedTest

__all__ = ["compare", "demo", "evaluate", "explain", "open_run", "predict", "train", "weak_classes"]
Picture = str | Path | Image.Image


def demo(name: str, folder: str | Path) -> Path:
    """Make a built-in data set, `digits` (10 classes) or `glyphs` (100), in a folder, and return the folder."""
    from core.dataset.demo import make_demo

    make_demo(name, Path(folder))
    return Path(folder)


def train(data: str | Path, *, preset: str = "quick", **settings: Any) -> Run:
    """Train a run here, with a progress bar, and return it when it has finished.

    `data` is a folder with `train/<class>/*`, optionally `val/<class>/*`; `settings` are those of `weakspot train --help`
    with underscores, such as `epochs=3` or `arch="convnext_tiny.in12k_ft_in1k"`. Interrupting it saves; go on with the
    command `weakspot resume`.

    Raises:
        ConfigError: for a setting that is wrong, naming it.
        RunError: when the training failed or was stopped; the text says why.
    """
    from core.cli.task import do_work
    from core.recipe.presets import from_preset
    from core.runs.claim import claim
    from core.runs.jobs import prepare

    run = prepare(
        from_preset(preset, data=str(Path(data).expanduser().resolve()), **settings), default_root()
    )
    with claim(run):
        do_work(run, sys.stderr)
    status = run.read_status()
    if status.state != "finished":
        raise RunError(f"{run.id} {status.state}: {status.message}")
    return run


def open_run(name: str = "latest") -> Run:
    """Return a run by its id, or the newest one.

    Raises:
        RunError: when there is none of that name.
    """
    return find_run(name, default_root())


def evaluate(run: Run, split: str = "val") -> pd.DataFrame:
    """Return the best model's predictions of a split, `val`, `train` or `held`, one row an image.

    Columns: path, true, predicted, confidence and true_confidence (0..1), loss (nats), top1…top5 with their confidences.
    Classes are named by folder. The table is computed where the run has none yet.

    Raises:
        RunError: when the run has no model yet, or no such images.
    """
    from core.model.evaluate import evaluate_run
    from core.verdicts.predictions import read_predictions

    if not run.predictions_path(split).exists():
        evaluate_run(run, split)
    return read_predictions(run.predictions_path(split))


def weak_classes(run: Run, split: str = "val") -> pd.DataFrame:
    """Return one row a class, weakest first by the upper end of its interval.

    Columns: class, support (images judged), right, recall with low and high (its 95 % Wilson interval, 0..1), what it is
    confused_with, precision, f1, and train (training images).

    Raises:
        RunError: as `evaluate`.
    """
    from core.runs.run_data import read_run_data
    from core.verdicts.class_report import report_classes

    data = read_run_data(run)
    return report_classes(evaluate(run, split), data.classes, data.train_counts)


def predict(run: Run, images: Sequence[Picture]) -> pd.DataFrame:
    """Return what the best model answers for images, paths or PIL images of any mode: one row an image.

    Columns: image (its path, or its place among `images`), predicted, confidence (0..1, calibrated where the run is), and
    top1…top5 with their confidences.

    Raises:
        RunError: when the run has no model yet.
        ImageProblem: naming the file that is not a readable image.
    """
    from core.confidence.kept import read_temperature
    from core.model.predict import Predictor

    found = Predictor.from_run(run).predict(
        [_open(image) for image in images], temperature=read_temperature(run)
    )
    rows = []
    for number, (image, one) in enumerate(zip(images, found, strict=True)):
        name = str(number) if isinstance(image, Image.Image) else str(image)
        row: dict[str, Any] = {"image": name, "predicted": one.classes[0], "confidence": one.confidences[0]}
        for rank, (label, share) in enumerate(zip(one.classes, one.confidences, strict=True), start=1):
            row |= {f"top{rank}": label, f"top{rank}_confidence": share}
        rows.append(row)
    return pd.DataFrame(rows)


def explain(
    run: Run, image: Picture, *, name: str = "", rather_than: str = "", method: str = "Grad-CAM"
) -> tuple[Image.Image, npt.NDArray[np.float32]]:
    """Return an image under its heat map, and the map itself, float32 (S, S) in 0..1: where evidence for a class is.

    `name` is the class, by folder, the predicted one unless given; with `rather_than` the map shows what speaks for it
    and against that one. Methods: Grad-CAM, Grad-CAM++, LayerCAM, EigenCAM.

    Raises:
        RunError: when the run has no model yet, or the class is none of its.
    """
    from core.model.evidence import METHODS, Evidence
    from core.model.pictures import overlay_map
    from core.model.predict import Predictor

    predictor, picture = Predictor.from_run(run), _open(image)
    asked = name or predictor.predict([picture])[0].classes[0]
    for label in filter(None, (asked, rather_than)):
        if label not in predictor.classes:
            raise RunError(
                f"{label!r} is not a class of {run.id}. Its classes are: {', '.join(predictor.classes)}."
            )
    if method not in METHODS:
        raise RunError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
    seen, maps = predictor.explain(
        [picture], [[Evidence(asked, rather_than=rather_than or None)]], method=method
    )
    return overlay_map(seen[0], maps[0][0]), maps[0][0]


def compare(first: Run, second: Run, split: str = "val") -> PairedTest:
    """Return the paired test of two runs on the same images; print its `describe(first.id, second.id)`.

    Raises:
        RunError: when they were judged on different images.
    """
    from core.verdicts.paired import compare_paired

    return compare_paired(evaluate(first, split), evaluate(second, split))


def _open(image: Picture) -> Image.Image:
    from core.dataset.images import read_image

    return image.convert("RGB") if isinstance(image, Image.Image) else read_image(Path(image))
