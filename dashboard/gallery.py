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

from dashboard.charts import HEAT_SCALE

PAGE = 24

_STYLE = """
<style>
.ws-grid { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(var(--ws-side), 1fr)); }
.ws-row { display: flex; flex-wrap: wrap; gap: 14px; }
.ws-row > figure { flex: 0 0 var(--ws-side); }
.ws-grid figure, .ws-row figure { margin: 0; min-width: 0; }
.ws-grid img, .ws-row img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px; display: block;
  background: color-mix(in srgb, currentColor 7%, transparent); }
.ws-lost { aspect-ratio: 1; border-radius: 8px; display: grid; place-items: center; text-align: center; padding: 8px;
  font-size: .8rem; background: color-mix(in srgb, currentColor 7%, transparent); }
.ws-grid figcaption, .ws-row figcaption { font-size: .8rem; line-height: 1.35; margin-top: 6px; overflow-wrap: anywhere; }
.ws-grid figcaption b, .ws-row figcaption b { font-weight: 600; }
.ws-dim { opacity: .72; }
</style>
"""


@dataclass(frozen=True)
class Tile:
    """One picture with its caption: a strong first line and dimmer lines below; `image` is None for a lost file."""

    image: bytes | None
    title: str
    lines: tuple[str, ...] = ()
    alt: str = ""


def show_tiles(tiles: Sequence[Tile], *, side: int = 150, wrap: bool = True, label: str = "images") -> None:
    """Show pictures in one HTML block: a grid that fills the width, or with wrap=False a row of fixed size."""
    figures = "".join(_figure(tile) for tile in tiles)
    kind = "ws-grid" if wrap else "ws-row"
    block = f'<div class="{kind}" role="list" aria-label="{html.escape(label)}" style="--ws-side: {side}px">{figures}</div>'
    st.html(_STYLE + block)


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
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC) if factor > 1 else image


def _figure(tile: Tile) -> str:
    alt = html.escape(tile.alt or tile.title, quote=True)
    if tile.image is None:
        picture = '<div class="ws-lost">The file is gone or cannot be read any more.</div>'
    else:
        encoded = base64.b64encode(tile.image).decode()
        picture = f'<img alt="{alt}" title="{alt}" src="data:image/webp;base64,{encoded}">'
    lines = "".join(f'<div class="ws-dim">{html.escape(line)}</div>' for line in tile.lines)
    return f'<figure role="listitem">{picture}<figcaption><b>{html.escape(tile.title)}</b>{lines}</figcaption></figure>'
