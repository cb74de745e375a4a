"""Where a run's batches come from: images at the size of the epoch, or features where only the head is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from core.dataset.contents import read_fingerprint
from core.dataset.folders import ImageFolders
from core.networks.table import InputFormat
from core.parallel.share import Part, Share
from core.recipe.config import TrainConfig
from core.recipe.focus import weigh_images
from core.recipe.schedules import size_at
from core.training import features, loaders
from core.training.engine import Batches, Compute
from core.training.learner import Learner


class BatchSource(Protocol):
    """Gives the batches of a run; `steps` are those of a whole epoch."""

    steps: int

    def train(self, epoch: int, first_batch: int = 0) -> Batches:
        """Return the training batches of an epoch (0-based) from one on; the same whenever it is asked."""

    def parts(self) -> list[Part]:
        """Return what this process has of each training batch that was asked for last."""

    def validate(self) -> Batches:
        """Return the validation batches, in the order of the validation images."""


class ImageBatches:
    """A run's images, loaded by processes that live on between epochs of the same image size; of several that train, a share."""

    def __init__(
        self,
        folders: ImageFolders,
        config: TrainConfig,
        inputs: InputFormat,
        compute: Compute,
        *,
        workers: int,
        share: Share | None = None,
    ) -> None:
        self._folders, self._config, self._inputs = folders, config, inputs
        self._workers, self._pin = workers, compute.device.type == "cuda"
        targets = [sample.target for sample in folders.train]
        weights = weigh_images(config, targets, folders.classes)
        self._order = loaders.EpochBatches(
            len(targets), config.batch_size, seed=config.seed, weights=weights, share=share,
            before=bool(config.mixup or config.cutmix),
        )  # fmt: skip
        self.steps = len(self._order)  # of a whole epoch, since its first batch is not set yet
        self._size = 0
        self._train: Batches | None = None
        transform = loaders.eval_transforms(config.image_size, config.resize_size, inputs)
        table = loaders.ImageTable(folders.root, folders.val, transform)
        order = loaders.EpochBatches(len(folders.val), config.batch_size, seed=None, share=share)
        self._val = loaders.make_loader(table, order, workers=workers, pin_memory=self._pin)

    def train(self, epoch: int, first_batch: int = 0) -> Batches:
        """Return the training batches of an epoch (0-based) from one on; the same whenever it is asked."""
        self._order.epoch, self._order.first_batch = epoch, first_batch
        size = size_at(epoch, self._config)
        if self._train is None or size != self._size:
            self._train, self._size = self._make_loader(size), size
        return self._train

    def parts(self) -> list[Part]:
        """Return what this process has of each training batch that was asked for last."""
        return self._order.parts()

    def validate(self) -> Batches:
        """Return the validation batches, in the order of the validation images."""
        return self._val

    def _make_loader(self, size: int) -> Batches:
        sized = replace(self._config, image_size=size, progressive_from=0)
        transform = loaders.train_transforms(sized, self._inputs)
        table = loaders.ImageTable(self._folders.root, self._folders.train, transform, self._config.seed)
        return loaders.make_loader(table, self._order, workers=self._workers, pin_memory=self._pin)


def open_source(
    learner: Learner,
    folders: ImageFolders,
    config: TrainConfig,
    inputs: InputFormat,
    compute: Compute,
    *,
    workers: int,
    root: Path,
    progress: Callable[[int, int], bool],
    share: Share | None = None,
) -> BatchSource | None:
    """Return where the learner's batches come from; None when `progress` ended the reading or computing of features.

    `root` is the folder of all runs, where features are kept; of images a process has its `share`.
    """
    if not config.head_only:
        return ImageBatches(folders, config, inputs, compute, workers=workers, share=share)
    backbone = features.digest_backbone(learner.network)
    fingerprint = read_fingerprint(folders, root, progress)
    if fingerprint is None:
        return None
    key = features.features_key(backbone, fingerprint, config, inputs, compute)
    found = features.load_or_compute(
        learner.network,
        folders,
        config,
        inputs,
        compute,
        root=root,
        key=key,
        workers=workers,
        progress=progress,
    )
    return None if found is None else features.FeatureBatches(found, folders, config)
