"""How well strangers are recognised: images of a run against those of a folder that shows none of its classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sklearn.metrics import roc_auc_score

from core.answers.ask import Progress, ask_images
from core.answers.sources import find_images
from core.errors import DataError
from core.model.predict import Predictor
from core.places import own_command
from core.runs.run import Run
from core.runs.run_data import recorded_folders
from core.words import format_count, format_share


@dataclass(frozen=True)
class Told:
    """How many strangers of a folder, and how many of a run's own images, are told to be strangers.

    `auroc` (0..1) is how often, of a stranger and an own image, the stranger is the one less like training images.
    """

    strangers: int
    told: int
    own: int
    own_told: int
    auroc: float

    def describe(self) -> str:
        """Return it in words."""
        return (
            f"{format_share(self.told / self.strangers)} of {format_count(self.strangers, 'stranger')} recognised, and wrongly "
            f"{format_share(self.own_told / self.own)} of {format_count(self.own, 'image')} of the run's own; AUROC {self.auroc:.3f}"
        )


def measure_against(run: Run, folder: Path, *, progress: Progress | None = None) -> Told | None:
    """Measure how well a run tells a folder's images from its own, of those held back, else of validation.

    None when `progress(done, total)` told to stop.

    Raises:
        RunError: where the run has no model or its data is gone.
        DataError: where it has not learned to tell strangers, or no image of the folder can be read.
    """
    predictor, folders = Predictor.from_run(run), recorded_folders(run)
    if predictor.strangers is None:
        raise DataError(
            f"{run.id} has not learned to recognise strangers yet. Let it: {own_command()} strangers {run.id}"
        )
    own = [folders.root / sample.path for sample in folders.held or folders.val]
    asked = ask_images(predictor, [*own, *find_images([folder])], progress=progress)
    if asked is None:
        return None
    told = [(number < len(own), answer) for number, answer in enumerate(asked.answers) if answer is not None]
    if all(is_own for is_own, _ in told):
        raise DataError(f"No file in {folder} can be read as an image. Give a folder of images.")
    flagged = [(is_own, bool(answer.strange)) for is_own, answer in told]
    return Told(
        sum(not is_own for is_own, _ in told),
        sum(strange for is_own, strange in flagged if not is_own),
        sum(is_own for is_own, _ in told),
        sum(strange for is_own, strange in flagged if is_own),
        float(roc_auc_score([is_own for is_own, _ in told], [answer.nearness for _, answer in told])),
    )
