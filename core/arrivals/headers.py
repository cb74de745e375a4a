"""What an image says of itself in its header: its kind, or why it is not taken. The whole is read by a training's check."""

from __future__ import annotations

from typing import IO

from PIL import Image, UnidentifiedImageError

from core.dataset.images import FORMATS, MAX_PIXELS


def read_kind(source: IO[bytes]) -> tuple[str, str]:
    """Return an image's kind by Pillow's name for it, such as JPEG, and an empty text; or an empty kind and why it is refused."""
    if not source.read(1):
        return "", "is empty (0 bytes)"
    source.seek(0)
    try:
        with Image.open(source, formats=FORMATS) as image:
            kind, width, height = image.format or "", image.width, image.height
    except UnidentifiedImageError:
        return "", f"is not an image of a supported kind ({', '.join(FORMATS)})"
    except Image.DecompressionBombError:
        return "", f"has too many pixels; the limit is {MAX_PIXELS:,}"
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        return "", f"is damaged ({error})"
    if width * height > MAX_PIXELS:
        return "", f"has {width} × {height} pixels; the limit is {MAX_PIXELS:,}"
    return kind, ""
