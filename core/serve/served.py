"""A run's best model as it was when the server began: what it answers, and what is known of it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from core.dataset.images import read_image
from core.model.calibration import Estimate, Threshold, read_calibration, read_threshold
from core.model.predict import Prediction, Predictor, name_likeliest
from core.runs.run import Run
from core.training.checkpoint import load_best
from core.verdicts.predictions import wilson_interval
from core.words import format_class

_DECIMALS = 6  # of a confidence


@dataclass(frozen=True)
class Served:
    """The model of an epoch of a run, with its confidences' temperature and the threshold below which it is not sure.

    `display` has the names of classes that are not called as their folders, `accuracy` what it had right (0..1) of
    `val_count` validation images. `calibration_error` is None where its confidences were not measured, `threshold`
    where none was chosen.
    """

    run: Run
    predictor: Predictor
    network: str
    epoch: int
    display: Mapping[str, str]
    accuracy: float
    val_count: int
    temperature: float = 1.0
    calibration_error: Estimate | None = None
    threshold: Threshold | None = None

    def prepare(self, data: bytes) -> torch.Tensor:
        """Return the network's input (1, 3, S, S) for an image as it was sent.

        Raises:
            ImageProblem: saying why it is no usable image.
        """
        return self.predictor.prepare([read_image(io.BytesIO(data))])

    def ask(self, inputs: Sequence[torch.Tensor]) -> list[Prediction]:
        """Return the top 5 classes of each image, from its input (1, 3, S, S)."""
        weighed = self.predictor.weigh_inputs(torch.cat([*inputs]), temperature=self.temperature)
        return name_likeliest(weighed, self.predictor.classes)

    def is_sure(self, prediction: Prediction) -> bool | None:
        """Tell whether a first guess is as confident as the threshold asks; None where none was chosen."""
        return None if self.threshold is None else prediction.confidences[0] >= self.threshold.value

    def describe_prediction(self, name: str, prediction: Prediction) -> dict[str, Any]:
        """Return what is answered for an image, as JSON has it."""
        return {
            "name": name,
            "sure": self.is_sure(prediction),
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
            "threshold": None
            if self.threshold is None
            else {"value": self.threshold.value, "wanted_accuracy": self.threshold.wanted},
            "classes": [self._name_class(folder) for folder in self.predictor.classes],
        }

    def _describe_calibration(self) -> dict[str, Any] | None:
        if self.calibration_error is None:
            return None
        return {"temperature": self.temperature, "error": asdict(self.calibration_error)}

    def _name_class(self, folder: str) -> dict[str, str]:
        return {"name": folder, "label": format_class(folder, dict(self.display))}


def load_served(run: Run) -> Served:
    """Load a run's best model with what was measured of this very model, and ask it once, so that no client waits for that.

    Raises:
        RunError: when the run has no model that can be used, or what was measured of it is damaged.
    """
    model, values = load_best(run)
    status = run.read_status()
    epoch = int(values.get("epoch", status.best_epoch))
    predictor = Predictor.from_model(model, values, run=run)
    found = read_calibration(run)
    if found is not None and found.epoch != epoch:  # the run has got a better model meanwhile
        found = None
    temperature = 1.0 if found is None else found.temperature
    threshold = read_threshold(run, temperature=temperature)
    size = predictor.image_size
    predictor.weigh_inputs(torch.zeros(1, 3, size, size))
    return Served(
        run,
        predictor,
        network=values["arch"],
        epoch=epoch,
        display=values.get("display", {}),
        accuracy=float(values.get("val_acc", status.best_val_acc)),
        val_count=status.val_count,
        temperature=temperature,
        calibration_error=None if found is None else found.after.ece,
        threshold=threshold if threshold is not None and threshold.epoch == epoch else None,
    )
