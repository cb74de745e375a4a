"""Make the table of networks: build each of timm's without memory (on torch's meta device) and try what it takes.

`python -m core.networks.survey` takes about an hour and writes core/networks/table.csv; it is needed once for each new
version of timm. Left out is what cannot be trained here, and why is printed.
"""

from __future__ import annotations

import csv
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core import torchvision_ops  # noqa: F401  timm imports torchvision
from core.networks.build import PointHead, head_name
from core.networks.stages import find_stages
from core.networks.table import PATH, TORCHVISION

_CLASSES = 1000
_LEAST = 32  # pixels; no smaller images are trained on
_STEPS = (1, 2, 4, 7, 8, 14, 16, 28, 32, 56, 64, 112, 128)
COLUMNS = (
    "name", "default", "parameters", "size", "resize", "step", "least", "lone", "built", "mean", "std", "interpolation",
    "weights", "licence",
)  # fmt: skip


class LeftOut(Exception):
    """A network cannot be trained here; the text says why."""


@dataclass(frozen=True)
class Facts:
    """What was found of an architecture, whatever weights it gets; see `core.networks.table.Network`."""

    parameters: int
    step: int
    least: int
    lone: int
    built: bool


def main() -> None:
    """Write the table."""
    import timm

    logging.disable(logging.WARNING)
    rows = [row for name in TORCHVISION for row in _torchvision_rows(name)]
    for arch in timm.list_models():
        try:
            rows += make_rows(arch, survey(arch))
        except LeftOut as reason:
            print(f"{arch}: {reason}", file=sys.stderr)
    write_table(PATH, rows)


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows of the table as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def survey(arch: str) -> Facts:
    """Find out what an architecture of timm's takes; raises LeftOut where it cannot be trained here."""
    config = _config(arch)
    channels, *sides = config.input_size
    if channels != 3 or len(set(sides)) > 1:
        raise LeftOut(f"it takes {config.input_size}, not square images of three colours")
    trial = _Trial(arch, sides[0], built=bool(config.fixed_input_size))
    if trial.built and not trial.works(trial.size):
        trial = _Trial(arch, sides[0], built=False)
    model = trial.build(trial.size)
    _check_head(model, trial.size)
    if hasattr(model, "reroll"):
        raise LeftOut("its tokens are not in the order of their places, so heat maps would mislead")
    stages = find_stages(model, trial.size)
    if not stages:
        raise LeftOut("no part of it puts out a map")
    patch = trial.size / max(stage.side for stage in stages.values()) if trial.built else 1
    step = next((step for step in _STEPS if step % patch == 0 and trial.takes_multiples(step)), 0)
    least = next(
        (side for side in trial.list_sides(step, _LEAST) if trial.works(side, maps=True)), trial.size
    )
    lone = least
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        lone = next((side for side in trial.list_sides(step, least) if trial.trains_on_one(side)), 0)
    return Facts(sum(p.numel() for p in model.parameters()), step, least, lone, trial.built)


def make_rows(arch: str, facts: Facts) -> Iterator[dict[str, Any]]:
    """Yield the rows of an architecture, one for each of its published weights, or one without."""
    import timm

    tags = timm.list_pretrained(f"{arch}.*") or [arch]
    default = _config(arch).tag
    for name in tags:
        config = _config(name)
        size = config.input_size[-1]
        yield {
            "name": name,
            "default": "yes" if name == f"{arch}.{default}" else "",
            "parameters": facts.parameters,
            "size": size,
            "resize": int(size / config.crop_pct),  # as timm has it
            "step": facts.step,
            "least": facts.least,
            "lone": facts.lone,
            "built": "yes" if facts.built else "",
            "mean": " ".join(f"{value:.6g}" for value in config.mean),
            "std": " ".join(f"{value:.6g}" for value in config.std),
            "interpolation": config.interpolation,
            "weights": "timm" if name != arch else "",
            "licence": config.license or "",
        }


def _config(name: str) -> Any:
    """Return what timm knows of the weights of a name."""
    import timm

    return timm.get_pretrained_cfg(name)


def _torchvision_rows(name: str) -> Iterator[dict[str, Any]]:
    from core.networks.build import build_model, count_parameters

    with torch.device("meta"):
        parameters = count_parameters(build_model(name, _CLASSES))
    yield {
        "name": name, "default": "", "parameters": parameters, "size": 224, "resize": 256, "step": 1, "least": 32,
        "lone": 33, "built": "", "mean": "0.485 0.456 0.406", "std": "0.229 0.224 0.225", "interpolation": "bilinear",
        "weights": "torchvision", "licence": "bsd-3-clause",
    }  # fmt: skip


class _Trial:
    """An architecture, and what it does with images of this or that side."""

    def __init__(self, arch: str, size: int, *, built: bool) -> None:
        self.arch, self.size, self.built = arch, size, built
        self._models: dict[int, nn.Module] = {}

    def build(self, side: int) -> nn.Module:
        """Return the network without memory, for images of a side where it is built for one."""
        import timm

        key = side if self.built else 0
        if key not in self._models:
            size: dict[str, Any] = {"img_size": side} if self.built else {}
            with torch.device("meta"):
                self._models[key] = timm.create_model(self.arch, num_classes=_CLASSES, **size).eval()
        return self._models[key]

    def works(self, side: int, *, maps: bool = False) -> bool:
        """Tell whether it answers about images of a side, and with `maps` whether heat maps could be read."""
        try:
            model = self.build(side)
            if maps:
                return bool(find_stages(model, side))
            with torch.no_grad():
                return tuple(model(torch.empty(2, 3, side, side, device="meta")).shape) == (2, _CLASSES)
        except Exception:  # each network refuses in its own way
            return False

    def takes_multiples(self, step: int) -> bool:
        """Tell whether sides that differ from its own by a step are as good."""
        return self.size % step == 0 and all(
            self.works(side) for side in (self.size + step, self.size - step)
        )

    def trains_on_one(self, side: int) -> bool:
        """Tell whether it can train on a single image of a side; batch normalisation needs two values of each channel."""
        try:
            model = self.build(side).train()
            model(torch.empty(1, 3, side, side, device="meta"))
            return True
        except Exception:
            return False
        finally:
            self.build(side).eval()

    def list_sides(self, step: int, least: int) -> list[int]:
        """Return sides to try, from `least` on to its own."""
        if not step:
            return [self.size]
        wanted = (least, least + 1, 48, 64, 65, 80, 96, 112, 128, 129, 160, 192, 224, self.size)
        sides = {-(-side // step) * step for side in wanted if least <= side <= self.size}
        return sorted(sides)


def _check_head(model: nn.Module, size: int) -> None:
    """Refuse a network without one last layer that makes logits of one vector an image."""
    get_classifier = getattr(model, "get_classifier", None)
    head = None if get_classifier is None else get_classifier()
    if not isinstance(head, nn.Module) or isinstance(head, nn.ModuleList | nn.ModuleDict):
        raise LeftOut("it has no last layer, or several")
    seen: list[torch.Size] = []
    hook = head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    with torch.no_grad():
        logits = model(torch.empty(2, 3, size, size, device="meta"))
    hook.remove()
    point = type(head) in (nn.Conv2d, PointHead) and len(seen) == 1 and seen[0][2:] == (1, 1)
    if tuple(logits.shape) != (2, _CLASSES) or len(seen) != 1 or not (len(seen[0]) == 2 or point):
        raise LeftOut("its last layer does not make logits of one vector an image")
    head_name(model)


if __name__ == "__main__":
    main()
