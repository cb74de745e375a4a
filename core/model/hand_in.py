"""The predictions of a folder of images, to hand in: made whole in a folder of their own, with what they are of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import RunError
from core.files import draft_folder, replace_folder, write_text
from core.reading import read_object, take
from core.runs.run import Run
from core.words import format_count

HAND_IN, DETAILS = "prediction.csv", "prediction-details.csv"
_RECORD = "hand-in.json"
_MOST = 1_000_000_000  # bytes of it
Progress = Callable[[int, int], bool]


@dataclass(frozen=True)
class HandIn:
    """What was predicted: the images of a folder, by the model of an epoch, at a temperature and threshold (0..1).

    `left_out` are the files that could not be read, each with the reason; `unsure` counts images below the threshold.
    """

    images: str
    epoch: int
    temperature: float
    threshold: float
    count: int
    unsure: int
    left_out: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        """Return how many images were predicted and how many files left out."""
        images, count = f"{format_count(self.count, 'image')} predicted", len(self.left_out)
        return f"{images}, {format_count(count, 'file')} left out." if count else f"{images}."


def hand_in_folder(task: Path) -> Path:
    """Return the folder inside a task's that holds what it made."""
    return task / "result"


def predict_folder(
    run: Run, images: Path, task: Path, *, temperature: float, threshold: float, progress: Progress
) -> HandIn | None:
    """Predict every image of a folder into the result of a task's folder; None when `progress` told to stop.

    What an earlier one made stays until all of this is done, and is then replaced.

    Raises:
        RunError: when there is no such folder or nothing in it, or the run has no model.
    """
    from core.model.predict import Predictor, find_images, predict_files  # brings torch

    paths = find_images([images])
    epoch = run.read_status().best_epoch
    with draft_folder(hand_in_folder(task)) as draft:
        found = predict_files(
            Predictor.from_run(run), paths, draft / HAND_IN, details=draft / DETAILS, temperature=temperature,
            min_confidence=threshold, progress=progress,
        )  # fmt: skip
        if found is None:
            return None
        left_out = tuple((Path(bad.path).relative_to(images).as_posix(), bad.reason) for bad in found.bad)
        hand_in = HandIn(
            str(images), epoch, temperature, threshold, len(paths) - len(left_out), found.unsure, left_out
        )
        write_text(draft / _RECORD, json.dumps(asdict(hand_in), indent=2) + "\n")
        replace_folder(draft, hand_in_folder(task))
    return hand_in


def read_hand_in(task: Path) -> HandIn | None:
    """Return what a task's folder holds, None before the first; raises RunError when it is damaged."""
    path = hand_in_folder(task) / _RECORD
    try:
        return take(HandIn, read_object(path, most=_MOST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error}). Predict the folder again.") from None
