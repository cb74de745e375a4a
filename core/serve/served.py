"""A run's best model as it was when the server began: what it answers, and what is known of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.confidence.kept import read_calibration
from core.confidence.measured import Estimate
from core.confidence.threshold import UNDECIDED, Threshold, read_threshold
from core.dataset.images import read_image
from core.model.predict import Pixels, Prediction, Predictor
from core.model.strangers import read_strangers
from core.runs.run import Run
from core.ship.quick import WORTH, hasten
from core.training.checkpoint import load_best
from core.verdicts.predictions import wilson_interval
from core.words import format_class

_DECIMALS = 6  # of a confidence


@dataclass(frozen=True)
class Served:
    """The model of an epoch of a run, with its confidences' temperature and the threshold below which it is not sure.

    `accuracy` is what it had right (0..1) of `val_count` validation images. `calibration_error` is None where its
    confidences were not measured, `threshold` where none was chosen: then it is not sure below UNDECIDED.
    """

    run: Run
    predictor: Predictor
    network: str
    epoch: int
    accuracy: float
    val_count: int
    temperature: float = 1.0
    calibration_error: Estimate | None = None
    threshold: Threshold | None = None

    def look(self, data: bytes) -> tuple[Pixels, ...]:
        """Return what there is to be seen of an image as it was sent, for `answer`.

        Raises:
            ImageProblem: saying why it is no usable image.
        """
        return self.predictor.look(read_image(io.BytesIO(data)))

    def answer(self, seen: Sequence[tuple[Pixels, ...]]) -> list[Prediction]:
        """Return the top 5 classes of each image that was looked at."""
        return self.predictor.answer(seen, temperature=self.temperature)

    @property
    def least(self) -> float:
        """Return the confidence (0..1) below which the model is not sure."""
        return UNDECIDED if self.threshold is None else self.threshold.value

    def describe_prediction(self, name: str, prediction: Prediction) -> dict[str, Any]:
        """Return what is answered for an image, as JSON has it."""
        return {
            "name": name,
            "sure": prediction.confidences[0] >= self.least,
            "strange": prediction.strange,
            "classes": [
                {**self._name_class(folder), "confidence": round(confidence, _DECIMALS)}
                for folder, confidence in zip(prediction.classes, prediction.confidences, strict=True)
            ],
        }

    def describe(self) -> dict[str, Any]:
        """Return what is known of the model, as JSON has it; `newer_epoch` is that of a better one the run has by now."""
        low, high = wilson_interval(self.accuracy * self.val_count, self.val_count)
        best = self.run.read_status().best_epoch
        return {
            "run": self.run.id,
            "epoch": self.epoch,
            "newer_epoch": best if best > self.epoch else None,
            "network": self.network,
            "image_size": self.predictor.image_size,
            "computes": str(self.predictor.compute),
            "accuracy": {
                "value": self.accuracy,
                "low": float(low),
                "high": float(high),
                "images": self.val_count,
            },
            "calibration": self._describe_calibration(),
            "threshold": {
                "value": self.least,
                "chosen": self.threshold is not None,
                "wanted_accuracy": None if self.threshold is None else self.threshold.wanted,
            },
            "tells_strangers": self.predictor.strangers is not None,
            "classes": [self._name_class(folder) for folder in self.predictor.classes],
        }

    def _describe_calibration(self) -> dict[str, Any] | None:
        if self.calibration_error is None:
            return None
        return {"temperature": self.temperature, "error": asdict(self.calibration_error)}

    def _name_class(self, folder: str) -> dict[str, str]:
        return {"name": folder, "label": format_class(folder, dict(self.predictor.display))}


def load_served(run: Run) -> Served:
    """Load a run's best model with what was measured of this very model, and ask it once, so that no client waits for that.

    Raises:
        RunError: when the run has no model that can be used, or what was measured of it is damaged.
    """
    model, values = load_best(run)
    status = run.read_status()
    epoch = int(values.get("epoch", status.best_epoch))
    # What was measured of another model than the one just loaded: the run may have got a better one meanwhile.
    strangers, found = read_strangers(run), read_calibration(run)
    strangers = strangers if strangers is not None and strangers.epoch == epoch else None
    found = found if found is not None and found.epoch == epoch else None
    predictor = Predictor.from_model(model, values, run=run, strangers=strangers)
    temperature = 1.0 if found is None else found.temperature
    threshold = read_threshold(run, temperature=temperature)
    hasten(predictor, run, images=WORTH)  # a server will be asked about as many
    size = predictor.image_size
    predictor.answer([(np.zeros((size, size, 3), dtype=np.uint8),)])
    return Served(
        run,
        predictor,
        network=values["arch"],
        epoch=epoch,
        accuracy=float(values.get("val_acc", status.best_val_acc)),
        val_count=status.val_count,
        temperature=temperature,
        calibration_error=None if found is None else found.after.ece,
        threshold=threshold if threshold is not None and threshold.epoch == epoch else None,
    )
