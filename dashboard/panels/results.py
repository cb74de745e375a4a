"""What came out of runs, each figure of a predictions table with its 95 % interval, for Compare and Bake-off."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from core.confidence.kept import read_ece
from core.errors import UserError
from core.runs import jobs
from core.runs.imported import describe_origin
from core.runs.run import Run
from core.verdicts.predictions import macro_recall, mean_loss, wilson_interval
from core.words import shorten_names
from dashboard.state import services
from dashboard.state.status_words import format_epoch
from dashboard.terms import explain
from dashboard.text import format_accuracy, format_duration

CAPTION = (
    "Of the best epoch on the validation images, with 95 % intervals: Wilson's for the accuracy, Wilson's with an effective "
    "number of images for the macro recall (the mean of the classes' recalls), the normal one for the mean loss, and a "
    "bootstrap one for the calibration error, which is that of the confidences as Predict shows them."
)
NAME = 24  # letters of a run's, so that the accuracy beside it fits a narrow window
CAPTION_IMPORTED = "Figures of an imported run come from its table."


def describe_figures(table: pd.DataFrame) -> dict[str, str]:
    """Return the figures of a predictions table with their intervals, by column of the results; more are added here."""
    right, count = int((table["true"] == table["predicted"]).sum()), len(table)
    low, high = wilson_interval(right, count)
    return {
        "accuracy": format_accuracy(right / max(1, count), float(low), float(high)),
        "macro recall": format_accuracy(*macro_recall(table)),
        "loss": _format_loss(*mean_loss(table)),
    }


def draw_results(runs: list[Run], *, without: str = "") -> None:
    """Draw a table of what came out, a row a run; `without` is a beginning that all their names share."""
    rows = []
    for run, name in zip(runs, shorten_ids([run.id for run in runs], without), strict=True):
        status = jobs.live_status(run)
        try:
            figures = {**describe_figures(services.read_predictions(run)), **_describe_ece(run)}
        except UserError:
            figures = {}
        if origin := describe_origin(run):
            rows.append({"run": name, **figures, "state": origin})
            continue
        rows.append(
            {
                "run": name,
                **figures,
                "state": status.state,
                "best": format_epoch(status) if status.has_best else "–",
                "epochs": f"{status.epoch} of {status.epochs}",
                "time": format_duration(status.seconds),
                # What is fitted to features at once has no speed.
                "images/s": f"{status.images_per_second:,.0f}" if status.images_per_second else "–",
            }
        )
    order = sorted(
        rows, key=len, reverse=True
    )  # a run without figures must not decide the order of the columns
    columns = list(dict.fromkeys(name for row in order for name in row))
    st.header("Results")
    st.dataframe(
        pd.DataFrame(rows, columns=columns).fillna("–"),
        hide_index=True,
        column_config={
            name: st.column_config.Column(help=explain(name))
            for name in ("macro recall", "loss", "calibration error")
        },
        alt="Results of the runs",
    )
    caption = f"{CAPTION} {CAPTION_IMPORTED}" if any(describe_origin(run) for run in runs) else CAPTION
    st.caption(caption, help=explain(caption))


def shorten_ids(ids: list[str], without: str = "") -> list[str]:
    """Return the names of runs as a narrow place has room for them, without a beginning that all share."""
    return shorten_names([name.removeprefix(without) for name in ids], NAME)


def _describe_ece(run: Run) -> dict[str, str]:
    found = read_ece(run)
    return {} if found is None else {"calibration error": format_accuracy(found.value, found.low, found.high)}


def _format_loss(mean: float, low: float, high: float) -> str:
    if math.isnan(mean):
        return "–"
    return f"{mean:.3f}" if math.isnan(low) else f"{mean:.3f} ({low:.3f}–{high:.3f})"
