"""Find a learning rate by trying: a step at each of rising rates, and where the loss fell best."""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from core.networks.build import build_model
from core.networks.table import inputs_of
from core.networks.weights import load_initial_weights
from core.recipe.config import TrainConfig
from core.runs.rate_curve import RateCurve
from core.runs.run import find_run
from core.runs.run_data import leave_out_bad, scan_config
from core.training import engine, loaders
from core.training.batches import BatchSource, open_source
from core.training.learner import Learner, make_learner
from core.training.losses import make_loss

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100
_SMOOTHING = 0.9
_DIVERGED = 3.0  # times the lowest loss


def find_rate(
    config: TrainConfig, *, root: Path, progress: Callable[[int, int], bool], steps: int = STEPS
) -> RateCurve | None:
    """Find a learning rate for a config on its data; None when `progress(done, total)` said to end.

    Makes and touches no run; `root` is the folder of all runs, which initial weights may come from. Mixup and cutmix
    are left out, since they blur the curve.

    Raises:
        DataError, WeightsError: as the training of this config would.
    """
    folders = scan_config(config)
    if config.bad_images == "skip":
        checked = leave_out_bad(folders, config, root, progress)
        if checked is None:
            return None
        folders = checked
    compute = engine.choose_compute(config.device, config.precision)
    loss_of = make_loss(config, folders.classes).to(compute.device)
    torch.manual_seed(config.seed)
    network = build_model(config.arch, len(folders.classes), config.image_size)
    if config.precision == "auto":
        compute = engine.suit_compute(compute, network, config.image_size)
    fit = load_initial_weights(
        network, config.arch, config.weights, lambda name: find_run(name, root).best_path,
        image_size=config.image_size, progress=progress,
    )  # fmt: skip
    if fit is None:
        return None
    learner = make_learner(compute.place_model(network), config, compute.make_scaler())
    source = open_source(
        learner, folders, config, inputs_of(config.arch), compute, root=root, progress=progress,
        workers=loaders.choose_workers(config.workers, compute.device.type),
    )  # fmt: skip
    if source is None:
        return None
    return sweep_rates(learner, source, config, compute, loss_of, progress=progress, steps=steps)


def sweep_rates(
    learner: Learner,
    source: BatchSource,
    config: TrainConfig,
    compute: engine.Compute,
    loss_of: nn.Module,
    *,
    progress: Callable[[int, int], bool],
    steps: int = STEPS,
) -> RateCurve | None:
    """Train at rates that rise evenly in their logarithm; the learner is afterwards what it was before.

    Source: L. N. Smith, "Cyclical Learning Rates for Training Neural Networks" (2015), section 3.3.
    """
    rates = [LOWEST * (HIGHEST / LOWEST) ** (step / (steps - 1)) for step in range(steps)]
    losses: list[float] = []
    before = copy.deepcopy(learner.state_dict())
    going = True

    def set_rate(step: int) -> None:
        for group in learner.optimizer.param_groups:
            group["lr"] = rates[step] * group["lr_factor"]

    def on_steps(figures: list[engine.StepFigures]) -> bool:
        nonlocal going
        for figure in figures:
            losses.append(figure.loss)
        going = progress(len(losses), steps)
        return going and not _has_diverged(losses)

    try:
        engine.train_epoch(
            learner.trained, _take(source, steps * config.accumulate), learner.optimizer,
            loss_of, compute,
            set_rate=set_rate, on_steps=on_steps, clip_norm=config.clip_norm,
            accumulate=config.accumulate, scaler=learner.scaler, keep_statistics=config.keep_statistics,
        )  # fmt: skip
    finally:
        learner.optimizer.zero_grad(set_to_none=True)
        learner.load_state_dict(before)
    if not going:
        return None
    smooth = [loss for loss in smooth_losses(losses) if math.isfinite(loss)]
    tried = rates[: len(smooth)]
    return RateCurve(tuple(tried), tuple(smooth), suggest_rate(tried, smooth))


def smooth_losses(losses: list[float]) -> list[float]:
    """Return the exponential moving average of losses, without the bias towards 0 at its start."""
    smooth, average = [], 0.0
    for count, loss in enumerate(losses, start=1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        smooth.append(average / (1 - _SMOOTHING**count))
    return smooth


def suggest_rate(rates: list[float], losses: list[float]) -> float | None:
    """Return a tenth of the rate of the lowest smoothed loss; None when the loss never fell beyond its own noise.

    In the first fifth of a sweep the rates are too low to learn at: how the loss moves there, or 1 % of it, is noise.
    Source: S. Gugger, "How Do You Find A Good Learning Rate" (2018): at the minimum itself the loss is about to rise.
    """
    if not losses:
        return None
    idle = losses[: max(1, len(losses) // 5)]
    lowest = losses.index(min(losses))
    fall = statistics.fmean(idle) - losses[lowest]
    if lowest < len(idle) or fall < max(0.01 * idle[0], 3 * statistics.pstdev(idle)):
        return None
    return rates[lowest] / 10


def _has_diverged(losses: list[float]) -> bool:
    smooth = smooth_losses(losses)
    return not math.isfinite(smooth[-1]) or smooth[-1] > _DIVERGED * min(smooth)


def _take(source: BatchSource, batches: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    epoch = taken = 0
    while taken < batches:
        for batch in source.train(epoch):
            yield batch
            taken += 1
            if taken == batches:
                return
        epoch += 1
