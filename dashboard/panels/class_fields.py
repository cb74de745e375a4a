"""The form's fields that hold classes of the data, or pairs of them, chosen from those there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from core.recipe.class_names import find_class
from core.recipe.setting import Setting
from dashboard.components.class_box import draw_classes_box


def draw_names(setting: Setting, key: str, classes: Sequence[str], label: Callable[[str], str]) -> None:
    """Draw a choice of classes; what is chosen and is not a class of the data stays, so that it can be told and taken out."""
    chosen = [_find(name, classes) for name in st.session_state.get(key) or ()]
    draw_classes_box(
        setting.title,
        classes,
        chosen,
        key=key,
        label=label,
        help=setting.help,
        placeholder="None",
        persist=True,
    )


def draw_pairs(setting: Setting, key: str, classes: Sequence[str], label: Callable[[str], str]) -> None:
    """Draw the pairs chosen, any of which can be taken out, and a choice of two classes that joins them."""
    chosen = [(_find(one, classes), _find(other, classes)) for one, other in st.session_state.get(key) or ()]
    # Set anew each time: other options make it another widget, which would begin empty.
    st.session_state[key] = chosen
    st.multiselect(
        setting.title, list(dict.fromkeys(chosen)), key=key, help=setting.help, persist_state="session", placeholder="None",
        format_func=lambda pair: " / ".join(map(label, pair)),
    )  # fmt: skip
    new = f"{key}-new"
    draw_classes_box(
        "Add a pair of look-alikes", classes, st.session_state.get(new, ()), key=new, label=label, most=2,
        on_change=partial(_add_pair, key), placeholder="Choose two classes",
        help="With the second class chosen, the pair joins those above.",
    )  # fmt: skip


def _add_pair(key: str) -> None:
    new = st.session_state[f"{key}-new"]
    if len(new) < 2:
        return
    known = st.session_state[key]
    if set(new) not in map(set, known):
        st.session_state[key] = [*known, tuple(new)]
    st.session_state[f"{key}-new"] = []


def _find(name: str, classes: Sequence[str]) -> str:
    """Return a name as the data writes it, or as it is where it is not a class of the data."""
    found = find_class(name, classes)
    return name if found is None else classes[found]
