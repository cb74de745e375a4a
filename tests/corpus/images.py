"""Image files as they come: whole, cut off, damaged, of other kinds, turned, huge; among good ones of a data set."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import torch
from PIL import Image

from core.dataset.audit import audit_data
from core.dataset.folders import drop_bad_images, scan_folders
from core.dataset.images import check_images, read_image
from core.networks.table import IMAGENET
from core.recipe.config import TrainConfig
from core.training.loaders import eval_transforms, train_transforms
from tests.corpus.case import Case
from tests.dataset.pictures import RED, make_folders

KINDS = "is not an image of a supported kind (JPEG, PNG, WEBP, GIF, TIFF, BMP, AVIF, HEIF)"
REMEDY = "Remove or replace them, or set “Unreadable files” to skip (on the command line: --bad-images skip)."
SIDE = 32  # pixels of what the network sees
TENTHS = 10


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return an image as the bytes of a file."""
    content = io.BytesIO()
    exif = options.get("exif")
    if kind == "HEIF" and isinstance(exif, Image.Exif):  # as phones do, turned by a box of its own too
        pillow_heif.from_pillow(image).save(content, exif=exif.tobytes())
        return content.getvalue()
    image.save(content, kind, **options)
    return content.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG that claims a size, without the pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def marked_corner(orientation: int, kind: str) -> bytes:
    """Return a picture, blue at its upper left once it is upright, stored turned as cameras do."""
    upright = Image.new("RGB", (48, 32), "red")
    upright.paste("blue", (0, 0, 16, 16))
    turn_back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright if orientation == 1 else upright.transpose(turn_back[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "camera"
    return encode(stored, kind, exif=exif)


def is_upright(pixels: np.ndarray) -> bool:
    """Tell whether the picture of a marked corner is seen as it was taken."""
    blue = pixels[..., 2] > 128
    return (
        pixels.shape == (32, 48, 3)
        and blue[4:12, 4:12].all()
        and not blue[20:].any()
        and not blue[:, 20:].any()
    )


def read(path: Path) -> str:
    """Put a file among the images of a data set and take it as a training does; say what is seen of it.

    The data is audited too, which refuses no file, and the image is made what the network sees, for training and else.
    """
    data = make_folders(path.parent / "data", {"a": 2, "b": 2})
    place = data / "train" / "a" / path.name
    path.rename(place)
    folders = scan_folders(data)
    audit = audit_data(data, path.parent / "runs")
    assert audit is not None
    bad = [*folders.unread, *check_images(data, folders.files)]
    assert [item.path for item in bad] == [image.path for image in audit.images if image.problem]
    drop_bad_images(folders, bad, policy="refuse")
    image = read_image(place)
    config = TrainConfig(data=str(data), image_size=SIDE, resize_size=SIDE)
    for prepare in (eval_transforms(SIDE, SIDE, IMAGENET), train_transforms(config, IMAGENET)):
        seen = prepare(image)
        assert seen.shape == (3, SIDE, SIDE)
        assert torch.isfinite(seen).all()
    pixels = np.asarray(image)
    upright = ", upright" if is_upright(pixels) else ""
    middle = _name_colour(pixels[image.height // 2, image.width // 2])
    return f"{image.width} × {image.height}, {middle}{upright}"


def _name_colour(pixel: np.ndarray) -> str:
    known = {"red": RED, "white": (255,) * 3, "black": (0,) * 3, "grey": (128,) * 3}
    return min(known, key=lambda name: int(np.abs(np.array(known[name]) - pixel.astype(int)).sum()))


def _file(name: str, content: Callable[[], bytes], *, to: int = 0) -> Callable[[Path], Path]:
    """Return what writes a file, of so many bytes in all where `to` is more: a hole that takes no room on the disk."""

    def make(folder: Path) -> Path:
        path = folder / name
        with path.open("wb") as file:
            size = file.write(content())
            file.truncate(max(size, to))
        return path

    return make


def _plain(mode: str = "RGB", size: tuple[int, int] = (20, 10), colour: object = RED) -> Image.Image:
    return Image.new(mode, size, colour)


def _photo() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    return encode(Image.fromarray(noise), "JPEG")


def _animation(kind: str) -> bytes:
    frames = [_plain(colour="blue"), _plain(colour="green")]
    return encode(_plain(), kind, save_all=True, append_images=frames, duration=100)


def _bmp_of(width: int, height: int) -> bytes:
    """Return the header of a BMP of 24 bits, whose pixels are black where the file goes on with zeros."""
    size = width * height * 3
    return struct.pack(
        "<2sIHHIIiiHHIIiiII", b"BM", 54 + size, 0, 0, 54, 40, width, height, 1, 24, 0, size, 0, 0, 0, 0
    )


def _png_lying(bits: int, colours: int) -> bytes:
    """Return a PNG whose header says another depth than its pixels have."""
    content = bytearray(encode(_plain(), "PNG"))
    content[24:26] = bytes([bits, colours])
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.png")
    return folder / "pipe.png"


def _refuses(name: str, *says: str) -> tuple[str, ...]:
    return (f"1 of 5 files are not readable images: train/a/{name} ", *says, REMEDY)


def _cut_cases() -> dict[str, Case]:
    """Return a photo and a picture cut off at each tenth of their bytes."""
    cases = {}
    for kind, ending, content in (
        ("JPEG", "jpg", _photo()),
        ("PNG", "png", encode(Image.effect_noise((64, 64), 90), "PNG")),
    ):
        for tenth in range(TENTHS):
            at, name = len(content) * tenth // TENTHS, f"cut.{ending}"
            why = "is empty (0 bytes)" if tenth == 0 else "is cut off or damaged"
            cases[f"{kind} cut off at {tenth} tenths"] = Case(
                _file(name, lambda c=content[:at]: c), _refuses(name, why)
            )
    return cases


def _mode_cases() -> dict[str, Case]:
    """Return a red or grey picture of every mode and depth that a format keeps."""
    seen = ("20 × 10, red",)
    values = np.full((10, 20), 128 * 257)
    pictures: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
        "1 bit": (lambda: encode(_plain("1", colour=1), "PNG"), ("20 × 10, white",)),
        "8 bits of grey": (lambda: encode(_plain("L", colour=128), "PNG"), ("20 × 10, grey",)),
        "grey with alpha": (lambda: encode(_plain("LA", colour=(0, 0)), "PNG"), ("20 × 10, white",)),
        "16 bits of grey": (lambda: encode(Image.fromarray(values.astype("<u2")), "PNG"), ("20 × 10, grey",)),
        "32 bits of grey": (lambda: encode(Image.fromarray(values.astype("<i4")), "TIFF"), ("20 × 10, grey",)),
        "floats": (lambda: encode(Image.fromarray(np.full((10, 20), 0.5, dtype="f4")), "TIFF"), ("20 × 10, grey",)),
        "floats that are no numbers": (lambda: encode(Image.fromarray(np.full((10, 20), np.nan, dtype="f4")), "TIFF"), ("20 × 10, black",)),
        "a palette": (lambda: encode(_plain().convert("P"), "PNG"), seen),
        "a palette of one bit": (lambda: encode(_plain().quantize(2), "PNG", bits=1), seen),
        "colour and alpha": (lambda: encode(_plain("RGBA", colour=(0, 0, 0, 0)), "PNG"), ("20 × 10, white",)),
        "colour with one that is transparent": (lambda: encode(_plain(), "PNG", transparency=RED), ("20 × 10, white",)),
        "CMYK": (lambda: encode(_plain("CMYK", (32, 32), (0, 204, 204, 56)), "JPEG"), ("32 × 32, red",)),
        "YCbCr": (lambda: encode(_plain().convert("YCbCr"), "TIFF"), seen),
        "LAB": (lambda: encode(_plain("LAB", colour=(128, 128, 128)), "TIFF"), ("20 × 10, ",)),
    }  # fmt: skip
    return {f"mode: {name}": Case(_file("mode.img", make), says) for name, (make, says) in pictures.items()}


CASES: dict[str, Case] = {
    **_cut_cases(),
    **_mode_cases(),
    **{f"EXIF turns it by {turn}": Case(_file("photo.jpg", lambda turn=turn: marked_corner(turn, "JPEG")), ("48 × 32, red, upright",)) for turn in range(1, 9)},
    **{f"animated {kind}": Case(_file(f"moves.{kind.lower()}", lambda kind=kind: _animation(kind)), ("20 × 10, red",)) for kind in ("GIF", "WEBP", "PNG")},
    "a text": Case(_file("notes.jpg", lambda: b"dear diary"), _refuses("notes.jpg", KINDS)),
    "an SVG": Case(_file("drawing.png", lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), _refuses("drawing.png", KINDS)),
    "an HTML page": Case(_file("page.png", lambda: b"<!doctype html><script>window.hit=1</script>"), _refuses("page.png", KINDS)),
    "a PDF": Case(_file("scan.jpg", lambda: encode(_plain(), "PDF")), _refuses("scan.jpg", KINDS)),
    "an EPS, which another program would be run for": Case(_file("print.jpg", lambda: encode(_plain(), "EPS")), _refuses("print.jpg", KINDS)),
    "zeros": Case(_file("zeros.png", lambda: bytes(5000)), _refuses("zeros.png", KINDS)),
    "a PNG called JPG": Case(_file("photo.jpg", lambda: encode(_plain(), "PNG")), ("20 × 10, red",)),
    "a JPEG without an ending": Case(_file("IMG_0001", lambda: encode(_plain(size=(32, 32)), "JPEG")), ("32 × 32, red",)),
    "a TIFF called TXT": Case(_file("photo.txt", lambda: encode(_plain(), "TIFF")), ("20 × 10, red",)),
    "1 × 1": Case(_file("dot.png", lambda: encode(_plain(size=(1, 1)), "PNG")), ("1 × 1, red",)),
    "1 × 65,000": Case(_file("thread.png", lambda: encode(_plain(size=(1, 65_000)), "PNG")), ("1 × 65000, red",)),
    "65,000 wide": Case(_file("wide.png", lambda: encode(_plain(size=(65_000, 3)), "PNG")), ("65000 × 3, red",)),
    "65,000 wide JPEG": Case(_file("wide.jpg", lambda: encode(_plain(size=(65_000, 8)), "JPEG")), ("65000 × 8, red",)),
    "no width": Case(_file("none.png", lambda: png_of_size(0, 10)), _refuses("none.png", "is ")),
    "a bomb just above what is read": Case(_file("bomb.png", lambda: png_of_size(10_001, 10_000)), _refuses("bomb.png", "has 10001 × 10000 pixels; the limit is 100,000,000")),
    "a bomb": Case(_file("bomb.png", lambda: png_of_size(60_000, 60_000)), _refuses("bomb.png", "pixels; the limit is 100,000,000")),
    "a bomb beyond counting": Case(_file("bomb.png", lambda: png_of_size(2**31 - 1, 2**31 - 1)), _refuses("bomb.png", "pixels; the limit is 100,000,000")),
    "100 megapixels in 12 kB": Case(_file("black.png", lambda: encode(Image.new("1", (10_000, 10_000)), "PNG")), ("10000 × 10000, black",)),
    "a BMP of 150 MB": Case(_file("large.bmp", lambda: _bmp_of(8000, 6250), to=54 + 8000 * 6250 * 3), ("8000 × 6250, black",)),
    "a PNG that goes on with 200 MB of nothing": Case(_file("tail.png", lambda: encode(_plain(), "PNG"), to=200_000_000), ("20 × 10, red",)),
    "200 MB of nothing": Case(_file("hole.jpg", lambda: b"", to=200_000_000), _refuses("hole.jpg", KINDS)),
    "a header of another depth": Case(_file("lies.png", lambda: _png_lying(16, 6)), _refuses("lies.png", "is ")),
    "a header of a depth that there is not": Case(_file("lies.png", lambda: _png_lying(3, 7)), _refuses("lies.png", "is ")),
    "pixels of which one byte was changed": Case(_file("bits.png", lambda: encode(_plain(), "PNG").replace(b"IDATx", b"IDATy")), _refuses("bits.png", "is ")),
    "a colour profile of anything": Case(_file("profile.jpg", lambda: encode(_plain(size=(32, 32)), "JPEG", icc_profile=b"x" * 3000)), ("32 × 32, red",)),
    "a colour profile of 3 MB": Case(_file("profile.png", lambda: encode(_plain(), "PNG", icc_profile=bytes(3_000_000))), ("20 × 10, red",)),
    "a damaged EXIF": Case(_file("photo.jpg", lambda: marked_corner(1, "JPEG").replace(b"Exif\0\0MM\0*", b"Exif\0\0XX\0*")), ("48 × 32, red, upright",)),
    "an EXIF that turns by 99": Case(_file("photo.jpg", lambda: encode(_plain(size=(32, 16)), "JPEG", exif=_exif(99))), ("32 × 16, red",)),
    "an EXIF of 60 kB": Case(_file("photo.jpg", lambda: encode(_plain(size=(32, 16)), "JPEG", exif=_exif(1, "x" * 60_000))), ("32 × 16, red",)),
    "a pipe": Case(_pipe, ("train/a/pipe.png is not a file but a pipe", REMEDY)),
}  # fmt: skip


def _exif(turn: int, make: str = "camera") -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = turn, make
    return exif
