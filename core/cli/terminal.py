"""What the commands share: a run as an argument, and what a terminal shows of work that takes a while."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[int, int], bool]


def add_run(parser: argparse.ArgumentParser) -> None:
    """Give a parser the run that its command is about."""
    parser.add_argument("run", metavar="RUN", help="a run's id, or latest")


def make_bar(unit: str) -> Progress:
    """Return a progress that draws a bar on stderr, which ends by itself when all is done."""
    from tqdm import tqdm

    bar = tqdm(unit=unit, delay=0.001)  # drawn with the first figure, so that an error before it stands alone

    def show(done: int, total: int) -> bool:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()
        return True

    return show


class Tee:
    """A text stream that writes to the log and, where there is one, to the terminal."""

    def __init__(self, log: TextIO, terminal: TextIO | None) -> None:
        self._streams = [log] if terminal is None else [log, terminal]

    def write(self, text: str) -> int:
        """Write text to each."""
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush each."""
        for stream in self._streams:
            stream.flush()
