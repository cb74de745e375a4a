"""The figures of a run's classes, made once a table of predictions; a home of caches."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.runs.run import Run
from core.verdicts import class_report
from dashboard.state import services


def report_run(run: Run, split: str) -> pd.DataFrame:
    """Return `class_report.report_classes` of a run on a split (not to be changed); raises as `services.read_predictions`."""
    services.read_predictions(run, split)
    data = services.read_data(run)
    path, record = run.predictions_path(split), run.folder / "data.json"
    return _report(run.folder, split, (path.stat().st_mtime_ns, record.stat().st_mtime_ns), len(data.classes))


@st.cache_resource(max_entries=8, show_spinner="Counting …")
def _report(
    folder: Path,
    split: str,
    stamps: tuple[int, int],  # noqa: ARG001
    classes: int,  # noqa: ARG001
) -> pd.DataFrame:
    run = Run(folder)
    table, data = services.read_predictions(run, split), services.read_data(run)
    return class_report.report_classes(table, data.classes, data.train_counts)
