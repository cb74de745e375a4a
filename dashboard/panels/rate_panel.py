"""The rate finder on the Train page: tries rates in a process of its own and shows where the loss fell best."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import streamlit as st

from core.people.acting import TRAIN
from core.recipe.config import TrainConfig
from core.runs.rate_curve import RateCurve, read_curve
from core.runs.run import default_root
from core.runs.tasks import launch_task, read_task, stop_task
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.charts import curve_charts
from dashboard.components.plot import plot
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback


def draw_rate_finder(config: TrainConfig | None) -> None:
    """Offer to find a learning rate by trying, and show what was found for these very settings."""
    if config is None:
        return
    folder = task_folder(config)
    with st.expander("Find a learning rate", icon=":material/query_stats:", key="train-rates"):
        st.caption(
            "Trains for up to 100 steps at rising rates and finds where the loss falls fastest. No run is made. Changing a setting ends it."
        )
        end_others(folder)
        status = read_task(folder)
        if status.state in ACTIVE:
            draw_running(folder, "", key="train-rates")
            return
        draw_end(status)
        st.button(
            "Try rates",
            icon=":material/play_arrow:",
            key="train-find-rate",
            on_click=guard_callback(launch_task),
            args=(folder, "find-rate"),
            kwargs={"config": asdict(replace(config, name=""))},
            **lock(TRAIN),
        )
        curve = read_curve(folder / "curve.json")
        if curve is not None:
            draw_curve(curve)


def draw_curve(curve: RateCurve) -> None:
    """Show the loss at each rate, and offer the rate suggested."""
    with st.container(width=640):
        plot(curve_charts.rate_curve(curve.rates, curve.losses, curve.suggestion), key="train-rate-curve")
    if curve.suggestion is None:
        st.warning(
            "The loss did not fall at any rate. Check the data and the initial weights.",
            icon=":material/warning:",
        )
        return
    suggestion = float(f"{curve.suggestion:.2g}")
    st.button(
        f"Use {suggestion:g}",
        key="train-use-rate",
        icon=":material/check:",
        on_click=guard_callback(lambda: st.session_state.update({"form-lr": suggestion})),
    )


def task_folder(config: TrainConfig) -> Path:
    """Return where the search for a config's rate is watched and kept; the rate set by now has no say in it."""
    asked = json.dumps(asdict(replace(config, name="", lr=TrainConfig.lr)), sort_keys=True)
    return default_root() / ".rates" / hashlib.sha256(asked.encode()).hexdigest()[:16]


def end_others(folder: Path) -> None:
    """End a search that was begun here for settings that the form no longer has."""
    known = st.session_state.get("train-rates-folder")
    if known is not None and known != folder and read_task(known).state in ACTIVE:
        stop_task(known)
    st.session_state["train-rates-folder"] = folder
