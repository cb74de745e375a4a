"""Entrant `plain`: the loop of benchmarks/reference.py with the report's settings, from the race's weights.

It is given two things that a student may well miss: the mean and deviation that the weights were taught with, and the
model of the epoch that was best on validation.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from PIL import Image as Picture
from torch import nn

from benchmarks.peers.course import Course, Finish, link_images, run_entrant, versions_of
from benchmarks.reference import make_loaders, train_reference
from core.networks.build import build_model
from core.networks.weights import load_weights_file
from core.words import format_count


def run(name: str, course: Course, folder: Path) -> Finish:
    """Train for the course's epochs and judge the best of them."""
    root = folder / name
    for split in ("train", "val"):
        link_images(course, split, root / split)
    torch.manual_seed(0)
    begun = time.perf_counter()
    model = build_model(course.arch, len(course.classes))
    load_weights_file(model, course.weights)
    train, val = make_loaders(root, size=course.size, mean=course.mean, std=course.std)
    done = train_reference(model, train, val, epochs=course.epochs)
    seconds = time.perf_counter() - begun
    if timed := course.timed:
        seconds = done.seconds[timed - 1] / timed * course.epochs
    best = done.val_acc.index(max(done.val_acc))
    model.load_state_dict(done.best_state)
    how = f"{format_count(course.epochs, 'epoch')}, judged by epoch {best + 1}, the best on validation"
    how += (
        f"; its time is that of its first {format_count(timed, 'epoch')}, scaled up to all" if timed else ""
    )
    predicted = predict(model.eval(), course, val.dataset.transform)  # type: ignore[attr-defined]
    return Finish(predicted, seconds, how, versions_of(["torch", "torchvision"]))


def predict(model: nn.Module, course: Course, transform: nn.Module) -> list[str]:
    """Return the labels of the judged images; the network's outputs are in the order of `course.classes`."""
    labels = []
    with torch.no_grad():
        for image in course.judged:
            pixels = transform(Picture.open(course.data / image.path).convert("RGB"))
            labels.append(course.classes[int(model(pixels[None]).argmax())])
    return labels


if __name__ == "__main__":
    run_entrant(run)
