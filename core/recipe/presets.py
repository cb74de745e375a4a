"""The presets: named recipes, each as what differs from the report's."""

from __future__ import annotations

from typing import Any

from core.errors import ConfigError
from core.recipe.config import TrainConfig, applies
from core.recipe.rules import FIT_ALONE, fits_alone

# The report's recipe is the dataclass' defaults; a preset names only what differs from it.
PRESETS: dict[str, dict[str, Any]] = {
    "seed": {},
    "demo": {
        "arch": "resnet18",
        "weights": "none",
        "image_size": 32,
        "resize_size": 32,
        "crop_scale_min": 0.9,
        "hflip": 0.0,
        "rotation": 5.0,
        "translate": 0.05,
        "jitter": 0.1,
        "erasing": 0.0,
        "optimizer": "adamw",
        "lr": 0.002,
        "weight_decay": 0.01,
        "schedule": "onecycle",
        "batch_size": 16,
        "epochs": 4,
    },
    "small": {
        "arch": "tf_efficientnet_lite0",
        "image_size": 64,
        "resize_size": 64,
        "crop_scale_min": 0.9,
        "hflip": 0.0,
        "rotation": 5.0,
        "translate": 0.05,
        "jitter": 0.1,
        "erasing": 0.0,
        "label_smoothing": 0.1,
        "optimizer": "adamw",
        "lr": 0.001,
        "head_lr_factor": 5.0,
        "weight_decay": 0.05,
        "schedule": "onecycle",
        "epochs": 12,
    },
    "quick": {
        "arch": "tf_efficientnet_lite0",
        "head_only": True,
        "head_first": True,
        "epochs": 1,
    },
    "fast": {
        "arch": "tf_efficientnet_lite0",
        "head_first": True,
        "keep_statistics": True,
        "layer_decay": 0.75,
        "crop_scale_min": 0.35,
        "rotation": 0.0,
        "translate": 0.0,
        "jitter": 0.2,
        "erasing": 0.0,
        "label_smoothing": 0.1,
        "optimizer": "adamw",
        "lr": 0.0005,
        "weight_decay": 0.05,
        "schedule": "onecycle",
        "epochs": 8,
    },
    "strong": {
        "arch": "tf_efficientnet_lite0",
        "head_first": True,
        "keep_statistics": True,
        "layer_decay": 0.75,
        "crop_scale_min": 0.2,
        "rotation": 0.0,
        "translate": 0.0,
        "erasing": 0.0,
        "label_smoothing": 0.1,
        "cutmix": 1.0,
        "ema": 0.99,
        "optimizer": "adamw",
        "lr": 0.001,
        "weight_decay": 0.05,
        "clip_norm": 5.0,
        "schedule": "onecycle",
        "epochs": 16,
    },
}
PRESET_TITLES = {
    "quick": "Quick: head only",
    "fast": "Fast: whole network",
    "strong": "Strong: accuracy first",
    "small": "Small pictures",
    "demo": "Digits from scratch",
    "seed": "The report's",
}
PRESET_HELP = {
    "seed": "The report's recipe: pretrained ResNeXt50 (32x4d) at 224 px, SGD 0.001, 25 epochs.",
    "demo": "ResNet18 from scratch at 32 px, 4 epochs of one cycle: two minutes on two CPU cores for the built-in digits.",
    "small": "Small pictures that may not be mirrored: EfficientNet-Lite0 at 64 px, 12 epochs of one cycle; no download.",
    "quick": "Minutes on a laptop: the head alone, fitted to what EfficientNet-Lite0 makes of each image; no download.",
    "fast": "Minutes to an hour on a laptop: EfficientNet-Lite0, its head fitted first, then 8 epochs of the whole network.",
    "strong": "Accuracy first: as fast, with closer crops, cutmix and averaged weights over 16 epochs.",
}


def from_preset(preset: str, **changes: Any) -> TrainConfig:
    """Build a config from a preset with some fields changed.

    What the preset sets but the changes leave without effect goes back to its default (mixup with head_only).

    Raises:
        ConfigError: for an unknown preset or a bad field.
    """
    if preset not in PRESETS:
        raise ConfigError({"preset": f"must be one of {', '.join(PRESETS)}, got {preset!r}"})
    values = {**PRESETS[preset], "preset": preset, **changes}
    if fits_alone(values):
        values.update({field: value for field, value in FIT_ALONE.items() if field not in changes})
    return TrainConfig.from_dict({k: v for k, v in values.items() if k in changes or applies(k, values)})
