"""What people read of settings: labels, groups, values, the command for the same run, and in which of them runs differ."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from core.places import own_command
from core.recipe.class_names import Names, Pairs, write_names, write_pairs
from core.recipe.config import SETTINGS, TrainConfig, applies
from core.recipe.presets import PRESETS, from_preset
from core.recipe.rules import FIT_ALONE

# What a run is called, not what it does.
NAMES = tuple(name for name, one in SETTINGS.items() if one.is_name)
# The fields a person may set, by the group they are shown in.
GROUPS: dict[str, list[str]] = {}
for _name, _setting in SETTINGS.items():
    if _setting.group:
        GROUPS.setdefault(_setting.group, []).append(_name)
NOTHING = "–"  # the value of a setting that is empty
_SPOKEN = ("arch", "optimizer", "preset")  # whose values say by themselves what they are of
_T = TypeVar("_T", bound=Hashable)


def label_of(field: str) -> str:
    """Return a field's label with its unit; what is no field is called by its name."""
    return SETTINGS[field].title if field in SETTINGS else field


def format_setting(config: TrainConfig, field: str, label: Callable[[str], str] = str) -> str:
    """Return the value of a config's field as it is read; `label` names a class by its folder."""
    value, kind = getattr(config, field), SETTINGS[field].kind
    if kind == Names:
        return ", ".join(map(label, value)) or NOTHING
    if kind == Pairs:
        return "; ".join(f"{label(one)} and {label(other)}" for one, other in value) or NOTHING
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
        for field in (name for name, one in SETTINGS.items() if one.path):
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
    """Return the command that starts the same run, quoted for the shell of this system."""
    name = (
        config.preset if config.preset in PRESETS else "seed"
    )  # a run's folder may name one that there is not
    preset, values = from_preset(name, data=config.data), vars(config)
    parts = [*own_command().split(), "train", *_option("data", config.data), "--preset", name]
    forced = FIT_ALONE if config.head_only and config.head_first else {}
    for field, setting in SETTINGS.items():
        # What a preset sets but the other settings leave without effect goes back to its default by itself.
        expected = getattr(preset, field) if setting.applies(values) else setting.default
        expected = forced.get(field, expected)
        if field not in ("data", "preset") and values[field] != expected:
            parts += _option(field, values[field])
    return subprocess.list2cmdline(parts) if os.name == "nt" else shlex.join(parts)


def _option(field: str, value: Any) -> list[str]:
    """Return the words that give a field this value."""
    option = field.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    text = write_value(field, value)
    # A value that begins like an option has to stand in one word with its own.
    return [f"--{option}={text}"] if text.startswith("-") else [f"--{option}", text]


def write_value(field: str, value: Any) -> str:
    """Return a field's value as it is typed."""
    kind = SETTINGS[field].kind
    return write_names(value) if kind == Names else write_pairs(value) if kind == Pairs else str(value)


def settings_of(config: TrainConfig) -> tuple[object, ...]:
    """Return what runs must share to differ by chance alone: all settings that have an effect, but for the seed."""
    values = vars(config)
    # The preset says only where the settings came from.
    fields = [field for field in SETTINGS if field not in (*NAMES, "preset", "seed")]
    return tuple(values[field] if applies(field, values) else None for field in fields)


def group_by_settings(configs: Mapping[_T, TrainConfig]) -> list[list[_T]]:
    """Return the keys of configs that differ in nothing but the seed together, in their order."""
    groups: dict[tuple[object, ...], list[_T]] = {}
    for key, config in configs.items():
        groups.setdefault(settings_of(config), []).append(key)
    return list(groups.values())


def find_differing(configs: Iterable[TrainConfig]) -> list[str]:
    """Return the settings in which configs differ, in their order; what has no effect in one of them explains nothing."""
    values = [vars(config) for config in configs]
    return [
        field
        for field in SETTINGS
        if field not in NAMES
        and all(applies(field, config) for config in values)
        and len({config[field] for config in values}) > 1
    ]


def label_settings(configs: Sequence[TrainConfig]) -> list[str]:
    """Return for each of several configs what tells it from the others, as short as it can be.

    Network, optimizer and preset are named where they differ ("resnet50 · sgd"), other settings only where those
    leave two configs alike ("resnet50 · lr 0.01").
    """
    values = [{f: v for f, v in vars(config).items() if applies(f, vars(config))} for config in configs]
    fields = [field for field in SETTINGS if field not in (*NAMES, "seed")]
    differing = [field for field in fields if len({config.get(field) for config in values}) > 1]
    spoken = [field for field in _SPOKEN if field in differing] or ["arch"]
    labels = [" · ".join(str(config[field]) for field in spoken) for config in values]
    if len(set(labels)) == len(labels):
        return labels
    others = [field for field in differing if field not in spoken]
    return [
        " · ".join(
            [label, *(f"{field} {write_value(field, config[field])}" for field in others if field in config)]
        )
        for label, config in zip(labels, values, strict=True)
    ]
