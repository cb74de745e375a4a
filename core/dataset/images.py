"""Reading and checking image files of every kind; nothing here knows of classes or tensors."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

from core.errors import UserError, describe_cause
from core.reading import find_kind
from core.shards.members import find_member, open_image
from core.words import show_path

register_heif_opener(thumbnails=False)  # Pillow reads HEIC by it, as Pillow's own formats are registered
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
MAX_PIXELS = 100_000_000
MANY_PIXELS = 20_000_000  # more than cameras mostly have; of larger images one is decoded at a time
_one_at_a_time = threading.Lock()
Values = npt.NDArray[Any]
# Pillow reads at most 1 MB of such a chunk of a PNG, and no pixel depends on them; some texts say how a photo is turned.
_NOTES = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
_TURNING = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
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
    """A file that is not a readable image; the text is the reason in words."""


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
    if isinstance(source, Path):
        return _read_file(source)
    try:
        return _read_whole(source)
    except ImageProblem:
        raise
    except UnidentifiedImageError:
        raise ImageProblem(_why_unidentified(source)) from None
    except Image.DecompressionBombError:
        raise ImageProblem(f"has too many pixels; the limit is {MAX_PIXELS:,}") from None
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        if isinstance(error, OSError) and error.errno is not None:
            raise ImageProblem(f"cannot be opened ({error.strerror})") from None
        reason = "is cut off or damaged" if "truncated" in str(error).lower() else "is damaged"
        raise ImageProblem(f"{reason} ({error})") from None


def _read_file(path: Path) -> Image.Image:
    if why := find_obstacle(path):
        raise ImageProblem(why)
    try:
        with open_image(path) as file:
            return read_image(file)
    except OSError as error:
        # Another kind of file may have taken its place since it was looked at.
        raise ImageProblem(find_obstacle(path) or f"cannot be opened ({describe_cause(error)})") from None


def count_pixels(source: IO[bytes]) -> int:
    """Return how many pixels an image claims to have, without decoding any; 0 where it has no header that is read."""
    try:
        with Image.open(source, formats=FORMATS) as image:
            return int(image.width * image.height)
    except Exception:  # of as many kinds as in `read_image`, which says why
        return 0


def find_obstacle(path: Path) -> str:
    """Return why there is no regular file at a path, such as a link that leads nowhere; empty for a file or a folder.

    An image inside a shard is as good as a file.
    """
    try:
        kind = _find_kind_at(path)
    except FileNotFoundError as error:
        if path.is_symlink():
            return f"is a link to {show_path(path.readlink())}, which does not exist"
        return f"cannot be opened ({error.strerror})"
    except NotADirectoryError:
        return "cannot be opened (there is no such image in the file that its path leads into)"
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    return f"is not a file but {kind}" if kind else ""  # to open a pipe would wait for ever


def find_gone(root: Path, path: str) -> str:
    """Return what has to be put back under a root for an image to be there: its folder, its shard or itself; empty where it is."""
    try:
        _find_kind_at(root / path)
    except (FileNotFoundError, NotADirectoryError):
        ways = [root / path, *(root / path).parents][: len(Path(path).parts)]
        return next((way.relative_to(root).as_posix() for way in reversed(ways) if not way.is_dir()), path)
    except OSError:
        pass
    return ""


def _find_kind_at(path: Path) -> str:
    """Return in words what lies at a path instead of a file or a folder, "" where it is one; raises OSError where nothing does."""
    try:
        return find_kind(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        if find_member(path) is None:
            raise
        return ""


def check_images(
    root: Path,
    paths: Sequence[str],
    *,
    progress: Callable[[int, int], bool] | None = None,
) -> list[BadImage]:
    """Decode every file and return those that are not readable images, in the order given.

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


def _read_whole(source: IO[bytes]) -> Image.Image:
    try:
        return _decode(source)
    except ImageProblem:
        raise
    except ValueError as error:
        if "MAX_TEXT" not in str(error):
            raise
    try:
        return _decode(_leave_notes_out(source, but=_TURNING))
    except ValueError:
        return _decode(_leave_notes_out(source))


def _decode(source: IO[bytes]) -> Image.Image:
    with Image.open(source, formats=FORMATS) as image:
        pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise ImageProblem(f"has {image.width} × {image.height} pixels; the limit is {MAX_PIXELS:,}")
        # What is made of an image takes up to a dozen bytes a pixel, in as many threads as there are cores.
        with _one_at_a_time if pixels > MANY_PIXELS else contextlib.nullcontext():
            image.load()
            return _to_rgb(_turn_upright(image))


def _leave_notes_out(file: IO[bytes], *, but: tuple[bytes, ...] = ()) -> IO[bytes]:
    """Return a PNG without its texts and its colour profile, but for texts that begin so."""
    kept = io.BytesIO()
    file.seek(0)
    kept.write(file.read(8))
    while len(head := file.read(8)) == 8:
        rest = int.from_bytes(head[:4], "big") + 4  # with the checksum
        begin = file.read(min(rest, 32)) if head[4:] in _NOTES else b""
        if head[4:] in _NOTES and not (but and begin.startswith(but)):
            file.seek(rest - len(begin), os.SEEK_CUR)
        else:
            kept.write(head + begin + file.read(rest - len(begin)))
    kept.seek(0)
    return kept


def _turn_upright(image: Image.Image) -> Image.Image:
    # ImageOps.exif_transpose also writes the EXIF anew, which fails for photos whose tags have odd types.
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF, in as many ways as damaged files; the pixels are whole
        turn = None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey; convert() would clip at 255 instead of scaling
        image = _map_rows(image, lambda rows: (rows.clip(0, 65535) / 257).round())
    elif image.mode == "F":
        high = max(float(np.nan_to_num(rows).max(initial=0.0)) for _, rows in _list_rows(image))
        scale = 255.0 if high <= 1.0 else 1.0
        image = _map_rows(image, lambda rows: (np.nan_to_num(rows) * scale).clip(0, 255))
    return _put_on_white(image) if image.has_transparency_data else image.convert("RGB")


def _put_on_white(image: Image.Image) -> Image.Image:
    """Return an image with transparency on white, made some rows at a time: all at once takes four times as much."""
    found, step = Image.new("RGB", image.size), _count_rows(image)
    for top in range(0, image.height, step):
        rows = image.crop((0, top, image.width, min(top + step, image.height))).convert("RGBA")
        found.paste(
            Image.alpha_composite(Image.new("RGBA", rows.size, "white"), rows).convert("RGB"), (0, top)
        )
    return found


def _count_rows(image: Image.Image) -> int:
    """Return how many of an image's rows have about a million pixels."""
    return max(1, 2**20 // image.width)


def _map_rows(image: Image.Image, to_bytes: Callable[[Values], Values]) -> Image.Image:
    """Return an 8-bit grey image of one with larger numbers, made some rows at a time: all at once takes ten times as much."""
    grey = Image.new("L", image.size)
    for top, rows in _list_rows(image):
        grey.paste(Image.fromarray(to_bytes(rows).astype(np.uint8)), (0, top))
    return grey


def _list_rows(image: Image.Image) -> Iterator[tuple[int, Values]]:
    """Yield an image's values (rows, width) by strips of about a million, each with the number of its first row."""
    step = _count_rows(image)
    for top in range(0, image.height, step):
        yield top, np.asarray(image.crop((0, top, image.width, min(top + step, image.height))))


def _why_unidentified(source: IO[bytes]) -> str:
    size = source.seek(0, os.SEEK_END)
    return (
        "is empty (0 bytes)" if size == 0 else f"is not an image of a supported kind ({', '.join(FORMATS)})"
    )


def _renew_lock() -> None:
    globals()["_one_at_a_time"] = threading.Lock()


if hasattr(os, "register_at_fork"):  # a child must not wait for a thread that it does not have
    os.register_at_fork(after_in_child=_renew_lock)
