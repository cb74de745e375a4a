"""A run's map as pages read it, once for each time it is made; a home of caches.

As in services, a `stamp` is when a file was last written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from core.landscape.table import About, is_stale, read_about, read_table, table_path
from core.runs.run import Run


@dataclass(frozen=True)
class Landscape:
    """A run's map; not to be changed.

    `table` is as `core.landscape.table.read_table` has it, `places` (N, 2) and `wrong` (N,) are columns of it, and
    `stamp` tells one map of a run from another.
    """

    about: About
    table: pd.DataFrame
    places: npt.NDArray[np.float64]
    wrong: npt.NDArray[np.bool_]
    stamp: int


def read_landscape(run: Run) -> Landscape | None:
    """Return the map of a run's best model; None before the first, and where another model is the best by now.

    Raises:
        RunError: when it is damaged.
    """
    about = read_about(run)
    if about is None or is_stale(run, about):
        return None
    return _read(run.folder, about, table_path(run).stat().st_mtime_ns)


def is_outdated(run: Run) -> bool:
    """Tell whether a run has a map, of a model that is no longer its best."""
    about = read_about(run)
    return about is not None and is_stale(run, about)


def find_wrong(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which images of a map are predicted wrong, (N,); of one without a label nobody knows."""
    wrong: npt.NDArray[np.bool_] = ((table["true"] != table["predicted"]) & (table["true"] != "")).to_numpy(
        dtype=bool
    )
    return wrong


@st.cache_resource(max_entries=4, show_spinner="Reading the map …")
def _read(folder: Path, about: About, stamp: int) -> Landscape:
    table = read_table(Run(folder))
    places = table[["x", "y"]].to_numpy(dtype=np.float64)
    wrong = find_wrong(table)
    return Landscape(about, table, places, wrong, stamp)
