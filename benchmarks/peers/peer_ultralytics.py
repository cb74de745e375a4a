"""Entrant `ultralytics`: asks Ultralytics by each of its documented ways to train the race's network from its weights.

Its classification takes its own checkpoints or networks of torchvision, and starts from nothing else; where every way is
refused, the race's row holds what it said. Training some other network here would be another race.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first

# isort: split
from safetensors.torch import load_file
from ultralytics import YOLO

from benchmarks.peers.course import Course, Finish, run_entrant
from core.files import write_text

BACKBONE = "nc: {classes}\nbackbone:\n  - [-1, 1, TorchVision, [1280, {arch}, null, True, 2]]\nhead:\n  - [-1, 1, Classify, [nc]]\n"


def run(name: str, course: Course, folder: Path) -> Finish:
    """Try each way; a network that one of them makes must hold the race's weights.

    Raises:
        RuntimeError: with what each way said.
    """
    made = folder / f"{name}-cls.yaml"
    write_text(made, BACKBONE.format(classes=len(course.classes), arch=course.arch))
    ways: dict[str, Callable[[], Any]] = {
        "as a checkpoint": lambda: YOLO(str(course.weights), task="classify").info(),
        "as a network of torchvision": lambda: YOLO(str(made), task="classify"),
    }
    said = [f"{way}: {refusal}" for way, attempt in ways.items() if (refusal := ask(attempt, course))]
    if len(said) == len(ways):
        raise RuntimeError(f"cannot be given these weights; {'; '.join(said)}")
    raise RuntimeError("takes these weights by now, so peer_ultralytics.py is to train with it")


def ask(attempt: Callable[[], Any], course: Course) -> str:
    """Return why a way is closed, "" where it makes a network that holds the weights."""
    try:
        network = attempt()
        held = network.model.state_dict()
    except Exception as error:  # whatever it refuses with is what is to be told
        return " ".join(f"{type(error).__name__}: {error}".split())
    shapes = {tuple(value.shape) for value in held.values()}
    missing = [key for key, value in load_file(course.weights).items() if tuple(value.shape) not in shapes]
    return f"it makes another network ({len(missing)} tensors find no place)" if missing else ""


if __name__ == "__main__":
    run_entrant(run)
