"""A training set up as its job does, to do a few of its steps: how long a step, a look at an image and a save take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from core.dataset.folders import ImageFolders
from core.files import draft_folder
from core.networks.build import build_model, freeze_backbone, head_of
from core.networks.table import inputs_of
from core.recipe.config import TrainConfig
from core.recipe.schedules import size_at
from core.training import engine, loaders
from core.training.batches import BatchSource, ImageBatches
from core.training.checkpoint import save_checkpoint
from core.training.learner import Learner, make_learner
from core.training.losses import make_loss
from core.training.mixing import mix_images
from core.trial.memory import PeakMemory
from core.trial.pace import UNSEEN, Pace, Stopwatch

Kind = tuple[int, bool]  # of an epoch: the side of its images in pixels, and whether the backbone is frozen
Batch = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Bench:
    """A training as its job sets it up, but that its weights are random, which changes neither time nor memory.

    `check` raises where its user has had enough. Of several devices it is one with its part of each batch; so many parts are
    computed `apart`, at once.
    """

    config: TrainConfig
    folders: ImageFolders
    compute: engine.Compute
    learner: Learner
    source: ImageBatches
    loss_of: nn.Module
    watch: PeakMemory
    check: Callable[[], None]
    apart: int = 1

    @property
    def steps(self) -> int:
        """Return the steps of an epoch."""
        return -(-self.source.steps // (self.apart * self.config.accumulate))

    @property
    def width(self) -> int:
        """Return the number of features that the head is given of an image."""
        return int(head_of(self.learner.network).get_parameter("weight").shape[1])


def set_up(
    config: TrainConfig,
    folders: ImageFolders,
    compute: engine.Compute,
    watch: PeakMemory,
    check: Callable[[], None],
    apart: int = 1,
) -> Bench:
    """Return what steps are done with; raises RunError where the memory does not hold the network."""
    network = build_model(config.arch, len(folders.classes), config.image_size)
    if config.precision == "auto":
        compute = engine.suit_compute(compute, network, config.image_size)
    learner = make_learner(compute.place_model(network), config, compute.make_scaler())
    workers = loaders.choose_workers(config.workers, compute.device.type)
    source = ImageBatches(folders, config, inputs_of(config.arch), compute, workers=workers)
    loss_of = make_loss(config, folders.classes).to(compute.device)
    return Bench(config, folders, compute, learner, source, loss_of, watch, check, apart)


def kind_of(epoch: int, config: TrainConfig) -> Kind:
    """Return of what kind an epoch (from 0) is."""
    return size_at(epoch, config), epoch < config.freeze_epochs


def time_steps(bench: Bench, kind: Kind, budget: float) -> Pace:
    """Return the pace of training steps in epochs of a kind, for which so many seconds may be spent."""
    config = bench.config
    epoch = next(epoch for epoch in range(config.epochs) if kind_of(epoch, config) == kind)
    if config.freeze_epochs:
        freeze_backbone(bench.learner.network, kind[1])

    def mix(number: int, images: torch.Tensor, targets: torch.Tensor) -> Batch:
        classes = len(bench.folders.classes)
        return mix_images(
            images, targets, classes=classes, mixup=config.mixup, cutmix=config.cutmix, seed=number
        )

    mixing = mix if config.mixup or config.cutmix else None
    return _run_steps(bench, _repeat(bench.source, epoch), budget, mixing)


def time_head(bench: Bench, budget: float) -> Pace:
    """Return the pace of training steps of the head alone, on features of which only the shape counts."""
    count = min(bench.config.batch_size, len(bench.folders.train))
    batch = torch.randn(count, bench.width), torch.zeros(count, dtype=torch.long)
    return _run_steps(bench, iter(lambda: batch, None), budget)


def time_looking(bench: Bench, budget: float) -> Pace:
    """Return the pace of images that the whole network is only asked about, as in validation."""
    model = bench.learner.network if bench.config.head_only else bench.learner.judged
    before = 0
    stopwatch = Stopwatch(time.perf_counter())

    def on_batch(count: int) -> bool:
        stopwatch.mark(before + count, time.perf_counter())
        bench.check()
        return not stopwatch.has_enough(budget)

    while not stopwatch.has_enough(budget):
        engine.evaluate(model, bench.source.validate(), bench.compute, on_batch=on_batch)
        before += len(bench.folders.val)
    return stopwatch.read()


def time_saving(bench: Bench, root: Path) -> Pace:
    """Return the seconds that an epoch's two checkpoints take, after steps: an optimizer keeps nothing before."""
    root.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with draft_folder(root / "trial") as folder:
        save_checkpoint(folder / "last.pt", bench.learner.state_dict())
        save_checkpoint(folder / "best.pt", {"model": bench.learner.judged_network().state_dict()})
        return Pace(time.perf_counter() - begun, UNSEEN + 0.25)


def _run_steps(bench: Bench, batches: engine.Batches, budget: float, mix: engine.Mix | None = None) -> Pace:
    """Do steps at a rate of 0, so that the weights stay as they are, until there are enough of them."""
    config, learner = bench.config, bench.learner
    stopwatch = Stopwatch(time.perf_counter())

    def set_rate(_: int) -> None:
        for group in learner.optimizer.param_groups:
            group["lr"] = 0.0

    def on_steps(figures: list[engine.StepFigures]) -> bool:
        stopwatch.mark(figures[-1].step, time.perf_counter())
        bench.check()
        return not stopwatch.has_enough(budget)

    engine.train_epoch(
        learner.trained, batches, learner.optimizer, bench.loss_of, bench.compute,
        set_rate=set_rate, on_steps=on_steps, report_every=10 if bench.compute.device.type == "cuda" else 1,
        mix=mix, clip_norm=config.clip_norm, average=learner.average, accumulate=config.accumulate,
        scaler=learner.scaler, keep_statistics=config.keep_statistics,
    )  # fmt: skip
    bench.watch.look_at_children()
    learner.optimizer.zero_grad(set_to_none=True)
    return stopwatch.read()


def _repeat(source: BatchSource, epoch: int) -> Iterator[Batch]:
    while True:
        yield from source.train(epoch)
