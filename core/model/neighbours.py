"""The images most like an image, training images or all, by what a run's best model makes of them: mostly the answer to 'why'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from core.dataset.contents import Progress, read_fingerprint
from core.dataset.folders import ImageFolders, Sample
from core.dataset.images import find_obstacle
from core.errors import RunError
from core.networks.table import InputFormat
from core.runs.imported import refuse_without_model
from core.runs.run import Run
from core.runs.run_data import recorded_folders
from core.training import features
from core.training.checkpoint import load_best, load_checkpoint
from core.training.engine import Compute, choose_compute, list_devices
from core.training.features import Features
from core.training.loaders import choose_workers

_ALIKE = 0.01  # a difference of mean cosine similarities that says nothing


@dataclass(frozen=True)
class Neighbour:
    """An image, its class by folder name, and its cosine similarity to the image asked about, -1..1."""

    path: str
    name: str
    similarity: float
    split: str = "train"


class Neighbourhood:
    """All training and validation images of a run by the features of its best model, ready to be asked."""

    def __init__(self, folders: ImageFolders, found: Features) -> None:
        self._folders = folders
        self._train = nn.functional.normalize(found.train[:, 0].float(), dim=1)
        self._all = torch.cat([self._train, nn.functional.normalize(found.val.float(), dim=1)])
        self._train = self._all[: len(self._train)]  # not kept twice
        self._samples = (*folders.train, *folders.val)
        self._row = {sample.path: row for row, sample in enumerate(self._samples)}
        self._targets = torch.tensor([sample.target for sample in self._samples])

    def find(self, path: str, name: str | None = None, *, count: int = 5) -> list[Neighbour]:
        """Return the nearest other training images of an image, nearest first; of one class where it is named.

        Raises:
            KeyError: for a path that is none of the images whose features are known.
        """
        wanted = torch.ones(len(self._train), dtype=torch.bool)
        if name is not None:
            wanted &= self._targets[: len(self._train)] == self._folders.classes.index(name)
        return self._nearest(self._train, self.features_of(path), wanted, count, without=path)

    def find_alike(self, features: torch.Tensor, *, count: int = 5, without: str = "") -> list[Neighbour]:
        """Return the training and validation images nearest to features (D,), nearest first, but for one by its path."""
        unit = nn.functional.normalize(features.float(), dim=0)
        wanted = torch.ones(len(self._all), dtype=torch.bool)
        return self._nearest(self._all, unit, wanted, count, without=without)

    def features_of(self, path: str) -> torch.Tensor:
        """Return the features of an image scaled to length 1, (D,); KeyError where they are not known."""
        return self._all[self._row[path]]

    def _nearest(
        self, rows: torch.Tensor, query: torch.Tensor, wanted: torch.Tensor, count: int, *, without: str
    ) -> list[Neighbour]:
        """Return the nearest of those of the first images, `rows` (N, D), that are `wanted`, (N,)."""
        own = self._row.get(without, len(rows))
        if own < len(rows):
            wanted[own] = False
        similar = (rows @ query).masked_fill(~wanted, -torch.inf)  # all of them: to pick rows out copies them
        best = similar.topk(min(count, int(wanted.sum())))
        return [
            Neighbour(
                self._samples[row].path,
                self._folders.classes[self._samples[row].target],
                value,
                "train" if row < len(self._train) else "val",
            )
            for value, row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]

    def knows(self, path: str) -> bool:
        """Tell whether the features of an image are known: its file was there when they were computed."""
        return path in self._row


@dataclass(frozen=True)
class Place:
    """Where the features of a run's best model are kept: the images they are of, and their key."""

    folders: ImageFolders
    key: str


def locate(run: Run, compute: Compute, progress: Progress | None = None) -> Place | None:
    """Return where the features of a run's best model lie once they are computed.

    Files that are gone by now are left out, so one lost image does not keep the others from being compared. Where files
    are new or changed they are read first; None when `progress(done, total)` ended that by returning False.

    Raises:
        RunError: when the run has no best model or no record of its data, or its data folder or its images are gone.
    """
    refuse_without_model(run)
    values = load_checkpoint(run.best_path)
    recorded = recorded_folders(run)
    if not recorded.train:
        raise RunError(
            f"{run.id}: its data has no training images besides those that were predicted, so there are none to find."
        )
    folders = replace(
        recorded, train=_present(recorded, recorded.train), val=_present(recorded, recorded.val)
    )
    if not folders.train or not folders.val:
        raise RunError(
            f"{run.id}: the images it was trained on are no longer in {folders.root}. Put them back."
        )
    config = features.plain_config(run.read_config(), values)
    backbone = features.digest_state(values["model"], values.get("head", "fc"))  # as of older runs
    inputs = InputFormat.from_values(values)
    fingerprint = read_fingerprint(folders, run.folder.parent, progress)
    if fingerprint is None:
        return None
    # Those that another device computed are as good, as long as their precision is the same.
    elsewhere = (choose_compute(device, "bf16" if compute.bf16 else "fp32") for device in list_devices())
    keys = [
        features.features_key(backbone, fingerprint, config, inputs, each) for each in (compute, *elsewhere)
    ]
    kept = (key for key in keys if features.are_kept(run.folder.parent, key))
    return Place(folders, next(kept, keys[0]))


def open_neighbourhood(run: Run, place: Place) -> Neighbourhood | None:
    """Return the neighbourhood whose features are kept already, else None."""
    found = features.read_features(run.folder.parent, place.key)
    return None if found is None else Neighbourhood(place.folders, found)


def compute_neighbourhood(
    run: Run, place: Place, compute: Compute, *, progress: Progress
) -> Neighbourhood | None:
    """Compute and keep the features of all images, as `compute_features_of`; None when `progress` said to end."""
    found = compute_features_of(run, place, compute, progress=progress)
    return None if found is None else Neighbourhood(place.folders, found)


def compute_features_of(run: Run, place: Place, compute: Compute, *, progress: Progress) -> Features | None:
    """Return the features of all images, kept or computed; None when `progress(images done, in all)` said to end.

    Raises:
        RunError: when the run's best model cannot be loaded.
        DataError: naming an image that cannot be read any more.
    """
    model, values = load_best(run)
    config = features.plain_config(run.read_config(), values)
    return features.load_or_compute(
        compute.place_model(model),
        place.folders,
        config,
        InputFormat.from_values(values),
        compute,
        root=run.folder.parent,
        key=place.key,
        workers=choose_workers(config.workers, compute.device.type),
        progress=progress,
    )


def describe_neighbours(predicted: Sequence[Neighbour], true: Sequence[Neighbour]) -> str:
    """Say in words to which of the two classes an image lies nearer, by the nearest training images of each."""
    if not predicted or not true:
        return ""
    answer, own = (sum(n.similarity for n in found) / len(found) for found in (predicted, true))
    if abs(answer - own) < _ALIKE:
        return (
            f"The network finds it as like training images of the class it answered ({answer:.2f} on average) as those "
            "of its own: it hardly sees a difference between the two."
        )
    if answer > own:
        return (
            f"The network finds it more like training images of the class it answered ({answer:.2f} on average) than like "
            f"those of its own ({own:.2f}): look whether it is, or whether a label is wrong."
        )
    return (
        f"The network finds it more like training images of its own class ({own:.2f} on average) than those of the "
        f"class it answered ({answer:.2f}): the likeness is seen, and the last layer decides otherwise."
    )


def _present(folders: ImageFolders, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    return tuple(sample for sample in samples if not find_obstacle(folders.root / sample.path))
