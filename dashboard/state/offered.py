"""Which runs a choice offers: of thousands the newest alone, since the browser would be sent each and look through all."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from core.runs.notes import read_note
from core.runs.run import Run, default_root, list_runs
from core.words import format_count

MOST = 200


@dataclass(frozen=True)
class Offered:
    """The runs that are offered, newest first; `more` tells that there are older ones."""

    runs: tuple[Run, ...]
    more: bool

    @property
    def note(self) -> str:
        """Say where the older runs are; empty where there are none."""
        newest = f"The newest {format_count(MOST, 'run')}. Older ones open from the page Runs."
        return newest if self.more else ""


def offer_runs(keep: Collection[str] = (), fits: Callable[[Run], bool] = lambda _: True) -> Offered:
    """Return the runs to choose from that fit and are not archived, and those named to be kept wherever they stand."""
    runs: list[Run] = []
    more = False
    for run, _ in list_runs(default_root()):
        if len(runs) < MOST or run.id in keep:
            if fits(run) and (run.id in keep or not read_note(run).archived):
                runs.append(run)
        else:
            more = True
    return Offered(tuple(runs), more)
