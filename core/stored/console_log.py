"""The console log of a run, as a terminal would show its end."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import describe_cause
from core.reading import open_plain

_MOST = 10_000_000  # bytes of its end that are looked through
_LINE = 2_000  # letters of one line


def read_tail(path: Path, lines: int) -> list[str]:
    """Return the last lines (a bar redrawn in place counts once); none where there is no log yet.

    Why it cannot be read stands in their place: whoever shows a log has something else to show beside it.
    """
    try:
        with open_plain(path) as file:
            size, length = file.seek(0, os.SEEK_END), 400 * lines
            while True:
                file.seek(max(0, size - length))
                screen = _screen(file.read(length).decode("utf-8", errors="replace"))
                # One line more than asked for, since the first may be cut off.
                if length >= min(size, _MOST) or len(screen) > lines:
                    return [line[:_LINE] for line in screen[-lines:]]
                length *= 4  # the redrawings of one bar can fill far more than a line's length
    except FileNotFoundError:
        return []
    except OSError as error:
        return [f"{path.name} cannot be read: {describe_cause(error)}"]


def _screen(text: str) -> list[str]:
    # A progress bar redraws its line with a carriage return; only its last drawing is worth a line.
    return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n") if line.strip()]
