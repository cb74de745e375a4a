"""Reading and checking image files of every kind; nothing here knows of classes or tensors."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from core.errors import UserError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
MAX_PIXELS = 100_000_000
_TURNS = {  # by the EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageProblem(UserError):
    """A file that is no readable image; the text is the reason in words."""


@dataclass(frozen=True)
class BadImage:
    """A file that cannot be read as an image, and why."""

    path: str
    reason: str


def read_image(source: Path | IO[bytes]) -> Image.Image:
    """Read an image of any supported kind as upright 8-bit RGB.

    Turns by EXIF, scales 16 bits to 8 (÷ 257), puts transparency on white, takes an animation's first frame.

    Raises:
        ImageProblem: saying why the file is no usable image.
    """
    try:
        with Image.open(source, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageProblem(
                    f"has {image.width} × {image.height} pixels; at most {MAX_PIXELS:,} are read"
                )
            image.load()
            return _to_rgb(_turn_upright(image))
    except ImageProblem:
        raise
    except UnidentifiedImageError:
        raise ImageProblem(_why_unidentified(source)) from None
    except Image.DecompressionBombError:
        raise ImageProblem(f"has too many pixels; at most {MAX_PIXELS:,} are read") from None
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise ImageProblem(f"cannot be opened ({error.strerror})") from None
        reason = "is cut off or damaged" if "truncated" in str(error).lower() else "is damaged"
        raise ImageProblem(f"{reason} ({error})") from None


def check_images(
    root: Path,
    paths: Sequence[str],
    *,
    progress: Callable[[int, int], bool] | None = None,
) -> list[BadImage]:
    """Decode every file and return those that are no readable image, in the order given.

    `progress(done, total)` is called now and then and ends the check early by returning False.
    """

    def check(path: str) -> BadImage | None:
        try:
            read_image(root / path)
        except ImageProblem as problem:
            return BadImage(path, str(problem))
        return None

    bad = []
    # Pillow warns of what is refused here anyway. The filters are the whole process's: not one for each thread.
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        warnings.simplefilter("ignore")
        for done, result in enumerate(pool.map(check, paths), start=1):
            if result is not None:
                bad.append(result)
            if (
                progress is not None
                and (done % 64 == 0 or done == len(paths))
                and not progress(done, len(paths))
            ):
                pool.shutdown(cancel_futures=True)
                break
    return bad


def _turn_upright(image: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose also writes the EXIF anew, which fails for photos whose tags have odd types.
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF, in as many ways as damaged files; the pixels are whole
        turn = None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; convert() would clip at 255 instead of scaling
        values = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray((values / 257).round().astype(np.uint8))
    elif image.mode == "F":
        values = np.nan_to_num(np.asarray(image, dtype=np.float32))
        scale = 255.0 if values.max(initial=0.0) <= 1.0 else 1.0
        image = Image.fromarray((values * scale).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _why_unidentified(source: Path | IO[bytes]) -> str:
    size = source.stat().st_size if isinstance(source, Path) else source.seek(0, os.SEEK_END)
    return "is empty (0 bytes)" if size == 0 else f"is no image of a kind that is read ({', '.join(FORMATS)})"
