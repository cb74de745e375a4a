"""A config's fields as options of the command line."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Collection
from typing import Any, get_type_hints

from core.recipe.config import CHOICES, RANGES, TrainConfig, field_help
from core.recipe.presets import PRESET_HELP


def add_config_options(parser: argparse.ArgumentParser, *, without: Collection[str] = ("preset",)) -> None:
    """Give a parser an option for every field but these; one that is not given is None."""
    hints = get_type_hints(TrainConfig)
    for field in dataclasses.fields(TrainConfig):
        if field.name in without:
            continue
        text = field_help(field.name).replace("%", "%%")
        if field.name in RANGES:
            text += f" {RANGES[field.name][0]:g} to {RANGES[field.name][1]:g}."
        option = f"--{field.name.replace('_', '-')}"
        if hints[field.name] is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=None, help=text)
            continue
        parser.add_argument(
            option,
            type=hints[field.name],
            choices=CHOICES.get(field.name),
            default=None,
            metavar=None if field.name in CHOICES else hints[field.name].__name__.upper(),
            required=field.name == "data",
            help=text,
        )


def read_changes(options: argparse.Namespace, *, without: Collection[str] = ("preset",)) -> dict[str, Any]:
    """Return the fields that were given, by name."""
    names = [field.name for field in dataclasses.fields(TrainConfig) if field.name not in without]
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def preset_help() -> str:
    """Return what the presets are, as the help of an option."""
    return " ".join(f"{name}: {text}" for name, text in PRESET_HELP.items()).replace("%", "%%")
