"""A trained model on new images: ranked classes, heat maps, and the hand-in file."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from core.dataset.images import BadImage, ImageProblem, read_image
from core.dataset.walk import MISNAMED, natural_key, walk_through
from core.errors import RunError
from core.files import write_rows
from core.model.evidence import GRADCAM, Evidence
from core.model.explain import MapQuestion, explain
from core.model.faithfulness import Faithfulness, measure_faithfulness
from core.model.placement import choose_placement
from core.networks.fold import fold_norms
from core.networks.stages import Stage, find_stages
from core.networks.table import IMAGENET, InputFormat
from core.runs.run import Run
from core.training import engine
from core.training.checkpoint import load_best
from core.training.loaders import eval_transforms, to_pixels
from core.training.memory import memory_in_words
from core.words import show_path

PLAIN, MIRROR, WHOLE, CLOSER = "plain", "mirror", "whole", "closer"  # the views of an image
_CLOSER = 8 / 7  # as 256 is to 224
DETAIL_COLUMNS = ("image_name", "pred_label", "confidence", "sure")


@dataclass(frozen=True)
class Prediction:
    """The classes a model finds likeliest, by folder name, with their confidences (0..1), best first."""

    classes: tuple[str, ...]
    confidences: tuple[float, ...]


class Answers(Protocol):
    """What predicts images: a run's best model, or several answers averaged."""

    def predict(self, images: Sequence[Image.Image], *, temperature: float = 1.0) -> list[Prediction]:
        """Return the top 5 classes of each RGB image."""


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
    ) -> None:
        self.model = compute.place_model(model).eval()
        self.classes, self.compute = tuple(classes), compute
        self.image_size, self.inputs, self.stages = image_size, inputs, stages
        self._transforms = {
            PLAIN: eval_transforms(image_size, resize_size, inputs),
            WHOLE: eval_transforms(image_size, (image_size, image_size), inputs),
            CLOSER: eval_transforms(image_size, round(_CLOSER * resize_size), inputs),
        }
        # A heat map hooks the network: what another thread ran through it meanwhile would be mixed into the map.
        self._lock = threading.Lock()

    @classmethod
    def from_run(cls, run: Run) -> Predictor:
        """Load a run's best model; raises RunError when it has none."""
        return cls.from_model(*load_best(run), run=run)

    @classmethod
    def from_model(cls, model: nn.Module, values: Mapping[str, Any], *, run: Run) -> Predictor:
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
        )

    @property
    def sides(self) -> dict[int, int]:
        """Return the side in cells of the maps of each stage, by its number."""
        return {number: stage.side for number, stage in (self.stages or {}).items()}

    def prepare(self, images: Sequence[Image.Image], view: str = PLAIN) -> torch.Tensor:
        """Return RGB images as the network's input: float32 (N, 3, S, S) on its device.

        The view `plain` is that of validation and `mirror` the same from left to right. `whole` is the image squeezed
        into the square, with nothing cut off, and `closer` its middle enlarged by a seventh.
        """
        transform = self._transforms[PLAIN if view == MIRROR else view]
        batch = torch.stack([transform(image) for image in images])
        return self.compute.place_images(batch.flip(3) if view == MIRROR else batch)

    def weigh_classes(
        self, images: Sequence[Image.Image], *, temperature: float = 1.0, view: str = PLAIN
    ) -> torch.Tensor:
        """Return the probabilities of all classes for a view of RGB images: float32 (N, C) on the CPU."""
        return self.weigh_inputs(self.prepare(images, view), temperature=temperature)

    @torch.inference_mode()
    def weigh_inputs(self, inputs: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
        """Return the probabilities of all classes for what `prepare` has returned: float32 (N, C) on the CPU."""
        with self._lock:
            logits = self.compute.ask(self.model, inputs)
        return (logits.float() / temperature).softmax(1).cpu()

    def predict(self, images: Sequence[Image.Image], *, temperature: float = 1.0) -> list[Prediction]:
        """Return the top 5 classes of each RGB image; the run's `temperature` makes their confidences calibrated."""
        if not images:
            return []
        return name_likeliest(self.weigh_classes(images, temperature=temperature), self.classes)

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
        inputs = self.prepare(images)
        questions = [
            MapQuestion(
                number, self._index(one.name), self._index(one.rather_than) if one.rather_than else None
            )
            for number, all_of_it in enumerate(wanted)
            for one in all_of_it
        ]
        enough = memory_in_words("heat maps", "End what else computes there, such as a training.")
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


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Return the files named and those in the folders named, sorted as people count inside each folder.

    A file that cannot be opened, such as a link that leads nowhere, is among them: its prediction will say why.

    Raises:
        RunError: for a path that does not exist, a folder without files or one that cannot be looked into, and for a
            name that no table can hold.
    """
    found: list[Path] = []
    for path in paths:
        if show_path(path) != str(path):
            raise RunError(f"{show_path(path)} {MISNAMED}.")
        if path.is_dir():
            found += _list_folder(path)
        elif path.exists() or path.is_symlink():
            found.append(path)
        else:
            raise RunError(f"{path}: there is no such file or folder.")
    return found


def _list_folder(folder: Path) -> list[Path]:
    inside = walk_through(folder)
    if refused := [*inside.closed, *(item for item in inside.odd if item.reason == MISNAMED)]:
        more = f" There are {len(refused) - 1} more like it." if len(refused) > 1 else ""
        raise RunError(f"{folder / refused[0].path} {refused[0].reason}.{more}")
    files = [*inside.files, *(item.path for item in (*inside.odd, *inside.dead))]
    if not files:
        raise RunError(f"{folder}: the folder has no files.")
    return [folder / path for path in sorted(files, key=natural_key)]


def name_images(paths: Sequence[Path]) -> list[str]:
    """Return what a table calls each image: its file's name, with as many folders as tell it from others of that name."""
    names = {path: path.name for path in paths}
    for length in range(2, max((len(path.parts) for path in paths), default=0) + 1):
        counts = Counter(names.values())
        alike = [path for path, name in names.items() if counts[name] > 1]
        if not alike:
            break
        names |= {path: "/".join(path.parts[-length:]) for path in alike}
    return [names[path] for path in paths]


@dataclass(frozen=True)
class FilesPredicted:
    """What became of files: those that could not be read, and how many of the others the model is not sure of."""

    bad: list[BadImage]
    unsure: int


def predict_files(
    predictor: Answers,
    paths: Sequence[Path],
    out: Path,
    *,
    details: Path | None = None,
    temperature: float = 1.0,
    min_confidence: float = 0.0,
    batch_size: int = 32,
    progress: Callable[[int, int], bool] | None = None,
) -> FilesPredicted | None:
    """Write the hand-in file `image_name,pred_label` for image files; None when `progress(done, total)` told to stop.

    The names are the files' names (see `name_images`) and the labels the class folders' names, in the order of `paths`,
    a label for every image however sure. `details` is a second file that also has its confidence (0..1) at this temperature and whether
    it is `sure`: yes where the confidence is at least `min_confidence`. Each file is written whole or not at all.

    Raises:
        RunError: before the work, where both are one file or a folder is missing.
        OSError: when a file cannot be written.
    """
    if details == out:
        raise RunError(f"{out}: the hand-in file and the one with details must be two files.")
    for file in (out, details):
        if file is not None and not file.parent.is_dir():
            raise RunError(f"{file}: cannot be written, there is no folder {file.parent}.")
    names = dict(zip(paths, name_images(paths), strict=True))
    bad: list[BadImage] = []
    rows: list[tuple[str, str, str, str]] = []
    for start in range(0, len(paths), batch_size):
        good: list[tuple[Path, Image.Image]] = []
        for path in paths[start : start + batch_size]:
            try:
                good.append((path, read_image(path)))
            except ImageProblem as problem:
                bad.append(BadImage(str(path), str(problem)))
        found = predictor.predict([image for _, image in good], temperature=temperature)
        rows += [
            (names[path], p.classes[0], f"{p.confidences[0]:.6f}", say_sure(p.confidences[0], min_confidence))
            for (path, _), p in zip(good, found, strict=True)
        ]
        if progress is not None and not progress(min(start + batch_size, len(paths)), len(paths)):
            return None
    write_rows(out, DETAIL_COLUMNS[:2], [row[:2] for row in rows])
    if details is not None:
        write_rows(details, DETAIL_COLUMNS, rows)
    return FilesPredicted(bad, sum(row[3] == "no" for row in rows))


def say_sure(confidence: float, min_confidence: float) -> str:
    """Return `yes` or `no`: whether a confidence (0..1) is enough to answer, as the tables of predictions have it."""
    return "yes" if confidence >= min_confidence else "no"
