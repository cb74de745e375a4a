"""The values of a config that are paths of this machine."""

from __future__ import annotations

from collections.abc import Iterator

from core.people.roots import allow_path
from core.recipe.config import COPIES, NAME, NONE, SETTINGS, TrainConfig

_WORDS = {"weights": ("imagenet", "none"), "group_by": (COPIES, NAME, NONE)}  # that stand where a path may


def list_paths(config: TrainConfig) -> Iterator[str]:
    """Yield the paths that a config names; of weights of a run none, and of a table without its column."""
    for field in (name for name, one in SETTINGS.items() if one.path):
        value = str(getattr(config, field))
        if not value or value in _WORDS.get(field, ()) or (field == "weights" and value.startswith("run:")):
            continue
        yield value
        if field == "group_by" and "#" in value:
            yield value.partition("#")[0]


def allow_config(config: TrainConfig) -> None:
    """Refuse a config that names a file which whoever acts may not; raises UserError, see `roots.allow_path`."""
    for path in list_paths(config):
        allow_path(path)
