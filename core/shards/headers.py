"""What kind of image some bytes begin, without a library: for the ending of a name, which an image in a table may lack."""

from __future__ import annotations

_BEGINNINGS = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)


def find_ending(data: bytes) -> str:
    """Return the usual ending of an image's name by its first 12 bytes or more; `.img` where they are of no kind known here."""
    for begin, ending in _BEGINNINGS:
        if data.startswith(begin):
            return ending
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    if data[4:8] == b"ftyp":
        return ".avif" if data[8:12] in (b"avif", b"avis") else ".heic"
    return ".img"
