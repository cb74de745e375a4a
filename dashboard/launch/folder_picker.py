"""A folder of the machine that the dashboard runs on, chosen by looking: a dialog that goes from folder to folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from core.arrivals.browse import LOOKED_AT, Listing, Subfolder, find_roots, is_below, list_folder
from core.errors import DataError
from core.people.acting import now_acting
from core.places import expand_home, own_folder, uploads_folder
from dashboard.builtin import STARTED_IN, wanted_data
from dashboard.guard import guard, guard_callback
from dashboard.text import escape_markdown, format_count

_AT = "browse-at"  # the folder that is looked into; the dialog is open while there is one
_WORDS = "browse-words"
_MANY = 12  # subfolders, from which on they can be searched


def browse_roots() -> tuple[Path, ...]:
    """Return the folders below which one can be chosen: what the dashboard was opened on, where it was started, our data.

    With sign-in on they are those whose files users may name.
    """
    allowed = now_acting().roots
    if allowed is not None:
        return find_roots((wanted_data(), *map(str, allowed)))
    return find_roots(
        (wanted_data(), os.environ.get(STARTED_IN, ""), own_folder() / "data", uploads_folder())
    )


def open_picker(folder: str = "") -> None:
    """Open the dialog at a folder, else at the nearest one above it that may be looked into, else at the first root."""
    roots = browse_roots()
    place = expand_home(folder) if folder else None
    near = (one for one in (place, *place.parents) if one.is_dir() and is_below(one, roots)) if place else ()
    st.session_state[_AT] = next(iter(near), roots[0] if roots else Path.home())
    st.session_state[_WORDS] = ""


def draw_browse_button(folder: str, use: Callable[[str], None]) -> None:
    """Draw the button that opens the dialog, and the dialog; `use` is called with the folder that was chosen."""
    st.button(
        "Browse",
        icon=":material/folder_open:",
        key="browse",
        help="Choose a folder on the machine that Weakspot runs on.",
        on_click=guard_callback(open_picker),
        args=(folder,),
    )
    if _AT in st.session_state:
        st.dialog("Choose a folder", on_dismiss=guard_callback(close_picker))(guard(_draw))(use)


def close_picker() -> None:
    """Close the dialog."""
    st.session_state.pop(_AT, None)


def _draw(use: Callable[[str], None]) -> None:
    if _AT not in st.session_state:
        st.rerun()  # a folder was chosen
    roots = browse_roots()
    _draw_roots(roots)
    try:
        found = list_folder(st.session_state[_AT], roots, st.session_state.get(_WORDS, "").strip())
    except DataError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return
    _draw_trail(found)
    st.caption(f"In this folder: {found.contents.describe()}.")
    st.button(
        "Use this folder",
        type="primary",
        icon=":material/check:",
        key="browse-use",
        on_click=guard_callback(_choose),
        args=(found.path, use),
    )
    if found.contents.folders > _MANY:
        st.text_input("Find a folder", key=_WORDS, icon=":material/search:", placeholder="part of its name")
    with st.container(gap="xsmall", height=340 if len(found.folders) > 6 else "content", border=False):
        for number, folder in enumerate(found.folders):
            _draw_folder(folder, number)
    for line in describe_rest(found):
        st.caption(line)


def describe_rest(found: Listing) -> list[str]:
    """Say what of a folder is not listed, and what to do."""
    lines = []
    if found.hidden:
        lines.append(
            f"{format_count(found.hidden, 'more folder')}: type a part of the name above to find one."
        )
    if found.contents.more:
        lines.append(
            f"Only the first {LOOKED_AT:,} entries of this folder were read. If yours is not listed, type its path."
        )
    if found.outside:
        lines.append(
            f"Not listed: {format_count(found.outside, 'link')} to places that cannot be browsed from here."
        )
    return lines


def _draw_roots(roots: tuple[Path, ...]) -> None:
    """Offer the roots, where there are several that are apart."""
    apart = [root for root in roots if not is_below(root, [other for other in roots if other != root])]
    if len(apart) < 2:
        return
    with st.container(horizontal=True, gap="small"):
        for number, root in enumerate(apart):
            st.button(
                escape_markdown(root.name),
                icon=":material/hard_drive:",
                key=f"browse-root-{number}",
                help=escape_markdown(str(root)),
                on_click=guard_callback(_go),
                args=(root,),
            )


def _draw_trail(found: Listing) -> None:
    """Draw the way from the root to the folder: each part of it leads back there."""
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for number, folder in enumerate(found.trail[:-1]):
            st.button(
                f"{escape_markdown(folder.name or str(folder))} /",
                type="tertiary",
                key=f"browse-trail-{number}",
                help=escape_markdown(str(folder)),
                on_click=guard_callback(_go),
                args=(folder,),
            )
        st.markdown(f"**{escape_markdown(found.path.name or str(found.path))}**", width="content")


def _draw_folder(folder: Subfolder, number: int) -> None:
    told = "" if folder.contents is None else f" :gray[· {folder.contents.describe()}]"
    st.button(
        f"**{escape_markdown(folder.name)}**{told}",
        icon=":material/folder:",
        type="tertiary",
        key=f"browse-folder-{number}",
        on_click=guard_callback(_go),
        args=(folder.path,),
    )


def _go(folder: Path) -> None:
    st.session_state[_AT] = folder
    st.session_state[_WORDS] = ""


def _choose(folder: Path, use: Callable[[str], None]) -> None:
    close_picker()
    use(str(folder))
