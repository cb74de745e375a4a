"""A config as a file that people keep and share: JSON or YAML to values and back, with what is wrong named by field."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import yaml

from core.errors import ConfigError
from core.recipe.config import SETTINGS, TrainConfig

YAML_ENDINGS = (".yaml", ".yml")
_LONGEST = 1_000_000  # letters of a file, of which some thousand class names take the most
_DEEPEST = 20  # lists and mappings in one another


def write_settings(config: TrainConfig) -> str:
    """Return a config as JSON for another run: what this one was called and belonged to is left out."""
    return replace(config, name="", group="").to_json()


def read_settings_text(text: str, name: str) -> dict[str, Any]:
    """Return the fields that a file holds, JSON or by its name YAML; `TrainConfig.from_dict` says whether they are right.

    Raises:
        ConfigError: when the text is neither, or no mapping of fields to values.
    """
    if len(text) > _LONGEST:
        raise ConfigError({"config": f"{name} has {len(text):,} characters; the limit is {_LONGEST:,}"})
    kind = "YAML" if name.lower().endswith(YAML_ENDINGS) else "JSON"
    try:
        values = _read_yaml(text) if kind == "YAML" else json.loads(text)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigError(
            {"config": f"{name} cannot be read as {kind} ({' '.join(str(error).split())})"}
        ) from None
    if not isinstance(values, dict) or not all(isinstance(field, str) for field in values):
        raise ConfigError({"config": f"{name} must give settings by name, such as epochs: 10"})
    return {field: _take_number(field, value) for field, value in values.items()}


def _read_yaml(text: str) -> Any:
    """Return what YAML holds.

    Raises:
        ValueError: for aliases, by which a few lines can stand for more than any memory holds, and for brackets in
            brackets, which take the square of their number in time.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it uses aliases")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError("its brackets are nested too deeply")
    return yaml.safe_load(text)


def _take_number(field: str, value: Any) -> Any:
    """Return a number that YAML takes for a text, such as 1e-3, as the number it is."""
    if isinstance(value, str) and field in SETTINGS and SETTINGS[field].kind is float:
        with contextlib.suppress(ValueError):
            return float(value)
    return value
