"""Why a run's figures did not get to its tracker, kept in its folder until they do, so that a page can say it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from core.files import write_text
from core.places import own_command
from core.reading import read_object, take
from core.runs.run import Run
from core.trackers.seam import TITLES

FAULT = "tracker-fault.json"  # in the run's folder
_MOST = 100_000  # bytes of it


@dataclass(frozen=True)
class TrackerFault:
    """Which tracker did not get the figures of a run, and why, in words."""

    kind: str
    why: str

    def describe(self, run: Run) -> str:
        """Say what failed and why, that the training is none the worse, and what to do."""
        command = f"{own_command()} track {run.id} --to {self.kind}"
        return (
            f"{TITLES[self.kind]} did not get all figures of this run. {self.why.rstrip('.')}. The training is not affected. "
            f"Once that is fixed, this command writes all that is missing: {command}"
        )


def write_fault(run: Run, kind: str, why: str) -> None:
    """Keep why a tracker did not get a run's figures; where that cannot be written the run's log alone tells it."""
    with suppress(OSError):
        write_text(_path(run), json.dumps(asdict(TrackerFault(kind, why)), indent=2) + "\n")


def read_fault(run: Run) -> TrackerFault | None:
    """Return why a tracker did not get a run's figures; None where all is well, or what is known of it is damaged."""
    try:
        fault = take(TrackerFault, read_object(_path(run), most=_MOST))
    except (OSError, ValueError):
        return None
    return fault if fault.kind in TITLES else None


def forget_fault(run: Run, kind: str) -> None:
    """Drop what is known of an earlier failure of a tracker, which has all figures now or is given them anew."""
    if (known := read_fault(run)) is not None and known.kind == kind:
        with suppress(OSError):
            _path(run).unlink(missing_ok=True)


def _path(run: Run) -> Path:
    return run.folder / FAULT
