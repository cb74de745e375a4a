"""Entrant `fastai`: `vision_learner(…).fine_tune(epochs)` as its tutorial on single-label images has it.

Its own choices: Resize(460) and aug_transforms(size=224), 64 images a batch, Adam, a base rate of 0.002, a first epoch
of the head alone, and the weights of the last epoch. fine_tune wants its epochs beforehand, so a throwaway learner
first measures how many fit into the minutes; that costs the peer nothing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first

# isort: split
import pandas as pd
from fastai.vision.all import (
    Callback,
    CancelTrainException,
    ImageDataLoaders,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)

from benchmarks.peers.course import Course, Finish, run_entrant, versions_of
from core.words import format_count

PROBED = 6  # batches
FROZEN_SHARE = 0.5  # of an epoch's time, for the first one, which trains the head alone


class Clock(Callback):  # type: ignore[misc]
    """Ends an epoch's training after a few batches and keeps the times."""

    def __init__(self) -> None:
        self.stamps: list[float] = []
        self.val_seconds = 0.0

    def before_train(self) -> None:
        """Note when training begins."""
        self.stamps.append(time.perf_counter())

    def after_batch(self) -> None:
        """Note when a training batch ends."""
        if self.training:
            self.stamps.append(time.perf_counter())
            if len(self.stamps) > PROBED:
                raise CancelTrainException

    def before_validate(self) -> None:
        """Start the clock of validation."""
        self._begun = time.perf_counter()

    def after_validate(self) -> None:
        """Stop the clock of validation."""
        self.val_seconds = time.perf_counter() - self._begun


def run(_name: str, course: Course, folder: Path) -> Finish:
    """Train for the epochs that fit into the course's minutes and judge the last."""
    epochs = choose_epochs(course, folder)
    set_seed(0, reproducible=True)
    begun = time.perf_counter()
    learner = make_learner(course, folder)
    with learner.no_bar():
        learner.fine_tune(epochs)
    seconds = time.perf_counter() - begun
    files = [course.data / image.path for image in course.judged]
    with learner.no_bar():
        outputs, _ = learner.get_preds(dl=learner.dls.test_dl(files))
    vocab = list(learner.dls.vocab)
    predicted = [str(vocab[int(index)]) for index in outputs.argmax(dim=1)]
    how = f"{format_count(epochs, 'epoch')} of fine_tune after one of the head alone, judged by the last"
    return Finish(predicted, seconds, how, versions_of(["fastai", "timm", "torch"]))


def make_learner(course: Course, folder: Path) -> Any:
    """Return a learner from the race's weights, which timm reads from the file and no hub."""
    frame = pd.DataFrame(
        [(image.path, image.label, image.split == "val") for image in course.of_split("train", "val")],
        columns=["path", "label", "is_valid"],
    )
    loaders = ImageDataLoaders.from_df(
        frame,
        path=course.data,
        valid_col="is_valid",
        bs=min(
            64, len(course.of_split("train"))
        ),  # it drops a last batch that is not full, here all there is
        item_tfms=Resize(460),
        batch_tfms=aug_transforms(size=course.size),
    )
    weights = {"file": str(course.weights)}
    return vision_learner(loaders, course.arch, metrics=accuracy, path=folder, pretrained_cfg_overlay=weights)


def choose_epochs(course: Course, folder: Path) -> int:
    """Return how many epochs of the whole network come nearest to the course's minutes, at least one."""
    learner, clock = make_learner(course, folder), Clock()
    learner.unfreeze()
    with learner.no_bar():
        learner.fit(1, cbs=clock)
    # The first batch also starts the loading processes, so it counts only where it is the only one.
    stamps = clock.stamps[1:] if len(clock.stamps) > 2 else clock.stamps
    batch = (stamps[-1] - stamps[0]) / (len(stamps) - 1)
    epoch = batch * len(learner.dls.train) + clock.val_seconds
    print(f"an epoch takes about {epoch:.1f} s: {batch:.2f} s a batch, {clock.val_seconds:.1f} s validation")
    return max(1, round(course.minutes * 60 / epoch - FROZEN_SHARE))


if __name__ == "__main__":
    run_entrant(run)
