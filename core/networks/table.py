"""The networks there are, by name: what each takes in, how large it is and where its weights come from; no torch."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TORCHVISION = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
)
INSTALLED = "tf_efficientnet_lite0"  # its weights come with a package, so it needs no hub
PATH = Path(__file__).with_name("table.csv")  # made by core.networks.survey


@dataclass(frozen=True)
class InputFormat:
    """How a network was taught to see pixels: (value - mean) / std of each colour in 0..1, and how images are resized."""

    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"  # or bicubic

    def __str__(self) -> str:
        if (self.mean, self.std) == (IMAGENET.mean, IMAGENET.std):
            return f"ImageNet's mean and deviation, {self.interpolation}"
        mean, std = (" ".join(f"{v:.3g}" for v in dict.fromkeys(values)) for values in (self.mean, self.std))
        return f"mean {mean} and deviation {std}, {self.interpolation}"

    def to_values(self) -> dict[str, Any]:
        """Return it as plain values, for a checkpoint or JSON."""
        return {"mean": list(self.mean), "std": list(self.std), "interpolation": self.interpolation}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> InputFormat:
        """Read what `to_values` returned from among other values; ImageNet's where there is none, as in older runs."""
        if "mean" not in values:
            return IMAGENET
        return cls(tuple(values["mean"]), tuple(values["std"]), values["interpolation"])


IMAGENET = InputFormat()


@dataclass(frozen=True)
class Network:
    """A network as the table has it. Sizes are sides of images in pixels.

    `parameters` are those with the head its weights were published with, mostly of 1,000 classes. `size` is what its
    weights were judged at and `resize` what the shorter side is resized to before the crop. It takes multiples of `step`
    from `least` on, or `size` alone where `step` is 0; one that is `built` for a size takes no other afterwards. From
    `lone` on it can train on a single image at a time, never where that is 0. `weights` are torchvision's, timm's or,
    where that is empty, not to be had; `licence` is theirs.
    """

    name: str
    parameters: int
    size: int
    resize: int
    step: int
    least: int
    lone: int
    built: bool
    inputs: InputFormat
    weights: str
    licence: str

    @property
    def is_installed(self) -> bool:
        """Tell whether its published weights are on every machine that this program is on."""
        return self.name in (INSTALLED, f"{INSTALLED}.in1k")

    def find_problem(self, side: int) -> str:
        """Say why it takes no images of this side; empty where it does."""
        if not self.step:
            return "" if side == self.size else f"must be {self.size}: {self.name} takes no other, got {side}"
        if side >= self.least and side % self.step == 0:
            return ""
        if side < self.least:
            return f"must be at least {self.least} for {self.name}, got {side}"
        below = side // self.step * self.step
        return f"must be a multiple of {self.step} for {self.name}, such as {below} or {below + self.step}, got {side}"


def find_network(name: str) -> Network | None:
    """Return the network of a name; without the tag that says which weights, as in `convnext_tiny`, it is timm's default."""
    rows, defaults = _read_table()
    return rows.get(name) or defaults.get(name)


def inputs_of(name: str) -> InputFormat:
    """Return how the network of a name takes images; ImageNet's way for what is none."""
    network = find_network(name)
    return IMAGENET if network is None else network.inputs


def list_networks() -> list[Network]:
    """Return all networks: torchvision's, the one whose weights are installed, and timm's others by name."""
    rows, defaults = _read_table()
    first = [rows[name] for name in TORCHVISION] + [defaults[INSTALLED]]
    return [*first, *(network for name, network in rows.items() if name not in TORCHVISION)]


def describe_unknown(name: str) -> str:
    """Say that there is no network of this name, and which has the nearest."""
    rows, defaults = _read_table()
    near = difflib.get_close_matches(name, [*defaults, *rows], n=3)
    return f"unknown network {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")


@cache
def _read_table() -> tuple[dict[str, Network], dict[str, Network]]:
    """Return the networks by name, and by name without a tag where they are the default of several."""
    rows: dict[str, Network] = {}
    defaults: dict[str, Network] = {}
    with PATH.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            network = _read_row(row)
            rows[network.name] = network
            bare, dot, _ = network.name.partition(".")
            if dot and row["default"]:
                defaults[bare] = _read_row({**row, "name": bare})
    return rows, {name: network for name, network in defaults.items() if name not in rows}


def _read_row(row: Mapping[str, str]) -> Network:
    numbers = {name: int(row[name]) for name in ("parameters", "size", "resize", "step", "least", "lone")}
    mean, std = (tuple(float(value) for value in row[name].split()) for name in ("mean", "std"))
    return Network(
        name=row["name"],
        **numbers,
        built=bool(row["built"]),
        inputs=InputFormat(mean, std, row["interpolation"]),
        weights=row["weights"],
        licence=row["licence"],
    )
