"""The form's fields that hold classes of the data, or pairs of them, chosen from those there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.recipe.class_names import find_class
from core.recipe.setting import Setting
from dashboard.guard import guard_callback


def draw_names(setting: Setting, key: str, classes: Sequence[str], label: Callable[[str], str]) -> None:
    """Draw a choice of classes; what is chosen and is not a class of the data stays, so that it can be told and taken out."""
    chosen = [_find(name, classes) for name in st.session_state.get(key) or ()]
    _draw_choice(setting, key, chosen, classes, label)


def draw_pairs(setting: Setting, key: str, classes: Sequence[str], label: Callable[[str], str]) -> None:
    """Draw the pairs chosen, any of which can be taken out, and a choice of two classes that joins them."""
    chosen = [(_find(one, classes), _find(other, classes)) for one, other in st.session_state.get(key) or ()]
    _draw_choice(setting, key, chosen, (), lambda pair: " / ".join(map(label, pair)))
    st.multiselect(
        "Add a pair of look-alikes", classes, key=f"{key}-new", format_func=label, max_selections=2, select_all=False,
        on_change=guard_callback(_add_pair), args=(key,), placeholder="Choose two classes",
        help="With the second class chosen, the pair joins those above.",
    )  # fmt: skip


def _draw_choice(
    setting: Setting, key: str, chosen: list[Any], known: Sequence[Any], label: Callable[[Any], str]
) -> None:
    # Set anew each time: other options make it another widget, which would begin empty.
    st.session_state[key] = chosen
    options = [*known, *(one for one in dict.fromkeys(chosen) if one not in known)]
    st.multiselect(
        setting.title, options, key=key, help=setting.help, format_func=label, persist_state="session",
        placeholder="None",
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
