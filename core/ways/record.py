"""What was measured of ways to predict, kept with the run that was asked first; no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from core.confidence.apart import tell_asked_again
from core.errors import RunError, describe_unreadable
from core.files import write_text
from core.places import name_place
from core.reading import read_object, take
from core.runs.run import Run
from core.runs.seen import name_unknowns
from core.verdicts.judged_on import JudgedOn
from core.verdicts.ways import WayResult, describe_judges
from core.ways.choice import Choice

_MOST = 100_000_000  # bytes; a byte for each image and way


@dataclass(frozen=True)
class MeasuredWay:
    """A way to predict: which images it gets right, a 1 or 0 each, and its seconds an image."""

    choice: Choice
    right: str
    seconds: float


@dataclass(frozen=True)
class Measured:
    """What the best models of runs, of these epochs, do in each way on the images of a split; the plain way comes first.

    `soup` are the runs of the soup, none where there is none, and `notes` say in sentences why not.
    """

    runs: tuple[str, ...]
    epochs: tuple[int, ...]
    held: bool
    ways: tuple[MeasuredWay, ...]
    soup: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def results(self) -> list[WayResult]:
        """Return each way with the images it gets right, as they are compared."""
        return [
            WayResult(way.choice.describe(), np.array([mark == "1" for mark in way.right]), way.seconds)
            for way in self.ways
        ]

    def describe_judges(self, runs: Sequence[Run]) -> str:
        """Say which images judged, and how far that is to be trusted."""
        split: JudgedOn = "held" if self.held else "val"
        plain = self.ways[0].right
        said = describe_judges(
            self.runs[0], split, len(plain), soup_chosen=bool(self.soup), unknown=name_unknowns(runs)
        )
        told = "" if self.held else tell_asked_again(runs[0], plain.count("1"), len(plain))
        return f"{said} {told}".rstrip()


def task_folder(run: Run) -> Path:
    """Return where the measuring of ways to predict is watched, and what it found is kept."""
    return run.folder / ".ways"


def keep_measured(run: Run, found: Measured) -> None:
    """Keep what was measured with the run that was asked first."""
    path = _find_path(run, found.runs)
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(asdict(found)) + "\n")


def read_measured(runs: Sequence[Run]) -> Measured | None:
    """Return what was measured of these runs, in this order; None before, and when one has another best model since.

    Raises:
        RunError: where it is damaged.
    """
    path = _find_path(runs[0], [run.id for run in runs])
    try:
        found = take(Measured, read_object(path, most=_MOST))
        lengths = {len(way.right) for way in found.ways}
        if len(lengths) != 1 or lengths == {0}:
            raise ValueError("its ways were not measured on the same images")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{name_place(path)} cannot be read ({describe_unreadable(error)}). Measure again."
        ) from None
    return found if found.epochs == tuple(run.read_status().best_epoch for run in runs) else None


def _find_path(run: Run, runs: Sequence[str]) -> Path:
    digest = hashlib.sha256("\n".join(runs).encode()).hexdigest()[:16]
    return task_folder(run) / f"measured-{digest}.json"
