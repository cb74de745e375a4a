"""Entrant `autogluon`: a MultiModalPredictor whose one model is the race's network, with the race's minutes as time limit.

All else is AutoGluon's choice. It takes a folder in place of a checkpoint's name, so no hub is asked.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first

# isort: split
import pandas as pd
import timm
import torch
from autogluon.multimodal import MultiModalPredictor
from safetensors.torch import load_file

from benchmarks.peers.course import Course, Finish, Image, run_entrant, versions_of
from core.files import write_text


def run(name: str, course: Course, folder: Path) -> Finish:
    """Train within the course's minutes and judge what AutoGluon makes of its best epochs."""
    checkpoint = write_checkpoint(course, folder / f"{name}-checkpoint")
    begun = time.perf_counter()
    predictor = MultiModalPredictor(
        label="label", problem_type="multiclass", path=str(folder / f"{name}-model")
    )
    predictor.fit(
        train_data=to_frame(course, course.of_split("train")),
        tuning_data=to_frame(course, course.of_split("val")),
        time_limit=course.minutes * 60,
        hyperparameters={
            "model.names": ["timm_image"],
            "model.timm_image.checkpoint_name": str(checkpoint),
        },
        seed=0,
    )
    seconds = time.perf_counter() - begun
    predicted = predictor.predict(to_frame(course, course.judged)[["image"]])
    how = f"time limit {course.minutes:.1f} min, all else as it chooses"
    return Finish(
        [str(label) for label in predicted],
        seconds,
        how,
        versions_of(["autogluon.multimodal", "timm", "torch"]),
    )


def to_frame(course: Course, images: list[Image]) -> pd.DataFrame:
    """Return a table of images (their paths) and labels."""
    return pd.DataFrame(
        {
            "image": [str(course.data / image.path) for image in images],
            "label": [image.label for image in images],
        }
    )


def write_checkpoint(course: Course, folder: Path) -> Path:
    """Write the weights without their head, as AutoGluon keeps a network of timm, and return the folder."""
    folder.mkdir()
    network: Any = timm.create_model(course.arch, pretrained=False, num_classes=0)
    wanted = network.state_dict()
    state = {key: value for key, value in load_file(course.weights).items() if key in wanted}
    network.load_state_dict(state)  # strict: nothing may be missing
    torch.save(state, folder / "pytorch_model.bin")
    known = network.pretrained_cfg
    config = {
        "architecture": course.arch,
        "num_classes": 0,
        "num_features": network.num_features,
        "pretrained_cfg": {
            "input_size": [3, course.size, course.size],
            "interpolation": known["interpolation"],
            "crop_pct": known["crop_pct"],
            "mean": list(course.mean),
            "std": list(course.std),
        },
    }
    write_text(folder / "config.json", json.dumps(config))
    return folder


if __name__ == "__main__":
    run_entrant(run)
