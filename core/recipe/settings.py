"""What people read of settings: labels, groups, values, the command for the same run, and in which of them runs differ."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from core.places import own_command
from core.recipe.config import TrainConfig
from core.recipe.focus import focus_names
from core.recipe.presets import from_preset
from core.recipe.rules import applies, split_pairs

# What a run is called, not what it does; and the preset says only where the settings came from.
NAMES = ("name", "group", "preset")
NOTHING = "–"  # the value of a setting that is empty
_SPOKEN = ("arch", "optimizer", "preset")  # whose values say by themselves what they are of
_T = TypeVar("_T", bound=Hashable)
# Every field a person may set, by the group it is shown in, with its label.
GROUPS: dict[str, dict[str, str]] = {
    "Data": {
        "data": "Folder of images",
        "val_fraction": "Validation share",
        "hold_back": "Hold back (images a class)",
        "bad_images": "Unreadable files",
        "fixes": "Fix list of labels (CSV)",
        "name": "Name of the run",
    },
    "Network": {
        "arch": "Network",
        "weights": "Initial weights",
        "head_only": "Train the head only",
        "feature_views": "Views of an image",
        "freeze_epochs": "Frozen epochs",
    },
    "Optimisation": {
        "epochs": "Epochs",
        "batch_size": "Batch size (images)",
        "optimizer": "Optimizer",
        "lr": "Learning rate",
        "head_lr_factor": "Head rate (factor)",
        "momentum": "Momentum",
        "weight_decay": "Weight decay",
        "clip_norm": "Clip gradients at",
        "schedule": "Schedule",
        "warmup_epochs": "Warm-up (epochs)",
        "step_epochs": "Cut every (epochs)",
        "step_factor": "Cut to (factor)",
        "patience": "Patience (epochs)",
        "ema": "Weight average (decay)",
    },
    "Images": {
        "image_size": "Image size (px)",
        "resize_size": "Validation resize (px)",
        "progressive_from": "Grow images from (px)",
        "crop_scale_min": "Smallest crop (of area)",
        "hflip": "Flip probability",
        "rotation": "Rotation (degrees)",
        "translate": "Shift (share of side)",
        "jitter": "Colour jitter",
        "erasing": "Erasing probability",
        "label_smoothing": "Label smoothing",
        "mixup": "Mixup (alpha)",
        "cutmix": "Cutmix (alpha)",
    },
    "Weak classes": {
        "focus": "Classes to specialise on",
        "focus_factor": "Shown more often (times)",
        "guard": "Others may lose (points)",
        "pairs": "Look-alikes to tell apart",
        "pair_weight": "Weight of look-alikes",
        "class_balance": "Balance the classes",
        "focal": "Focal loss (gamma)",
    },
    "Machine": {
        "device": "Device",
        "precision": "Precision",
        "workers": "Loading processes",
        "save_minutes": "Save every (minutes)",
        "seed": "Seed",
    },
}


def label_of(field: str) -> str:
    """Return a field's label."""
    return next((group[field] for group in GROUPS.values() if field in group), field)


def format_setting(config: TrainConfig, field: str, label: Callable[[str], str] = str) -> str:
    """Return the value of a config's field as it is read; `label` names a class by its folder."""
    value = getattr(config, field)
    if field == "focus":
        return ", ".join(map(label, focus_names(config))) or NOTHING
    if field == "pairs":
        pairs = split_pairs(config.pairs)
        return "; ".join(f"{label(one)} and {label(other)}" for one, other in pairs) or NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value) or NOTHING


def hide_paths(configs: Sequence[TrainConfig]) -> list[TrainConfig]:
    """Return configs that name their data and files without the folders of this machine, for others to read.

    Different ones of the same name are numbered: `fixes.csv` and `fixes.csv (2)`.
    """
    known: dict[tuple[str, str], list[str]] = {}
    hidden = []
    for config in configs:
        names: dict[str, Any] = {}
        for field in ("data", "weights", "fixes"):
            path = getattr(config, field)
            if not path or (field == "weights" and (path in ("imagenet", "none") or path.startswith("run:"))):
                continue
            name = Path(path).name or field
            paths = known.setdefault((field, name), [])
            if path not in paths:
                paths.append(path)
            place = paths.index(path)
            names[field] = f"{name} ({place + 1})" if place else name
        hidden.append(replace(config, **names))
    return hidden


def command_line(config: TrainConfig) -> str:
    """Return the command that starts the same run."""
    preset, values = from_preset(config.preset, data=config.data), dataclasses.asdict(config)
    parts = [*own_command().split(), "train", "--data", config.data, "--preset", config.preset]
    for field in dataclasses.fields(TrainConfig):
        # What a preset sets but the other settings leave without effect goes back to its default by itself.
        expected = getattr(preset, field.name) if applies(field.name, values) else field.default
        value, option = values[field.name], field.name.replace("_", "-")
        if field.name in ("data", "preset") or value == expected:
            continue
        if isinstance(value, bool):
            parts.append(f"--{option}" if value else f"--no-{option}")
        else:
            parts += [f"--{option}", str(value)]
    return shlex.join(parts)


def settings_of(config: TrainConfig) -> tuple[object, ...]:
    """Return what runs must share to differ by chance alone: all settings that have an effect, but for the seed."""
    values = dataclasses.asdict(config)
    fields = [field for field in values if field not in (*NAMES, "seed")]
    return tuple(values[field] if applies(field, values) else None for field in fields)


def group_by_settings(configs: Mapping[_T, TrainConfig]) -> list[list[_T]]:
    """Return the keys of configs that differ in nothing but the seed together, in their order."""
    groups: dict[tuple[object, ...], list[_T]] = {}
    for key, config in configs.items():
        groups.setdefault(settings_of(config), []).append(key)
    return list(groups.values())


def find_differing(configs: Iterable[TrainConfig]) -> list[str]:
    """Return the settings in which configs differ, in their order; what has no effect in one of them explains nothing."""
    values = [dataclasses.asdict(config) for config in configs]
    return [
        field.name
        for field in dataclasses.fields(TrainConfig)
        if field.name not in ("name", "group")
        and all(applies(field.name, config) for config in values)
        and len({config[field.name] for config in values}) > 1
    ]


def label_settings(configs: Sequence[TrainConfig]) -> list[str]:
    """Return for each of several configs what tells it from the others, as short as it can be.

    Network, optimizer and preset are named where they differ ("resnet50 · sgd"), other settings only where those
    leave two configs alike ("resnet50 · lr 0.01").
    """
    values = [dataclasses.asdict(config) for config in configs]
    values = [{f: v for f, v in config.items() if applies(f, config)} for config in values]
    fields = [
        field.name for field in dataclasses.fields(TrainConfig) if field.name not in ("name", "group", "seed")
    ]
    differing = [field for field in fields if len({config.get(field) for config in values}) > 1]
    spoken = [field for field in _SPOKEN if field in differing] or ["arch"]
    labels = [" · ".join(str(config[field]) for field in spoken) for config in values]
    if len(set(labels)) == len(labels):
        return labels
    others = [field for field in differing if field not in spoken]
    return [
        " · ".join([label, *(f"{field} {config[field]}" for field in others if field in config)])
        for label, config in zip(labels, values, strict=True)
    ]
