"""Images to the WebP bytes that pages show: enlarged where they are small, and under their heat maps; no torch."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from core.palette import HEAT_SCALE

LEAST = 192  # pixels a side that are enough to look at
LONGEST = 4096  # pixels that a side is enlarged to at most
STRENGTH = 0.75  # of the heat's colour where the evidence is greatest


def encode_image(image: Image.Image) -> bytes:
    """Return WebP bytes of an image."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=88)
    return buffer.getvalue()


def enlarge(image: Image.Image, least: int = LEAST) -> Image.Image:
    """Return an image of at least `least` pixels a side, so that a small one is not blurred by the browser.

    A strip stays narrower: no side becomes longer than `LONGEST`.
    """
    factor = min(-(-least // min(image.size)), LONGEST // max(image.size))
    return (
        image
        if factor <= 1
        else image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)
    )


def overlay_map(
    pixels: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32], *, strength: float = STRENGTH
) -> Image.Image:
    """Return the image (S, S, 3) uint8 in grey under its heat map (S, S) in 0..1, enlarged for looking at.

    The stronger the evidence, the more of the heat's colour, up to `strength` (0..1); where there is none the image
    stays as it is.
    """
    scale = np.asarray(HEAT_SCALE, dtype=np.float32)
    position = heat.clip(0, 1) * (len(scale) - 1)
    low = np.floor(position).astype(int).clip(0, len(scale) - 2)
    share = (position - low)[..., None]
    colour = scale[low] * (1 - share) + scale[low + 1] * share
    weight = (strength * heat.clip(0, 1) ** 0.8)[..., None]
    grey = pixels.mean(axis=2, keepdims=True)
    mixed = grey * (1 - weight) + colour * weight
    return enlarge(Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8)))
