"""What people read of a config: its fields in groups with their labels, and the command that starts the same run."""

from __future__ import annotations

import dataclasses
import shlex

from core.config import TrainConfig
from core.presets import from_preset
from core.rules import applies

# Every field a person may set, by the group it is shown in, with its label.
GROUPS: dict[str, dict[str, str]] = {
    "Data": {
        "data": "Folder of images",
        "val_fraction": "Validation share",
        "hold_back": "Hold back (images a class)",
        "bad_images": "Unreadable files",
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


def command_line(config: TrainConfig) -> str:
    """Return the command that starts the same run."""
    preset, values = from_preset(config.preset, data=config.data), dataclasses.asdict(config)
    parts = ["python", "-m", "core", "train", "--data", config.data, "--preset", config.preset]
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
