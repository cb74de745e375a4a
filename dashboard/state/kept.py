"""How a page is looked at: the URL holds each choice, and a page that is opened again gets those it had before."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard.guard import guard_callback
from dashboard.state import address

_REMEMBERED = "kept-choices"


def restore(names: Sequence[str], *, opened: bool, of: str = "") -> None:
    """Write the choices made before to the URL where the page is `opened` without them, and remember those it has.

    Within a page the URL alone counts, so that the browser's Back takes back a choice. `of` is the run that the choices
    are for, where those for another are others.
    """
    known = dict(st.session_state.get(_REMEMBERED, {}))
    kept = {name: f"{name} of {of}" if of else name for name in names}
    asked = {name: st.query_params[name] for name in names if name in st.query_params}
    if opened and not asked:
        asked = {name: known[kept[name]] for name in names if kept[name] in known}
        st.query_params.update(asked)
    others = {name: value for name, value in known.items() if name not in kept.values()}
    st.session_state[_REMEMBERED] = others | {kept[name]: value for name, value in asked.items()}


def keep(name: str, value: str, default: str) -> None:
    """Write a choice to the URL, where a default is left out."""
    address.set_params(**{name: address.ANY if value == default else value})


def read(name: str, allowed: Sequence[str], default: str) -> str:
    """Return a choice as the URL has it, the default where it has none or nonsense."""
    return address.get_param(name, list(allowed)) or default


def is_on(name: str, *, default: bool = False) -> bool:
    """Return whether something is switched on."""
    return read(name, ("yes", "no"), _word(default)) == "yes"


def draw_switch(title: str, name: str, *, key: str, default: bool = False, help: str | None = None) -> bool:
    """Offer to switch something on or off; return what it is."""
    on = is_on(name, default=default)
    own = find_key(key, on)
    return st.toggle(
        title,
        on,
        key=own,
        help=help,
        on_change=guard_callback(lambda: keep(name, _word(st.session_state[own]), _word(default))),
    )


def find_key(key: str, value: object) -> str:
    """Return the key of a widget in a popover that is to show a value of the URL.

    In a closed popover the browser keeps what a widget was, and would take back what Back has changed. So where its
    value is not the URL's, another widget takes its place.
    """
    turn = int(st.session_state.get(f"{key}-turn", 0))
    own = f"{key}-{turn}" if turn else key
    if st.session_state.get(own, value) == value:
        return own
    st.session_state[f"{key}-turn"] = turn + 1
    return f"{key}-{turn + 1}"


def _word(on: bool) -> str:
    return "yes" if on else "no"
