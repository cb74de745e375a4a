"""A large data folder is counted once, by a task, and what was found is kept for all pages until a folder of it changes."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.census.stamps import Stamps, is_unchanged, stamp_tree
from core.census.summary import DataSummary, summarise
from core.dataset.kept import name_data
from core.dataset.layout import find_shards_instead, refuse_unreadable
from core.errors import UserError
from core.files import write_text
from core.places import expand_home, real_path
from core.reading import read_object, take
from core.recipe.config import TrainConfig
from core.recipe.settings import GROUPS, NAMES
from core.shards.listing import estimate_images

FOLDER = ".counts"  # among the runs: a folder for each data folder and the settings that matter
KEPT = "count.json"
# What the images depend on that a run takes.
SETTINGS = tuple(field for field in GROUPS["Data"] if field not in (*NAMES, "data"))
_MOST = 500_000_000  # bytes
_YOUNG = 60.0  # seconds for which a count is shown though the folder has changed: one that is being filled would be counted for ever
_EVERY = 0.2  # seconds between two words on how far it is
_VERSION = 1


class _Ended(Exception):
    """The count was asked to end."""


@dataclass(frozen=True)
class _Kept:
    version: int
    summary: DataSummary
    stamps: Stamps
    files: dict[str, int]


def count_folder(config: TrainConfig, runs_root: Path) -> Path:
    """Return where the count for a config is worked at and kept: one for all settings that take the same images."""
    settings = json.dumps([getattr(config, name) for name in SETTINGS])
    digest = hashlib.sha256(settings.encode()).hexdigest()[:12]
    return runs_root / FOLDER / f"{name_data(real_path(config.data))}-{digest}"


def count_data(config: TrainConfig, folder: Path, progress: Callable[[int, int], bool]) -> DataSummary | None:
    """Count a config's data and keep what is found in a folder; None when `progress(files so far, files in all)` ended it.

    Raises:
        DataError: where there is no such folder.
    """
    root = real_path(config.data)
    refuse_unreadable(root)
    files = stamp_files(config)
    progress(0, 0)
    stamps = stamp_tree(root)
    told, total = 0.0, _estimate_total(root, stamps)

    def watch(done: int) -> None:
        nonlocal told
        if time.monotonic() - told > _EVERY:
            told = time.monotonic()
            if not progress(min(done, total), total):
                raise _Ended

    try:
        found = summarise(config, watch)
    except _Ended:
        return None
    write_text(folder / KEPT, json.dumps(asdict(_Kept(_VERSION, found, stamps, files))) + "\n")
    return found


def _estimate_total(root: Path, stamps: Stamps) -> int:
    """Return about how many images there are to find: of shards by the first of them."""
    try:
        shards = find_shards_instead(root)
        return stamps.entries if shards is None else estimate_images(shards)
    except UserError:  # told where they are counted
        return stamps.entries


def read_count(config: TrainConfig, folder: Path) -> tuple[DataSummary | None, bool]:
    """Return what was counted last for a config, None before that, and whether it is still true or very young."""
    try:
        values: dict[str, Any] = read_object(folder / KEPT, most=_MOST)
        kept = take(_Kept, values)
    except (OSError, ValueError):  # none yet, damaged, or of another version
        return None, False
    if kept.version != _VERSION:
        return None, False
    young = time.time() - kept.stamps.taken < _YOUNG
    same = kept.files == stamp_files(config)
    return kept.summary, same and (young or is_unchanged(real_path(config.data), kept.stamps))


def stamp_files(config: TrainConfig) -> dict[str, int]:
    """Return when the files beside the images that a config names were last written (ns); 0 where there is none."""
    root = real_path(config.data)
    named = [expand_home(name.partition("#")[0]) for name in (config.group_by, config.fixes) if name]
    return {
        str(path): _read_time(path) for path in (*named, root / "class_names.csv", root / "cat_to_name.json")
    }


def _read_time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
