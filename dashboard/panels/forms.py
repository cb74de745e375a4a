"""Widgets to a TrainConfig and back: the values live in the session, so they are known before a widget is drawn."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from core.census.summary import DataSummary
from core.errors import ConfigError, UserError
from core.people.roots import allow_path
from core.queue.slots import count_devices, find_lacks, read_slots
from core.reading import is_there
from core.recipe.class_names import Names, Pairs
from core.recipe.config import SETTINGS, TrainConfig
from core.recipe.focus import focus_indices, pair_indices
from core.recipe.presets import PRESETS, from_preset
from core.recipe.rules import FIT_ALONE, fits_alone
from core.recipe.setting import Setting
from core.recipe.settings import GROUPS, NAMES, label_of
from core.recipe.shares import describe_share
from core.runs.run import Run, default_root
from core.words import format_number
from dashboard.builtin import is_builtin
from dashboard.panels import story
from dashboard.panels.class_fields import draw_names, draw_pairs
from dashboard.panels.network_field import draw_facts, draw_network
from dashboard.state import data_folder, services
from dashboard.state.number_field import as_typed, draw_number
from dashboard.state.offered import offer_runs
from dashboard.text import escape_markdown

WEIGHT_KINDS = {
    "imagenet": "As published (pretrained)",
    "none": "None (from scratch)",
    "run": "An earlier run's best model",
    "file": "A file",
}
HERE, SLURM = "This machine", "Slurm"
WHERE = "train-where"  # in the session: which of these two the form has
_LONGEST_STEM = 60  # letters of a run's name in that of one made from it; a name has 80 at most
_STEPS = {int: 1, float: 0.05}  # of a field that names no step of its own


def fill_form(config: TrainConfig) -> None:
    """Put a config's values into the form, but for its bake-off: what a form starts belongs to none."""
    story.forget()
    config = replace(config, group="")
    for field, setting in SETTINGS.items():
        value = getattr(config, field)
        st.session_state[_key(field)] = list(value) if setting.kind in (Names, Pairs) else value
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
    values = _read_values()
    # A field that has no say now is hidden; what it held before must not count.
    values = {
        field: values[field] if setting.applies(values) else setting.default
        for field, setting in SETTINGS.items()
    }
    if fits_alone(values):
        values.update(FIT_ALONE)
    empty = {field: "is empty; give a number" for field, value in values.items() if value is None}
    if empty:
        return None, empty
    values["weights"] = _read_weights()
    try:
        config = TrainConfig.from_dict(values)
    except ConfigError as error:
        return None, error.problems
    problems = {
        **_data_problem(config),
        **_weights_problem(config.weights),
        **_name_problem(config.name),
        **({} if _is_for_slurm() else find_lacks(config, read_slots(default_root()))),
    }
    return (None if problems else config), problems


def list_fields(fields: Sequence[str], words: str = "") -> list[str]:
    """Return those of some fields that have a say with the others and, where words are given, hold each of them."""
    values = _read_values()
    return [
        field
        for field in fields
        if _has_say(SETTINGS[field], values)
        and all(
            word in f"{label_of(field)} {field} {SETTINGS[field].help}".lower()
            for word in words.lower().split()
        )
    ]


def draw_fields(fields: Sequence[str], problems: dict[str, str]) -> None:
    """Draw those of some fields that have a say with the others; a field's problem stands under it."""
    values = _read_values()
    with st.container(horizontal=True, gap="medium"):
        for field in list_fields(fields):
            setting = SETTINGS[field]
            with st.container(width=_find_width(setting), gap="xsmall"):
                if field == "weights":
                    _draw_weights(setting)
                elif field == "arch":
                    draw_network(setting, _key(field))
                elif setting.kind in (Names, Pairs):
                    found = _summarise_data()
                    draw = draw_names if setting.kind == Names else draw_pairs
                    draw(setting, _key(field), found.names, found.label)
                else:
                    _draw_field(setting)
                draw_problem(field, problems)
                if field == "devices" and (values["devices"] or 0) > 1 and not problems:
                    _draw_share(values)
                if field == "arch":
                    draw_facts(values["arch"], (_key("image_size"), _key("resize_size")))


def _draw_share(values: dict[str, Any]) -> None:
    """Say what each of several devices gets, once the form holds what that depends on."""
    batch_size, rate = values["batch_size"], values["lr"]
    if batch_size and rate:
        st.caption(describe_share(values["devices"], batch_size, rate, values["optimizer"]))


def _is_for_slurm() -> bool:
    """Tell whether Slurm is to train the form's run, on machines of which nothing is known here."""
    return st.session_state.get(WHERE) == SLURM


def _count_devices() -> int:
    """Return the most devices to offer: those of this machine, and as many as the form holds already."""
    values = _read_values()
    if _is_for_slurm():
        return int((SETTINGS["devices"].span or (1, 64))[1])
    return max(count_devices(values["device"], read_slots(default_root())), int(values["devices"] or 1))


def draw_problem(field: str, problems: dict[str, str]) -> None:
    """Say what is wrong with a field, where something is."""
    if field in problems:
        st.markdown(f":red[:material/error: {escape_markdown(problems[field])}]")


def _has_say(setting: Setting, values: dict[str, Any]) -> bool:
    return setting.applies(values) and not (fits_alone(values) and setting.name in FIT_ALONE)


def _read_values() -> dict[str, Any]:
    """Return what the form holds, the words without blanks around them."""
    values = {field: st.session_state.get(_key(field), one.default) for field, one in SETTINGS.items()}
    return {
        field: value.strip() if isinstance(value, str) else as_typed(value) for field, value in values.items()
    }


def _find_width(setting: Setting) -> int:
    """Return the width of a field in pixels: what may hold much is wide."""
    if setting.name == "weights":
        return 260
    if setting.name == "arch":
        return 430
    if setting.path or setting.kind in (Names, Pairs):
        return 520
    return 260 if setting.kind is str and not setting.choices else 215


def _draw_field(setting: Setting) -> None:
    label, key, kind = setting.title, _key(setting.name), setting.kind
    if setting.choices:
        st.selectbox(label, setting.choices, key=key, help=setting.help, persist_state="session")
    elif kind is bool:
        with st.container(height=66, border=False, vertical_alignment="bottom"):
            st.toggle(label, key=key, help=setting.help, persist_state="session")
    elif setting.usual:
        typed = str(st.session_state.get(key, setting.default) or "")
        offered = list(dict.fromkeys([*setting.usual, *filter(None, [typed])]))
        st.selectbox(
            label, offered, key=key, help=setting.help, accept_new_options=True, persist_state="session"
        )
    elif setting.span is None:
        st.text_input(label, key=key, help=setting.help, persist_state="session")
    else:
        low, high = setting.span
        draw_number(
            label,
            low,
            _count_devices() if setting.name == "devices" else high,
            step=float(setting.step or _STEPS[kind]),
            key=key,
            help=f"{setting.help} From {format_number(low)} to {format_number(high)}.",
            persist_state="session",
        )


def _draw_weights(setting: Setting) -> None:
    kind = st.selectbox(
        setting.title, list(WEIGHT_KINDS), format_func=WEIGHT_KINDS.__getitem__, key="form-weights-kind",
        help=setting.help, persist_state="session",
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
    chosen = st.session_state.get("form-weights-run")
    offered = offer_runs([chosen] if chosen else [], lambda run: is_there(run.best_path))
    return [run.id for run in offered.runs]


def _chosen_run(ids: list[str]) -> str | None:
    """Return the run chosen for its weights, or the newest before one is; None where no run has a model."""
    chosen = st.session_state.get("form-weights-run")
    return chosen if chosen in ids else next(iter(ids), None)


def _summarise_data() -> DataSummary:
    """Return what the data of the form holds, also where another field is wrong."""
    config = read_data()
    return DataSummary() if config is None else data_folder.summarise_data(config)


def read_data() -> TrainConfig | None:
    """Return the form's settings of the data alone, also where another field is wrong; None where one of these is."""
    values = _read_values()
    try:
        return TrainConfig.from_dict({field: values[field] for field in GROUPS["Data"] if field not in NAMES})
    except ConfigError:
        return None


def _data_problem(config: TrainConfig) -> dict[str, str]:
    found = data_folder.summarise_data(config)
    if found.problem:
        field, _, what = found.problem.partition(": ")
        return {field: what} if field in SETTINGS else {"data": found.problem}
    if not found.is_known:  # it is being counted, and the run itself checks its classes
        return {}
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

    Of the head alone the rate stays and the epochs are many: they take a second each. Where only the head was trained so far,
    the whole network is trained as the preset `fast` does it. `pairs` are look-alikes.

    Raises:
        RunError: when the run's config cannot be read.
    """
    config = run.read_config()
    if config.head_only and not head_only:  # its recipe says nothing of how to train a whole network
        config = _take_whole_recipe(config)
    changes: dict[str, Any] = {
        "name": _find_name(run, "specialised"), "weights": f"run:{run.id}", "focus": tuple(classes), "head_only": head_only,
        "pairs": tuple(pairs),
        "head_first": config.head_first and not head_only,  # it has learnt all classes alike; now it is trained on
        "schedule": "cosine", "warmup_epochs": 0, "freeze_epochs": 0, "progressive_from": 0, "patience": 0,
        "epochs": 25 if head_only else max(3, config.epochs // 4), "lr": config.lr if head_only else _lower_rate(config),
    }  # fmt: skip
    if head_only or pairs:
        changes.update(mixup=0.0, cutmix=0.0)
    values = {**vars(config), **changes}
    for field, setting in SETTINGS.items():
        if setting.is_off(setting.default) and not setting.applies(values):
            changes[field] = setting.default  # such as devices of a whole network, which a head alone has not
    fill_form(replace(config, **changes))
    names = ", ".join(escape_markdown(services.label_classes(run)(name)) for name in classes)
    story.tell(f"specialise {escape_markdown(run.id)} on {names}.", run)


def _find_name(run: Run, what: str) -> str:
    """Return a free name that tells a run made from another by what it is: a long one of data, network and time tells little."""
    stem = f"{re.sub(rf'-{what}(-[0-9]+)?$', '', run.id)[:_LONGEST_STEM]}-{what}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not (default_root() / name).exists())


def _lower_rate(config: TrainConfig) -> float:
    """Return a tenth of a run's rate; of one that was specialised already no less than a tenth of its recipe's."""
    lower = config.lr / 10
    if not (config.focus or config.pairs):
        return lower
    usual = from_preset(config.preset, data=config.data).lr if config.preset in PRESETS else config.lr
    return min(config.lr, max(lower, usual / 10))


def _take_whole_recipe(config: TrainConfig) -> TrainConfig:
    """Return a config of a head alone with what the preset `fast` says of training a whole network; the network stays.

    How images are augmented stays too where the run augmented them.
    """
    augments = {name for name, setting in SETTINGS.items() if setting.augments}
    own = {"arch"} | (augments if config.feature_views > 1 else set())
    values = {name: value for name, value in PRESETS["fast"].items() if name not in own}
    return replace(config, **values, preset="fast", head_only=False, feature_views=1)


def fill_control(run: Run) -> None:
    """Put into the form the training of a specialised run with no classes chosen: what it won beyond that is its own.

    Raises:
        RunError: when the run's config cannot be read.
    """
    fill_form(replace(run.read_config(), name=_find_name(run, "control"), focus=(), pairs=()))
    story.tell("train the control: the same training with no classes chosen.", run)


def fill_fixed(run: Run, fixes: Path) -> None:
    """Put into the form what trains a run once more with the labels that a fix list corrects, all else the same.

    Raises:
        RunError: when the run's config cannot be read.
    """
    fill_form(replace(run.read_config(), name="", fixes=str(fixes.resolve())))
    story.tell(
        f"train {escape_markdown(run.id)} again with the corrections in {escape_markdown(fixes.name)}.", run
    )


def fill_again(run: Run) -> None:
    """Put into the form the settings of a run, to train the same again or to change something first.

    Raises:
        RunError: when the run's config cannot be read.
    """
    fill_form(replace(run.read_config(), name=""))
    story.tell(
        f"train again with the settings of {escape_markdown(run.id)}. Change what you like first.", run
    )


def set_field(field: str, value: Any) -> None:
    """Put one value into the form."""
    st.session_state[_key(field)] = value


def fill_without_leaks(data: str, run: Run | None, **changes: Any) -> None:
    """Put into the form what trains a run again, or on a data folder by its preset, with what closes leaks between the splits.

    Raises:
        RunError: when the run's config cannot be read.
    """
    if run is None:
        fill_form(from_preset(suggest_preset(data), data=data, **changes))
        return
    fill_form(replace(run.read_config(), name="", **changes))
    story.tell(f"train {escape_markdown(run.id)} again without leaks between training and validation.", run)


def fill_judge(run: Run) -> None:
    """Put into the form a quick run from published weights on the data of a run, to judge its training images by.

    Raises:
        RunError: when the run's config cannot be read.
    """
    config = run.read_config()
    split = {
        field: getattr(config, field) for field in GROUPS["Data"] if field not in NAMES and field != "data"
    }
    fill_form(from_preset("quick", data=config.data, **split))
    story.tell(f"train a network that can judge the training images of {escape_markdown(run.id)}.", run)


def _weights_problem(weights: str) -> dict[str, str]:
    if weights == "run:":
        return {"weights": "No run has a model yet. Train one first, or choose other weights."}
    if weights in ("imagenet", "none") or weights.startswith("run:"):
        return {}
    try:
        found = allow_path(weights).is_file()
    except UserError as error:
        return {"weights": str(error)}
    except OSError:  # too long, or not to be looked at
        found = False
    return {} if found else {"weights": f"There is no file {weights}."}


def _name_problem(name: str) -> dict[str, str]:
    taken = bool(name) and (default_root() / name).exists()
    return {"name": f"A run named {name} already exists. Choose another name."} if taken else {}


def suggest_preset(data: str) -> str:
    """Return the preset that suits a data folder: small pictures for the built-in sets, else a first result in minutes."""
    return {"digits": "demo", "glyphs": "small"}.get(is_builtin(data), "quick")


def _key(field: str) -> str:
    return f"form-{field}"
