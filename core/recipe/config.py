"""The hyper-parameters of a run: one frozen dataclass, validated, to and from JSON, and the presets."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from core.errors import ConfigError
from core.recipe.rules import find_conflicts

ARCHS = (
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
CHOICES: dict[str, tuple[str, ...]] = {
    "arch": ARCHS,
    "optimizer": ("sgd", "adamw", "ranger"),
    "schedule": ("constant", "step", "cosine", "onecycle"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "precision": ("auto", "fp32", "bf16"),
    "bad_images": ("refuse", "skip"),
}
RANGES: dict[str, tuple[float, float]] = {
    "image_size": (32, 1024),
    "resize_size": (32, 1200),
    "crop_scale_min": (0.01, 1.0),
    "hflip": (0.0, 1.0),
    "rotation": (0.0, 180.0),
    "translate": (0.0, 0.9),
    "jitter": (0.0, 1.0),
    "erasing": (0.0, 1.0),
    "epochs": (1, 10_000),
    "batch_size": (1, 4096),
    "lr": (1e-8, 10.0),
    "momentum": (0.0, 0.999),
    "weight_decay": (0.0, 1.0),
    "head_lr_factor": (0.01, 1000.0),
    "clip_norm": (0.0, 1000.0),
    "step_factor": (0.001, 1.0),
    "step_epochs": (1, 10_000),
    "warmup_epochs": (0, 1000),
    "freeze_epochs": (0, 10_000),
    "feature_views": (1, 64),
    "progressive_from": (0, 1024),
    "label_smoothing": (0.0, 0.9),
    "mixup": (0.0, 10.0),
    "cutmix": (0.0, 10.0),
    "ema": (0.0, 0.99999),
    "focus_factor": (1.0, 100.0),
    "guard": (0.0, 100.0),
    "pair_weight": (0.0, 100.0),
    "focal": (0.0, 5.0),
    "patience": (0, 10_000),
    "save_minutes": (0.0, 1440.0),
    "val_fraction": (0.01, 0.5),
    "hold_back": (0, 10_000),
    "seed": (0, 2**31 - 1),
    "workers": (-1, 64),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def _field(default: Any, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class TrainConfig:
    """Describe one training run completely.

    Every field has its help text in the dataclass metadata (shown by the form and the command line),
    its allowed values in `CHOICES` and its inclusive range in `RANGES`. The defaults are the preset `seed`.

    Raises:
        ConfigError: naming each field that is wrong and the value it was given.
    """

    data: str = _field("", "Folder with train/<class>/*, optionally val/<class>/* and test/*.")
    name: str = _field("", "Name of the run; empty: made from data, network and time.")
    group: str = _field("", "Bake-off the run belongs to; it has no effect on the training.")
    preset: str = _field("seed", "The preset these settings started from.")
    arch: str = _field("resnext50_32x4d", "Network: any torchvision ResNet, ResNeXt or Wide-ResNet.")
    weights: str = _field(
        "imagenet",
        "Initial weights: 'imagenet' (downloaded once, about 100 MB), 'none' (from scratch), "
        "'run:<id>' (an earlier run's best model) or the path of a file.",
    )
    image_size: int = _field(224, "Side of the square the network sees, in pixels.")
    resize_size: int = _field(
        256, "Validation: the shorter side is resized to this before the centre crop, in pixels."
    )
    crop_scale_min: float = _field(
        0.08, "Training: smallest share of the image's area a random crop may keep."
    )
    hflip: float = _field(0.5, "Training: probability of a horizontal flip. 0 for characters and digits.")
    rotation: float = _field(15.0, "Training: random rotation up to this many degrees either way.")
    translate: float = _field(0.1, "Training: random shift up to this share of the side.")
    jitter: float = _field(0.3, "Training: strength of random brightness, contrast and saturation.")
    erasing: float = _field(0.5, "Training: probability that a random rectangle is erased.")
    optimizer: str = _field(
        "sgd",
        "Optimizer: sgd (with momentum), adamw, or ranger (RAdam whose weights are pulled to slow ones by Lookahead).",
    )
    lr: float = _field(0.001, "Learning rate; with a schedule, its peak.")
    momentum: float = _field(0.9, "Momentum of SGD.")
    weight_decay: float = _field(
        0.0,
        "How strongly weights are pulled to 0 (L2 with sgd, decoupled otherwise); never norms and biases.",
    )
    head_lr_factor: float = _field(
        1.0, "The head (the last layer, which is new) learns at this many times the learning rate."
    )
    clip_norm: float = _field(
        0.0, "Gradients longer than this are shortened to it before each step; 0 leaves them as they are."
    )
    schedule: str = _field(
        "constant",
        "How the learning rate moves: constant, step (cut every few epochs), cosine (smoothly down to 0) "
        "or onecycle (up, then down to 0).",
    )
    step_factor: float = _field(0.1, "Schedule step: the learning rate is multiplied by this at each cut.")
    step_epochs: int = _field(10, "Schedule step: epochs between two cuts.")
    warmup_epochs: int = _field(
        0,
        "Schedules step and cosine: epochs in which the learning rate first rises from 0; 0 starts at full rate.",
    )
    batch_size: int = _field(32, "Images a training step.")
    epochs: int = _field(25, "Passes over the training images.")
    freeze_epochs: int = _field(
        0,
        "For this many epochs only the head learns and the rest, with its statistics, stays as loaded; 0: none.",
    )
    head_only: bool = _field(
        False,
        "Train the head alone: what the rest makes of each image is computed once and kept, so that an epoch takes "
        "about a second.",
    )
    feature_views: int = _field(
        1,
        "Head only: variants of each training image to compute; an epoch takes one of them by chance. "
        "1 is the image as in validation, more are augmented ones (each costs as much time and disk again).",
    )
    progressive_from: int = _field(
        0, "Training images start this small (pixels) and grow to the full size: faster early epochs; 0: off."
    )
    label_smoothing: float = _field(
        0.0, "Share of the wanted answer that is spread over all classes, against overconfidence; 0: off."
    )
    mixup: float = _field(
        0.0,
        "Blend pairs of training images and their labels; higher blends more evenly (0.2 is usual); 0: off.",
    )
    cutmix: float = _field(
        0.0,
        "Paste a rectangle of another training image and share the label (1.0 is usual); 0: off. "
        "With mixup, each step takes one of the two.",
    )
    ema: float = _field(
        0.0,
        "Validate and keep a running average of the weights with this decay a step (0.999 is usual); 0: off.",
    )
    focus: str = _field(
        "",
        "Classes to specialise on: their folder names, separated by commas. Their training images come more often, "
        "and the best model is the one that is best at them.",
    )
    focus_factor: float = _field(3.0, "Specialising: how many times as often images of these classes come.")
    guard: float = _field(
        2.0,
        "Specialising: percentage points of mean recall that the other classes may lose against the initial model; "
        "a model that costs them more is never the best.",
    )
    pairs: str = _field(
        "",
        "Look-alikes to tell apart: pairs of folder names such as 10:52,29:86. Their images count a second time, by how "
        "well the class is told from its partners alone. They come no more often: that is what the classes to "
        "specialise on are for.",
    )
    pair_weight: float = _field(
        1.0, "Pairs: how much telling the partners apart counts beside telling all classes apart."
    )
    class_balance: bool = _field(
        False, "Show every class equally often, however many training images it has."
    )
    focal: float = _field(
        0.0,
        "Focal loss: the higher, the less an image counts that is already told well (2 is usual); 0: off.",
    )
    patience: int = _field(
        0, "End the run when validation accuracy has not risen for this many epochs; 0: never."
    )
    val_fraction: float = _field(
        0.15, "Where the data has no val/ folder: share of each class held back for it."
    )
    hold_back: int = _field(
        0,
        "Training images of each class that take no part in training or in choosing the best model, to prove it on; "
        "0: none.",
    )
    bad_images: str = _field("refuse", "Files that are no readable image: 'refuse' to start, or 'skip' them.")
    fixes: str = _field(
        "",
        "Fix list of training images (CSV: path, given, suggested, action): those to drop are left out, those to relabel "
        "get the class suggested. Validation and held-back images never change.",
    )
    seed: int = _field(0, "Seed of everything random.")
    save_minutes: float = _field(
        5.0,
        "Minutes between saves within an epoch (each epoch's end is saved anyway): what a crash can cost.",
    )
    device: str = _field("auto", "auto takes CUDA, else Apple's GPU, else the CPU.")
    precision: str = _field("auto", "auto takes bf16 where the hardware computes in it, else fp32.")
    workers: int = _field(-1, "Processes that load images; -1 chooses by the number of cores.")

    def __post_init__(self) -> None:
        problems = _find_problems(self)
        if problems:
            raise ConfigError(problems)

    def to_json(self) -> str:
        """Return the config as indented JSON, fields in order."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """Build a config from plain values; whole numbers are taken for floats.

        Raises:
            ConfigError: for unknown fields (with the nearest known name), wrong types and bad values.
        """
        hints = get_type_hints(cls)
        unknown = {field: _describe_unknown(field, sorted(hints)) for field in values if field not in hints}
        if unknown:
            raise ConfigError(unknown)
        clean = dict(values)
        for field, value in values.items():
            # One that is too large for a float is left for the range check to refuse.
            if hints[field] is float and type(value) is int and abs(value) < 2**53:
                clean[field] = float(value)
        return cls(**clean)

    @classmethod
    def from_json(cls, text: str) -> TrainConfig:
        """Read what `to_json` wrote; raises ConfigError as `from_dict` does."""
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ConfigError({"config": f"is not JSON ({error})"}) from None
        if not isinstance(values, dict):
            raise ConfigError({"config": "must be a JSON object"})
        return cls.from_dict(values)


def field_help(field: str) -> str:
    """Return a field's one-sentence help text."""
    return str(TrainConfig.__dataclass_fields__[field].metadata["help"])


def _describe_unknown(field: str, known: list[str]) -> str:
    near = difflib.get_close_matches(field, known, n=1)
    return (
        f"unknown field; did you mean {near[0]}?" if near else f"unknown field; known are {', '.join(known)}"
    )


def _find_problems(config: TrainConfig) -> dict[str, str]:
    problems = _find_wrong_types(config)
    if problems:
        return problems
    for field, choices in CHOICES.items():
        value = getattr(config, field)
        if value not in choices:
            problems[field] = f"must be one of {', '.join(choices)}, got {value!r}"
    for field, (low, high) in RANGES.items():
        value = getattr(config, field)
        if not low <= value <= high:  # so written, it refuses NaN too
            problems[field] = f"must be from {low:g} to {high:g}, got {value!r}"
    if not config.data:
        problems["data"] = "is empty; give the folder that holds train/"
    if config.name and not _NAME.fullmatch(config.name):
        problems["name"] = f"may hold letters, digits, '.', '_' and '-' (at most 80), got {config.name!r}"
    if config.group and not _NAME.fullmatch(config.group):
        problems["group"] = f"may hold letters, digits, '.', '_' and '-' (at most 80), got {config.group!r}"
    if config.name == "latest":
        problems["name"] = "'latest' stands for the newest run; choose another name"
    if not config.weights:
        problems["weights"] = "is empty; give imagenet, none, run:<id> or a file"
    if "resize_size" not in problems and config.resize_size < config.image_size:
        problems["resize_size"] = (
            f"must be at least image_size ({config.image_size}) or the centre crop pads, got {config.resize_size}"
        )
    if config.batch_size == 1 and 32 in (config.image_size, config.progressive_from):
        # The last stage's map is 1×1 then, and batch normalisation cannot train on one value a channel.
        problems["batch_size"] = "must be at least 2 for images of 32 pixels, got 1"
    return problems or find_conflicts(dataclasses.asdict(config))


def _find_wrong_types(config: TrainConfig) -> dict[str, str]:
    problems = {}
    for field, kind in get_type_hints(TrainConfig).items():
        value = getattr(config, field)
        if type(value) is not kind and not (kind is float and type(value) is int):
            problems[field] = f"must be {kind.__name__}, got {value!r}"
    return problems
