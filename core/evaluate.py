"""A checkpoint and a split give a predictions table, the one thing all analysis reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from core import engine
from core.checkpoint import load_best
from core.config import TrainConfig
from core.data import EpochBatches, ImageTable, choose_workers, eval_transforms, make_loader
from core.folders import ImageFolders, Sample
from core.images import BadImage
from core.runs import Run, RunError, write_rows


def split_samples(folders: ImageFolders, split: str) -> tuple[Sample, ...]:
    """Return the samples of `train` or `val`; raises ValueError for another name."""
    if split not in ("train", "val"):
        raise ValueError(f"split must be train or val, got {split!r}; for unlabelled images use predict")
    return folders.train if split == "train" else folders.val


def recorded_folders(run: Run) -> ImageFolders:
    """Return the data set as the run recorded it: the same classes, split and skipped files.

    Raises:
        RunError: when the run has no record yet or its data folder is gone.
    """
    record = run.read_json("data.json")
    if not record:
        raise RunError(f"{run.id}: the run ended before it had read its data.")
    root = Path(record["root"])
    if not root.is_dir():
        raise RunError(
            f"{run.id}: its data folder {root} is not there any more. Put it back, or train on the new place."
        )
    index = {name: i for i, name in enumerate(record["classes"])}
    splits = {
        split: tuple(Sample(path, index[name]) for path, name in record[split]) for split in ("train", "val")
    }
    return ImageFolders(
        root,
        tuple(record["classes"]),
        record["display"],
        splits["train"],
        splits["val"],
        (),
        record["val_made"],
        tuple(BadImage(path, reason) for path, reason in record["skipped"]),
    )


@dataclass(frozen=True)
class OpenSplit:
    """A run's best model, placed, and the images of a split in their order, in batches."""

    model: nn.Module
    batches: engine.Batches
    compute: engine.Compute
    folders: ImageFolders
    samples: tuple[Sample, ...]


def open_split(run: Run, split: str) -> OpenSplit:
    """Load a run's best model and open a split of its data; raises RunError when either is not there."""
    config = run.read_config()
    model, values = load_best(run)
    folders = recorded_folders(run)
    samples = split_samples(folders, split)
    compute = engine.choose_compute(config.device, config.precision)
    table = ImageTable(folders.root, samples, eval_transforms(values["image_size"], values["resize_size"]))
    batches = EpochBatches(len(samples), config.batch_size, seed=None)
    workers = choose_workers(config.workers, compute.device.type)
    loader = make_loader(table, batches, workers=workers, pin_memory=compute.device.type == "cuda")
    return OpenSplit(compute.place_model(model), loader, compute, folders, samples)


def evaluate_run(
    run: Run, split: str = "val", *, progress: Callable[[int, int], bool] | None = None
) -> engine.Outcome | None:
    """Evaluate a run's best model on a split and write its predictions table; None when progress said to end."""
    opened = open_split(run, split)
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
    top1_confidence…top5_confidence (fewer where there are fewer classes). Classes are named by folder. The table is
    compressed where the name of `path` ends in .gz.

    Raises:
        RunError: when it cannot be written.
    """
    k = outcome.top_index.shape[1]
    head = ["path", "true", "predicted", "confidence", "true_confidence", "loss"]
    head += [name for i in range(1, k + 1) for name in (f"top{i}", f"top{i}_confidence")]
    rows: list[list[str]] = []
    for number, sample in enumerate(samples):
        names = [classes[i] for i in outcome.top_index[number]]
        confidences = [f"{p:.6f}" for p in outcome.top_prob[number]]
        pairs = [value for pair in zip(names, confidences, strict=True) for value in pair]
        own = [f"{outcome.true_prob[number]:.6f}", f"{outcome.loss[number]:.6f}"]
        rows.append([sample.path, classes[sample.target], names[0], confidences[0], *own, *pairs])
    write_rows(path, head, rows)


def describe_data(folders: ImageFolders, config: TrainConfig) -> dict[str, object]:
    """Return the record of a data set for a run's data.json; `recorded_folders` reads it back."""
    return {
        "root": str(folders.root),
        "fingerprint": folders.fingerprint(),
        "classes": list(folders.classes),
        "display": folders.display,
        "val_made": folders.val_made,
        "val_fraction": config.val_fraction if folders.val_made else None,
        "split_seed": config.seed if folders.val_made else None,
        "skipped": [[item.path, item.reason] for item in folders.skipped],
        "train": [[s.path, folders.classes[s.target]] for s in folders.train],
        "val": [[s.path, folders.classes[s.target]] for s in folders.val],
        "sizes": folders.sizes(),
        "test_count": len(folders.test),
    }


def find_changes(record: Mapping[str, Any], now: ImageFolders) -> str:
    """Tell in words how a data set differs from a run's record of it (data.json); empty when it does not."""
    classes = set(record["classes"])
    sizes: dict[str, int] = record["sizes"]
    unread = {path for path, _ in record["skipped"]}
    found = now.sizes()
    files = {
        "added": [path for path in found if path not in sizes and path not in unread],
        "gone": [path for path in sizes if path not in found],
        "of another size": [path for path in sizes if path in found and sizes[path] != found[path]],
    }
    changes = [f"class {name!r} added" for name in now.classes if name not in classes]
    changes += [f"class {name!r} gone" for name in record["classes"] if name not in now.classes]
    changes += [
        f"{len(paths)} {'file' if len(paths) == 1 else 'files'} {what} ({'' if len(paths) == 1 else 'first '}{paths[0]})"
        for what, paths in files.items()
        if paths
    ]
    return ", ".join(changes)
