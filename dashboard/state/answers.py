"""The home of what answers in a chosen way, and of which other runs can answer too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.runs.run import Run, find_run
from core.ways.choice import Choice
from core.ways.offers import Offer
from dashboard.state import services

if TYPE_CHECKING:
    from core.model.predict import Answers


def list_offers(run: Run) -> list[Offer]:
    """Return the other runs and why some cannot answer beside this one; looks again after a quarter of a minute."""
    return _list_offers(run.folder)


@st.cache_data(ttl=15, max_entries=8, show_spinner=False)
def _list_offers(folder: Path) -> list[Offer]:
    from core.ways.offers import list_offers

    return list_offers(Run(folder))


def load_answers(run: Run, choice: Choice, temperature: float) -> tuple[Answers, float]:
    """Return what predicts for a run in a way, loaded once, and the temperature it is to be asked at.

    Raises:
        RunError: where a run of the choice is gone, has no model or knows other classes.
    """
    if choice.is_plain:
        return services.load_predictor(run), temperature
    from core.ways.answers import find_temperatures

    runs = [find_run(name, run.folder.parent) for name in choice.runs]
    temperatures = find_temperatures(choice, runs, run, temperature)
    kept = tuple(_stamp(path) for one in runs for path in (one.best_path, one.strangers_path))
    return _load_answers(tuple(one.folder for one in runs), choice, tuple(temperatures), kept), 1.0


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


@st.cache_resource(max_entries=1, show_spinner="Loading the models …")
def _load_answers(
    folders: Sequence[Path],
    choice: Choice,
    temperatures: Sequence[float],
    kept: tuple[int, ...],  # noqa: ARG001
) -> Answers:
    from core.model.better import Committee, refuse_other_classes
    from core.ways.answers import assemble

    runs = [Run(folder) for folder in folders]
    if choice.soup:
        return assemble(choice, runs, temperatures)
    predictors = [services.load_predictor(run) for run in runs]  # these also tell strangers
    refuse_other_classes(runs, [predictor.classes for predictor in predictors])
    return Committee(predictors, tta=choice.tta, temperatures=temperatures)
