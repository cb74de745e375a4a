"""Thumbnails, heat maps and captions as one block of HTML, every text from outside escaped."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from core.palette import MUTED, TRAIN
from dashboard.guard import guard_callback
from dashboard.state import address
from dashboard.state.number_field import draw_number, take_whole
from dashboard.text import format_confidence

PAGE = 24

_STYLE = """
<style>
.ws-grid { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(min(var(--ws-side), 100%), 1fr)); }
.ws-grid figure, .ws-pictures figure { margin: 0; min-width: 0; }
.ws-grid img, .ws-pictures img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px; display: block;
  background: color-mix(in srgb, currentColor 7%, transparent); }
.ws-lost { aspect-ratio: 1; border-radius: 8px; display: grid; place-items: center; text-align: center; padding: 8px;
  font-size: .8rem; background: color-mix(in srgb, currentColor 7%, transparent); }
.ws-grid figcaption, .ws-pictures figcaption { font-size: .8rem; line-height: 1.35; margin-top: 6px; overflow-wrap: anywhere; }
.ws-grid figcaption b, .ws-pictures figcaption b { font-weight: 600; }
.ws-dim { opacity: .72; }
.ws-open { all: unset; display: block; width: 100%; cursor: zoom-in; border-radius: 8px; }
.ws-open:hover img { filter: brightness(1.06); }
.ws-open:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
.ws-mark { display: inline-block; font-size: .75rem; font-weight: 600; margin-top: 6px; padding: 0 8px; border-radius: 8px;
  border: 1.5px solid var(--ws-colour); }
.ws-cards { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(var(--ws-card), 100%), 1fr)); }
.ws-card { border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 10px; padding: 12px; min-width: 0; }
.ws-card > header { font-size: .9rem; margin-bottom: 8px; overflow-wrap: anywhere; }
.ws-card > .ws-pictures { display: grid; gap: 10px; grid-template-columns: repeat(var(--ws-pictures), minmax(0, 1fr)); }
.ws-bars { margin-top: 10px; font-size: .8rem; display: grid; grid-template-columns: minmax(0, 2fr) 3fr auto; gap: 4px 8px; align-items: center; }
.ws-bars > b { grid-column: 1 / -1; font-size: .8rem; font-weight: 600; margin: 0; padding: 0; }
.ws-bars > span { overflow-wrap: anywhere; line-height: 1.25; }
.ws-bar { height: 12px; border-radius: 3px; background: color-mix(in srgb, currentColor 10%, transparent); }
.ws-bar > i { display: block; height: 100%; border-radius: 3px; background: var(--ws-colour); min-width: 1px; }
</style>
"""


@dataclass(frozen=True)
class Tile:
    """One picture with its caption: a strong first line and dimmer lines below; `image` is None for a lost file.

    A `mark` is a word in a colour of its own over the picture, such as whether it came or went.
    """

    image: bytes | None
    title: str
    lines: tuple[str, ...] = ()
    alt: str = ""
    mark: str = ""
    colour: str = MUTED


def show_tiles(tiles: Sequence[Tile], *, side: int = 140, label: str = "images") -> None:
    """Show pictures in one HTML block, as many beside each other as fit at `side` pixels or more."""
    st.html(_STYLE + _grid([_figure(tile) for tile in tiles], side, label))


def show_open_tiles(
    tiles: Sequence[Tile], on_open: Callable[[int], None], *, key: str, side: int = 140, label: str = "images"
) -> None:
    """Show pictures as `show_tiles` does, each a button; `on_open` gets the number of the one that is opened.

    It is called before the rerun that opening causes, as the callback of a widget is.
    """

    def forward_open() -> None:
        number = st.session_state[key]["open"]
        if number is not None:
            on_open(int(number))

    component()(
        key=key,
        data={"html": format_grid(tiles, side=side, label=label, opens=True)},
        on_open_change=guard_callback(forward_open),
    )


def format_grid(tiles: Sequence[Tile], *, side: int, label: str, opens: bool) -> str:
    """Return pictures as one block of HTML; where one `opens`, it is a button with its number as `data-tile`."""
    figures = [_figure(tile, number if opens else None) for number, tile in enumerate(tiles)]
    return _STYLE + _grid(figures, side, label)


def format_cards(cards: Sequence[Card], *, side: int, label: str) -> str:
    """Return cards as one block of HTML, each opened by its first picture and by a button, with its number as `data-tile`."""
    return _STYLE + _lay_out([_card(card, number) for number, card in enumerate(cards)], side, label)


@cache
def component() -> ComponentRenderer:
    """Return the mounting command of the component, registered with Streamlit at the first call."""
    return st.components.v2.component(
        "weakspot_tiles",
        html='<div class="weakspot-tiles"></div>',
        js=Path(__file__).with_name("tiles.js").read_text(encoding="utf-8"),
        isolate_styles=False,
    )


def draw_pager(count: int, size: int, *, key: str, param: str = "page", unit: str = "images") -> int:
    """Draw the page choice of a long gallery and return the page, from 0. The URL keeps it as `param`."""
    pages = -(-count // size)
    if pages <= 1:
        return 0
    asked = address.get_param(param, [str(number) for number in range(1, pages + 1)]) or "1"
    st.session_state[key] = int(asked)
    draw_number(
        f"Page (of {pages}, {size} {unit} each)",
        1,
        pages,
        key=key,
        on_change=guard_callback(
            lambda: address.set_params(**{param: str(take_whole("The page", key, 1, pages))})
        ),
        width=220,
    )
    return int(asked) - 1


@dataclass(frozen=True)
class Card:
    """Pictures that belong together, side by side under a title, and optionally the likeliest classes as bars.

    `bars` holds label and confidence (0..1), likeliest first.
    """

    title: str
    lines: tuple[str, ...]
    pictures: tuple[Tile, ...]
    bars: tuple[tuple[str, float], ...] = ()


def show_cards(cards: Sequence[Card], *, side: int = 430, label: str = "images") -> None:
    """Show cards in one HTML block, as many beside each other as fit at `side` pixels or more."""
    st.html(_STYLE + _lay_out([_card(card) for card in cards], side, label))


def show_bars(bars: Sequence[tuple[str, float]]) -> None:
    """Show the likeliest classes as bars, label and confidence (0..1) each, likeliest first."""
    st.html(_STYLE + _bars(bars))


def _lay_out(cards: Sequence[str], side: int, label: str) -> str:
    name = html.escape(label, quote=True)
    return f'<div class="ws-cards" role="list" aria-label="{name}" style="--ws-card: {side}px">{"".join(cards)}</div>'


def _card(card: Card, number: int | None = None) -> str:
    """Return a card; with a `number` its first picture and a button at its foot open it."""
    lines = "".join(f'<div class="ws-dim">{_breakable(line)}</div>' for line in card.lines)
    pictures = "".join(_figure(tile, None if place else number) for place, tile in enumerate(card.pictures))
    foot = ""
    if number is not None:
        foot = f'<footer class="ws-card-foot"><button type="button" class="ws-press" data-tile="{number}">Look closer</button></footer>'
    return (
        f'<div class="ws-card" role="listitem"><header><b>{_breakable(card.title)}</b>{lines}</header>'
        f'<div class="ws-pictures" role="list" style="--ws-pictures: {len(card.pictures)}">{pictures}</div>{_bars(card.bars)}{foot}</div>'
    )


def _bars(bars: Sequence[tuple[str, float]]) -> str:
    if not bars:
        return ""
    rows = ""
    for number, (name, value) in enumerate(bars):
        text, share = html.escape(name, quote=True), format_confidence(value)
        bar = f'<i style="width: {value * 100:.2f}%; --ws-colour: {MUTED if number else TRAIN}"></i>'
        rows += f'<span title="{text}">{text}</span><div class="ws-bar" title="{text}: {share}">{bar}</div><span>{share}</span>'
    return f'<div class="ws-bars"><b>Likeliest classes</b>{rows}</div>'


def _grid(figures: Sequence[str], side: int, label: str) -> str:
    name = html.escape(label, quote=True)
    return f'<div class="ws-grid" role="list" aria-label="{name}" style="--ws-side: {side}px">{"".join(figures)}</div>'


def _figure(tile: Tile, number: int | None = None) -> str:
    """Return a picture with its caption, as a button where it has a `number` to be opened by."""
    alt = html.escape(tile.alt or tile.title, quote=True)
    if tile.image is None:
        picture = '<div class="ws-lost">The file is gone or cannot be read any more.</div>'
    else:
        encoded = base64.b64encode(tile.image).decode()
        picture = f'<img alt="{alt}" title="{alt}" src="data:image/webp;base64,{encoded}">'
    if number is not None:
        picture = f'<button type="button" class="ws-open" data-tile="{number}">{picture}</button>'
    if tile.mark:
        picture += f'<span class="ws-mark" style="--ws-colour: {tile.colour}">{html.escape(tile.mark)}</span>'
    lines = "".join(f'<div class="ws-dim">{_breakable(line)}</div>' for line in tile.lines)
    return f'<figure role="listitem">{picture}<figcaption><b>{_breakable(tile.title)}</b>{lines}</figcaption></figure>'


def _breakable(text: str) -> str:
    """Return a text as HTML that may go on in a new line where a path or a file's name has its joints, not before '%'."""
    return re.sub(
        r"(?<=[/_])(?=[^/_])|(?=\.[A-Za-z]\w{1,3}\b)", "<wbr>", html.escape(text).replace(" %", "\u00a0%")
    )


def draw_steps(paths: Sequence[str], place: int, key: str) -> None:
    """Draw the buttons to the images before and after the one at `place`; the URL's `image` changes."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for words, icon, shortcut, other in (
            ("Previous", "chevron_left", "Left", place - 1),
            ("Next", "chevron_right", "Right", place + 1),
        ):
            st.button(
                words,
                icon=f":material/{icon}:",
                key=f"{key}-{words.lower()}",
                disabled=not 0 <= other < len(paths),
                shortcut=shortcut,
                on_click=guard_callback(address.set_params),
                kwargs={"image": paths[other % len(paths)], "for": address.ANY},
            )
        st.caption(f"{place + 1:,} of {len(paths):,}")
