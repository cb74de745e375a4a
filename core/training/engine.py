"""Training and evaluation passes: tensors in, figures out; no files, no prints."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from core.errors import ConfigError, RunError
from core.parallel.group import SOLO, Group
from core.parallel.replica import keep_gradients
from core.parallel.share import Part
from core.training.average import WeightAverage
from core.training.memory import (
    batch_in_memory,
    find_fitting,
    is_want_of_memory,
    memory_in_words,
    say_batch,
    say_lower,
)

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]
Mix = Callable[[int, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
TOP = 5
_BF16_PAYS_FROM = 160  # pixels, for depthwise convolutions on a CPU


@dataclass(frozen=True)
class Compute:
    """Where and how to compute: device, bf16 or fp16 autocast or fp32, and the memory layout of images."""

    device: torch.device
    bf16: bool
    channels_last: bool
    fp16: bool = False

    @property
    def precision(self) -> str:
        """Return the precision by its name."""
        return "bf16" if self.bf16 else "fp16" if self.fp16 else "fp32"

    def __str__(self) -> str:
        layout = "channels_last" if self.channels_last else "contiguous"
        return f"{self.device.type}, {self.precision}, {layout}"

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the autocast context of this precision."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16 if self.bf16 else torch.float16)

    def make_scaler(self) -> torch.amp.GradScaler:
        """Return what keeps gradients in the range of fp16; in any other precision it does nothing."""
        return torch.amp.GradScaler(self.device.type, enabled=self.fp16)

    def place_model(self, model: nn.Module) -> nn.Module:
        """Move a model to the device, in the memory layout chosen."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        with memory_in_words("the network", "End what else runs there, or choose a smaller network (arch)."):
            return model.to(device=self.device, memory_format=layout)  # type: ignore[call-overload,no-any-return]

    def place_images(self, images: torch.Tensor) -> torch.Tensor:
        """Move images (N, 3, H, W) to the device, in the memory layout chosen; features (N, D) have but one layout."""
        layout = torch.channels_last if self.channels_last and images.ndim == 4 else torch.contiguous_format
        return images.to(device=self.device, memory_format=layout, non_blocking=True)

    def ask(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """Return what a placed model answers to a batch, at this precision; raises RunError for want of memory."""
        with batch_in_memory(images), self.autocast():
            answers: torch.Tensor = model(self.place_images(images))
            return answers


@dataclass(frozen=True)
class StepFigures:
    """One training step: mean loss, images right and images of its batch; `step` counts from 1 in the epoch."""

    step: int
    loss: float
    correct: int
    count: int


@dataclass(frozen=True)
class PassFigures:
    """A pass over a split: mean loss a image, accuracy (0..1), images seen, seconds; `ended_early` when stopped."""

    loss: float
    accuracy: float
    count: int
    seconds: float
    ended_early: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a model says of N images of C classes, k = min(5, C).

    `top_index` (N, k) int64 and `top_prob` (N, k) float32 by falling confidence, `true_prob` (N,) float32,
    `loss` (N,) float32 cross-entropy, `target` (N,) int64.
    """

    top_index: npt.NDArray[np.int64]
    top_prob: npt.NDArray[np.float32]
    true_prob: npt.NDArray[np.float32]
    loss: npt.NDArray[np.float32]
    target: npt.NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Return the share of images whose first guess is right, 0..1."""
        return float((self.top_index[:, 0] == self.target).mean()) if len(self.target) else 0.0


def choose_compute(device: str = "auto", precision: str = "auto") -> Compute:
    """Choose device and precision; `auto` takes CUDA, else Apple's GPU, else CPU, and bf16 where the hardware has it.

    A GPU that only emulates bf16, such as a T4 or V100, takes fp16, where it has units for that.

    Raises:
        ConfigError: when the device asked for is not on this machine.
    """
    devices = list_devices()
    name = devices[0] if device == "auto" else device
    if name not in devices:
        raise ConfigError({"device": f"{name} was asked for, but this machine has none. Choose auto or cpu."})
    bf16 = _has_bf16(name) if precision == "auto" else precision == "bf16"
    fp16 = precision == "auto" and name == "cuda" and not bf16 and _has_fast_fp16()
    return Compute(torch.device(name), bf16, channels_last=name != "mps", fp16=fp16)


def suit_compute(compute: Compute, network: nn.Module, image_size: int) -> Compute:
    """Return fp32 in place of a CPU's bf16 where that is slower: a network of depthwise convolutions, small images.

    EfficientNet-Lite0 in training on an EPYC with bf16 units, ms an image and core, fp32 and bf16: 6 and 17 at 64 px,
    29 and 28 at 128 px, 96 and 64 at 224 px.
    """
    slow = image_size < _BF16_PAYS_FROM and any(
        isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels
        for module in network.modules()
    )
    return replace(compute, bf16=False) if slow and compute.device.type == "cpu" else compute


def list_devices() -> list[str]:
    """Return the kinds of device this machine has, the fastest first; the last is `cpu`."""
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, there in has.items() if there]


def _has_bf16(device: str) -> bool:
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Emulated bf16 is slower than fp32, so only processors that compute in it count.
    return device == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def _has_fast_fp16() -> bool:
    # Volta and later; most GPUs before it compute in fp16 at a fraction of the speed of fp32.
    return torch.cuda.get_device_capability() >= (7, 0)


def set_training(model: nn.Module, *, keep_statistics: bool = False) -> None:
    """Put a model into training mode, but for batch normalisation that is to keep its statistics.

    That is the one whose weights are frozen, and all of it with `keep_statistics`.
    """
    model.train()
    for module in model.modules():
        if not isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue
        if keep_statistics or (module.weight is not None and not module.weight.requires_grad):
            module.eval()


def train_step(
    model: nn.Module,
    batches: Sequence[tuple[torch.Tensor, torch.Tensor]],
    optimizer: torch.optim.Optimizer,
    loss_of: nn.Module,
    compute: Compute,
    *,
    mix: Mix | None = None,
    clip_norm: float = 0.0,
    scaler: torch.amp.GradScaler | None = None,
    parts: Sequence[Part] | None = None,
    world: int = 1,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Do one optimizer step; return loss () and number right (), both on the device, without waiting for it.

    The gradients of several batches add up to those of one batch of all their images. `mix(batch, images, targets)`
    blends the placed images and labels of a batch (from 0); right is then who names the label with the largest share.
    Gradients longer than `clip_norm` are shortened to it; 0 leaves them as they are. `scaler` is needed for fp16.
    `parts` say which part of each batch these images are where processes, `world` of them, share it: the gradients are
    then those of the whole batch, loss and number right this process' contribution to its mean and sum.

    Raises:
        RunError: when the memory does not hold a batch, with how many images it would hold.
    """
    scaler = scaler or compute.make_scaler()

    def step(batches: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
        has = parts or [Part(0, len(targets), len(targets), len(targets)) for _, targets in batches]
        total = sum(part.whole for part in has)
        figures = []
        optimizer.zero_grad(set_to_none=True)
        for number, (images, targets) in enumerate(batches):
            # The processes' gradients are averaged, so that each counts for as many images as it has.
            share = has[number].counted * world / total
            blend = None if mix is None else partial(mix, number)
            with keep_gradients(model, last=number + 1 == len(batches)):
                figures.append(
                    _add_gradients(
                        model, images, targets, loss_of, compute, mix=blend, share=share, scaler=scaler
                    )
                )
        if clip_norm:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        scaler.step(optimizer)
        scaler.update()
        if len(figures) == 1 and has[0].counted == total:
            return figures[0]
        losses, rights = zip(*figures, strict=True)
        loss = sum(loss * (part.counted / total) for loss, part in zip(losses, has, strict=True))
        return loss, sum(right * (part.counted > 0) for right, part in zip(rights, has, strict=True))

    try:
        return step(batches)
    except (RuntimeError, MemoryError) as error:
        if not is_want_of_memory(error):
            raise
    images, targets = batches[0]
    if world > 1:  # a smaller batch can be tried by all processes only
        raise RunError(f"There is too little memory for {say_batch(images)}. {say_lower(images)}")

    def try_size(size: int) -> None:
        step([(images[:size], targets[:size])])

    fits = find_fitting(len(images), try_size)
    advice = say_lower(images)
    if fits:
        times = -(-len(images) * len(batches) // fits)
        advice = f"{fits} fit: set batch_size to {fits}, and accumulate to {times}, so that a step has as many images."
    raise RunError(f"There is too little memory for {say_batch(images)}. {advice}")


def _add_gradients(
    model: nn.Module,
    images: torch.Tensor,
    targets: torch.Tensor,
    loss_of: nn.Module,
    compute: Compute,
    *,
    mix: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]] | None,
    share: float,
    scaler: torch.amp.GradScaler,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add the gradients of a batch, by its `share` of the step's images; return loss () and number right ()."""
    images, targets = compute.place_images(images), targets.to(compute.device, non_blocking=True)
    if mix is not None:
        images, targets = mix(images, targets)
    with compute.autocast():
        logits = model(images)
        loss = loss_of(logits, targets)
    scaler.scale(loss if share == 1 else loss * share).backward()
    labels = targets if targets.ndim == 1 else targets.argmax(1)
    return loss.detach(), (logits.detach().argmax(1) == labels).sum()


def train_epoch(
    model: nn.Module,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    loss_of: nn.Module,
    compute: Compute,
    *,
    set_rate: Callable[[int], None],
    on_steps: Callable[[list[StepFigures]], bool],
    report_every: int = 1,
    mix: Mix | None = None,
    clip_norm: float = 0.0,
    average: WeightAverage | None = None,
    accumulate: int = 1,
    scaler: torch.amp.GradScaler | None = None,
    keep_statistics: bool = False,
    parts: Sequence[Part] | None = None,
    group: Group = SOLO,
) -> PassFigures:
    """Train over the batches once, `accumulate` of them a step; `keep_statistics` is that of `set_training`.

    `set_rate(step)` is called before each step (from 0) and `mix(batch, images, targets)` blends a batch (from 0). Figures
    are fetched from the device every `report_every` steps and handed to `on_steps`; when it returns False the pass
    ends after that step. `average` follows the weights. In a `group` of processes `parts` say what this one has of each
    batch, and the figures are those of all.
    """
    set_training(model, keep_statistics=keep_statistics)
    begun = time.perf_counter()
    loss_sum, correct, seen, waiting, going = 0.0, 0, 0, [], True
    batches = iter(batches)
    step = 0
    while going:
        taken = list(islice(batches, accumulate))
        if taken:
            set_rate(step)
            step += 1
            blend = None if mix is None else partial(_mix_later, mix, (step - 1) * accumulate)
            has = (
                None
                if parts is None
                else parts[(step - 1) * accumulate : (step - 1) * accumulate + len(taken)]
            )
            loss, right = train_step(
                model, taken, optimizer, loss_of, compute, mix=blend, clip_norm=clip_norm, scaler=scaler, parts=has,
                world=group.world,
            )  # fmt: skip
            count = (
                sum(len(targets) for _, targets in taken) if has is None else sum(one.whole for one in has)
            )
            waiting.append((step, count, loss, right))
            if average is not None:
                average.update(model)
        if waiting and (not taken or len(waiting) >= report_every):
            figures = _fetch(waiting, group)
            waiting = []
            loss_sum += sum(f.loss * f.count for f in figures)
            correct += sum(f.correct for f in figures)
            seen += sum(f.count for f in figures)
            going = on_steps(figures)
        if not taken:
            break
    seconds = time.perf_counter() - begun
    return PassFigures(loss_sum / max(1, seen), correct / max(1, seen), seen, seconds, ended_early=not going)


def _mix_later(
    mix: Mix, before: int, number: int, images: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    return mix(before + number, images, targets)


def _fetch(waiting: list[tuple[int, int, torch.Tensor, torch.Tensor]], group: Group) -> list[StepFigures]:
    losses = group.sum(torch.stack([loss for _, _, loss, _ in waiting]).float()).tolist()
    rights = group.sum(torch.stack([right for _, _, _, right in waiting])).tolist()
    return [
        StepFigures(step, loss, int(right), count)
        for (step, count, _, _), loss, right in zip(waiting, losses, rights, strict=True)
    ]


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    batches: Batches,
    compute: Compute,
    *,
    on_batch: Callable[[int], bool] | None = None,
    group: Group = SOLO,
) -> Outcome | None:
    """Ask the model about every image; None when `on_batch(images so far)` returned False before the end.

    In a `group` of processes each has other batches, and the outcome is of them all, in the group's order.
    """
    model.eval()
    parts: list[tuple[torch.Tensor, ...]] = []
    count = 0
    for images, targets in batches:
        logits = compute.ask(model, images)
        log_probs = logits.float().log_softmax(1).cpu()
        top = log_probs.topk(min(TOP, log_probs.shape[1]), dim=1)
        true_log = log_probs.gather(1, targets[:, None])[:, 0]
        parts.append((top.indices, top.values.exp(), true_log.exp(), -true_log, targets))
        count += len(targets)
        if on_batch is not None and not on_batch(count):
            return None
    columns = [torch.cat(column).numpy() for column in zip(*group.gather(parts), strict=True)]
    return Outcome(*columns)
