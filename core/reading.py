"""The one way to read a file that anyone may have written: a plain one, of a size that fits, and JSON that is what it must be."""

from __future__ import annotations

import errno
import gc
import gzip
import io
import json
import os
import re
import stat
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from core.files import insist
from core.words import shorten

_T = TypeVar("_T")
_NONBLOCK = getattr(
    os, "O_NONBLOCK", 0
)  # to open a pipe would else wait for who writes to it, perhaps for ever
_BINARY = getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_LONG = 1_000_000  # letters of JSON
_LARGEST = 2**63  # no number of ours is larger, and what counts in 64 bits takes none that is
# Escapes of JSON by which a text may hold what no file name and no page can: an end before its end, or half a letter,
# where the other half does not follow.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_HALF = re.compile(r"(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]")
_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    types.NoneType: "null",
}


def find_kind(mode: int) -> str:
    """Return in words what a file's mode says it is instead of a plain file or a folder; empty where it is one of these."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    return _KINDS.get(stat.S_IFMT(mode), "something else")


def open_plain(path: Path) -> IO[bytes]:
    """Open a plain file to read its bytes; nothing else is ever waited for, whatever takes the file's place meanwhile.

    Raises:
        OSError: as `open` does, and for a folder, a pipe, a socket or a device.
    """
    _refuse_other(path.stat().st_mode, path)  # to open a device may already do something
    handle = os.open(str(path), os.O_RDONLY | _NONBLOCK | _BINARY)
    try:
        _refuse_other(os.fstat(handle).st_mode, path)  # it may have been put there since
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def open_text(path: Path) -> IO[str]:
    """Open a plain file of UTF-8 text, with or without a byte order mark, its line ends as they are; raises as `open_plain`."""
    return io.TextIOWrapper(open_plain(path), encoding="utf-8-sig", newline="")


def open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting where it is a pipe: the `opener` of Python's own `open`."""
    return os.open(path, flags | _NONBLOCK, 0o666)


def is_there(path: Path) -> bool:
    """Tell whether there is a file or folder that this process may look at; never raises, unlike `Path.exists`."""
    try:
        path.stat()
    except (OSError, ValueError):
        return False
    return True


def read_plain(path: Path, *, most: int) -> bytes:
    """Read a plain file of at most so many bytes; one whose name ends in .gz is unpacked, and may come to no more either.

    Raises:
        ValueError: saying that it is larger; no more of it is read.
        OSError: as `open_plain`.
    """
    with insist(lambda: open_plain(path)) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise ValueError(f"it has {size:,} bytes; the limit is {most:,}")
        if path.suffix != ".gz":
            return file.read(most)
        with gzip.GzipFile(fileobj=file) as unpacked:
            data = unpacked.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it unpacks to more than {most:,} bytes")
    return data


def read_object(path: Path, *, most: int) -> dict[str, Any]:
    """Read a file that holds one JSON object; raises ValueError saying what it holds instead, and as `read_plain`."""
    try:
        text = read_plain(path, most=most).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    values = parse_json(text)
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    return values


def parse_json(text: str) -> Any:
    """Return what JSON says; raises ValueError in words, also for nesting, numbers and letters that nothing here can hold."""
    try:
        with rest_collector(len(text) > _LONG):
            values = json.loads(text, parse_int=_parse_int)
        if "\\u" in text:
            _refuse_odd_letters(text, values)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("a text in it holds half a letter (a lone surrogate)") from None
    return values


@contextmanager
def rest_collector(wanted: bool = True) -> Iterator[None]:
    """Let Python's collector rest while very much is made that stays: it would look at each of a million lists again and again."""
    rests = wanted and gc.isenabled()
    if rests:
        gc.disable()
    try:
        yield
    finally:
        if rests:
            gc.enable()


def take(kind: type[_T], value: Any, name: str = "it") -> _T:
    """Return a value that JSON holds as one of a kind: a dataclass of an object, a tuple of a list, a float of a whole number.

    Raises:
        ValueError: naming the field that is missing, unknown or of another kind, and what stands there.
    """
    found: _T = _take(kind, value, name)
    return found


def _take(kind: Any, value: Any, name: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _take_dataclass(kind, value, name)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return value if value is None and types.NoneType in inner else _take(inner[0], value, name)
    if origin is tuple and isinstance(value, list):
        return _take_tuple(inner, value, name)
    if origin is list and isinstance(value, list):
        return [_take(inner[0], one, f"an entry of {name}") for one in value]
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {key: _take(inner[1], one, f"{name} of {shorten(key)}") for key, one in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        what = _WORDS.get(kind, "an object" if origin in (dict, Mapping) else "a list")
        raise ValueError(f"{name} must be {what}, got {shorten(repr(value))}")
    return value


def _take_tuple(inner: tuple[Any, ...], values: list[Any], name: str) -> tuple[Any, ...]:
    if inner[-1] is Ellipsis:
        return tuple(_take(inner[0], one, f"an entry of {name}") for one in values)
    if len(values) != len(inner):
        raise ValueError(f"{name} must have {len(inner)} parts, got {shorten(repr(values))}")
    return tuple(_take(one, value, f"a part of {name}") for one, value in zip(inner, values, strict=True))


def _take_dataclass(kind: Any, value: Any, name: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, got {shorten(repr(value))}")
    known = {field.name: field for field in fields(kind)}
    if unknown := [key for key in value if key not in known]:
        raise ValueError(f"{shorten(unknown[0])} is not a field that this version knows")
    for field in known.values():
        if field.name not in value and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{field.name} is missing")
    hints = _hints_of(kind)
    return kind(**{key: _take(hints[key], one, key) for key, one in value.items()})


@cache
def _hints_of(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _refuse_odd_letters(text: str, values: Any) -> None:
    if _NUL.search(text):
        raise ValueError("a text in it holds a NUL character")
    if _HALF.search(text):
        json.dumps(values, ensure_ascii=False).encode()


def _parse_int(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"a number in it has {len(digits):,} digits")
    if abs(number := int(digits)) >= _LARGEST:
        raise ValueError(f"a number in it is too large: {digits}")
    return number


def _refuse_other(mode: int, path: Path) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if kind := find_kind(mode):
        raise OSError(errno.EINVAL, f"it is not a file but {kind}", str(path))
