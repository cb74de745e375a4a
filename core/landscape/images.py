"""The images of a run with their features and what its best model answers to each, computed once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from core.dataset.contents import read_contents
from core.dataset.folders import ImageFolders, Sample, scan_folders
from core.errors import DataError, RunError
from core.files import delete_oldest
from core.model.neighbours import Place, compute_features_of, locate
from core.model.placement import choose_placement
from core.networks.build import head_of
from core.networks.table import InputFormat
from core.runs.run import Run
from core.training import features, loaders
from core.training.checkpoint import load_best, load_checkpoint, save_checkpoint
from core.training.engine import TOP, Batches, Compute, Outcome

Progress = Callable[[int, int], bool]
UNLABELLED = -1  # the target of a test image
_UNREADABLE = -2
_CHUNK = 4096  # images whose answers are computed at once


@dataclass(frozen=True)
class SeenImages:
    """N images by split, in their order: samples, features (N, D) float32, and what the model answers to each.

    Test images come last; they have no label, so their `true_prob` and `loss` are NaN.
    """

    folders: ImageFolders
    splits: tuple[str, ...]
    samples: tuple[Sample, ...]
    features: npt.NDArray[np.float32]
    answers: Outcome


def see_images(run: Run, progress: Progress) -> SeenImages | None:
    """Ask a run's best model about all its images; None when `progress(images done, in all)` said to end.

    Features of training and validation images are those that "nearest training images" keeps, so that what either
    has computed the other need not. Test images that cannot be read are left out.

    Raises:
        RunError: when the run has no model or no record of its data, or its images are gone.
        DataError: naming a labelled image that cannot be read any more.
    """
    compute = choose_placement(run)
    place = locate(run, compute, progress)
    if place is None:
        return None
    folders = place.folders
    rest = (*folders.held, *find_test(folders))
    first = len(folders.train) + len(folders.val)
    total = first + len(rest)
    found = compute_features_of(run, place, compute, progress=lambda done, _: progress(done, total))
    if found is None:
        return None
    more = _see_rest(run, place, compute, rest, lambda done: progress(first + done, total))
    if more is None:
        return None
    known, readable = more
    samples = (
        *folders.train,
        *folders.val,
        *(sample for sample, can in zip(rest, readable, strict=True) if can),
    )
    values = torch.cat([part.float() for part in (found.train[:, 0], found.val, known) if len(part)])
    tests = sum(sample.target == UNLABELLED for sample in samples)
    splits = ("train",) * len(folders.train) + ("val",) * len(folders.val)
    splits += ("held",) * (len(samples) - len(splits) - tests) + ("test",) * tests
    return SeenImages(folders, splits, samples, values.numpy(), answer(run, values, samples))


def find_test(folders: ImageFolders) -> tuple[Sample, ...]:
    """Return the test images that lie in a data folder now; none where its layout cannot be read any more."""
    try:
        return tuple(Sample(path, UNLABELLED) for path in scan_folders(folders.root).test)
    except DataError:
        return ()


def answer(run: Run, values: torch.Tensor, samples: Sequence[Sample]) -> Outcome:
    """Return what the last layer of a run's best model makes of features (N, D) of images."""
    model, _ = load_best(run)
    head = head_of(model).float().eval()
    targets = torch.tensor([sample.target for sample in samples])
    with torch.inference_mode():
        log_probs = torch.cat([head(part).log_softmax(1) for part in torch.split(values, _CHUNK)])
    top = log_probs.topk(min(TOP, log_probs.shape[1]), dim=1)
    true = log_probs.gather(1, targets.clamp(min=0)[:, None])[:, 0]
    true[targets == UNLABELLED] = torch.nan
    return Outcome(
        top.indices.numpy(), top.values.exp().numpy(), true.exp().numpy(), (-true).numpy(), targets.numpy()
    )


class _LenientTable(loaders.ImageTable):
    """Images of which those without a label may not be readable: such a one is black, and its target says so."""

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int]:
        try:
            return super().__getitem__(key)
        except DataError:
            if self.samples[key[1]].target != UNLABELLED:
                raise
            return self.transform(Image.new("RGB", (32, 32))), _UNREADABLE


def _see_rest(
    run: Run, place: Place, compute: Compute, samples: Sequence[Sample], progress: Callable[[int], bool]
) -> tuple[torch.Tensor, list[bool]] | None:
    """Return the features (M, D) of those of some images that can be read, and of each whether it can; they are kept.

    None when `progress` said to end; M = 0 where there are no images.
    """
    if not samples:
        return torch.empty(0, 0), []
    path = _find_kept(run, place, samples)
    if path.is_file():
        try:
            kept = load_checkpoint(path)
            return kept["features"], kept["readable"]
        except (RunError, KeyError):
            pass  # damaged; it can be made anew
    model, values = load_best(run)
    config = run.read_config()
    transform = loaders.eval_transforms(
        values["image_size"], values["resize_size"], InputFormat.from_values(values)
    )
    table = _LenientTable(place.folders.root, samples, transform)
    order = loaders.EpochBatches(len(samples), config.batch_size, seed=None)
    workers = loaders.choose_workers(config.workers, compute.device.type)
    loader = loaders.make_loader(table, order, workers=workers, pin_memory=compute.device.type == "cuda")
    readable: list[bool] = []

    def note(batches: Batches) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for images, targets in batches:
            readable.extend((targets != _UNREADABLE).tolist())
            yield images, targets

    rows: list[torch.Tensor] = []
    for batch in features.compute_features(compute.place_model(model), note(loader), compute):
        rows.append(batch)
        if not progress(sum(map(len, rows))):
            return None
    found = torch.cat(rows)[torch.tensor(readable)]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, {"features": found, "readable": readable})
    delete_oldest(path.parent, "*.pt", keep=path, limit=features.KEPT_BYTES)
    return found, readable


def _find_kept(run: Run, place: Place, samples: Sequence[Sample]) -> Path:
    """Return where features are kept of images beside those of training and validation: by these and by what they contain."""
    contents = read_contents(place.folders.root, [sample.path for sample in samples], run.folder.parent)
    digest = hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:8]
    return run.folder.parent / features.FOLDER / f"{place.key}-{digest}.pt"
