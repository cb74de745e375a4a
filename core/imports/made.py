"""A table that was understood becomes a run, on which the pages of analysis work; with its model where that is at hand."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.files import write_text
from core.image_table import Names, write_table
from core.imports.reading import Floats, Ints, Reading
from core.people.acting import TRAIN, needs
from core.recipe.config import TrainConfig
from core.runs.imported import ALL, NONE, TOP, Origin, write_log_probs, write_origin
from core.runs.run import Run, create_run, delete_run, make_slug
from core.runs.seen import Seen, write_seen
from core.words import format_count

if TYPE_CHECKING:
    from core.image_table import Columns
    from core.imports.model import Model

_GUESSES = 5  # likeliest classes of an image that are kept
_LEAST = 1e-7  # a probability below it was rounded off, and its logarithm would be endless


@needs(TRAIN, "import", lambda reading, *_, **__: Path(reading.table).name)
def make_run(reading: Reading, root: Path, *, name: str = "", model: Model | None = None) -> Run:
    """Make a finished run of a table that was understood; what fails leaves none. `root` is the folder of all runs.

    It is called like the table where it has no `name`. `model` is the one that made the table, where its weights are known.

    Raises:
        ConfigError: when the name is none that a run can have.
        RunError: when there is a run of this name.
        OSError: when it cannot be written.
    """
    chosen = name or _find_name(reading.table, root)
    plain = TrainConfig(data=str(reading.images.root), weights="none") if model is None else model.config
    run = create_run(replace(plain, name=chosen), root)
    try:
        _fill(run, reading, model)
    except BaseException:
        delete_run(run)
        raise
    return run


def _find_name(table: str, root: Path) -> str:
    base = make_slug(Path(table).stem)
    names = (base if number == 1 else f"{base}-{number}" for number in range(1, 1000))
    return next(name for name in names if not (root / name).exists())


def _fill(run: Run, reading: Reading, model: Model | None) -> None:
    kept = NONE if reading.confidence is None else TOP if reading.probabilities is None else ALL
    notes = reading.notes if model is None else (*reading.notes, model.note)
    write_origin(run, Origin(reading.table, kept, notes))
    write_text(run.folder / "data.json", json.dumps(_describe_data(reading)) + "\n")
    write_seen(run, Seen(unknown=(f"the model behind {reading.table}",)))
    if model is not None:
        model.keep(run, reading)
    if reading.probabilities is not None:
        write_log_probs(run, np.log(np.maximum(reading.probabilities, _LEAST)).astype(np.float32))
    count = min(_GUESSES, len(reading.classes)) if reading.probabilities is not None else 0
    write_table(run.predictions_path(), _list_columns(reading, count))
    run.write_status(
        replace(
            run.read_status(), state="finished", phase="finished", ended=time.time(), epochs=0,
            message=f"Imported from {reading.table}: {format_count(len(reading.paths), 'prediction')}.",
            best_val_acc=reading.accuracy, val_count=len(reading.paths),
        )
    )  # fmt: skip


def _describe_data(reading: Reading) -> dict[str, object]:
    """Return the record of a run's data.json: the images of the table as validation, other training images as such."""
    images, judged = reading.images, set(reading.paths)
    return {
        "root": str(images.root),
        "classes": list(reading.classes),
        "display": images.display,
        "val_made": False,
        "skipped": [],
        "sizes": {},  # by which a resume knows its files again: there is none
        "train": [[path, images.labels[path]] for path in images.training if path not in judged],
        "val": [
            [path, reading.classes[index]] for path, index in zip(reading.paths, reading.true, strict=True)
        ],
    }


def _list_columns(reading: Reading, count: int) -> Columns:
    """Return the predictions table, with so many likeliest classes; what is not known is NaN."""
    classes = reading.classes
    confidence, own, loss = _find_figures(reading)
    order, shares = _rank_guesses(reading, count)
    guesses = {
        name: column
        for rank in range(count)
        for name, column in (
            (f"top{rank + 1}", Names(order[:, rank], classes)),
            (f"top{rank + 1}_confidence", shares[:, rank]),
        )
    }
    return {
        "path": reading.paths,
        "true": Names(np.asarray(reading.true), classes),
        "predicted": Names(np.asarray(reading.predicted), classes),
        "confidence": confidence,
        "true_confidence": own,
        "loss": loss,
        **guesses,
    }


def _find_figures(reading: Reading) -> tuple[Floats, Floats, Floats]:
    """Return the confidences in the predicted and in the true class, and the losses (nats), NaN where not known (N,)."""
    nothing = np.full(len(reading.paths), np.nan)
    if reading.confidence is None:
        return nothing, nothing, nothing
    if reading.probabilities is None:  # of an error nobody knows what the true class got
        own = np.where(reading.true == reading.predicted, reading.confidence, np.nan)
        return reading.confidence, own, nothing
    own = reading.probabilities[np.arange(len(reading.paths)), reading.true]
    return reading.confidence, own, -np.log(np.maximum(own, _LEAST))


def _rank_guesses(reading: Reading, count: int) -> tuple[Ints, Floats]:
    """Return the likeliest classes of each image (N, K) and their probabilities; of equal ones the predicted is first."""
    if reading.probabilities is None:
        return np.empty((len(reading.paths), 0), dtype=np.int64), np.empty((len(reading.paths), 0))
    ranked = reading.probabilities.copy()
    ranked[np.arange(len(ranked)), reading.predicted] += 1
    order = np.argsort(-ranked, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(reading.probabilities, order, axis=1)
