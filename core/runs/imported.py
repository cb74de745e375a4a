"""Runs made of a table of predictions from elsewhere: what they came from, and what they cannot do without a model."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from core.errors import RunError
from core.files import write_file, write_text
from core.reading import take
from core.runs.run import Run

if TYPE_CHECKING:  # what lists runs need not wait for numpy
    import numpy as np
    import numpy.typing as npt

ORIGIN_FILE = "imported.json"
NONE, TOP, ALL = "none", "top", "all"
CONFIDENCES = (NONE, TOP, ALL)
_LOG_PROBS_FILE = "log-probs.npz"
_MOST = 4_000_000_000  # bytes of it: a million images of 1,000 classes


@dataclass(frozen=True)
class Origin:
    """The file a run was imported from, and its confidences: `none`, of the predicted class (`top`) or of `all`.

    `notes` say in sentences what its columns were taken for.
    """

    table: str
    confidences: str
    notes: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return it as it stands beside a run's name: 'imported from predictions.csv'."""
        return f"imported from {self.table}"


def write_origin(run: Run, origin: Origin) -> None:
    """Mark a run as imported."""
    write_text(run.folder / ORIGIN_FILE, json.dumps(asdict(origin)) + "\n")


def read_origin(run: Run) -> Origin | None:
    """Return what a run was imported from, None for one that was trained here; raises RunError where it is damaged."""
    values = run.read_json(ORIGIN_FILE)
    if not values:
        return None
    try:
        found = take(Origin, values)
    except ValueError as error:
        raise RunError(f"{run.id}: {ORIGIN_FILE} is damaged: {error}. Import the table again.") from None
    if found.confidences not in CONFIDENCES:
        raise RunError(
            f"{run.id}: {ORIGIN_FILE} is damaged: confidences must be one of {', '.join(CONFIDENCES)}. Import the table again."
        )
    return found


def describe_origin(run: Run) -> str:
    """Return 'imported from predictions.csv' for a run that was; empty for one trained here, or of which it is not known."""
    if not os.path.lexists(os.path.join(run.folder, ORIGIN_FILE)):  # noqa: PTH118  thousands at a time
        return ""
    try:
        origin = read_origin(run)
    except RunError:
        return ""
    return "" if origin is None else origin.describe()


def lacks_model(run: Run) -> bool:
    """Tell whether a run was imported without weights."""
    return not run.best_path.exists() and bool(describe_origin(run))


def refuse_imported(run: Run, what: str) -> None:
    """Raise RunError where a run was imported: `what` is what there is none of, 'no training to go on with'."""
    if (origin := read_origin(run)) is not None:
        raise RunError(f"{run.id} was imported from {origin.table}, so there is {what}.")


def refuse_without_model(run: Run) -> None:
    """Raise RunError where a run was imported without weights, so that there is no model to ask."""
    if not run.best_path.exists():
        refuse_imported(
            run,
            "no model: heat maps, new predictions and further training need one. Where its weights are at hand, import the "
            "table again with --weights and --arch",
        )


def write_log_probs(run: Run, log_probs: npt.NDArray[np.float32]) -> None:
    """Keep the natural log-probabilities (N, C) of the images of an imported run, in the order of its table."""
    import numpy as np

    write_file(run.folder / _LOG_PROBS_FILE, lambda file: np.savez_compressed(file, log_probs=log_probs))


def load_log_probs(run: Run) -> npt.NDArray[np.float32]:
    """Return what `write_log_probs` kept; raises RunError where it is gone or damaged."""
    import numpy as np

    from core.arrays import read_arrays

    try:
        found = read_arrays(run.folder / _LOG_PROBS_FILE, most=_MOST).get("log_probs")
        if found is None or found.dtype != np.float32 or found.ndim != 2:
            raise ValueError("it holds no table of numbers")
    except (OSError, ValueError) as error:
        raise RunError(
            f"{run.id}: {_LOG_PROBS_FILE} cannot be read ({error}). Import the table again."
        ) from None
    return found
