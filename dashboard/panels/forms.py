"""Widgets to a TrainConfig and back: the values live in the session, so they are known before a widget is drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import streamlit as st

from core.errors import ConfigError, UserError
from core.recipe.config import CHOICES, RANGES, TrainConfig, field_help
from core.recipe.focus import focus_indices, pair_indices
from core.recipe.presets import from_preset
from core.recipe.rules import applies
from core.recipe.settings import GROUPS
from core.runs.run import Run, default_root, iter_runs
from dashboard.builtin import is_builtin
from dashboard.state import services
from dashboard.text import escape_markdown

WEIGHT_KINDS = {
    "imagenet": "ImageNet (pretrained)",
    "none": "None (from scratch)",
    "run": "An earlier run's best model",
    "file": "A file",
}
_STEPS = {
    "lr": 0.0005,
    "weight_decay": 0.0001,
    "rotation": 1.0,
    "image_size": 32,
    "resize_size": 32,
    "progressive_from": 32,
    "ema": 0.001,
    "clip_norm": 1.0,
    "head_lr_factor": 1.0,
    "save_minutes": 1.0,
}
_WIDTHS = {"fixes": 520, "focus": 520, "pairs": 520, "data": 520, "name": 260, "weights": 260}
_HINTS = get_type_hints(TrainConfig)


def fill_form(config: TrainConfig) -> None:
    """Put a config's values into the form, but for its bake-off: what a form starts belongs to none."""
    config = replace(config, group="")
    for field in dataclasses.fields(TrainConfig):
        st.session_state[_key(field.name)] = getattr(config, field.name)
    kind, _, rest = config.weights.partition(":")
    known = config.weights in ("imagenet", "none")
    st.session_state["form-weights-kind"] = kind if known or kind == "run" else "file"
    st.session_state["form-weights-run"] = rest if kind == "run" else None
    st.session_state["form-weights-file"] = "" if known or kind == "run" else config.weights


def fill_preset(preset: str) -> None:
    """Put a preset's values into the form; data and name stay as they are."""
    kept = {field: st.session_state.get(_key(field), "") for field in ("data", "name")}
    fill_form(from_preset(preset, **{**kept, "data": kept["data"] or "data", "name": ""}))
    st.session_state.update({_key(field): value for field, value in kept.items()})


def read_form() -> tuple[TrainConfig | None, dict[str, str]]:
    """Return the form's config, or None, and what is wrong with which field."""
    values = {
        field.name: st.session_state.get(_key(field.name), field.default)
        for field in dataclasses.fields(TrainConfig)
    }
    # A field that has no say now is hidden; what it held before must not count.
    values = {
        field.name: values[field.name] if applies(field.name, values) else field.default
        for field in dataclasses.fields(TrainConfig)
    }
    empty = {field: "is empty; give a number" for field, value in values.items() if value is None}
    if empty:
        return None, empty
    values["weights"] = _read_weights()
    values["name"] = values["name"].strip()
    values["data"], values["fixes"] = values["data"].strip(), values["fixes"].strip()
    try:
        config = TrainConfig.from_dict(values)
    except ConfigError as error:
        return None, error.problems
    problems = {**_data_problem(config), **_weights_problem(config.weights), **_name_problem(config.name)}
    return (None if problems else config), problems


def draw_group(title: str, problems: dict[str, str]) -> None:
    """Draw a group's fields that have a say with the others; a field's problem stands under it."""
    values = {field.name: st.session_state.get(_key(field.name)) for field in dataclasses.fields(TrainConfig)}
    with st.container(horizontal=True, gap="medium"):
        for field, label in GROUPS[title].items():
            if not applies(field, values):
                continue
            with st.container(width=_WIDTHS.get(field, 215), gap="xsmall"):
                if field == "weights":
                    _draw_weights(label)
                else:
                    _draw_field(field, label)
                if field in problems:
                    st.markdown(f":red[:material/error: {escape_markdown(problems[field])}]")


def _draw_field(field: str, label: str) -> None:
    key, help_text = _key(field), field_help(field)
    if field in CHOICES:
        st.selectbox(label, CHOICES[field], key=key, help=help_text, persist_state="session")
    elif _HINTS[field] is bool:
        with st.container(height=66, border=False, vertical_alignment="bottom"):
            st.toggle(label, key=key, help=help_text, persist_state="session")
    elif _HINTS[field] is str:
        st.text_input(label, key=key, help=help_text, persist_state="session")
    else:
        whole = _HINTS[field] is int
        low, high = RANGES[field]
        st.number_input(
            label,
            min_value=int(low) if whole else low,
            max_value=int(high) if whole else high,
            step=_STEPS.get(field, 1 if whole else 0.05),
            format="%d" if whole else "%g",
            key=key,
            help=f"{help_text} From {low:g} to {high:g}.",
            persist_state="session",
        )


def _draw_weights(label: str) -> None:
    kind = st.selectbox(
        label, list(WEIGHT_KINDS), format_func=WEIGHT_KINDS.__getitem__, key="form-weights-kind",
        help=field_help("weights"), persist_state="session",
    )  # fmt: skip
    if kind == "run":
        ids = _runs_with_model()
        st.session_state["form-weights-run"] = _chosen_run(ids)
        st.selectbox("Run", ids, key="form-weights-run", persist_state="session")
    elif kind == "file":
        st.text_input("Path of the weights file", key="form-weights-file", persist_state="session")


def _read_weights() -> str:
    kind = st.session_state.get("form-weights-kind", "imagenet")
    if kind == "run":
        return f"run:{_chosen_run(_runs_with_model()) or ''}"
    return str(st.session_state.get("form-weights-file", "")).strip() if kind == "file" else str(kind)


def _runs_with_model() -> list[str]:
    return [run.id for run in iter_runs(default_root()) if run.best_path.exists()]


def _chosen_run(ids: list[str]) -> str | None:
    """Return the run chosen for its weights, or the newest before one is; None where no run has a model."""
    chosen = st.session_state.get("form-weights-run")
    return chosen if chosen in ids else next(iter(ids), None)


def _data_problem(config: TrainConfig) -> dict[str, str]:
    found = services.summarise_data(config)
    if found.problem:
        field = next(
            (name for name in ("fixes", "hold_back") if found.problem.startswith(f"{name}: ")), "data"
        )
        return {field: found.problem.removeprefix(f"{field}: ")}
    problems = {}
    checks = {"focus": focus_indices, "pairs": pair_indices}
    for field, check in checks.items():
        try:
            check(config, found.names)
        except UserError as error:
            problems[field] = str(error).removeprefix(f"{field}: ")
    return problems


def fill_specialise(
    run: Run, classes: Sequence[str], pairs: Sequence[tuple[str, str]], *, head_only: bool
) -> None:
    """Put into the form what specialises a run's best model on classes: few epochs at a tenth of its rate.

    Of the head alone the rate stays and the epochs are many: they take a second each. `pairs` are look-alikes.

    Raises:
        RunError: when the run's config cannot be read.
    """
    config = run.read_config()
    changes: dict[str, Any] = {
        "name": "", "weights": f"run:{run.id}", "focus": ",".join(classes), "head_only": head_only,
        "pairs": ",".join(f"{one}:{other}" for one, other in pairs),
        "schedule": "cosine", "warmup_epochs": 0, "freeze_epochs": 0, "progressive_from": 0, "patience": 0,
        "epochs": 25 if head_only else max(3, config.epochs // 4), "lr": config.lr if head_only else config.lr / 10,
    }  # fmt: skip
    if head_only or pairs:
        changes.update(mixup=0.0, cutmix=0.0)
    if not head_only:
        changes.update(feature_views=1)
    fill_form(replace(config, **changes))


def fill_control(run: Run) -> None:
    """Put into the form the training of a specialised run with no classes chosen: what it won beyond that is its own.

    Raises:
        RunError: when the run's config cannot be read.
    """
    fill_form(replace(run.read_config(), name="", focus="", pairs=""))


def fill_fixed(run: Run, fixes: Path) -> None:
    """Put into the form what trains a run once more with the labels that a fix list corrects, all else the same.

    Raises:
        RunError: when the run's config cannot be read.
    """
    fill_form(replace(run.read_config(), name="", fixes=str(fixes.resolve())))


def _weights_problem(weights: str) -> dict[str, str]:
    if weights == "run:":
        return {"weights": "No run has a model yet. Train one first, or choose other weights."}
    if weights in ("imagenet", "none") or weights.startswith("run:"):
        return {}
    try:
        found = Path(weights).expanduser().is_file()
    except (OSError, RuntimeError):  # too long, not to be looked at, or no home folder for a ~name
        found = False
    return {} if found else {"weights": f"There is no file {weights}."}


def _name_problem(name: str) -> dict[str, str]:
    taken = bool(name) and (default_root() / name).exists()
    return {"name": f"A run named {name} exists already. Choose another name."} if taken else {}


def suggest_preset(data: str) -> str:
    """Return the preset that suits a data folder: the built-in sets are small pictures, trained from scratch."""
    return {"digits": "demo", "glyphs": "small"}.get(is_builtin(data), "seed")


def _key(field: str) -> str:
    return f"form-{field}"
