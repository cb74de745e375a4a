"""A field for a number that is taken as it was typed, and judged here: the browser would make "1e12" of whole numbers 1, and "2.7" 2."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from core.errors import UserError

_WHOLE = 2**53  # up to here a float holds every whole number
_FADED = "pointer-events: none; opacity: .35"


def draw_number(label: str, low: float, high: float | None, *, key: str, **known: Any) -> float | None:
    """Draw a field for a number of Streamlit's and return what was typed, whole numbers as int, None where it is empty.

    An emptied field stays empty, to be told, where the session has its value; else it goes back to the `value` given.
    What is out of `low` to `high` (None: no end) or not whole is returned too: the browser would keep it to itself, and the value before
    would stay in force. Its − and + end there. `known` are further arguments of `st.number_input`; `step` is 1 by default.
    """
    if known.get("value") is not None:
        known["value"] = float(known["value"])
    # Without a value of its own an emptied field would become 0 unasked.
    found = st.number_input(label, key=key, **{"value": None, "step": 1.0, "format": "%g", **known})
    number: float | None = as_typed(found)
    ends = {
        "Down": number is not None and number <= low,
        "Up": number is not None and high is not None and number >= high,
    }
    field = f".st-key-{re.sub(r'[^a-zA-Z0-9_-]', '-', key)}"
    rules = [
        f'{field} [data-testid="stNumberInputStep{end}"] {{ {_FADED} }}' for end, over in ends.items() if over
    ]
    if rules:
        st.html(f"<style>{' '.join(rules)}</style>")
    return number


def as_typed(value: Any) -> Any:
    """Return a whole number that came as a float as what it is; all else as it came."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE else value


def find_fault(value: float, low: int, high: int | None) -> str:
    """Say why a value is not one of the whole numbers from `low` to `high`; empty where it is."""
    if isinstance(value, int) and low <= value and (high is None or value <= high):
        return ""
    return f"must be a whole number {f'of at least {low:,}' if high is None else f'from {low:,} to {high:,}'}, got {value:,}"


def take_number(label: str, key: str) -> float:
    """Return what a field of the session holds; raises UserError where it is empty."""
    value = as_typed(st.session_state[key])
    if value is None:
        raise UserError(f"{label} is empty; give a number.")
    return float(value)


def take_whole(label: str, key: str, low: int, high: int) -> int:
    """Return what a field of the session holds; raises UserError where that is not a whole number from `low` to `high`."""
    value = as_typed(st.session_state[key])
    if value is None or (fault := find_fault(value, low, high)):
        raise UserError(
            f"{label} {fault}." if value is not None else f"{label} is empty; give a whole number."
        )
    return int(value)
