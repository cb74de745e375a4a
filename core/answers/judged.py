"""What a run's table of labelled images is of: kept beside it, and read by every page that shows it; no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from core.files import write_text
from core.reading import take
from core.runs.run import TEST, Run
from core.words import format_count

_RECORD = "test.json"


@dataclass(frozen=True)
class Judged:
    """What a run's best model was judged on: the labelled images of a folder, and how many of them it gets right.

    `unlabelled` counts files without a label that is a class of the model, `unread` those that cannot be read, and
    `known` the images that the model was trained on, itself or through one it came from: they prove nothing.
    """

    images: str
    epoch: int
    count: int
    right: int
    unlabelled: int = 0
    unread: int = 0
    known: int = 0

    def describe_left_out(self) -> str:
        """Return in words what of the folder was not judged, and what of it proves nothing; empty where all is well."""
        words = []
        if self.unlabelled:
            words.append(
                f"{format_count(self.unlabelled, 'file', 'has')} no label that is a class of this run."
            )
        if self.unread:
            words.append(f"{format_count(self.unread, 'file')} cannot be read.")
        if self.known:
            words.append(
                f"The model was trained on {format_count(self.known, 'image')} of these, so the figures are too high."
            )
        return " ".join(words)


def keep_judged(run: Run, judged: Judged) -> None:
    """Write what a run's table of labelled images is of."""
    write_text(run.folder / _RECORD, json.dumps(asdict(judged), indent=2) + "\n")


def read_judged(run: Run) -> Judged | None:
    """Return what the table of a run's labelled images is of; None where there is none, or it was of another model."""
    values = run.read_json(_RECORD)
    if not values or not run.predictions_path(TEST).exists():
        return None
    try:
        found = take(Judged, values)
    except ValueError:
        return None
    return found if found.epoch == run.read_status().best_epoch else None
