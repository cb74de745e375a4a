"""Images unlike anything a model was trained on: told by how far, in its features, even the nearest training images are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import nn

from core.errors import RunError
from core.model.neighbours import compute_features_of, locate
from core.model.placement import choose_placement
from core.reading import take
from core.runs.run import Run
from core.training.checkpoint import load_checkpoint, save_checkpoint

KEPT = 0.95  # of the validation images are to be taken for what they are
_MOST = 10_000  # training images that are compared with
Progress = Callable[[int, int], bool]


@dataclass(frozen=True, eq=False)
class Strangers:
    """What tells strangers for the model of `epoch`: the features of training images, unit rows (N, D) float32.

    An image is a stranger where its cosine similarity to the nearest of them is below `threshold`, which was chosen so
    that KEPT of `count` validation images are none.

    Of a grocery81 model against photos of CIFAR-100 (122 images held back, 250 strangers, a quarter of the training images) the
    AUROC was 0.997; with the 5th nearest in place of the nearest 0.996, with the 50th 0.976. The highest confidence alone gave
    0.988, the energy of the logits (W. Liu et al., "Energy-based out-of-distribution detection", 2020) 0.969.

    Source: Y. Sun et al., "Out-of-distribution detection with deep nearest neighbors" (2022).
    """

    epoch: int
    threshold: float
    count: int
    bank: torch.Tensor

    def measure(self, features: torch.Tensor) -> torch.Tensor:
        """Return how alike images are, by their features (M, D), to the nearest training images: (M,), -1..1."""
        return _nearest(self.bank, features)


def learn_strangers(run: Run, *, progress: Progress | None = None) -> Strangers | None:
    """Learn what tells strangers for a run's best model and keep it; None when told to stop.

    The features of its images are those that the nearest training images are found by: computed once, and kept.

    Raises:
        RunError: when the run has no model or its data is gone.
        DataError: naming an image that cannot be read any more.
    """
    epoch, compute = run.read_status().best_epoch, choose_placement(run)
    place = locate(run, compute, progress)
    found = None if place is None else compute_features_of(run, place, compute, progress=progress or _go_on)
    if found is None:
        return None
    train = found.train[:, 0].float()
    learned = fit_strangers(train[:: -(-len(train) // _MOST)], found.val.float(), epoch=epoch)
    save_checkpoint(run.strangers_path, {**vars(learned), "bank": learned.bank.half()})
    return learned


def fit_strangers(train: torch.Tensor, val: torch.Tensor, *, epoch: int = 0) -> Strangers:
    """Choose the threshold for the features of training images (N, D) by those of validation images (M, D)."""
    bank = nn.functional.normalize(train, dim=1).half().float()  # as it is kept
    alike = _nearest(bank, val).numpy()
    # The lower of the two that a share lies between, so that no fewer are kept.
    threshold = float(np.quantile(alike, 1 - KEPT, method="lower"))
    return Strangers(epoch, threshold, len(val), bank)


def read_strangers(run: Run) -> Strangers | None:
    """Return what tells strangers for a run's best model; None where it was not learned, or for another model.

    Raises:
        RunError: when it is damaged.
    """
    if not run.strangers_path.exists():
        return None
    values = load_checkpoint(run.strangers_path)
    try:
        found = take(Strangers, {field.name: values[field.name] for field in fields(Strangers)})
        if found.bank.ndim != 2 or not found.bank.is_floating_point():
            raise ValueError("bank must hold features")
    except (KeyError, ValueError):
        raise RunError(
            f"{run.id}: strangers.pt cannot be used. Learn to recognise strangers again."
        ) from None
    return replace(found, bank=found.bank.float()) if found.epoch == run.read_status().best_epoch else None


def _nearest(bank: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    unit = nn.functional.normalize(features.float(), dim=1)
    return (unit @ bank.T).amax(dim=1)


def _go_on(_: int, __: int) -> bool:
    return True
