"""Two runs' predictions of the same images: those held back where both have them, else validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from core.paired import pair_tables
from core.runs import Run, RunError
from dashboard import services

JudgedOn = Literal["held", "val"]
TITLES: dict[JudgedOn, str] = {"held": "Images held back", "val": "Validation"}
NOTES: dict[JudgedOn, str] = {
    "held": "Judged on images held back from both: they took no part in training or in choosing the best epoch, so the "
    "figures are unbiased.",
    "val": "Judged on validation. Each run's best epoch was chosen on these very images, and often the classes to work "
    "on too, so a gain on them is told somewhat too high; images held back from both would settle it.",
}


@dataclass(frozen=True)
class TablePair:
    """The predictions tables of two runs on the same images, and which images these are; not to be changed."""

    first: pd.DataFrame
    second: pd.DataFrame
    judged_on: JudgedOn


def list_common(first: Run, second: Run) -> list[JudgedOn]:
    """Return on which images both runs can be judged, those held back first."""
    found: list[JudgedOn] = []
    for split in TITLES:
        try:
            _load(first, second, split)
        except (RunError, ValueError):
            continue
        found.append(split)
    return found


def load_pair(first: Run, second: Run, wanted: JudgedOn = "held") -> TablePair:
    """Return the predictions of two runs' best models on the images wanted; on validation where these are not common.

    Raises:
        RunError: when a run has no predictions.
        ValueError: when they were validated on different images.
    """
    if wanted == "held":
        try:
            return _load(first, second, "held")
        except (RunError, ValueError):
            pass  # not both held images back, or not the same
    return _load(first, second, "val")


def _load(first: Run, second: Run, split: JudgedOn) -> TablePair:
    tables = [services.read_predictions(run, split) for run in (first, second)]
    pair_tables(*tables)  # refuses tables of different images
    return TablePair(tables[0], tables[1], split)
