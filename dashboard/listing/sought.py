"""Which runs of the list are looked for: by words and by what they have in common; the URL keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import streamlit as st

from dashboard.guard import guard_callback
from dashboard.listing.rows import Row
from dashboard.state import address, kept


@dataclass(frozen=True)
class Sought:
    """What is looked for, empty for any: words in small letters, and a run's state, network, data folder, tag and owner."""

    words: str = ""
    state: str = ""
    network: str = ""
    data: str = ""
    tag: str = ""
    owner: str = ""

    def finds(self, row: Row) -> bool:
        """Tell whether a run is looked for."""
        return row.matches(self.words) and all(
            getattr(self, name) in (address.ANY, *read(row)) for name, read in _OF_RUN.items()
        )


PARAMS = tuple(field.name for field in fields(Sought))
_OF_RUN: dict[str, Callable[[Row], Sequence[str]]] = {
    "state": lambda row: (row.state,),
    "network": lambda row: (row.network,),
    "data": lambda row: (row.data_name,),
    "tag": lambda row: row.facts.note.tags,
    "owner": lambda row: (row.facts.owner,),
}


def is_asked() -> bool:
    """Tell whether the URL says which runs are looked for."""
    return any(address.get_param(name) for name in PARAMS)


def draw_search(rows: Sequence[Row]) -> Sought:
    """Offer to look for runs by words, and by each property in which they differ; return what is looked for."""
    words = address.get_param("words")
    st.session_state["runs-words"] = words
    st.text_input(
        "Find a run", key="runs-words", placeholder="Name, tag, note, network or data", icon=":material/search:",
        width=270, on_change=guard_callback(_keep), args=("words",),
    )  # fmt: skip
    chosen = {name: _draw_filter(name, rows) for name in _OF_RUN}
    return Sought(words.strip().casefold(), **chosen)


def _draw_filter(name: str, rows: Sequence[Row]) -> str:
    """Offer the values of a property that runs have, where these are not all alike; return the one chosen.

    One that the URL names is offered and obeyed whatever runs have: a link never shows other runs than it says.
    """
    read, chosen = _OF_RUN[name], address.get_param(name)
    values = sorted(
        {value for row in rows for value in read(row) if value} | ({chosen} - {address.ANY}), key=str.casefold
    )
    if not chosen and not any(tuple(read(row)) != tuple(read(rows[0])) for row in rows):
        return address.ANY
    st.session_state[f"runs-{name}"] = chosen
    st.selectbox(
        name.capitalize(), [address.ANY, *values], key=f"runs-{name}", width=140,
        format_func=lambda value: value or "any", on_change=guard_callback(_keep), args=(name,),
    )  # fmt: skip
    return chosen


def _keep(name: str) -> None:
    kept.keep(name, str(st.session_state[f"runs-{name}"]).strip(), address.ANY)
