"""A checkpoint and a split give a predictions table, the one thing all analysis reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from core.dataset.folders import ImageFolders, Sample
from core.image_table import Names, write_table
from core.model.placement import choose_placement
from core.networks.table import InputFormat
from core.runs.run import Run
from core.runs.run_data import recorded_folders, split_samples
from core.training import engine
from core.training.checkpoint import load_best
from core.training.loaders import EpochBatches, ImageTable, choose_workers, eval_transforms, make_loader


@dataclass(frozen=True)
class OpenSplit:
    """A run's best model, placed, and the images of a split in their order, in batches."""

    model: nn.Module
    batches: engine.Batches
    compute: engine.Compute
    folders: ImageFolders
    samples: tuple[Sample, ...]


def open_split(run: Run, split: str, *, precision: str = "") -> OpenSplit:
    """Load a run's best model and open a split of its data, to be asked as `choose_placement` says.

    Raises:
        RunError: when either is not there.
    """
    config = run.read_config()
    model, values = load_best(run)
    folders = recorded_folders(run)
    samples = split_samples(folders, split)
    compute = choose_placement(run, precision)
    transform = eval_transforms(values["image_size"], values["resize_size"], InputFormat.from_values(values))
    table = ImageTable(folders.root, samples, transform)
    batches = EpochBatches(len(samples), config.batch_size, seed=None)
    workers = choose_workers(config.workers, compute.device.type)
    loader = make_loader(table, batches, workers=workers, pin_memory=compute.device.type == "cuda")
    return OpenSplit(compute.place_model(model), loader, compute, folders, samples)


def read_log_probs(
    opened: OpenSplit, *, progress: Callable[[int, int], bool] | None = None
) -> npt.NDArray[np.float32] | None:
    """Return the natural log-probabilities (N, C) of all classes for the images of a split; None when told to stop."""
    parts: list[torch.Tensor] = []
    done = 0
    with torch.inference_mode():
        for images, targets in opened.batches:
            logits = opened.compute.ask(opened.model, images)
            parts.append(logits.float().log_softmax(1).cpu())
            done += len(targets)
            if progress is not None and not progress(done, len(opened.samples)):
                return None
    found: npt.NDArray[np.float32] = torch.cat(parts).numpy()
    return found


def evaluate_run(
    run: Run, split: str = "val", *, progress: Callable[[int, int], bool] | None = None
) -> engine.Outcome | None:
    """Evaluate a run's best model on a split and write its predictions table; None when progress said to end.

    It computes in the precision of the run's training, as the table that training wrote was.
    """
    opened = open_split(run, split, precision=run.read_config().precision)
    count = len(opened.samples)
    on_batch = None if progress is None else lambda done: progress(done, count)
    outcome = engine.evaluate(opened.model, opened.batches, opened.compute, on_batch=on_batch)
    if outcome is not None:
        write_predictions(run.predictions_path(split), opened.samples, outcome, opened.folders.classes)
    return outcome


def write_predictions(
    path: Path, samples: Sequence[Sample], outcome: engine.Outcome, classes: Sequence[str]
) -> None:
    """Write a predictions table atomically, one row an image in the order of `samples`.

    Columns: path, true, predicted, confidence and true_confidence (0..1), loss (nats), then top1…top5 with
    top1_confidence…top5_confidence (fewer where there are fewer classes). Classes are named by folder. It is Parquet
    of very many images, else CSV, compressed where the name of `path` ends in .gz.

    Raises:
        OSError: when it cannot be written.
    """
    columns: dict[str, Sequence[str] | Names | npt.NDArray[np.floating[Any]]] = {
        "path": [sample.path for sample in samples],
        "true": Names(np.array([sample.target for sample in samples], dtype=np.intp), classes),
        "predicted": Names(outcome.top_index[:, 0], classes),
        "confidence": outcome.top_prob[:, 0],
        "true_confidence": outcome.true_prob,
        "loss": outcome.loss,
    }
    for rank in range(outcome.top_index.shape[1]):
        columns[f"top{rank + 1}"] = Names(outcome.top_index[:, rank], classes)
        columns[f"top{rank + 1}_confidence"] = outcome.top_prob[:, rank]
    write_table(path, columns)
