"""Time and memory of the chosen settings, measured in a process of its own before the start, and what a time limit leaves."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import streamlit as st

from core.people.acting import TRAIN
from core.recipe.config import TrainConfig
from core.runs.run import default_root
from core.runs.tasks import launch_task, read_task, stop_task
from core.stored.status import ACTIVE
from core.trial.forecast import FORECAST, Forecast, key_of, read_forecast
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.state import data_folder


def draw_estimate(config: TrainConfig) -> None:
    """Offer to measure what the settings will take, and show what was found for these very ones."""
    folder = task_folder(config)
    _end_others(folder)
    status = read_task(folder)
    if status.state in ACTIVE:
        st.caption("Running a few steps of this training to see how long they take.")
        draw_running(folder, "seconds", key="train-estimate")
        return
    draw_end(status)
    if (found := find_forecast(config)) is not None:
        _draw_found(found, config)
        return
    st.button(
        "Estimate time and memory",
        icon=":material/timer:",
        key="train-estimate",
        on_click=guard_callback(launch_task),
        args=(folder, "estimate"),
        kwargs={"config": asdict(replace(config, name="", group=""))},
        **lock(TRAIN, help="Runs a few steps of this training, for about 15 seconds. No run is made."),
    )


def find_forecast(config: TrainConfig) -> Forecast | None:
    """Return what was measured for a config, for as many epochs as it has; None before."""
    found = read_forecast(task_folder(config) / FORECAST)
    return None if found is None else found.of_epochs(config.epochs)


def task_folder(config: TrainConfig) -> Path:
    """Return where the measuring of a config is watched and kept: one for all settings that take the same."""
    found = data_folder.summarise_data(config)
    return default_root() / ".trials" / key_of(config, (found.train, found.val, found.held))


def _draw_found(found: Forecast, config: TrainConfig) -> None:
    st.markdown(
        f"**{found.describe()}**",
        help="Measured on this machine by a few steps of this training. What was computed before, such as features of the "
        "same images, is not computed again.",
    )
    sooner = "It may end sooner, when validation stops improving (patience)." if config.patience else ""
    st.caption(" ".join(filter(None, (f"{found.describe_parts()}.", sooner, found.describe_doubt()))))
    if shortage := found.find_shortage():
        st.warning(shortage, icon=":material/memory:")
    if limited := found.describe_limit(config.max_minutes):
        st.info(limited, icon=":material/timer_off:")
        if fit := found.count_epochs(config.max_minutes):
            st.button(
                f"Set epochs to {fit}",
                icon=":material/check:",
                key="train-fit-epochs",
                on_click=guard_callback(lambda: st.session_state.update({"form-epochs": fit})),
                help="The learning-rate schedule then ends within the time limit.",
            )


def _end_others(folder: Path) -> None:
    """End a measuring that was begun here for settings that the form no longer has."""
    known = st.session_state.get("train-estimate-folder")
    if known is not None and known != folder and read_task(known).state in ACTIVE:
        stop_task(known)
    st.session_state["train-estimate-folder"] = folder
