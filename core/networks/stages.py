"""The places in a network that heat maps can be read from: which modules, how large their maps are and how they lie."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first

# isort: split
from torchvision import models as tv_models

_LEVELS = 4  # stages of a network whose maps are all of one size


@dataclass(frozen=True)
class Stage:
    """A module whose output is a map of `side` by `side` cells, laid out as NCHW, as NHWC, or as tokens, `before` them others."""

    module: str
    side: int
    layout: str = "NCHW"
    before: int = 0

    def to_map(self, output: torch.Tensor) -> torch.Tensor:
        """Return the module's output, or a gradient of the same shape, as (N, C, side, side)."""
        if self.layout == "NCHW":
            return output
        if self.layout == "NHWC":
            return output.permute(0, 3, 1, 2)
        tokens = output[:, self.before :].transpose(1, 2)
        return tokens.reshape(*tokens.shape[:2], self.side, self.side)


def find_stages(model: nn.Module, image_size: int) -> dict[int, Stage]:
    """Return a network's stages by number, from 1 (fine and general) to the last (coarse, of classes); maps of one cell left out.

    What is none of torchvision's ResNets is asked once about an image of noise, on its device and as it stands: it is to
    be in evaluation mode. Where all maps are of one size, as in most transformers, four are taken, evenly spread. What
    the answer does not depend on shows nothing: after the last block of a transformer only the class token counts.
    """
    if isinstance(model, tv_models.ResNet):
        sides = {number: -(-image_size // 2 ** (number + 1)) for number in (1, 2, 3, 4)}
        return {number: Stage(f"layer{number}", side) for number, side in sides.items() if side > 1}
    infos = _feature_infos(model)
    names = [info["module"] for info in infos]
    found = _trace(model, names, image_size)
    if not found or len(found) < len(names):  # features that are no modules, or that put out several tensors
        sizes = [image_size / info["reduction"] for info in infos]
        found = {
            stage: counts
            for stage, counts in _trace(
                model, [name for name, _ in model.named_modules()], image_size
            ).items()
            if any(abs(stage.side - size) <= 1 for size in sizes) and "attn" not in stage.module
        }
    found = {stage: counts for stage, counts in found.items() if stage.side > 1}
    # Of a head that is all zero nothing depends on anything.
    stages = [stage for stage, counts in found.items() if counts] or list(found)
    by_side = {stage.side: stage for stage in stages}  # the last of each
    if len(by_side) == 1:
        places = sorted({math.ceil(len(stages) * level / _LEVELS) - 1 for level in range(1, _LEVELS + 1)})
        return dict(enumerate((stages[place] for place in places), start=1))
    return dict(enumerate((by_side[side] for side in sorted(by_side, reverse=True)), start=1))


def _feature_infos(model: nn.Module) -> Sequence[dict[str, Any]]:
    """Return what timm says of a network's features: the module of each, and how many pixels a cell is wide."""
    told = getattr(model, "feature_info", None) or []
    infos: Sequence[dict[str, Any]] = getattr(told, "info", told)
    return infos


def _trace(model: nn.Module, names: Sequence[str], image_size: int) -> dict[Stage, bool]:
    """Return those of the modules whose output is a map, in the order they come, and whether the answer depends on it."""
    device = next(model.parameters()).device
    noise = torch.randn(1, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    known = dict(model.named_modules())
    with torch.enable_grad(), _record({name: known[name] for name in names if name in known}) as outputs:
        logits = model(noise.to(device).requires_grad_(True))
    maps = {
        stage: calls[0]
        for name, calls in outputs.items()
        if len(calls) == 1 and (stage := _read_layout(model, name, calls[0])) is not None
    }
    if not maps:
        return {}
    # Any one answer would do; this one does not cancel out where a normalisation makes the sum of all constant.
    score = (logits * torch.linspace(-1, 1, logits.shape[1], device=device)).sum()
    gradients = torch.autograd.grad(score, list(maps.values()), allow_unused=True)
    return {
        stage: gradient is not None and (gradient.is_meta or bool(stage.to_map(gradient).any()))
        for stage, gradient in zip(maps, gradients, strict=True)
    }


@contextmanager
def _record(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, list[torch.Tensor]]]:
    """Collect meanwhile what modules put out, in the order they do, where it is one tensor for one image."""
    outputs: dict[str, list[torch.Tensor]] = {}
    hooks = []
    for name, module in modules.items():

        def keep(_: nn.Module, __: object, output: object, name: str = name) -> None:
            if isinstance(output, torch.Tensor) and output.requires_grad and output.shape[0] == 1:
                outputs.setdefault(name, []).append(output)

        hooks.append(module.register_forward_hook(keep))
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _read_layout(model: nn.Module, name: str, output: torch.Tensor) -> Stage | None:
    """Return the stage that an output is, None where it is no map."""
    if output.ndim == 4:
        _, one, two, three = output.shape
        if one == two and (two != three or getattr(model, "output_fmt", "") == "NHWC"):
            return Stage(name, one, "NHWC")
        return Stage(name, three) if two == three else None
    if output.ndim == 3:
        before = int(getattr(model, "num_prefix_tokens", 0) or 0)
        for others in {before: None, 0: None, 1: None}:
            side = math.isqrt(max(0, output.shape[1] - others))
            if side and side * side == output.shape[1] - others:
                return Stage(name, side, "tokens", others)
    return None
