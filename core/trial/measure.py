"""Do a few steps of a training, with its own network, loaders and optimizer, and tell from them what all of it will take."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from core.dataset.folders import ImageFolders
from core.dataset.images import check_images
from core.files import draft_folder
from core.networks.build import build_model, freeze_backbone, head_of
from core.networks.table import inputs_of
from core.recipe.config import TrainConfig
from core.recipe.rules import fits_alone
from core.recipe.schedules import size_at
from core.runs.jobs import list_live
from core.runs.journal import Interrupted
from core.runs.run_data import scan_config
from core.training import engine, loaders
from core.training.batches import BatchSource, ImageBatches
from core.training.checkpoint import save_checkpoint
from core.training.learner import Learner, make_learner
from core.training.losses import make_loss
from core.training.mixing import mix_images
from core.trial.fit_time import estimate_fit
from core.trial.forecast import SAVING, TRAINING, VALIDATION, Forecast, Part
from core.trial.memory import PeakMemory
from core.trial.pace import UNSEEN, Pace, Stopwatch, mix_paces

SECONDS = 6.0  # for the steps; validation gets a third of it
PLANNED = 15  # seconds of it all, as its progress tells them
_CHECKED = 200  # files that are checked in place of all
Kind = tuple[int, bool]  # of an epoch: the side of its images in pixels, and whether the backbone is frozen


@dataclass(frozen=True)
class _Bench:
    """A training set up as its job does, but that its weights are random."""

    config: TrainConfig
    folders: ImageFolders
    compute: engine.Compute
    learner: Learner
    source: ImageBatches
    loss_of: nn.Module
    watch: PeakMemory
    check: Callable[[], None]  # raises Interrupted where its user has had enough
    seconds: float


def forecast_run(
    config: TrainConfig, *, root: Path, progress: Callable[[int, int], bool], seconds: float = SECONDS
) -> Forecast | None:
    """Estimate what the run of a config will take; None when `progress(done, total)` said to end.

    It makes and touches no run and loads no weights, which change neither time nor memory; `root` is the folder of all
    runs, where a checkpoint is written and removed again. `seconds` go into steps, and about as many into all else.

    Raises:
        DataError: as the training of this config would.
        RunError: when the memory does not hold a batch, with how many images it would hold.
    """
    begun = time.perf_counter()

    def check() -> None:
        if not progress(min(PLANNED - 1, int(time.perf_counter() - begun)), PLANNED):
            raise Interrupted("stopped")

    try:
        check()
        folders = scan_config(config)
        compute = engine.choose_compute(config.device, config.precision)
        with PeakMemory(compute.device) as watch:
            bench, reading = _set_up(config, folders, compute, watch, check, begun)
            parts = _measure_parts(bench, root, seconds)
            watch.look_at_children()
        progress(PLANNED, PLANNED)
    except Interrupted:
        return None
    return Forecast(
        (reading, *parts), config.epochs, watch.peak + _count_features(bench), watch.free, watch.gpu_peak, watch.gpu_free,
        busy=any(status.state == "running" for _, status in list_live(root)),
    )  # fmt: skip


def _set_up(
    config: TrainConfig,
    folders: ImageFolders,
    compute: engine.Compute,
    watch: PeakMemory,
    check: Callable[[], None],
    begun: float,
) -> tuple[_Bench, Part]:
    """Return what steps are done with, and the part of a training that comes before any of them."""
    reading = _time_reading(folders)
    check()
    network = build_model(config.arch, len(folders.classes), config.image_size)
    if config.precision == "auto":
        compute = engine.suit_compute(compute, network, config.image_size)
    learner = make_learner(compute.place_model(network), config, compute.make_scaler())
    workers = loaders.choose_workers(config.workers, compute.device.type)
    source = ImageBatches(folders, config, inputs_of(config.arch), compute, workers=workers)
    loss_of = make_loss(config, folders.classes).to(compute.device)
    took = time.perf_counter() - begun
    bench = _Bench(config, folders, compute, learner, source, loss_of, watch, check, took)
    seconds = took + reading.seconds
    return bench, Part("checking the images", seconds, 0.3 * seconds)


def _time_reading(folders: ImageFolders) -> Pace:
    """Return how long the check of all images takes that were not looked at here."""
    files = folders.files
    some = files[:: max(1, len(files) // _CHECKED)][:_CHECKED]
    begun = time.perf_counter()
    check_images(folders.root, some)
    left = (len(files) - len(some)) / len(some)
    return Pace((time.perf_counter() - begun) * left, 0.3)


def _measure_parts(bench: _Bench, root: Path, seconds: float) -> list[Part]:
    config, folders = bench.config, bench.folders
    looked = _time_validation(bench, seconds / 3)  # of an image that is only looked at
    parts: list[Part] = []
    judged = len(folders.held) + len(folders.val)  # its confidence is measured on validation
    if config.head_only or config.head_first:
        views = config.feature_views if config.head_only else 1
        count = views * len(folders.train) + len(folders.val)
        parts.append(_spread("computing features", count, looked))
    if config.head_first:
        width = head_of(bench.learner.network).get_parameter("weight").shape[1]
        parts.append(_spread("fitting the head", 1, estimate_fit(len(folders.train), width, folders.classes)))
    if config.head_only:
        parts += [] if fits_alone(vars(config)) else [_time_head(bench, seconds)]
    else:
        parts += [
            _time_training(bench, seconds),
            _spread(VALIDATION, config.epochs * len(folders.val), looked),
        ]
        judged += len(folders.val) if config.focus or config.head_first else 0  # the initial model
    saved = _time_saving(bench.learner, root)  # now that the optimizer has what it keeps
    return [
        *parts,
        _spread(SAVING, config.epochs, saved),
        _spread("judging the best model", judged, looked),
    ]


def _spread(name: str, count: int, pace: Pace) -> Part:
    seconds = count * pace.seconds
    return Part(name, seconds, seconds * pace.error)


def _time_training(bench: _Bench, seconds: float) -> Part:
    """Return how long the steps of all epochs take, whose images may grow and whose backbone may be frozen at first."""
    config = bench.config
    kinds = Counter((size_at(epoch, config), epoch < config.freeze_epochs) for epoch in range(config.epochs))
    tried = _choose_kinds(list(kinds))
    paces = {kind: _time_steps(bench, kind, seconds / len(tried)) for kind in tried}
    steps = -(-bench.source.steps // config.accumulate)
    total = error = 0.0
    for kind, epochs in kinds.items():
        part = _spread(TRAINING, epochs * steps, _find_pace(kind, paces))
        total, error = total + part.seconds, error + part.error
    return Part(TRAINING, total, error)


def _choose_kinds(kinds: list[Kind]) -> list[Kind]:
    """Return the kinds of epoch to measure: the smallest and the largest images, frozen or not; others lie between."""
    chosen: set[Kind] = set()
    for frozen in {kind[1] for kind in kinds}:
        sizes = [size for size, is_frozen in kinds if is_frozen == frozen]
        chosen |= {(min(sizes), frozen), (max(sizes), frozen)}
    return sorted(chosen)


def _find_pace(kind: Kind, paces: dict[Kind, Pace]) -> Pace:
    """Return the pace of a kind of epoch, by its pixels between those of the smallest and the largest images."""
    size, frozen = kind
    sizes = [side for side, is_frozen in paces if is_frozen == frozen]
    low, high = min(sizes), max(sizes)
    share = (size**2 - low**2) / (high**2 - low**2) if high > low else 0.0
    return mix_paces(paces[low, frozen], paces[high, frozen], share)


def _time_steps(bench: _Bench, kind: Kind, budget: float) -> Pace:
    """Return the pace of training steps, at a rate of 0 so that the weights stay as they are."""
    config, learner = bench.config, bench.learner
    size, frozen = kind
    epoch = next(
        e for e in range(config.epochs) if (size_at(e, config), e < config.freeze_epochs) == (size, frozen)
    )
    if config.freeze_epochs:
        freeze_backbone(learner.network, frozen)

    def mix(number: int, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        classes = len(bench.folders.classes)
        return mix_images(
            images, targets, classes=classes, mixup=config.mixup, cutmix=config.cutmix, seed=number
        )

    mixing = mix if config.mixup or config.cutmix else None
    return _run_steps(bench, _repeat(bench.source, epoch), budget, mixing)


def _run_steps(bench: _Bench, batches: engine.Batches, budget: float, mix: engine.Mix | None = None) -> Pace:
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


def _repeat(source: BatchSource, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    while True:
        yield from source.train(epoch)


def _time_head(bench: _Bench, seconds: float) -> Part:
    """Return how long the steps of the head alone take, on features of which only the shape counts."""
    config, head = bench.config, bench.learner.trained
    width = head.get_parameter("weight").shape[1]
    count = min(config.batch_size, len(bench.folders.train))
    batch = torch.randn(count, width), torch.zeros(count, dtype=torch.long)

    def repeat() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield batch

    steps = -(-bench.source.steps // config.accumulate)
    return _spread(TRAINING, config.epochs * steps, _run_steps(bench, repeat(), seconds / 3))


def _time_validation(bench: _Bench, budget: float) -> Pace:
    """Return the pace of images that are only looked at, by the whole network."""
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


def _time_saving(learner: Learner, root: Path) -> Pace:
    """Return the seconds that an epoch's checkpoints take: the one to go on from, and the best model."""
    root.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with draft_folder(root / "trial") as folder:
        save_checkpoint(folder / "last.pt", learner.state_dict())
        save_checkpoint(folder / "best.pt", {"model": learner.judged_network().state_dict()})
        return Pace(time.perf_counter() - begun, UNSEEN + 0.25)


def _count_features(bench: _Bench) -> int:
    """Return the bytes of the features that a training of the head keeps in memory, and of the copies that fit it."""
    config = bench.config
    if not (config.head_only or config.head_first):
        return 0
    width = head_of(bench.learner.network).get_parameter("weight").shape[1]
    views = config.feature_views + (2 if config.head_first else 0)
    return 4 * width * (views * len(bench.folders.train) + len(bench.folders.val))
