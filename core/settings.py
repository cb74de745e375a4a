"""Which settings runs share and in which they differ: what makes two runs seeds of the same thing."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from core.config import TrainConfig
from core.rules import applies

# What a run is called, not what it does; and the preset says only where the settings came from.
NAMES = ("name", "group", "preset")
_SPOKEN = ("arch", "optimizer", "preset")  # whose values say by themselves what they are of
_T = TypeVar("_T", bound=Hashable)


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
