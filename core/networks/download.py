"""Fetch a file over the network once: whole or not at all, with progress, and quick to say that it cannot be had."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import requests

from core.files import write_file

_TIMEOUTS = (5.0, 20.0)  # seconds to connect, and without a byte
_CHUNK = 1 << 20  # bytes


class _Ended(Exception):
    """The one who watches said to end."""


def download(
    url: str,
    path: Path,
    *,
    progress: Callable[[int, int], bool],
    digest: str = "",
    headers: Mapping[str, str] | None = None,
) -> bool:
    """Fetch a file to a path and return True; False when `progress(megabytes done, in all)` said to end.

    `digest` is what the SHA-256 of the file begins with, where that is known.

    Raises:
        OSError: for whatever keeps it from being had, in words.
    """
    host = urlsplit(url).hostname
    try:
        return _download(url, path, progress=progress, digest=digest, headers=headers)
    except requests.HTTPError as error:
        answer = error.response
        raise OSError(
            f"{host} answers {answer.status_code} {answer.reason}" if answer is not None else str(error)
        ) from None
    except requests.Timeout:
        raise OSError(f"{host} does not answer") from None
    except requests.ConnectionError:
        raise OSError(f"there is no connection to {host}") from None


def _download(
    url: str,
    path: Path,
    *,
    progress: Callable[[int, int], bool],
    digest: str,
    headers: Mapping[str, str] | None,
) -> bool:
    with requests.get(url, stream=True, timeout=_TIMEOUTS, headers=headers) as reply:
        reply.raise_for_status()
        total = int(reply.headers.get("Content-Length", 0))

        def write(file: IO[bytes]) -> None:
            done, found = 0, hashlib.sha256()
            for chunk in reply.iter_content(_CHUNK):
                file.write(chunk)
                found.update(chunk)
                done += len(chunk)
                if not progress(done // 1_000_000, max(done, total) // 1_000_000):
                    raise _Ended
            if not found.hexdigest().startswith(digest):
                raise OSError("what came is not the file that was asked for")

        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_file(path, write)
        except _Ended:
            return False
    return True


def describe_reason(error: BaseException) -> str:
    """Return an error's own words in a line."""
    text = str(error)
    return text.splitlines()[0][:160] if text else type(error).__name__
