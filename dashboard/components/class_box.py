"""The choice of a class, or of several: a list to choose from, and of very many a field whose words the server looks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from dashboard.guard import guard_callback
from dashboard.text import escape_markdown, format_count

MOST_LISTED = 1_000  # classes whose names a page is sent
SHOWN = 100  # classes of those found to choose from
ANY = ""
Wide = int | Literal["stretch"]  # pixels, or all that the container has


@dataclass(frozen=True)
class Found:
    """The classes whose names have what was typed: the first of them, and how many there are."""

    typed: str
    names: tuple[str, ...]
    count: int


def draw_class_box(
    title: str,
    classes: Sequence[str],
    now: str,
    take: Callable[[str], None],
    *,
    key: str,
    label: Callable[[str], str],
    none: str | None = None,
    width: int | None = None,
    help: str | None = None,
) -> None:
    """Offer classes in their order, of which `now` is chosen; `take` is called with another, before the page is drawn.

    `none` is what stands for no class, which is ANY; without it there is always one.
    """
    wide: Wide = "stretch" if width is None else width
    names: list[str] = [*classes] if none is None else [ANY, *classes]
    if len(classes) <= MOST_LISTED:
        st.session_state[key] = now
        st.selectbox(
            title,
            names,
            key=key,
            format_func=lambda name: label(name) if name else str(none),
            on_change=guard_callback(lambda: take(st.session_state[key])),
            width=wide,
            help=help,
        )
        return
    _draw_search(title, classes, now, take, key=key, label=label, none=none, width=wide, help=help)


def draw_classes_box(
    title: str,
    classes: Sequence[str],
    chosen: Sequence[str],
    *,
    key: str,
    label: Callable[[str], str],
    most: int | None = None,
    on_change: Callable[[], object] = list,
    help: str | None = None,
    placeholder: str | None = None,
    persist: bool = False,
    width: int | None = None,
) -> list[str]:
    """Offer any number of classes, or `most`, of which some are `chosen`; return those chosen now, as `key` of the state.

    One that is chosen and is no class stays, so that it can be taken out. `on_change` is called before the page is drawn;
    with `persist` the choice outlives the page.
    """
    wide: Wide = "stretch" if width is None else width
    known = {} if len(classes) > MOST_LISTED else dict.fromkeys(classes)
    # Set anew each time: other options make it another widget, which would begin empty.
    st.session_state[key] = list(chosen)
    taken: list[str] = st.multiselect(
        title,
        list(known | dict.fromkeys(chosen)),
        key=key,
        format_func=label,
        max_selections=most,
        select_all=most is None and bool(known),
        placeholder=placeholder,
        on_change=guard_callback(on_change),
        persist_state="session" if persist else None,
        width=wide,
        help=help,
    )

    def add(name: str) -> None:
        now = st.session_state.get(key, taken)
        if name and name not in now:
            st.session_state[key] = [*now, name]
            on_change()

    if len(classes) > MOST_LISTED and (most is None or len(taken) < most):
        draw_class_box(
            "Add a class",
            classes,
            ANY,
            add,
            key=f"{key}-add",
            label=label,
            none="Part of its name",
            width=width,
        )
    return taken


def _draw_search(
    title: str,
    classes: Sequence[str],
    now: str,
    take: Callable[[str], None],
    *,
    key: str,
    label: Callable[[str], str],
    none: str | None,
    width: Wide,
    help: str | None,
) -> None:
    before, found = st.session_state.get(f"{key}-found", (now, None))
    if before != now:  # another was chosen elsewhere on the page meanwhile
        found = None
        st.session_state.pop(f"{key}-found")
    st.session_state[key] = found.typed if found else label(now) if now else ""

    def settle(name: str) -> None:
        st.session_state.pop(f"{key}-found", None)
        take(name)

    def look() -> None:
        typed = str(st.session_state[key]).strip()
        st.session_state.pop(f"{key}-found", None)
        if not typed:
            if none is not None:
                take(ANY)
            return
        matches = find_classes(typed, classes, label)
        if matches.count == 1:
            take(matches.names[0])
        else:
            st.session_state[f"{key}-found"] = now, matches

    st.text_input(
        title,
        key=key,
        placeholder=none or "Part of its name",
        on_change=guard_callback(look),
        width=width,
        help=" ".join(filter(None, (help, "Type a part of the name and press Enter."))),
    )
    if found is None:
        return
    if not found.count:
        st.caption(f"No class has “{escape_markdown(found.typed)}” in its name.", width="content")
        return
    among = f"{key}-among-{found.typed}"
    st.selectbox(
        f"{format_count(found.count, 'class')} found",
        found.names,
        index=None,
        key=among,
        format_func=label,
        placeholder="Choose one" if found.count == len(found.names) else f"The first {SHOWN}",
        on_change=guard_callback(lambda: settle(st.session_state[among])),
        width=width,
    )


def find_classes(typed: str, classes: Sequence[str], label: Callable[[str], str]) -> Found:
    """Return the classes whose name or label has what was typed, in small or capital letters; one that is just that alone."""
    sought = typed.casefold()
    names = [(name, {name.casefold(), label(name).casefold()}) for name in classes]
    same = [name for name, own in names if sought in own]
    found = same or [name for name, own in names if any(sought in text for text in own)]
    return Found(typed, tuple(found[:SHOWN]), len(found))
