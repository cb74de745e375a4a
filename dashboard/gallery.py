"""Thumbnails, heat maps and captions as one block of HTML, every text from outside escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from dashboard import state
from dashboard.charts import HEAT_SCALE, MUTED, TRAIN
from dashboard.text import format_share

PAGE = 24

_STYLE = """
<style>
.ws-grid { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(var(--ws-side), 1fr)); }
.ws-grid figure, .ws-pictures figure { margin: 0; min-width: 0; }
.ws-grid img, .ws-pictures img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px; display: block;
  background: color-mix(in srgb, currentColor 7%, transparent); }
.ws-lost { aspect-ratio: 1; border-radius: 8px; display: grid; place-items: center; text-align: center; padding: 8px;
  font-size: .8rem; background: color-mix(in srgb, currentColor 7%, transparent); }
.ws-grid figcaption, .ws-pictures figcaption { font-size: .8rem; line-height: 1.35; margin-top: 6px; overflow-wrap: anywhere; }
.ws-grid figcaption b, .ws-pictures figcaption b { font-weight: 600; }
.ws-dim { opacity: .72; }
.ws-cards { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(var(--ws-card), 100%), 1fr)); }
.ws-card { border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: 10px; padding: 12px; min-width: 0; }
.ws-card > header { font-size: .9rem; margin-bottom: 8px; overflow-wrap: anywhere; }
.ws-card > .ws-pictures { display: grid; gap: 10px; grid-template-columns: repeat(var(--ws-pictures), minmax(0, 1fr)); }
.ws-bars { margin-top: 10px; font-size: .8rem; display: grid; grid-template-columns: minmax(0, 2fr) 3fr auto; gap: 4px 8px; align-items: center; }
.ws-bars > h4 { grid-column: 1 / -1; font-size: .8rem; font-weight: 600; margin: 0; padding: 0; }
.ws-bars > span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.ws-bar { height: 12px; border-radius: 3px; background: color-mix(in srgb, currentColor 10%, transparent); }
.ws-bar > i { display: block; height: 100%; border-radius: 3px; background: var(--ws-colour); min-width: 1px; }
</style>
"""


@dataclass(frozen=True)
class Tile:
    """One picture with its caption: a strong first line and dimmer lines below; `image` is None for a lost file."""

    image: bytes | None
    title: str
    lines: tuple[str, ...] = ()
    alt: str = ""


def show_tiles(tiles: Sequence[Tile], *, side: int = 140, label: str = "images") -> None:
    """Show pictures in one HTML block, as many beside each other as fit at `side` pixels or more."""
    figures = "".join(_figure(tile) for tile in tiles)
    block = f'<div class="ws-grid" role="list" aria-label="{html.escape(label)}" style="--ws-side: {side}px">{figures}</div>'
    st.html(_STYLE + block)


def draw_pager(count: int, size: int, *, key: str, param: str = "page", unit: str = "images") -> int:
    """Draw the page choice of a long gallery and return the page, from 0. The URL keeps it as `param`."""
    pages = -(-count // size)
    if pages <= 1:
        return 0
    asked = state.get_param(param, [str(number) for number in range(1, pages + 1)]) or "1"
    st.session_state[key] = int(asked)
    number = st.number_input(
        f"Page (of {pages}, {size} {unit} each)",
        1,
        pages,
        key=key,
        on_change=lambda: state.set_params(**{param: str(st.session_state[key])}),
        width=220,
    )
    return int(number) - 1


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
    block = "".join(_card(card) for card in cards)
    st.html(
        f'{_STYLE}<div class="ws-cards" role="list" aria-label="{html.escape(label)}" style="--ws-card: {side}px">{block}</div>'
    )


def overlay_map(pixels: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]) -> Image.Image:
    """Return the image (S, S, 3) uint8 under its heat map (S, S) in 0..1, enlarged for looking at.

    The stronger the evidence, the more of the heat's colour; where there is none the image stays as it is.
    """
    scale = np.asarray(HEAT_SCALE, dtype=np.float32)
    position = heat.clip(0, 1) * (len(scale) - 1)
    low = np.floor(position).astype(int).clip(0, len(scale) - 2)
    share = (position - low)[..., None]
    colour = scale[low] * (1 - share) + scale[low + 1] * share
    strength = (0.75 * heat.clip(0, 1) ** 0.8)[..., None]
    grey = pixels.mean(axis=2, keepdims=True)
    mixed = grey * (1 - strength) + colour * strength
    image = Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8))
    factor = -(-192 // min(image.size))
    return (
        image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
        if factor > 1
        else image
    )


def _card(card: Card) -> str:
    lines = "".join(f'<div class="ws-dim">{html.escape(line)}</div>' for line in card.lines)
    pictures = "".join(_figure(tile) for tile in card.pictures)
    return (
        f'<article class="ws-card" role="listitem"><header><b>{html.escape(card.title)}</b>{lines}</header>'
        f'<div class="ws-pictures" style="--ws-pictures: {len(card.pictures)}">{pictures}</div>{_bars(card.bars)}</article>'
    )


def _bars(bars: Sequence[tuple[str, float]]) -> str:
    if not bars:
        return ""
    rows = ""
    for number, (name, value) in enumerate(bars):
        text, share = html.escape(name, quote=True), format_share(value)
        bar = f'<i style="width: {value * 100:.2f}%; --ws-colour: {MUTED if number else TRAIN}"></i>'
        rows += f'<span title="{text}">{text}</span><div class="ws-bar" title="{text}: {share}">{bar}</div><span>{share}</span>'
    return f'<div class="ws-bars"><h4>Likeliest classes</h4>{rows}</div>'


def _figure(tile: Tile) -> str:
    alt = html.escape(tile.alt or tile.title, quote=True)
    if tile.image is None:
        picture = '<div class="ws-lost">The file is gone or cannot be read any more.</div>'
    else:
        encoded = base64.b64encode(tile.image).decode()
        picture = f'<img alt="{alt}" title="{alt}" src="data:image/webp;base64,{encoded}">'
    lines = "".join(f'<div class="ws-dim">{html.escape(line)}</div>' for line in tile.lines)
    return f'<figure role="listitem">{picture}<figcaption><b>{html.escape(tile.title)}</b>{lines}</figcaption></figure>'
