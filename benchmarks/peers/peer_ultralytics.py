"""Entrant `ultralytics`: asks Ultralytics by each of its documented options to train the race's network from its weights.

Its classification takes its own checkpoints or networks of torchvision; where every way is refused, the race's row holds
what it said. Training some other network here would be another race.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first

# isort: split
import timm
import torch
from safetensors.torch import load_file
from ultralytics import YOLO

from benchmarks.peers.course import Course, Finish, link_images, run_entrant
from core.files import write_text

LONGEST = 120  # characters of a refusal
BACKBONE = "nc: {classes}\nbackbone:\n  - [-1, 1, TorchVision, [1280, {arch}, null, True, 2]]\nhead:\n  - [-1, 1, Classify, [nc]]\n"


def run(name: str, course: Course, folder: Path) -> Finish:
    """Try each way to its first word on training.

    Raises:
        RuntimeError: with what each way said; also where one is open by now, since then it is to be trained with.
    """
    for split in ("train", "val"):  # links, since it writes beside the images that it reads
        link_images(course, split, folder / name / "data" / split)
    options: dict[str, Any] = {"task": "classify", "data": str(folder / name / "data"), "epochs": 1}
    options["project"] = str(folder / name)
    ways: dict[str, Callable[[], Any]] = {
        "as the file it is": lambda: YOLO(str(course.weights), task="classify").train(**options),
        "as a checkpoint of torch": lambda: YOLO(str(save_network(course, folder / name))).train(**options),
        "as a network of torchvision": lambda: YOLO(str(write_backbone(course, folder / name))),
    }
    said = [f"{way}: {refusal}" for way, attempt in ways.items() if (refusal := ask(attempt))]
    if len(said) == len(ways):
        raise RuntimeError(f"cannot be given these weights by its options; {'; '.join(said)}")
    raise RuntimeError("takes these weights by now, so peer_ultralytics.py is to train with it")


def ask(attempt: Callable[[], Any]) -> str:
    """Return why a way is closed, "" where it is open."""
    try:
        attempt()
    except Exception as error:  # whatever it refuses with is what is to be told
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return ""


def save_network(course: Course, folder: Path) -> Path:
    """Write the network with its weights as a checkpoint in the form that Ultralytics reads, and return the file."""
    network = timm.create_model(course.arch, pretrained=False)
    network.load_state_dict(load_file(course.weights))
    torch.save({"model": network}, folder / "network.pt")
    return folder / "network.pt"


def write_backbone(course: Course, folder: Path) -> Path:
    """Write a model of Ultralytics' whose backbone is the network by its name, and return the file."""
    write_text(folder / "race-cls.yaml", BACKBONE.format(classes=len(course.classes), arch=course.arch))
    return folder / "race-cls.yaml"


if __name__ == "__main__":
    run_entrant(run)
