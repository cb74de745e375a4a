"""Pictures that can be marked, one by one or many at once, by mouse and by keys; what was done comes as steps."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from core.marks.marks import ACTIONS, Mark
from core.palette import BAD, GOOD, MUTED, TRAIN
from dashboard.components.class_box import MOST_LISTED, find_classes
from dashboard.components.gallery import Card, Tile, format_cards, format_grid
from dashboard.guard import guard_callback

SCRIPTS = ("review.js", "marking.js")
BEHIND, AHEAD = 12, 40  # images that one review holds before and after the one that is shown
STYLE = f"""
.weakspot-marking {{ position: relative; }}
.weakspot-marking button {{ font: inherit; color: inherit; cursor: pointer; }}
.weakspot-marking :is(button, input):focus-visible {{ outline: 2px solid var(--st-primary-color); outline-offset: 2px; }}
.ws-bar-top, .ws-chips {{ display: flex; flex-wrap: wrap; gap: 6px; align-items: center; font-size: .85rem; margin-bottom: 8px; }}
.ws-press {{ border: 1px solid color-mix(in srgb, currentColor 30%, transparent); background: transparent; border-radius: 8px;
  padding: 3px 10px; min-height: 28px; text-align: left; overflow-wrap: anywhere; }}
.ws-press:disabled {{ opacity: .45; cursor: default; }}
.ws-press:hover {{ border-color: var(--st-primary-color); }}
.ws-press[aria-pressed=true] {{ border-color: var(--st-primary-color); background: color-mix(in srgb, var(--st-primary-color) 18%, transparent); }}
.ws-frame {{ position: relative; }}
.ws-pick {{ position: absolute; top: 6px; left: 6px; width: 24px; height: 24px; margin: 0; opacity: 0; cursor: pointer; }}
.ws-controls {{ position: absolute; inset: auto 0 0 0; display: flex; opacity: 0; border-radius: 0 0 8px 8px; overflow: hidden; }}
.ws-controls button {{ flex: 1; min-width: 0; min-height: 28px; border: 0; padding: 0; font-weight: 700; color: #fff; background: rgb(20 24 32 / .82); }}
.ws-controls button:is(:hover, [aria-pressed=true]) {{ background: {TRAIN}; }}
figure:is(:hover, :focus-within) > .ws-frame > :is(.ws-controls, .ws-pick), .ws-pick:checked {{ opacity: 1; }}
@media (hover: none) {{ .ws-controls, .ws-pick {{ opacity: 1; }} }}
.ws-picked .ws-frame {{ outline: 3px solid var(--st-primary-color); outline-offset: 2px; border-radius: 8px; }}
.ws-mark-said {{ position: absolute; top: 6px; right: 6px; max-width: calc(100% - 42px); overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; padding: 1px 7px; border-radius: 7px; font-size: .75rem; font-weight: 600; color: #fff; background: color-mix(in srgb, {MUTED} 70%, black); pointer-events: none; }}
.ws-mark-said:empty {{ display: none; }}
[data-mark=right] .ws-mark-said {{ background: color-mix(in srgb, {GOOD} 80%, black); }}
[data-mark=relabel] .ws-mark-said {{ background: color-mix(in srgb, {TRAIN} 80%, black); }}
[data-mark=drop] .ws-mark-said {{ background: color-mix(in srgb, {BAD} 80%, black); }}
.ws-card-foot {{ display: flex; flex-wrap: wrap; gap: 8px; margin-top: 12px; font-size: .85rem; }}
.ws-card .ws-controls {{ position: static; flex: 1 1 170px; gap: 4px; opacity: 1; overflow: visible; }}
.ws-card .ws-controls button:not(:hover, [aria-pressed=true]) {{ color: inherit; background: color-mix(in srgb, currentColor 10%, transparent); }}
.ws-card .ws-controls button {{ border-radius: 8px; }}
.ws-card:is(:hover, :focus-within) .ws-pick {{ opacity: 1; }}
.ws-lasso {{ position: fixed; z-index: 1000000; border: 1.5px solid var(--st-primary-color); pointer-events: none;
  background: color-mix(in srgb, var(--st-primary-color) 15%, transparent); }}
.ws-said-aloud {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; margin: 0; }}
.weakspot-marking dialog {{ border: 1px solid color-mix(in srgb, var(--st-text-color) 20%, transparent); border-radius: 12px; color: var(--st-text-color);
  background: var(--st-background-color); font-family: var(--st-font); }}
.weakspot-marking dialog::backdrop {{ background: rgb(0 0 0 / .55); }}
.ws-review {{ width: min(1200px, 96vw); height: min(860px, 94vh); padding: 16px; overflow: auto; }}
.ws-review[open] {{ display: grid; grid-template-columns: minmax(0, 3fr) minmax(260px, 2fr); gap: 20px; align-items: start; }}
.ws-review-picture {{ width: 100%; height: min(800px, 86vh); object-fit: contain; display: grid; place-items: center; border-radius: 8px;
  background: color-mix(in srgb, currentColor 6%, transparent); }}
.ws-review-panel p {{ margin: 0 0 6px; overflow-wrap: anywhere; }}
.ws-review-panel h3 {{ margin: 0 0 6px; padding: 0; font-size: 1.2rem; overflow-wrap: anywhere; }}
.ws-review-panel .ws-chips > button {{ width: 100%; }}
.ws-review-panel .ws-chips:last-child > button {{ width: auto; }}
.ws-review-mark {{ font-weight: 600; }}
@media (max-width: 800px) {{ .ws-review[open] {{ grid-template-columns: minmax(0, 1fr); }} .ws-review-picture {{ height: 40vh; position: sticky; top: 0; z-index: 1; background: color-mix(in srgb, var(--st-text-color) 6%, var(--st-background-color)); }} }}
.ws-picker {{ width: min(420px, 92vw); padding: 16px; }}
.ws-picker-form {{ display: grid; gap: 10px; }}
.ws-picker input {{ font: inherit; padding: 6px 10px; border-radius: 8px; border: 1px solid color-mix(in srgb, currentColor 40%, transparent);
  background: transparent; color: inherit; }}
.ws-options {{ display: grid; gap: 4px; max-height: 46vh; overflow: auto; }}
.ws-options .ws-at {{ border-color: var(--st-primary-color); background: color-mix(in srgb, var(--st-primary-color) 18%, transparent); }}
"""


@dataclass(frozen=True)
class Item:
    """An image that can be marked: its path and label, and the classes it is most like, likeliest first.

    `predicted` and `confidence` (0..1) are what a model answered: empty and NaN where none was asked.
    """

    tile: Tile
    path: str
    given: str
    guesses: tuple[str, ...] = ()
    predicted: str = ""
    confidence: float = math.nan


@dataclass(frozen=True)
class Step:
    """What was done at once to some images: an action (with the right class `to`), a tag put `on` or off, or one step back."""

    paths: tuple[str, ...]
    action: str = ""
    to: str = ""
    tag: str = ""
    on: bool = False
    undo: bool = False


@dataclass(frozen=True)
class Review:
    """What is looked at one by one: `total` images of which the gallery shows those from `first` on.

    `load(start, end)` returns those from `start` to before `end`, each with a large picture.
    """

    total: int
    first: int
    load: Callable[[int, int], Sequence[Item]]


@dataclass(frozen=True)
class Known:
    """What is known before: the marks by path, what classes are called, in their order, and whether a step can be taken back."""

    marks: Mapping[str, Mark]
    labels: Mapping[str, str]
    undoable: bool


def show_marking(
    items: Sequence[Item],
    known: Known,
    on_steps: Callable[[Sequence[Step]], None],
    *,
    key: str,
    opener: Callable[[int], None] | None = None,
    review: Review | None = None,
    side: int = 140,
    label: str = "images",
    cards: Sequence[Card] | None = None,
) -> None:
    """Show pictures that can be marked; `on_steps` gets what was done, `opener` the number of one that is opened.

    `cards` show the same images with more beside them, such as their heat maps. Both are called before the rerun that causes them, as the callback of a widget is. A single picture without `review`
    is marked by keys wherever the focus of the page is.
    """
    saved = f"{key}-saved"  # the number of the last step that `on_steps` got
    at = (st.session_state.get(key) or {}).get("at")

    def forward_steps() -> None:
        rows = [row for row in st.session_state[key]["steps"] or () if row["number"] > count_saved(saved)]
        if rows:
            st.session_state[saved] = rows[-1]["number"]
            on_steps([read_step(row) for row in rows])

    def forward_open() -> None:
        number = st.session_state[key]["open"]
        if number is not None and opener is not None:
            opener(int(number))

    if cards is None:
        block = format_grid([item.tile for item in items], side=side, label=label, opens=opener is not None)
    else:
        block = format_cards(cards, side=side, label=label)
    ahead = load_ahead(review, at)
    listed = [*items, *(item for _, item in ahead)]
    shown = {item.path for item in listed}
    marks = {path: pack_mark(mark) for path, mark in known.marks.items() if path in shown}
    sought = str((st.session_state.get(key) or {}).get("sought") or "")
    component()(
        key=key,
        data={
            "html": block,
            "items": [pack_item(item) for item in items],
            "marks": marks,
            **pack_classes(known.labels, listed, [mark["to"] for mark in marks.values()], sought),
            "tags": list_tags(known.marks.values()),
            "undoable": known.undoable,
            "saved": count_saved(saved),
            "alone": review is None,
            "total": review.total if review else 0,
            "first": review.first if review else 0,
            "ahead": [[number, pack_item(item, large=True)] for number, item in ahead],
        },
        on_steps_change=guard_callback(forward_steps),
        on_open_change=guard_callback(forward_open),
        on_at_change=guard_callback(lambda: None),
        on_sought_change=guard_callback(lambda: None),
    )


@cache
def component() -> ComponentRenderer:
    """Return the mounting command of the component, registered with Streamlit at the first call."""
    return st.components.v2.component(
        "weakspot_marking",
        html='<div class="weakspot-marking"></div>',
        css=STYLE,
        js="\n".join(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in SCRIPTS),
        isolate_styles=False,
    )


def count_saved(saved: str) -> int:
    """Return the number of the last step that was saved."""
    return int(st.session_state.get(saved, 0))


def read_step(row: Mapping[str, Any]) -> Step:
    """Return a step as the browser sends it."""
    action = str(row.get("action", ""))
    return Step(
        tuple(str(path) for path in row.get("paths", ())),
        action if action in ACTIONS else "",
        str(row.get("to", "")),
        str(row.get("tag", "")),
        bool(row.get("on", False)),
        bool(row.get("undo", False)),
    )


def load_ahead(review: Review | None, at: object) -> list[tuple[int, Item]]:
    """Return the images around the one that is reviewed, with their numbers; none where nothing is."""
    if review is None or not isinstance(at, int | float) or not review.total:
        return []
    place = min(max(int(at), 0), review.total - 1)
    start, end = max(0, place - BEHIND), min(review.total, place + AHEAD)
    return list(enumerate(review.load(start, end), start))


def list_tags(marks: Collection[Mark]) -> list[str]:
    """Return all tags there are, those used most first."""
    counts: dict[str, int] = {}
    for mark in marks:
        for tag in mark.tags:
            counts[tag] = counts.get(tag, 0) + 1
    return sorted(counts, key=lambda tag: (-counts[tag], tag))


def pack_mark(mark: Mark) -> dict[str, Any]:
    """Return of a mark what the browser shows."""
    return {"action": mark.action, "to": mark.to, "tags": list(mark.tags)}


def pack_classes(
    labels: Mapping[str, str], items: Sequence[Item], given: Sequence[str], sought: str
) -> dict[str, Any]:
    """Return the classes to choose from in their `order` with their `labels`; of very many those of the images and those found.

    `given` are classes that marks name, `sought` is what was typed to find one. `asks` tells that the browser has to ask.
    """
    if len(labels) <= MOST_LISTED:
        return {"labels": dict(labels), "order": list(labels), "asks": False}
    found = find_classes(sought, list(labels), labels.__getitem__).names if sought else ()
    named = [
        *(name for item in items for name in (item.given, item.predicted, *item.guesses)),
        *given,
        *found,
    ]
    told = {name: labels[name] for name in dict.fromkeys(named) if name in labels}
    return {"labels": told, "order": list(found), "asks": True, "sought": sought}


def pack_item(item: Item, *, large: bool = False) -> dict[str, Any]:
    """Return an item as it travels to the browser: in the gallery its picture is in the HTML."""
    packed: dict[str, Any] = {"path": item.path, "given": item.given, "guesses": list(item.guesses)}
    if large:
        picture = item.tile.image
        source = f"data:image/webp;base64,{base64.b64encode(picture).decode()}" if picture else ""
        packed |= {"image": source, "lines": list(item.tile.lines)}
    return packed
