"""A map as a run keeps it: a table with a row an image, and what it is of; no torch."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import RunError
from core.files import write_rows, write_text
from core.places import name_place
from core.reading import take
from core.runs.run import Run
from core.verdicts.predictions import read_predictions
from core.words import format_count

# Beside those of a predictions table: the split, the place (0..1), and of training images how many times as far as
# usual it is from its class, with the path of the nearest image where that was looked for.
COLUMNS = ("split", "x", "y", "far", "nearest")
_NUMBERS = ("x", "y", "far")
_OF_LABEL = ("true_confidence", "loss")  # nobody knows them without one: NaN, and in the file 0
FAR = 2.0  # times the usual distance, from which an image counts as unlike its class


@dataclass(frozen=True)
class About:
    """What a map is of: the best model of `epoch`, `images` placed and `left_out` beyond what a map takes.

    `kept` is the share (0..1) of an image's ten nearest that are among its ten nearest on the map, NaN of few images.
    """

    epoch: int
    images: int
    left_out: int
    kept: float
    seed: int

    def describe(self) -> str:
        """Say how many images it has, and how true it is to what the network sees."""
        words = f"{format_count(self.images, 'image')} placed."
        if self.left_out:
            words += f" {format_count(self.left_out, 'training image', 'is')} left out, chosen at random."
        return f"{words} {self.describe_trust()}".rstrip()

    def describe_trust(self) -> str:
        """Say in one sentence how many of the nearest images stay near; empty where there are too few to say."""
        if math.isnan(self.kept):
            return ""
        return (
            f"Of the ten images that the network finds nearest to one, {self.kept * 10:.1f} are among its ten nearest "
            "on the map."
        )


def table_path(run: Run) -> Path:
    """Return the path of a map's table."""
    return run.folder / "map.csv.gz"


def about_path(run: Run) -> Path:
    """Return the path of what is known of a map."""
    return run.folder / "map.json"


def write_map(run: Run, table: pd.DataFrame, about: About) -> None:
    """Write a map, the table first: what is known of it says that the table is whole."""
    table = table.fillna(dict.fromkeys(_OF_LABEL, 0.0))
    text = {name: table[name].map("{:.6f}".format) for name in table.columns if table[name].dtype.kind == "f"}
    rows = table.assign(**text).itertuples(index=False, name=None)
    write_rows(table_path(run), list(table.columns), rows)
    write_text(about_path(run), json.dumps(asdict(about), indent=2) + "\n")


def read_about(run: Run) -> About | None:
    """Return what a run's map is of; None before the first, and where that is damaged."""
    try:
        about = take(About, run.read_json(about_path(run).name))
        return about if table_path(run).exists() else None
    except (RunError, ValueError):
        return None


def is_stale(run: Run, about: About) -> bool:
    """Tell whether another model has become the run's best since a map was made."""
    return about.epoch != run.read_status().best_epoch


def read_table(run: Run) -> pd.DataFrame:
    """Read a map's table: a predictions table of all its images with the columns split, x, y, far and nearest.

    Raises:
        RunError: when it is damaged, saying how it is made anew.
    """
    path = table_path(run)
    try:
        table = read_predictions(path)
        if missing := set(COLUMNS) - set(table.columns):
            raise RunError(f"{name_place(path)}: the map lacks the column {sorted(missing)[0]}.")
        for name in _NUMBERS:
            table[name] = table[name].astype(np.float64)
        table.loc[table["true"] == "", list(_OF_LABEL)] = np.nan
    except (RunError, ValueError) as error:
        raise RunError(f"{error} Make the map again.") from None
    return table


def list_strangers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the training images at least twice as far from their class as is usual there, the furthest first."""
    found: pd.DataFrame = table[table["far"] >= FAR]
    return found.sort_values("far", ascending=False, kind="stable")
