"""On which images runs are judged against each other: those held back where all have the same, else validation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import pandas as pd

from core.errors import UserError
from core.verdicts.paired import pair_tables

JudgedOn = Literal["held", "val"]
Read = Callable[[JudgedOn], pd.DataFrame]  # one run's predictions; raises RunError where it has none
_NONE: Mapping[str, str] = MappingProxyType({})
TITLES: dict[JudgedOn, str] = {"held": "Images held back", "val": "Validation"}


@dataclass(frozen=True)
class TablePair:
    """The predictions tables of two runs on the same images, and which images these are; not to be changed."""

    first: pd.DataFrame
    second: pd.DataFrame
    judged_on: JudgedOn


def list_common(reads: Sequence[Read]) -> list[JudgedOn]:
    """Return on which images all runs can be judged, those held back first."""
    return [split for split in TITLES if _is_common(reads, split)]


def choose_common(reads: Sequence[Read]) -> JudgedOn:
    """Return on which images runs are to be judged: validation, unless all of them held back the same."""
    return "held" if _is_common(reads, "held") else "val"


def load_pair(first: Read, second: Read, wanted: JudgedOn = "held") -> TablePair:
    """Return the predictions of two runs' best models on the images wanted; on validation where these are not common.

    Raises:
        RunError: when a run has no predictions, or they were validated on different images.
    """
    split = wanted if wanted == "val" else choose_common([first, second])
    pair = TablePair(first(split), second(split), split)
    pair_tables(pair.first, pair.second)  # refuses tables of different images
    return pair


def describe_images(
    judged_on: JudgedOn,
    *,
    runs: int,
    common: Collection[JudgedOn] = (),
    unknown: Mapping[str, str] = _NONE,
    imported: int = 0,
) -> str:
    """Say which images so many runs are judged on, and how far that is to be trusted.

    `common` are all they share. So many of the runs are `imported`, not trained here. `unknown` names for a run what it came
    from of which it is not known what it had seen.
    """
    whom = "both" if runs == 2 else f"all {runs} runs"
    doubts = [
        f"{run} came from {origin}, and what that model had seen is not known: if it knew these images, the figures of {run} "
        "are too high."
        for run, origin in unknown.items()
    ]
    if judged_on == "held":
        unbiased = "." if doubts else ", so the figures are unbiased."
        return " ".join(
            [
                f"Judged on images held back from {whom}: they took no part in training or in choosing the best "
                f"epoch{unbiased}",
                *doubts,
            ]
        )
    if imported:
        chosen = (
            "The best epoch of a run that was trained here was chosen on these very images, so its figures are a little "
            "too high."
        )
        parts = ["Judged on the images that were imported.", *([chosen] if imported < runs else []), *doubts]
        return " ".join(parts)
    settled = (
        "the images held back settle it"
        if "held" in common
        else f"images held back from {whom} would settle it"
    )
    return " ".join(
        [
            "Judged on validation. Each run's best epoch was chosen on these very images, and often the classes to work "
            f"on too, so a gain on them looks a little too large; {settled}.",
            *doubts,
        ]
    )


def _is_common(reads: Sequence[Read], split: JudgedOn) -> bool:
    try:
        tables = [read(split) for read in reads]
        for other in tables[1:]:
            pair_tables(tables[0], other)
    except UserError:
        return False
    return bool(tables)
