"""A trained model on new images: ranked classes and heat maps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from core.model.evidence import GRADCAM, Evidence
from core.model.faithfulness import Faithfulness, measure_faithfulness
from core.model.placement import choose_placement
from core.model.strangers import Strangers, read_strangers
from core.networks.build import head_of
from core.networks.fold import fold_norms
from core.networks.stages import Stage, find_stages
from core.networks.table import IMAGENET, InputFormat
from core.runs.run import Run
from core.training import engine
from core.training.checkpoint import load_best
from core.training.loaders import crop_transforms, from_pixels, to_pixels
from core.training.memory import memory_in_words

PLAIN, MIRROR, WHOLE, CLOSER = "plain", "mirror", "whole", "closer"  # the views of an image
_CLOSER = 8 / 7  # as 256 is to 224
Pixels = npt.NDArray[np.uint8]  # (S, S, 3): what a network sees of an image


@dataclass(frozen=True)
class Prediction:
    """The classes a model finds likeliest, by folder name, with their confidences (0..1), best first.

    `nearness` is the cosine similarity (-1..1) to the nearest training image, and `strange` tells whether that is too low for
    one of the classes; both None where that was not learned.
    """

    classes: tuple[str, ...]
    confidences: tuple[float, ...]
    strange: bool | None = None
    nearness: float | None = None


class Answers(Protocol):
    """What predicts images: a run's best model, or several answers averaged.

    An image is first looked at, which takes neither the network nor torch and so can be done by other threads.
    """

    classes: tuple[str, ...]
    display: Mapping[str, str]

    def look(self, image: Image.Image) -> tuple[Pixels, ...]:
        """Return what there is to be seen of an RGB image, for `answer`."""

    def answer(self, seen: Sequence[tuple[Pixels, ...]], *, temperature: float = 1.0) -> list[Prediction]:
        """Return the top 5 classes of each image that was looked at."""


class Predictor:
    """A run's best model, ready for images. Holds the network in memory; make it once, for any number of threads."""

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: Sequence[str],
        image_size: int,
        resize_size: int,
        compute: engine.Compute,
        inputs: InputFormat = IMAGENET,
        stages: Mapping[int, Stage] | None = None,
        display: Mapping[str, str] | None = None,
        strangers: Strangers | None = None,
    ) -> None:
        self.model = compute.place_model(model).eval()
        self.classes, self.compute = tuple(classes), compute
        self.display: Mapping[str, str] = display or {}
        self.strangers = strangers
        self.image_size, self.inputs, self.stages = image_size, inputs, stages
        self._crops = {
            PLAIN: crop_transforms(image_size, resize_size, inputs),
            WHOLE: crop_transforms(image_size, (image_size, image_size), inputs),
            CLOSER: crop_transforms(image_size, round(_CLOSER * resize_size), inputs),
        }
        # What answers in the network's place, probabilities (N, C) for what `see` returns as (N, S, S, 3); see core.ship.quick.
        self.shortcut: Callable[[Pixels], npt.NDArray[np.float32]] | None = None
        # A heat map hooks the network: what another thread ran through it meanwhile would be mixed into the map.
        self._lock = threading.Lock()

    @classmethod
    def from_run(cls, run: Run) -> Predictor:
        """Load a run's best model, and what tells strangers for it; raises RunError when it has none."""
        return cls.from_model(*load_best(run), run=run, strangers=read_strangers(run))

    @classmethod
    def from_model(
        cls, model: nn.Module, values: Mapping[str, Any], *, run: Run, strangers: Strangers | None = None
    ) -> Predictor:
        """Make it of a network and the other values of a checkpoint, as `load_best` returns them, asked as `run` is."""
        model = fold_norms(model, values["image_size"])
        return cls(
            model,
            classes=values["classes"],
            image_size=values["image_size"],
            resize_size=values["resize_size"],
            compute=choose_placement(run),
            inputs=InputFormat.from_values(values),
            stages=find_stages(model, values["image_size"]),
            display=values.get("display"),
            strangers=strangers,
        )

    @property
    def sides(self) -> dict[int, int]:
        """Return the side in cells of the maps of each stage, by its number."""
        return {number: stage.side for number, stage in (self.stages or {}).items()}

    def see(self, image: Image.Image, view: str = PLAIN) -> Pixels:
        """Return what the network sees of an RGB image, uint8 (S, S, 3).

        The view `plain` is that of validation and `mirror` the same from left to right. `whole` is the image squeezed
        into the square, with nothing cut off, and `closer` its middle enlarged by a seventh.
        """
        pixels = np.asarray(self._crops[PLAIN if view == MIRROR else view](image))
        return pixels[:, ::-1] if view == MIRROR else pixels

    def prepare(self, images: Sequence[Image.Image], view: str = PLAIN) -> torch.Tensor:
        """Return a view of RGB images as the network's input: float32 (N, 3, S, S) on its device."""
        seen = np.stack([self.see(image, view) for image in images])
        return self.compute.place_images(from_pixels(seen, self.inputs))

    @torch.inference_mode()
    def weigh_seen(self, seen: Sequence[Pixels], *, temperature: float = 1.0) -> torch.Tensor:
        """Return the probabilities of all classes for images as `see` returns them: float32 (N, C) on the CPU."""
        if self.shortcut is not None:
            weights = torch.from_numpy(self.shortcut(np.stack(seen)))
            return weights if temperature == 1 else (weights.log() / temperature).softmax(1)
        with self._lock:
            logits = self.compute.ask(self.model, from_pixels(np.stack(seen), self.inputs))
        return (logits.float() / temperature).softmax(1).cpu()

    def read_features(self, images: Sequence[Image.Image]) -> torch.Tensor:
        """Return what the last layer is given of RGB images: float32 (N, D) on the CPU."""
        return self._ask_both([self.see(image) for image in images])[1]

    def weigh_and_measure(
        self, seen: Sequence[Pixels], *, temperature: float = 1.0
    ) -> tuple[torch.Tensor, list[float] | None]:
        """Return the probabilities as `weigh_seen` does, and how near training images are, in one pass.

        None stands for the nearness where it was not learned to tell strangers.
        """
        if self.strangers is None:
            return self.weigh_seen(seen, temperature=temperature), None
        logits, features = self._ask_both(seen)
        return (logits / temperature).softmax(1), self.strangers.measure(features).tolist()

    @torch.inference_mode()
    def _ask_both(self, seen: Sequence[Pixels]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (N, C) and features (N, D) of what was seen of images, float32 on the CPU, in one pass."""
        features: list[torch.Tensor] = []
        with self._lock:
            hook = head_of(self.model).register_forward_pre_hook(
                lambda _, given: features.append(given[0].flatten(1))
            )
            try:
                logits = self.compute.ask(self.model, from_pixels(np.stack(seen), self.inputs))
            finally:
                hook.remove()
        return logits.float().cpu(), features[0].float().cpu()

    def weigh_classes(
        self, images: Sequence[Image.Image], *, temperature: float = 1.0, view: str = PLAIN
    ) -> torch.Tensor:
        """Return the probabilities of all classes for a view of RGB images: float32 (N, C) on the CPU."""
        return self.weigh_seen([self.see(image, view) for image in images], temperature=temperature)

    def look(self, image: Image.Image) -> tuple[Pixels, ...]:
        """Return what there is to be seen of an RGB image, for `answer`."""
        return (self.see(image),)

    def answer(self, seen: Sequence[tuple[Pixels, ...]], *, temperature: float = 1.0) -> list[Prediction]:
        """Return the top 5 classes of each image that was looked at."""
        if not seen:
            return []
        pixels = [one for (one,) in seen]
        weights, near = self.weigh_and_measure(pixels, temperature=temperature)
        return mark_strangers(name_likeliest(weights, self.classes), near, self.strangers)

    def predict(self, images: Sequence[Image.Image], *, temperature: float = 1.0) -> list[Prediction]:
        """Return the top 5 classes of each RGB image; the run's `temperature` makes their confidences calibrated."""
        return self.answer([self.look(image) for image in images], temperature=temperature)

    def explain(
        self,
        images: Sequence[Image.Image],
        wanted: Sequence[Sequence[Evidence]],
        *,
        method: str = GRADCAM,
        stage: int | None = None,
    ) -> tuple[npt.NDArray[np.uint8], list[list[npt.NDArray[np.float32]]]]:
        """Return what the network saw, uint8 (N, S, S, 3), and for each image its maps, float32 (S, S) in 0..1.

        `wanted` lists for each image what its maps are to show; see `core.model.explain.explain`.
        """
        return self.explain_seen([self.see(image) for image in images], wanted, method=method, stage=stage)

    def explain_seen(
        self, seen: Sequence[Pixels], wanted: Sequence[Sequence[Evidence]], *, method: str = GRADCAM,
        stage: int | None = None,
    ) -> tuple[npt.NDArray[np.uint8], list[list[npt.NDArray[np.float32]]]]:  # fmt: skip
        """Return the same as `explain` for what the network sees of images."""
        from core.model.explain import MapQuestion, explain

        inputs = self.compute.place_images(from_pixels(np.stack(seen), self.inputs))
        questions = [
            MapQuestion(
                number, self._index(one.name), self._index(one.rather_than) if one.rather_than else None
            )
            for number, all_of_it in enumerate(wanted)
            for one in all_of_it
        ]
        enough = memory_in_words("heat maps", "End what else runs there, such as a training.")
        with self._lock, enough, self.compute.autocast():
            maps = iter(
                explain(self.model, inputs, questions, method=method, stage=stage, stages=self.stages)
            )
        return to_pixels(inputs, self.inputs), [[next(maps) for _ in all_of_it] for all_of_it in wanted]

    def measure_faithfulness(
        self, image: Image.Image, heat: npt.NDArray[np.float32], name: str
    ) -> Faithfulness | None:
        """Measure what hiding an image's most marked pixels takes from the confidence for the class named."""
        prepared = self.prepare([image])
        with self._lock:
            return measure_faithfulness(self.model, prepared, heat, self._index(name), self.compute)

    def _index(self, name: str) -> int:
        return self.classes.index(name)


def name_likeliest(probabilities: torch.Tensor, classes: Sequence[str]) -> list[Prediction]:
    """Return the top 5 of probabilities (N, C) by the names of the classes."""
    top = probabilities.topk(min(engine.TOP, len(classes)), dim=1)
    return [
        Prediction(tuple(classes[i] for i in index), tuple(values))
        for values, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    ]


def mark_strangers(
    predictions: Sequence[Prediction], near: Sequence[float] | None, strangers: Strangers | None
) -> list[Prediction]:
    """Return predictions with how near training images are and whether that is too far; as they are where it is not known."""
    if strangers is None or near is None:
        return list(predictions)
    return [
        replace(one, strange=value < strangers.threshold, nearness=value)
        for one, value in zip(predictions, near, strict=True)
    ]
