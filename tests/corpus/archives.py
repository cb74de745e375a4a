"""Zip archives that people send: nested, leading out, bombs, links, encrypted, of very many entries, of odd names."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from core.answers.arriving import unpack_files
from core.arrivals.bring_in import bring_in
from core.errors import UserError
from tests.arrivals.sending import encrypt, image_bytes, send, zip_bytes
from tests.corpus.case import REFUSED, Case, write

IMAGE = image_bytes()
GOOD = {"a/1.png": IMAGE, "b/1.png": IMAGE}
NAME = "sent.zip"
ONE_MORE = "1 file was refused"


def read(path: Path) -> str:
    """Bring an archive in as a data set, and drop it on the page Predict; say what became of it both times.

    Nothing may come to lie anywhere but in the folder that it was brought into.
    """
    root, content = path.parent / "data", path.read_bytes()
    sent = send(path.parent / "sent", {NAME: content})
    before = {place for place in path.parent.rglob("*") if place != root and not place.is_relative_to(root)}
    said = []
    try:
        arrival = bring_in(sent, "flowers", root, lambda *_: True)
        assert arrival is not None
        said.append(arrival.describe())
        said += [f"{item.path} {item.reason}" for item in arrival.refused[:5]]
        said += [
            f"[{file.relative_to(arrival.folder)}]" for file in sorted(Path(arrival.folder).rglob("*"))[:9]
        ]
    except UserError as error:
        said.append(f"{REFUSED}{error}")
    after = {place for place in path.parent.rglob("*") if place != root and not place.is_relative_to(root)}
    assert after == before
    said.append("Dropped:")
    try:
        said += [f"{one.name} {one.problem or 'taken'}" for one in unpack_files([(NAME, content)])[:9]]
    except UserError as error:
        said.append(f"{REFUSED}{error}")
    return "\n".join(said)


def _entry(name: str, mode: int, content: bytes = b"") -> bytes:
    """Return an archive of good images and a file of a mode, such as a pipe."""
    buffer = io.BytesIO(zip_bytes(GOOD))
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(entry, content)
    return buffer.getvalue()


def _many(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/1.png", IMAGE)
        for number in range(count):
            archive.writestr(zipfile.ZipInfo(f"notes/{number}.txt"), b"")
    return buffer.getvalue()


def _declare(content: bytes, size: int) -> bytes:
    """Return an archive each of whose files says that it unpacks to so many bytes."""
    data = bytearray(content)
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.find(mark)
        while at >= 0:
            struct.pack_into("<I", data, at + place, size)
            at = data.find(mark, at + 1)
    return bytes(data)


def _rename(stand_in: str, name: bytes, content: Mapping[str, bytes]) -> bytes:
    """Return an archive in which a file has a name of these bytes, which says nothing of its letters."""
    assert len(stand_in) == len(name)
    return zip_bytes(content).replace(stand_in.encode(), name)


def _twice() -> bytes:
    buffer = io.BytesIO(zip_bytes(GOOD))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("A/1.PNG", IMAGE)
    return buffer.getvalue()


def _bomb() -> bytes:
    """Return 300 MB of zeros in 300 kB, beside a good image."""
    buffer = io.BytesIO(zip_bytes(GOOD))
    with (
        zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a/2.png", "w") as file,
    ):
        for _ in range(300):
            file.write(bytes(1_000_000))
    return buffer.getvalue()


def _with(name: str, content: bytes = IMAGE) -> bytes:
    return zip_bytes({**GOOD, name: content})


# What each holds, what is said when it is brought in, and what when it is dropped.
_MADE: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "empty": (lambda: b"", (f"{REFUSED}sent.zip cannot be read as a zip archive",)),
    "its mark alone": (lambda: b"PK\x03\x04", (f"{REFUSED}sent.zip cannot be read as a zip archive", "Zip the folder again", "sent.zip is a damaged zip archive")),
    "half of it": (lambda: zip_bytes(GOOD)[:-60], (f"{REFUSED}sent.zip cannot be read as a zip archive", "sent.zip is a damaged zip archive")),
    "its first byte missing": (lambda: zip_bytes(GOOD)[1:], ("1 image", "a/1.png is damaged in its archive")),
    "a text called ZIP": (lambda: b"dear diary" * 100, (f"{REFUSED}sent.zip cannot be read as a zip archive",)),
    "a gzip called ZIP": (lambda: b"\x1f\x8b\x08" + bytes(99), (f"{REFUSED}sent.zip cannot be read as a zip archive",)),
    "nothing in it": (lambda: zip_bytes({}), (f"{REFUSED}None of the files sent is a usable image",)),
    "only a text in it": (lambda: zip_bytes({"notes.txt": b"x"}), (f"{REFUSED}None of the files sent is a usable image", "notes.txt is neither an image nor a table of labels")),
    "an archive in it": (lambda: _with("inner.zip", zip_bytes(GOOD)), ("2 images", "inner.zip is an archive inside an archive; unpack it first")),
    "an archive in it that is called an image": (lambda: _with("a/2.png", zip_bytes(GOOD)), ("2 images", "a/2.png is not an image of a supported kind")),
    **{f"a name that leads out: {name}": (lambda name=name: _with(name), ("2 images", ONE_MORE, f"{name} has a path that leads out of the folder", f"{name} leads out of its archive")) for name in ("../1.png", "a/../../1.png", "/etc/1.png", "C:/1.png", "..\\1.png")},
    "a link": (lambda: zip_bytes(GOOD, links={"a/2.png": "/etc/passwd"}), (ONE_MORE, "a/2.png is a link")),
    "a pipe": (lambda: _entry("a/2.png", 0o010644), (ONE_MORE, "a/2.png is not a regular file")),
    "a device": (lambda: _entry("a/2.png", 0o020666), (ONE_MORE, "a/2.png is not a regular file")),
    "encrypted": (lambda: encrypt(_with("a/2.png"), "a/2.png"), (ONE_MORE, "a/2.png is encrypted")),
    "a bomb of one file": (_bomb, ("2 images", ONE_MORE, "a/2.png has more than 200 MB", "a/2.png is larger than 50 MB")),
    "a bomb by what it declares": (lambda: _declare(zip_bytes({f"a/{n}.png": IMAGE for n in range(20)}), 2**32 - 2), (f"{REFUSED}That is 85.9 GB unpacked, and at most 50.0 GB can be brought in at once. Give the path of a folder", "sent.zip is too large")),
    "files that say they are small": (lambda: _declare(zip_bytes({"a/1.png": bytes(100_000)}), 10), (f"{REFUSED}None of the files sent is a usable image",)),
    "a hundred thousand entries": (lambda: _many(100_000), ("1 image", "100,000 files were refused", "sent.zip is too large: all archives together may hold 5,000 files")),
    "seven hundred thousand entries": (lambda: _claim(zip_bytes(GOOD), 700_000), (f"{REFUSED}sent.zip has more than 600,000 entries. Send fewer files at a time.",)),
    "two names that differ in their case": (_twice, (ONE_MORE, "A/1.PNG was sent twice under this name")),
    "a file and a folder of one name": (lambda: _with("a/1.png/2.png"), ("2 images", "was sent under this name as a folder and as a file")),
    "names in UTF-8 that do not say so": (lambda: _rename("a/rose--.png", "a/rösé.png".encode(), {**GOOD, "a/rose--.png": IMAGE}), ("3 images", "[a/rösé.png]", "a/rösé.png taken")),
    "names in Latin-1": (lambda: _rename("a/rose.png", "a/rösé.png".encode("latin-1"), {**GOOD, "a/rose.png": IMAGE}), ("3 images",)),
    "names in Shift-JIS": (lambda: _rename("a/----.png", "a/花束.png".encode("shift-jis"), {**GOOD, "a/----.png": IMAGE}), ("3 images",)),
    "a name with a newline": (lambda: _with("a/1\n2.png"), (ONE_MORE, "has a name with control characters")),
    "a name of 250 letters": (lambda: _with(f"a/{'x' * 250}.png"), (ONE_MORE, "has a name of more than 200 bytes")),
    "thirty folders deep": (lambda: _with("d/" * 30 + "1.png"), (ONE_MORE, "is nested more than 8 folders deep")),
    "what systems leave": (lambda: zip_bytes({**GOOD, "__MACOSX/a/._1.png": b"x", ".DS_Store": b"x", "a/Thumbs.db": b"x"}), ("2 images", "[a/1.png]")),
    "a file whose bytes were changed": (lambda: _spoil(zipfile.ZIP_STORED), ("1 image", "a/1.png is damaged in its archive")),
    "packed in a way that there is not": (lambda: _pack_oddly(), ("1 image", "a/1.png is packed in a way that cannot be read")),
    "one that says it is a part of three": (lambda: _split(zip_bytes(GOOD)), ("2 images",)),
}  # fmt: skip


def _spoil(way: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", way) as archive:
        for name, content in GOOD.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    data = bytearray(buffer.getvalue())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    return bytes(data)


def _pack_oddly() -> bytes:
    data = bytearray(zip_bytes(GOOD))
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", data, data.index(mark) + place, 99)
    return bytes(data)


def _claim(content: bytes, count: int) -> bytes:
    """Return an archive whose directory, by the record at its end, is as large as one of so many entries."""
    data = bytearray(content)
    struct.pack_into("<I", data, data.rindex(b"PK\x05\x06") + 12, count * 320)
    return bytes(data)


def _split(content: bytes) -> bytes:
    data = bytearray(content)
    struct.pack_into("<HH", data, data.rindex(b"PK\x05\x06") + 4, 3, 3)
    return bytes(data)


def _as_case(make: Callable[[], bytes], says: tuple[str, ...]) -> Case:
    return Case(lambda folder: write(NAME, make())(folder), says)


CASES = {name: _as_case(make, says) for name, (make, says) in _MADE.items()}
