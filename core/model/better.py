"""Answers that may be better than one model's to one view: several views and several runs averaged, and what each way costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from core.dataset.contents import read_contents
from core.dataset.folders import ImageFolders, Sample
from core.dataset.images import ImageProblem, read_image
from core.errors import DataError, RunError
from core.model.ancestry import see_run
from core.model.predict import (
    CLOSER,
    MIRROR,
    PLAIN,
    WHOLE,
    Pixels,
    Prediction,
    Predictor,
    mark_strangers,
    name_likeliest,
)
from core.runs.run import Run
from core.runs.run_data import recorded_folders
from core.runs.seen import list_seen
from core.verdicts.judged_on import JudgedOn
from core.verdicts.ways import WayResult

# Three crops and no more: corners are all alike where nothing is cut off. A view from closer shows things as large as
# training's crops did (H. Touvron et al., "Fixing the train-test resolution discrepancy", 2019).
TTA = {"none": (PLAIN,), "flip": (PLAIN, MIRROR), "crops": (PLAIN, WHOLE, CLOSER)}
_BATCH = 32
Progress = Callable[[int, int], bool]
Question = tuple[int, str]  # the model's number and the view it is asked about


class Committee:
    """The answers of several models to several views of an image, averaged; it predicts as a `Predictor` does.

    Averaged are the probabilities, each model's at its own temperature (`temperatures`, all 1 by default). The mean of
    their logarithms would let a single model or view that is sure of a class's absence outvote all others.
    Source: B. Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep ensembles" (2017).
    """

    def __init__(
        self, predictors: Sequence[Predictor], *, tta: str = "none", temperatures: Sequence[float] = ()
    ) -> None:
        self.predictors, self.views = tuple(predictors), TTA[tta]
        self.temperatures = tuple(temperatures) or (1.0,) * len(self.predictors)
        self.classes, self.display = self.predictors[0].classes, self.predictors[0].display

    def look(self, image: Image.Image) -> tuple[Pixels, ...]:
        """Return what each model sees of an RGB image in each view, for `answer`."""
        return tuple(predictor.see(image, view) for predictor in self.predictors for view in self.views)

    def answer(self, seen: Sequence[tuple[Pixels, ...]], *, temperature: float = 1.0) -> list[Prediction]:
        """Return the top 5 classes of each image; `temperature` comes on top of the models' own."""
        if not seen:
            return []
        asked = [pair for pair in zip(self.predictors, self.temperatures, strict=True) for _ in self.views]
        (first, own), *others = asked
        plain, *views = zip(*seen, strict=True)  # the first model's plain view also tells strangers
        weights, near = first.weigh_and_measure(plain, temperature=own * temperature)
        answers = [weights] + [
            predictor.weigh_seen(pixels, temperature=its * temperature)
            for (predictor, its), pixels in zip(others, views, strict=True)
        ]
        return mark_strangers(
            name_likeliest(torch.stack(answers).mean(0), self.classes), near, first.strangers
        )

    def predict(self, images: Sequence[Image.Image], *, temperature: float = 1.0) -> list[Prediction]:
        """Return the top 5 classes of each RGB image, as `answer` does."""
        return self.answer([self.look(image) for image in images], temperature=temperature)


def refuse_other_classes(runs: Sequence[Run], classes: Sequence[Sequence[str]]) -> None:
    """Refuse models that do not know the same classes in the same order.

    Raises:
        RunError: naming the two runs, and a class that only one of them knows.
    """
    for run, other in zip(runs[1:], classes[1:], strict=True):
        if list(other) == list(classes[0]):
            continue
        pair = f"{runs[0].id} and {run.id}"
        for owner, known, unknown in ((runs[0], classes[0], other), (run, other, classes[0])):
            if only := [name for name in known if name not in unknown]:
                raise RunError(
                    f"{pair} do not know the same classes: only {owner.id} knows {only[0]!r}. "
                    "Their answers cannot be averaged."
                )
        raise RunError(f"{pair} have the same classes in another order. Their answers cannot be averaged.")


@dataclass(frozen=True)
class Judges:
    """The images that judge all runs: those of a split of the first run's data."""

    folders: ImageFolders
    split: JudgedOn

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Return the images."""
        return self.folders.held if self.split == "held" else self.folders.val


def choose_judges(runs: Sequence[Run], wanted: Sequence[JudgedOn] = ("held", "val")) -> Judges:
    """Return the images of the first run's data that no run has seen: those it held back, else its validation images.

    Raises:
        RunError: when a run was trained on them, or the first run's data is gone.
    """
    root, folders = runs[0].folder.parent, recorded_folders(runs[0])
    contents = read_contents(folders.root, folders.files, root)
    assert contents is not None
    refusal = ""
    for split in wanted:
        judges = Judges(folders, split)
        if not judges.samples:
            continue
        seen = {run.id: list_seen(see_run(run, root), folders, contents, split) for run in runs}
        known = {name: paths for name, paths in seen.items() if paths}
        if not known:
            return judges
        name, paths = next(iter(known.items()))
        refusal = (
            f"{name} was trained on {len(paths)} of the {len(judges.samples)} images that are to judge it (first {paths[0]}), "
            f"itself or through a model it came from, so they would prove nothing. {_tell_remedy(runs)}"
        )
    raise RunError(refusal or f"{runs[0].id} has no images to be judged on.")


def _tell_remedy(runs: Sequence[Run]) -> str:
    if any(run.read_config().fold for run in runs):
        return (
            "Folds are trained on each other's validation images. To judge them together, train them with images that none sees: "
            "a val/ folder, or some held back (hold_back)."
        )
    return f"Choose runs that split the data as {runs[0].id} did."


@dataclass(frozen=True)
class Way:
    """A way to predict, with its name in words: which models (by number) are asked about which views."""

    name: str
    asked: tuple[Question, ...]


def measure_ways(
    predictors: Sequence[Predictor],
    ways: Sequence[Way],
    root: Path,
    samples: Sequence[Sample],
    *,
    temperatures: Sequence[float] = (),
    progress: Progress | None = None,
) -> list[WayResult] | None:
    """Ask each way about images below `root`: which it gets right, and its seconds an image; None when told to stop.

    A model is asked once about each view, and a way takes what reading the images and its own questions take, each as the
    median batch does, which what else this machine does in between does not move.

    Raises:
        DataError: naming an image that cannot be read.
    """
    heat = tuple(temperatures) or (1.0,) * len(predictors)
    questions = sorted({question for way in ways for question in way.asked})
    seconds: dict[Question, list[float]] = {question: [] for question in questions}  # an image, by batch
    reading: list[float] = []
    right: list[list[np.ndarray]] = [[] for _ in ways]
    for start in range(0, len(samples), _BATCH):
        batch = samples[start : start + _BATCH]
        begun = time.perf_counter()
        images = [_read(root, sample) for sample in batch]
        reading.append((time.perf_counter() - begun) / len(batch))
        answers = {}
        for number, view in questions:
            if not start:  # the first time costs more than any later one
                predictors[number].weigh_classes(images, view=view)
            begun = time.perf_counter()
            answers[number, view] = predictors[number].weigh_classes(
                images, temperature=heat[number], view=view
            )
            seconds[number, view].append((time.perf_counter() - begun) / len(batch))
        targets = np.array([sample.target for sample in batch])
        for found, way in zip(right, ways, strict=True):
            mean = torch.stack([answers[question] for question in way.asked]).mean(0)
            found.append(mean.argmax(1).numpy() == targets)
        if progress is not None and not progress(start + len(batch), len(samples)):
            return None
    return [
        WayResult(
            way.name,
            np.concatenate(found),
            median(reading) + sum(median(seconds[question]) for question in way.asked),
        )
        for way, found in zip(ways, right, strict=True)
    ]


def _read(root: Path, sample: Sample) -> Image.Image:
    try:
        return read_image(root / sample.path)
    except ImageProblem as problem:
        raise DataError(f"{sample.path} {problem}.") from None
