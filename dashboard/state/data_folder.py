"""What lies in the folder of images that a form names: counted at once where it is small, else by a task all pages share."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.census.count import KEPT, SETTINGS, count_folder, read_count, stamp_files
from core.census.summary import DataSummary
from core.errors import UserError, describe_error
from core.people.roots import allow_path
from core.places import expand_home, real_path
from core.recipe.config import TrainConfig
from core.recipe.own_paths import allow_config
from core.runs.run import default_root
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE

if TYPE_CHECKING:
    from core.shards.shards import Shards

_AGAIN_AFTER = 30.0  # seconds before a count whose process died is begun anew by itself


def summarise_data(config: TrainConfig) -> DataSummary:
    """Count what the config's data folder holds; looks again after half a minute.

    Of a large folder it returns what was counted before, if anything, while a task counts; it never waits for that.
    """
    try:
        allow_config(config)
    except UserError as error:
        return DataSummary(problem=str(error))
    # By what the layout depends on alone, so that another setting does not look at the disk again.
    asked = tuple(getattr(config, name) for name in SETTINGS)
    if _is_small(config.data):
        return _summarise_data(config.data, asked, tuple(stamp_files(config).items()))
    return _find_count(config, asked)


def begin_count(config: TrainConfig) -> None:
    """Begin to count a config's data in a process of its own, unless one does already."""
    settings = {name: getattr(config, name) for name in SETTINGS}
    launch_task(count_task(config), "count", data=str(real_path(config.data)), **settings)


def count_task(config: TrainConfig) -> Path:
    """Return where the counting of a config's data is watched."""
    return count_folder(config, default_root())


def _find_count(config: TrainConfig, asked: tuple[object, ...]) -> DataSummary:
    folder = count_task(config)
    found, is_true = _read_count(folder, _stamp(folder / KEPT), config.data, asked)
    if found is not None and is_true:
        return found
    status = read_task(folder)
    ended = status.state in ("stopped", "failed") or (
        status.state == "crashed" and time.time() - status.created < _AGAIN_AFTER
    )
    if status.state not in ACTIVE and not (ended and _is_this_windows(folder)):
        try:
            begin_count(config)
        except (UserError, OSError) as error:
            return DataSummary(problem=describe_error(error))
    st.session_state[_BEGUN] = str(folder)
    if ended and status.state == "failed":  # a training would fail alike
        return DataSummary(problem=status.message)
    return replace(found or DataSummary(), counting=True)


_BEGUN = "count-begun"  # the count that this window looks at: one that ended before it came is begun anew


def _is_this_windows(folder: Path) -> bool:
    return st.session_state.get(_BEGUN) == str(folder)


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@st.cache_data(ttl=30, max_entries=16, show_spinner=False)
def _is_small(folder: str) -> bool:
    from core.census.stamps import is_small

    return is_small(expand_home(folder))


@st.cache_data(ttl=30, max_entries=16, show_spinner=False)
def _read_count(
    folder: Path,
    stamp: int,  # noqa: ARG001
    data: str,
    asked: tuple[object, ...],
) -> tuple[DataSummary | None, bool]:
    return read_count(_make_config(data, asked), folder)


@st.cache_data(ttl=30, max_entries=16, show_spinner="Looking at the data …")
def _summarise_data(
    folder: str,
    asked: tuple[object, ...],
    stamps: tuple[tuple[str, int], ...],  # noqa: ARG001
) -> DataSummary:
    from core.census.summary import summarise

    return summarise(_make_config(folder, asked))


def _make_config(data: str, asked: tuple[object, ...]) -> TrainConfig:
    return TrainConfig.from_dict({"data": data, **dict(zip(SETTINGS, asked, strict=True))})


def find_remedy(folder: str) -> str:
    """Return the folder of images that was probably meant; empty where the one given is right or nothing is near."""
    try:
        allow_path(folder)
    except UserError:
        return ""
    return _find_remedy(folder)


@st.cache_data(ttl=15, max_entries=32, show_spinner=False)
def _find_remedy(folder: str) -> str:
    from core.dataset.remedy import find_remedy

    found = find_remedy(folder)
    return "" if found is None else str(found)


def find_shards(folder: str) -> Shards | None:
    """Return the files with images inside that lie in a folder in place of images; None where there are none."""
    try:
        return _find_shards(str(allow_path(folder)))
    except UserError:
        return None


@st.cache_data(ttl=15, max_entries=32, show_spinner=False)
def _find_shards(folder: str) -> Shards | None:
    from core.dataset.remedy import is_data
    from core.shards.shards import find_shards

    found = find_shards(Path(folder))
    return None if found is None or is_data(Path(folder)) else found
