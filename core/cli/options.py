"""A config's fields as options of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from typing import Any

from core.recipe.class_names import Names, Pairs, parse_names, parse_pairs
from core.recipe.config import SETTINGS
from core.recipe.presets import PRESET_HELP
from core.recipe.setting import Setting

# How classes are typed: the help of such an option, and what stands for its value there.
_TYPED: dict[Any, tuple[str, str]] = {
    Names: (
        "Separate names by commas or give the option again; put a name that contains a comma in double quotes: "
        "'\"cat, domestic\",dog'.",
        "A,B",
    ),
    Pairs: (
        "Such as 10:52,29:86, or give the option again; put a name that contains a comma or a colon in double quotes: "
        "'\"a:b\":c'.",
        "A:B,C:D",
    ),
}


def add_config_options(
    parser: argparse.ArgumentParser, *, without: Collection[str] = ("preset",), needs_data: bool = True
) -> None:
    """Give a parser an option for every field but these; one that is not given is None, which `needs_data` refuses of data."""
    for setting in SETTINGS.values():
        if setting.name not in without:
            _add_option(parser, setting, required=needs_data and setting.name == "data")


def _add_option(parser: argparse.ArgumentParser, setting: Setting, *, required: bool) -> None:
    text, kind = setting.help, setting.kind
    if setting.span:
        text += f" {setting.span[0]:g} to {setting.span[1]:g}."
    known: dict[str, Any] = {"default": None}
    if kind is bool:
        known.update(action=argparse.BooleanOptionalAction)
    elif kind in _TYPED:
        text += f" {_TYPED[kind][0]}"
        parse = parse_names if kind == Names else parse_pairs
        known.update(action="extend", type=_told(parse), metavar=_TYPED[kind][1])
    else:
        metavar = None if setting.choices else kind.__name__.upper()
        known.update(type=kind, choices=setting.choices or None, metavar=metavar)
        known.update(required=required)
    parser.add_argument(f"--{setting.name.replace('_', '-')}", help=text.replace("%", "%%"), **known)


def _told(parse: Callable[[str], tuple[Any, ...]]) -> Callable[[str], tuple[Any, ...]]:
    """Return a parser of text whose complaints the command line passes on."""

    def read(text: str) -> tuple[Any, ...]:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def read_changes(options: argparse.Namespace, *, without: Collection[str] = ("preset",)) -> dict[str, Any]:
    """Return the fields that were given, by name."""
    names = [name for name in SETTINGS if name not in without]
    return {name: getattr(options, name) for name in names if getattr(options, name) is not None}


def preset_help() -> str:
    """Return what the presets are, as the help of an option."""
    return " ".join(f"{name}: {text}" for name, text in PRESET_HELP.items()).replace("%", "%%")
