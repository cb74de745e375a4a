"""What a frozen backbone makes of every image, computed once and kept, so that epochs of the head take seconds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.dataset.folders import ImageFolders
from core.errors import UserError
from core.files import delete_oldest
from core.networks.build import head_name, head_of, is_in_head
from core.networks.table import IMAGENET, InputFormat
from core.parallel.share import Part
from core.recipe.config import SETTINGS, TrainConfig
from core.recipe.focus import weigh_images
from core.training import loaders
from core.training.checkpoint import load_checkpoint, save_checkpoint
from core.training.engine import Batches, Compute

FOLDER = ".features"  # in the folder of all runs
KEPT_BYTES = 4 << 30  # older files beyond this are deleted
_VERSION = 1  # raise it when the same key would give other features


@dataclass(frozen=True)
class Features:
    """The features of a data set: `train` (N, K, D) with K views of each image and `val` (M, D), on the CPU."""

    train: torch.Tensor
    val: torch.Tensor


class FeatureBatches:
    """A run's batches made of features instead of images; of several views each epoch takes one of each image."""

    def __init__(self, features: Features, folders: ImageFolders, config: TrainConfig) -> None:
        self._features, self._seed, self._size = features, config.seed, config.batch_size
        targets = [sample.target for sample in folders.train]
        self._train_targets = torch.tensor(targets)
        self._val_targets = torch.tensor([sample.target for sample in folders.val])
        weights = weigh_images(config, targets, folders.classes)
        self._order = loaders.EpochBatches(len(targets), config.batch_size, seed=config.seed, weights=weights)
        self.steps = len(self._order)

    def train(self, epoch: int, first_batch: int = 0) -> Batches:
        """Return the training batches of an epoch (0-based) from one on; the same whenever it is asked."""
        self._order.epoch, self._order.first_batch = epoch, first_batch
        count, views, _ = self._features.train.shape
        generator = torch.Generator().manual_seed(loaders.derive_seed(self._seed, epoch, -2))
        view = torch.randint(views, (count,), generator=generator)
        return self._pick(list(self._order), view)

    def parts(self) -> list[Part]:
        """Return what this process has of each training batch that was asked for last: all of it."""
        return self._order.parts()

    def validate(self) -> Batches:
        """Return the validation batches, in the order of the validation images."""
        return zip(
            torch.split(self._features.val, self._size),
            torch.split(self._val_targets, self._size),
            strict=True,
        )

    def _pick(
        self, batches: list[list[tuple[int, int]]], view: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for batch in batches:
            index = torch.tensor([index for _, index in batch])
            yield self._features.train[index, view[index]], self._train_targets[index]


def plain_config(config: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """Return a run's config with each image seen once, at the size of its best model, whose checkpoint has these values."""
    sizes = {name: values[name] for name in ("image_size", "resize_size")}
    return replace(config, feature_views=1, **sizes)


def digest_backbone(network: nn.Module) -> str:
    """Return a digest of all weights and statistics of a network but its head's."""
    return digest_state(network.state_dict(), head_name(network))


def digest_state(state: Mapping[str, torch.Tensor], head: str) -> str:
    """Return the digest of the backbone of the network that a state dict is of; `head` is the name of its last layer."""
    digest = hashlib.sha256()
    for name, tensor in state.items():
        if not is_in_head(name, head):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def features_key(
    backbone: str, fingerprint: str, config: TrainConfig, inputs: InputFormat, compute: Compute
) -> str:
    """Return a digest of all that features depend on: the backbone's digest, the data's, transforms and precision."""
    several = config.feature_views > 1
    # In the order in which features were always kept, and without what came later where it is off.
    drawn = [
        name
        for name, one in SETTINGS.items()
        if one.augments and several and not (one.is_off(one.default) and one.is_off(getattr(config, name)))
    ]
    fields = ["image_size", "resize_size", *drawn, "feature_views", *(["seed"] if several else [])]
    values: dict[str, Any] = {name: getattr(config, name) for name in fields}
    if inputs != IMAGENET:  # which older features are all of
        values.update(inputs.to_values())
    text = json.dumps([_VERSION, backbone, fingerprint, str(compute), values])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def load_or_compute(
    network: nn.Module,
    folders: ImageFolders,
    config: TrainConfig,
    inputs: InputFormat,
    compute: Compute,
    *,
    root: Path,
    key: str,
    workers: int,
    progress: Callable[[int, int], bool],
) -> Features | None:
    """Return the features kept under a key, else compute and keep them; None when `progress` said to end.

    `progress(images done, images in all)` is called after each batch, and with nothing to do not at all. A kept file
    that cannot be read is computed anew.
    """
    kept = read_features(root, key)
    if kept is not None:
        return kept
    path = root / FOLDER / f"{key}.pt"
    views = config.feature_views
    total = len(folders.train) * views + len(folders.val)
    plain = loaders.eval_transforms(config.image_size, config.resize_size, inputs)
    augmented = loaders.train_transforms(config, inputs) if views > 1 else plain
    passes = [(folders.train, augmented, view) for view in range(views)] + [(folders.val, plain, 0)]
    parts: list[torch.Tensor] = []
    done = 0
    for samples, transform, view in passes:
        table = loaders.ImageTable(folders.root, samples, transform, config.seed)
        order = loaders.EpochBatches(len(samples), config.batch_size, seed=None)
        order.epoch = view  # a view is drawn as an epoch's images are
        loader = loaders.make_loader(table, order, workers=workers, pin_memory=compute.device.type == "cuda")
        rows: list[torch.Tensor] = []
        for batch in compute_features(network, loader, compute):
            rows.append(batch)
            done += len(batch)
            if not progress(done, total):
                return None
        parts.append(torch.cat(rows))
    features = Features(torch.stack(parts[:views], dim=1), parts[views])
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, {"train": features.train, "val": features.val})
    delete_oldest(path.parent, "*.pt", keep=path, limit=KEPT_BYTES)
    return features


def are_kept(root: Path, key: str) -> bool:
    """Tell whether features are kept under a key in the folder of all runs."""
    return (root / FOLDER / f"{key}.pt").is_file()


def read_features(root: Path, key: str) -> Features | None:
    """Return the features kept under a key in the folder of all runs; None where there are none that can be read."""
    return _read(root / FOLDER / f"{key}.pt")


@torch.no_grad()
def compute_features(network: nn.Module, batches: Batches, compute: Compute) -> Iterator[torch.Tensor]:
    """Yield what the backbone makes of each batch, (B, D) on the CPU; the network is put into evaluation mode."""
    network.eval()
    seen: list[torch.Tensor] = []
    hook = head_of(network).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1)))
    try:
        for images, _ in batches:
            compute.ask(network, images)
            yield seen.pop().cpu()
    finally:
        hook.remove()


def _read(path: Path) -> Features | None:
    if not path.is_file():
        return None
    try:
        values = load_checkpoint(path)
        path.touch()  # used just now
        return Features(values["train"], values["val"])
    except (UserError, KeyError):  # damaged or of another version; it can be made anew
        return None
