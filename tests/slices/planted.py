"""Judged images made by chance, with a fault or without one, and images on disk of which the dark ones are wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from core.dataset.image_facts import COLOURS, ImageFacts
from core.files import write_text
from core.runs.run import Run

FACTS = np.dtype(
    [
        ("width", "<i4"), ("height", "<i4"), ("brightness", "<f4"), ("contrast", "<f4"), ("sharpness", "<f4"),
        ("colour", "u1"),
    ]
)  # fmt: skip
DARK = 0.1  # of the images


def draw_facts(rng: np.random.Generator, classes: npt.NDArray[np.intp]) -> ImageFacts:
    """Return facts of images of these classes, counted from 0; a class has its own brightness and colour, as real ones do."""
    count = len(classes)
    values = np.zeros(count, FACTS)
    values["width"], values["height"] = rng.integers(200, 500, (2, count))
    values["brightness"] = (80 + 90 * np.sin(classes) ** 2 + rng.normal(0, 20, count)).clip(0, 255)
    values["contrast"] = rng.gamma(20, 2.5, count) * (values["brightness"] + 50) / 150
    values["sharpness"] = rng.gamma(2, 200, count) * values["contrast"] / 50
    usual = classes % len(COLOURS)
    values["colour"] = np.where(rng.random(count) < 0.6, usual, rng.integers(0, len(COLOURS), count))
    return ImageFacts(tuple(map(str, range(count))), ("",) * count, values)


def draw_judged(
    rng: np.random.Generator, *, images: int, classes: int = 100, fault: float = 0.0
) -> tuple[pd.DataFrame, ImageFacts]:
    """Return a predictions table and facts of its images: as many of each class, some classes far weaker than others.

    Of the darkest tenth the model gets so many more wrong (0..1) as `fault` says. The weak classes are the darker ones,
    so that a look at dark images alone accuses the darkness also where there is no fault.
    """
    true = np.arange(images) % classes
    facts = draw_facts(rng, true)
    accuracy = 0.8 + 0.19 * np.sin(true) ** 2
    brightness = facts.values["brightness"]
    accuracy = accuracy - fault * (brightness <= np.quantile(brightness, DARK))
    right = rng.random(images) < accuracy
    names = np.array([f"class {number}" for number in range(classes)])
    predicted = np.where(right, true, (true + 1) % classes)
    return (
        pd.DataFrame({"path": facts.paths, "true": names[true], "predicted": names[predicted]}),
        facts,
    )


def plant_dark(run: Run, data: Path, *, split: str = "val", wrong: int = 18) -> None:
    """Give a run a table of 80 images of two classes, half of them dark; so many of the dark ones of either are wrong."""
    head, row, *_ = run.predictions_path().read_text(encoding="utf-8").splitlines()
    rng = np.random.default_rng(0)
    lines = [head]
    for name, other in (("2", "10"), ("10", "2")):
        for number in range(40):
            dark = number < 20
            path = data / "shop" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 60, (24, 24, 3)) + (10 if dark else 170)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            said = other if number < wrong or number == 39 else name
            cells = dict(zip(head.split(","), row.split(","), strict=True))
            cells |= {"path": f"shop/{name}/{number}.png", "true": name, "predicted": said, "top1": said}
            lines.append(",".join(cells.values()))
    write_text(run.predictions_path(split), "\n".join(lines) + "\n")
