"""The form of a bake-off: what is crossed, the plan it makes, the time it takes, and the start."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from core.cluster.request import SlurmRequest
from core.cluster.submit import start_array
from core.errors import ConfigError, UserError, describe_error
from core.people.acting import TRAIN
from core.queue.slots import count_at_once, describe_at_once, read_slots, spread_time
from core.recipe.config import SETTINGS, TrainConfig
from core.recipe.presets import PRESETS
from core.recipe.settings import label_of
from core.runs import bakeoff
from core.runs.bakeoff import QUESTIONS, Crossing, Todo
from core.runs.run import default_root
from core.verdicts.seeds import describe_power
from dashboard.access.lock import lock
from dashboard.builtin import builtin_folder, wanted_data
from dashboard.components.count_panel import draw_count
from dashboard.guard import guard_callback
from dashboard.launch.slurm_panel import draw_place
from dashboard.panels import forms
from dashboard.panels.network_field import describe_download, label_network, list_names
from dashboard.state import address, data_folder, services
from dashboard.state.number_field import as_typed, draw_number
from dashboard.text import escape_markdown, format_count, format_duration

# Settings of all runs that may differ from the presets'.
SHARED = ("epochs", "batch_size", "image_size", "hold_back")
AS_PRESET = "as in the preset"
FOLDS = (0, 3, 5, 10)  # to choose from; the command line takes any number from 2 to 20
_LABELS = {"presets": "Presets", "seeds": "Seeds", "folds": "K-fold", "group": "Name of the bake-off"}


def draw_form() -> None:
    """Draw the form down to its start."""
    fill_empty()
    draw_questions()
    draw_choice()
    draw_shared()
    try:
        configs = read_form()
    except ConfigError as error:
        for field, what in error.problems.items():
            label = _LABELS.get(field, label_of(field))
            st.markdown(f":red[:material/error: **{label}**: {escape_markdown(what)}]")
        return
    found = data_folder.summarise_data(configs[0])
    if found.problem:
        st.markdown(f":red[:material/error: **{label_of('data')}**: {escape_markdown(found.problem)}]")
        return
    if found.counting:
        draw_count(configs[0], found)
    if not found.is_known:
        return
    st.caption(f":material/folder_open: {found.describe(st.session_state['bake-folds'])}")
    configs = draw_plan(configs)
    draw_start(configs)


def fill_empty() -> None:
    """Put into the form what it begins with."""
    if "bake-data" in st.session_state and not st.session_state.pop("bake-started", False):
        return
    data = wanted_data() or str(builtin_folder("digits"))
    suggested = forms.suggest_preset(data)
    preset = "fast" if suggested == "quick" else suggested  # a fitted head has no optimizers to compare
    st.session_state.update(
        {
            "bake-data": data,
            "bake-presets": [preset],
            "bake-archs": [],
            "bake-optimizers": [],
            "bake-seeds": "0",
            "bake-folds": 0,
            "bake-weights": AS_PRESET,
            "bake-name": "",
            **{f"bake-{field}": None for field in SHARED},
        }
    )
    suggest_name()


def suggest_name(question: str = "") -> None:
    """Put a name into the form that no bake-off has yet, unless the user has given one."""
    given = st.session_state.get("bake-name", "")
    if given and given != st.session_state.get("bake-suggested"):
        return
    base = bakeoff.suggest_name(st.session_state["bake-data"], question)
    taken = bakeoff.list_bakeoffs(default_root())
    names = [base, *(f"{base[: bakeoff.NAME_LENGTH - 3]}-{number}" for number in range(2, 100))]
    name = next((name for name in names if name not in taken), base)
    st.session_state.update({"bake-name": name, "bake-suggested": name})


def draw_questions() -> None:
    """Offer the two questions, each of which fills the form."""
    st.markdown("**Start from a question**, or choose freely below.")
    with st.container(horizontal=True):
        for name, question in QUESTIONS.items():
            st.button(
                question.words,
                icon=":material/help:",
                key=f"bake-question-{name}",
                on_click=guard_callback(fill_question),
                args=(name,),
            )


def fill_question(name: str) -> None:
    """Put a question's networks, optimizers and seeds into the form; data and presets stay as they are."""
    choice = QUESTIONS[name].choice
    st.session_state.update(
        {
            "bake-archs": list(choice.archs),
            "bake-optimizers": list(choice.optimizers),
            "bake-seeds": ", ".join(map(str, choice.seeds)),
        }
    )
    suggest_name(name)


def draw_choice() -> None:
    """Draw the fields of what is crossed, and the name."""
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=330):
            st.multiselect(
                "Networks", list_names(*st.session_state["bake-archs"]), key="bake-archs", placeholder="the preset's",
                format_func=label_network, persist_state="session", help="Empty: the network of each preset.",
            )  # fmt: skip
        for key, label, options, help_text in (
            ("presets", "Presets", tuple(PRESETS), "All other settings come from these."),
            (
                "optimizers",
                "Optimizers",
                SETTINGS["optimizer"].choices,
                "None: the optimizer of each preset.",
            ),
        ):
            with st.container(width="content"):
                st.pills(
                    label,
                    options,
                    selection_mode="multi",
                    key=f"bake-{key}",
                    help=help_text,
                    persist_state="session",
                )
        with st.container(width=160):
            st.text_input(
                "Seeds", key="bake-seeds", persist_state="session",
                help="Whole numbers separated by commas; every combination is trained once with each.",
            )  # fmt: skip
        with st.container(width=160):
            st.selectbox(
                "K-fold", FOLDS, key="bake-folds", persist_state="session",
                format_func=lambda count: f"{count} folds" if count else "no folds",
                help="Trains every combination K times, each time with another K-th of the training images for validation. So "
                "each training image is judged once by a network that never saw it, and a class is judged by all its images. "
                "Copies and groups stay together. A val/ folder is held back, and judges all K networks. Without one, fill in Hold back "
                "under Settings of all runs.",
            )  # fmt: skip
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=520):
            st.text_input(
                "Folder of images", key="bake-data", help=SETTINGS["data"].help, persist_state="session",
                on_change=guard_callback(suggest_name),
            )  # fmt: skip
        with st.container(width=300):
            st.text_input(
                "Name of the bake-off",
                key="bake-name",
                persist_state="session",
                help="The name of an existing bake-off continues it: what is missing or failed is queued again.",
            )


def draw_shared() -> None:
    """Draw the settings that all runs share; left empty they are each preset's."""
    with (
        st.expander("Settings of all runs", icon=":material/tune:"),
        st.container(horizontal=True, gap="medium"),
    ):
        with st.container(width=215):
            st.selectbox(
                "Initial weights", [AS_PRESET, "imagenet", "none"], key="bake-weights",
                format_func=lambda kind: forms.WEIGHT_KINDS.get(kind, kind),
                help=SETTINGS["weights"].help, persist_state="session",
            )  # fmt: skip
        for field in SHARED:
            setting = SETTINGS[field]
            with st.container(width=215):
                low, high = setting.span or (0, None)
                draw_number(
                    setting.title, low, high, value=None,
                    placeholder=AS_PRESET, key=f"bake-{field}", help=setting.help, persist_state="session",
                )  # fmt: skip


def read_form() -> list[TrainConfig]:
    """Return the plan that the form makes; raises ConfigError naming what is wrong."""
    values = st.session_state
    changes: dict[str, Any] = {
        field: as_typed(values[f"bake-{field}"])
        for field in SHARED
        if values.get(f"bake-{field}") is not None
    }
    if values["bake-weights"] != AS_PRESET:
        changes["weights"] = values["bake-weights"]
    return bakeoff.make_plan(
        values["bake-name"].strip(), values["bake-data"].strip(), read_choice(), **changes
    )


def read_choice() -> Crossing:
    """Return what the form crosses; raises ConfigError where the seeds are no whole numbers."""
    values = st.session_state
    words = [word for word in re.split(r"[\s,;]+", values["bake-seeds"]) if word]
    if wrong := [word for word in words if not word.isdecimal()]:
        raise ConfigError({"seeds": f"give whole numbers separated by commas, got {wrong[0]!r}"})
    return Crossing(
        tuple(values["bake-archs"]),
        tuple(values["bake-optimizers"]),
        tuple(values["bake-presets"]),
        tuple(dict.fromkeys(int(word) for word in words)),
        values["bake-folds"],
    )


def draw_plan(configs: list[TrainConfig]) -> list[TrainConfig]:
    """Show a row a combination, its learning rate to be edited; return the configs with the rates as edited."""
    combinations = {_place(config): config for config in reversed(configs)}
    rows = list(reversed(combinations.values()))
    folds = len({config.fold for config in configs})
    seeds = len(configs) // (len(rows) * folds)
    times = [format_count(len(rows), "combination")]
    times += [format_count(number, noun) for number, noun in ((seeds, "seed"), (folds, "fold")) if number > 1]
    st.header(
        f"The plan: {format_count(len(configs), 'run')}" + (f", {' × '.join(times)}" if times[1:] else "")
    )
    table = pd.DataFrame(
        {
            "network": [config.arch for config in rows],
            "optimizer": [config.optimizer for config in rows],
            "preset": [config.preset for config in rows],
            "learning rate": [config.lr for config in rows],
            "epochs": [config.epochs for config in rows],
            "image size (px)": [config.image_size for config in rows],
            "initial weights": [config.weights for config in rows],
            "runs": [seeds * folds] * len(rows),
        }
    )
    low, high = SETTINGS["lr"].span or (None, None)
    edited = st.data_editor(
        table,
        # What was edited belongs to these rows; other rows begin with their own rates.
        key=f"bake-plan-{hash(tuple(map(_place, rows)))}",
        hide_index=True,
        disabled=[name for name in table if name != "learning rate"],
        column_config={
            "learning rate": st.column_config.NumberColumn(
                "learning rate", min_value=low, max_value=high, format="%g", required=True
            )
        },
    )
    st.caption(
        "Learning rates are the preset's; an optimizer other than the preset's own gets a tenth (AdamW) or a fifth (Ranger) "
        "of SGD's, or the other way round. Edit them: a comparison is only as fair as its learning rates. "
        + (
            describe_power(seeds, math.comb(len(rows), 2))
            if len(rows) > 1
            else f"The {folds} folds of the one combination are judged together. Choose two to compare them."
            if folds > 1
            else "One combination cannot be compared with anything. Choose at least two networks, optimizers, presets or seeds, "
            "or folds."
        )
    )
    rates = {_place(config): float(rate) for config, rate in zip(rows, edited["learning rate"], strict=True)}
    return [replace(config, lr=rates[_place(config)]) for config in configs]


def draw_start(configs: list[TrainConfig]) -> None:
    """Ask where it trains, say how long it will take, and draw the button that queues the runs."""
    try:
        todo = bakeoff.find_todo(configs, default_root())
    except UserError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return
    count = len(todo.new) + len(todo.again)
    in_slurm, asked = draw_place("bake")
    ready = count > 0 and (asked is not None or not in_slurm)
    with st.container(horizontal=True, vertical_alignment="center", key="bake-start-row"):
        pressed = st.button(
            f"Start {format_count(count, 'run')}",
            type="primary",
            icon=":material/play_arrow:",
            key="bake-start",
            **lock(TRAIN, disabled=not ready),
        )
        st.caption(describe_todo(todo, in_slurm=in_slurm))
    if pressed:
        try:
            start_runs(todo, asked)
        except (UserError, OSError) as error:
            st.error(
                f"Not all runs could be started: {escape_markdown(describe_error(error))}",
                icon=":material/error:",
            )
            return
        st.session_state["bake-started"] = True  # the next form begins anew, with a name that is free
        address.set_params(group=configs[0].group)
        st.rerun()


def start_runs(todo: Todo, asked: SlurmRequest | None) -> None:
    """Start all that is still to be done on this machine, or in Slurm where something is asked of it; raises as both do."""
    if asked is None:
        bakeoff.start(todo, default_root())
    else:
        start_array(todo, default_root(), asked)


def describe_todo(todo: Todo, *, in_slurm: bool = False) -> str:
    """Say what a start will do and how long that takes on this machine."""
    configs = [*todo.new, *(run.read_config() for run in todo.again)]
    parts = []
    if todo.kept:
        parts.append(
            f"{format_count(len(todo.kept), 'run')} of it {'is there already and stays' if len(todo.kept) == 1 else 'are there already and stay'}."
        )
    if todo.again:
        parts.append(f"{format_count(len(todo.again), 'run')} that ended early will go on.")
    if in_slurm:
        array = "Slurm gets them as one job array, and trains as many at a time as it has room for."
        parts.append(
            array if len(configs) > 1 else "The cluster trains it. The board shows when Slurm starts it."
        )
    elif configs:
        parts.append(describe_time(configs))
    if download := describe_download([config.arch for config in configs if config.weights == "imagenet"]):
        parts.append(download)
    return " ".join(parts)


def describe_time(configs: list[TrainConfig]) -> str:
    """Say how long runs will take together, as far as comparable ones tell."""
    found = services.estimate_time(tuple(configs))
    if not found.known:
        from core.runs.estimate import describe_lack

        return describe_lack(configs)
    which = (
        ""
        if not found.unknown
        else f" for {found.known} of {format_count(found.known + found.unknown, 'run')}"
    )
    slots = read_slots(default_root())
    at_once = min(count_at_once(config.device, config.devices, slots) for config in configs)
    seconds = spread_time(found.seconds, configs, slots)
    return f"About {format_duration(seconds)} in all{which}, going by comparable runs here; {describe_at_once(at_once)}."


def _place(config: TrainConfig) -> tuple[str, str, str]:
    return config.arch, config.optimizer, config.preset
