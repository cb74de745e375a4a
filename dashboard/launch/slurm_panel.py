"""Where a training goes: this machine or Slurm, with what is asked of it; drawn only where there is a Slurm."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.cluster.request import SlurmRequest, is_offered, read_defaults
from core.cluster.slurm import list_jobs
from core.errors import ConfigError, UserError, describe_error
from dashboard.panels.forms import HERE, SLURM
from dashboard.state.number_field import draw_number
from dashboard.text import escape_markdown

# Label, example and hover of each field that is a text.
_TEXTS = {
    "partition": ("Partition", "the cluster's own", "The part of the cluster that trains it."),
    "memory": ("Memory", "16G", "Memory of a node. Empty: what the cluster gives."),
    "time": ("Time limit", "02:00:00", "A run saves two minutes before it and is queued again, so it loses nothing."),
    "account": ("Account", "your own", "Whose share of the cluster is used."),
    "qos": ("QoS", "your usual one", "Slurm's quality of service: it may set limits and priority of the job."),
}  # fmt: skip
_NUMBERS = {
    "nodes": (
        "Nodes",
        1,
        64,
        "They share “Devices at once” (All settings, Machine) evenly. GPUs, cores and memory are those of each.",
    ),
    "gpus": (
        "GPUs",
        0,
        64,
        "With “Devices at once” (All settings, Machine) at least one for each device. A run uses no more.",
    ),
    "cpus": ("Cores", 1, 1024, "They load the images, and without a GPU they train."),
}


def draw_place(key: str, devices: int | None = None) -> tuple[bool, SlurmRequest | None]:
    """Draw the choice of a place and return whether Slurm is chosen, with what is asked of it: None where that is wrong.

    `key` tells the fields of one form from those of another. `devices` are those of the run, 0 where they are not known yet;
    without them nobody is asked for several nodes.
    """
    if not is_offered():
        return False, None
    where = st.segmented_control(
        "Where it trains", [HERE, SLURM], default=HERE, required=True, key=f"{key}-where",
        help="Slurm is the queue of your cluster. What you asked of it last stays filled in.",
        persist_state="session",
    )  # fmt: skip
    if where != SLURM:
        return False, None
    try:
        defaults = read_defaults()
    except (UserError, OSError) as error:
        st.markdown(f":red[:material/error: {escape_markdown(describe_error(error))}]")
        defaults = SlurmRequest()
    values = _draw_fields(
        defaults, key, [name for name in _NUMBERS if name != "nodes" or devices is not None]
    )
    if devices is None:
        values["nodes"] = 1
    with st.spinner("Asking Slurm …"):
        problem = list_jobs().problem
    if problem:
        st.warning(f"Slurm may not take a run now. {escape_markdown(problem)}", icon=":material/cloud_off:")
    try:
        if empty := [field for field in _NUMBERS if values[field] is None]:
            raise ConfigError(dict.fromkeys(empty, "is empty; give a number"))
        request = SlurmRequest.from_values(values)
        if devices:
            request.for_devices(devices)
        return True, request
    except ConfigError as error:
        for field, what in error.problems.items():
            label = (_TEXTS.get(field) or _NUMBERS[field])[0]
            st.markdown(f":red[:material/error: **{label}** {escape_markdown(what)}]")
        return True, None


def _draw_fields(defaults: SlurmRequest, key: str, numbers: Sequence[str]) -> dict[str, Any]:
    values = defaults.to_values()
    with st.container(horizontal=True, gap="small", key=f"{key}-slurm"):
        for field, (label, example, hint) in _TEXTS.items():
            name = f"{key}-slurm-{field}"
            st.session_state.setdefault(name, values[field])
            values[field] = st.text_input(
                label, key=name, placeholder=example, help=hint, width=150, persist_state="session"
            ).strip()
        for field in numbers:
            label, least, most, hint = _NUMBERS[field]
            name = f"{key}-slurm-{field}"
            st.session_state.setdefault(name, values[field])
            values[field] = draw_number(
                label, least, most, key=name, help=hint, width=120, persist_state="session"
            )
    return values


def describe_options(request: SlurmRequest, defaults: SlurmRequest) -> str:
    """Return the words of a command line that ask for this; what the defaults say already is left out."""
    usual = defaults.to_values()
    words = [f"--{field}={value}" for field, value in request.to_values().items() if value != usual[field]]
    return shlex.join(["--slurm", *words])


def describe_command(command: str, request: SlurmRequest | None) -> str:
    """Return the command that starts the run where it was chosen to train."""
    if request is None:
        return command
    try:
        defaults = read_defaults()
    except (UserError, OSError):
        defaults = SlurmRequest()
    return f"{command} {describe_options(request, defaults)}"
