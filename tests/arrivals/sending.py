"""What a browser sends, made in a moment: images in all sorts, archives with entries that none should have."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from core.arrivals.sources import keep_sent


def image_bytes(colour: str = "red", kind: str = "PNG", side: int = 8) -> bytes:
    """Return an image of one colour as a file's bytes."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, kind)
    return file.getvalue()


def zip_bytes(files: Mapping[str, bytes], *, links: Mapping[str, str] | None = None) -> bytes:
    """Return a zip archive of files, and of symbolic links by what they lead to."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for name, aim in (links or {}).items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o120777 << 16
            archive.writestr(entry, aim)
    return buffer.getvalue()


def encrypt(archive: bytes, name: str) -> bytes:
    """Return a zip archive one of whose entries says that it is encrypted."""
    data = bytearray(archive)
    for mark, flags, at in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
        place = data.find(mark)
        while place >= 0:
            if data[place + at :].startswith(name.encode()):
                data[place + flags] |= 1
            place = data.find(mark, place + 1)
    return bytes(data)


def damaged_zip(first: str, second: str, packing: int) -> bytes:
    """Return a zip archive of two images, packed in this way, the first of which cannot be unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name in (first, second):
            archive.writestr(name, image_bytes(side=64))
    data = bytearray(buffer.getvalue())
    place = 30 + len(first) + 9  # behind the header and what LZMA begins with
    data[place : place + 20] = b"\xff" * 20
    return bytes(data)


def send(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files as the dashboard does when a browser has sent them."""
    keep_sent(files.items(), folder)
    return folder
