"""Which judged images show one scene: photos of a burst are right or wrong together, so one of each scene counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from core.files import write_text
from core.reading import read_object, take

_MOST = 100_000_000  # bytes


def scenes_path(folder: Path, split: str) -> Path:
    """Return where a run keeps which images of a split show one scene."""
    return folder / f"scenes-{split}.json"


def write_scenes(folder: Path, split: str, paths: Sequence[str], scenes: Sequence[int]) -> None:
    """Keep with a run the number of each image's scene."""
    write_text(scenes_path(folder, split), json.dumps(dict(zip(paths, scenes, strict=True))))


def read_scenes(folder: Path, split: str) -> dict[str, int]:
    """Return the number of each image's scene by path; empty where nothing is known or it is damaged."""
    try:
        return take(dict[str, int], read_object(scenes_path(folder, split), most=_MOST))
    except (OSError, ValueError):
        return {}


def keep_one_each(table: pd.DataFrame, scenes: dict[str, int]) -> pd.DataFrame:
    """Return the rows of a predictions table with the first image of each scene of a class; one without a scene stays."""
    if not scenes:
        return table
    scene = table["path"].map(scenes)
    again = pd.DataFrame({"scene": scene, "true": table["true"]}).duplicated()
    return table[~(again & scene.notna())]
