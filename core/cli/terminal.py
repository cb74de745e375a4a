"""What the commands share: a run as an argument, and what a terminal shows of work that takes a while."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

Progress = Callable[[int, int], bool]
# Of bytes no speed: of a few of them it would be that of the memory they were still in.
_SIZED = "{l_bar}{bar}| {n_fmt} of {total_fmt}{unit} [{elapsed}<{remaining}]"


def add_run(parser: argparse.ArgumentParser) -> None:
    """Give a parser the run that its command is about."""
    parser.add_argument("run", metavar="RUN", help="a run's id, or latest")


def add_out(parser: argparse.ArgumentParser, what: str, default: Path | None = None) -> None:
    """Give a parser the file that its command writes, which replaces another only where that is asked for."""
    told = f"; default: {default}, in this folder" if default else ""
    parser.add_argument("--out", type=Path, default=default, metavar="FILE", help=f"{what}{told}")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier file of this name")


def make_bar(unit: str) -> Progress:
    """Return a progress that draws a bar on stderr, which ends by itself when all is done.

    Where that is no terminal but a file or a pipe, a line comes every ten seconds.
    """
    from tqdm import tqdm

    shown = sys.stderr is not None and sys.stderr.isatty()
    bar: tqdm[Any] | None = None

    def show(done: int, total: int) -> bool:
        nonlocal bar
        if bar is None:  # with the first figure, so that an error before it stands alone
            bar = tqdm(
                total=total,
                initial=done,  # what was done before this process is no speed of its own
                unit=f" {unit}",
                bar_format=_SIZED if unit == "MB" else None,
                file=Unwatched(sys.stderr),
                dynamic_ncols=shown,
                mininterval=0.1 if shown else 10.0,
            )
        bar.total = total  # it may grow on the way
        bar.update(done - bar.n)
        if done == total:
            bar.close()
        return True

    return show


class Unwatched:
    """A text stream whose reader may have gone, as `head` does: what is written then goes nowhere, and the work goes on."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text."""
        if self._stream is not None:
            with suppress(BrokenPipeError):
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what was written."""
        if self._stream is not None:
            with suppress(BrokenPipeError):
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Return what else is asked of a stream, such as how wide its terminal is."""
        return getattr(self._stream, name)


class Tee:
    """A text stream that writes to the log and, where there is one, to the terminal."""

    def __init__(self, log: TextIO, terminal: TextIO | None) -> None:
        self._streams: list[TextIO | Unwatched] = [log] if terminal is None else [log, Unwatched(terminal)]

    def write(self, text: str) -> int:
        """Write text to each."""
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush each."""
        for stream in self._streams:
            stream.flush()
