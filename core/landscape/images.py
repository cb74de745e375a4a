"""The images of a run with their features and what its best model answers to each, computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from core.dataset.folders import ImageFolders, Sample
from core.model.neighbours import Place, compute_features, locate
from core.model.placement import choose_placement
from core.networks.build import head_of
from core.networks.table import InputFormat
from core.runs.run import Run
from core.training import features, loaders
from core.training.checkpoint import load_best
from core.training.engine import TOP, Compute, Outcome

Progress = Callable[[int, int], bool]
_CHUNK = 4096  # images whose answers are computed at once


@dataclass(frozen=True)
class SeenImages:
    """N images by split, in their order: samples, features (N, D) float32, and what the model answers to each."""

    folders: ImageFolders
    splits: tuple[str, ...]
    samples: tuple[Sample, ...]
    features: npt.NDArray[np.float32]
    answers: Outcome


def count_images(folders: ImageFolders) -> int:
    """Return how many images of a data set go through the network for a map."""
    return len(folders.train) + len(folders.val) + len(folders.held)


def see_images(run: Run, progress: Progress) -> SeenImages | None:
    """Ask a run's best model about all its images; None when `progress(images done, in all)` said to end.

    Features of training and validation images are those that "nearest training images" keeps, so that what either
    has computed the other need not.

    Raises:
        RunError: when the run has no model or no record of its data, or its images are gone.
        DataError: naming an image that cannot be read any more.
    """
    compute = choose_placement(run)
    place = locate(run, compute, progress)
    if place is None:
        return None
    folders = place.folders
    total, first = count_images(folders), len(folders.train) + len(folders.val)
    found = compute_features(run, place, compute, progress=lambda done, _: progress(done, total))
    if found is None:
        return None
    parts = [found.train[:, 0], found.val]
    held = _see_held(run, place, compute, lambda done: progress(first + done, total))
    if held is None:
        return None
    parts.append(held)
    samples = (*folders.train, *folders.val, *folders.held)
    values = torch.cat([part.float() for part in parts if len(part)])
    splits = ("train",) * len(folders.train) + ("val",) * len(folders.val) + ("held",) * len(folders.held)
    return SeenImages(folders, splits, samples, values.numpy(), answer(run, values, samples))


def answer(run: Run, values: torch.Tensor, samples: Sequence[Sample]) -> Outcome:
    """Return what the last layer of a run's best model makes of features (N, D) of images."""
    model, _ = load_best(run)
    head = head_of(model).float().eval()
    targets = torch.tensor([sample.target for sample in samples])
    with torch.inference_mode():
        log_probs = torch.cat([head(part).log_softmax(1) for part in torch.split(values, _CHUNK)])
    top = log_probs.topk(min(TOP, log_probs.shape[1]), dim=1)
    true = log_probs.gather(1, targets[:, None])[:, 0]
    return Outcome(
        top.indices.numpy(), top.values.exp().numpy(), true.exp().numpy(), (-true).numpy(), targets.numpy()
    )


def _see_held(
    run: Run, place: Place, compute: Compute, progress: Callable[[int], bool]
) -> torch.Tensor | None:
    """Return the features of the images held back, (M, D), M = 0 where none are; None when `progress` said to end."""
    samples = place.folders.held
    if not samples:
        return torch.empty(0, 0)
    model, values = load_best(run)
    network = compute.place_model(model)
    config = run.read_config()
    transform = loaders.eval_transforms(
        values["image_size"], values["resize_size"], InputFormat.from_values(values)
    )
    table = loaders.ImageTable(place.folders.root, samples, transform)
    order = loaders.EpochBatches(len(samples), config.batch_size, seed=None)
    workers = loaders.choose_workers(config.workers, compute.device.type)
    loader = loaders.make_loader(table, order, workers=workers, pin_memory=compute.device.type == "cuda")
    rows: list[torch.Tensor] = []
    for batch in features.compute_features(network, loader, compute):
        rows.append(batch)
        if not progress(sum(map(len, rows))):
            return None
    return torch.cat(rows)
