"""An address that asks for what is not there: a line at the top of the page names it and what is shown instead.

Whoever reads a parameter takes what it may be and leaves aside what it may not; this is where that is told, for all pages.
That a run does not exist is told where the run is chosen, in `state.address`.
"""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from core.errors import UserError
from core.runs.bakeoff import list_bakeoffs
from core.runs.run import default_root, iter_runs
from core.words import shorten
from dashboard.lost.rules import RULES, find_unknown
from dashboard.state import address
from dashboard.text import escape_markdown
from dashboard.views.bakeoff import NEW

_NAMED = 4  # of what is not there; an address can ask for any number of things


def tell_lost(page: str) -> None:
    """Say in one line what the page's address asks for that is not there; nothing where all of it is."""
    told = list(_find_lost(page))
    if not told:
        return
    words = [
        f"{'It also' if number else 'The address'} asks for {one}" for number, one in enumerate(told[:_NAMED])
    ]
    if len(told) > _NAMED:
        words.append("More of what it asks for does not exist and is left aside.")
    st.warning(" ".join(words), icon=":material/link_off:")


def _find_lost(page: str) -> Iterator[str]:
    if page == "compare":
        yield from _find_lost_runs([address.get_param("run")], "The others are compared.")
    elif page == "predict":  # which tells of `run` itself
        yield from _find_lost_runs([], "The others answer.")
    elif page == "bake-off":
        yield from _find_lost_bakeoff()
    for name in find_unknown(page, st.query_params):
        yield f"“{escape_markdown(shorten(name))}”, which this page does not know. It is left aside."
    rules = RULES.get(page, {})
    asked = {name: value for name in rules if (value := address.get_param(name))}
    run = address.selected_run() if asked else None
    if run is None:
        return
    for name, value in asked.items():
        try:
            known = rules[name].knows(run, value)
        except (UserError, OSError):  # what it is held against cannot be read, which the page itself tells
            continue
        if not known:
            yield rules[name].tell(run.id, value)


def _find_lost_bakeoff() -> Iterator[str]:
    """Say that there is no bake-off of the name that is asked for."""
    asked = address.get_param("group")
    if asked and asked != NEW and asked not in list_bakeoffs(default_root()):
        yield f"the bake-off “{escape_markdown(shorten(asked))}”, which does not exist, or no longer. The newest one that trains is shown, or else the form."


def _find_lost_runs(more: list[str], others: str) -> Iterator[str]:
    """Say which runs there are not that a page is asked for by `runs`, and more; `others` is what becomes of those there are."""
    known = {run.id for run in iter_runs(default_root())}
    asked = [*address.get_param("runs").split(","), *more]
    lost = [name for name in dict.fromkeys(asked) if name and name not in known]
    found = {name for name in asked if name in known}
    if not lost:
        return
    named = ", ".join(f"“{escape_markdown(shorten(name))}”" for name in lost[:_NAMED])
    rest = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    what = f"the run {named}, which does" if len(lost) == 1 else f"the runs {named}{rest}, which do"
    instead = (
        others
        if len(found) > 1
        else "The newest runs are shown."
        if not found
        else "It is left out."
        if len(lost) == 1
        else "They are left out."
    )
    yield f"{what} not exist, or no longer. {instead}"
