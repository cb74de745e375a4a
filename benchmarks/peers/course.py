"""What every entrant of the race is given and hands back, as files. Peers read this too, so it needs no package."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from core.files import write_rows, write_text

SPLITS = ("train", "val", "held")
JUDGED = ("val", "held")


@dataclass(frozen=True)
class Image:
    """A labelled image: `path` is relative to the data folder, `split` one of train, val and held."""

    path: str
    label: str
    split: str


@dataclass(frozen=True)
class Course:
    """The same for all: images, network, its weights and the limits.

    `mean` and `std` (0..1) are how the weights were taught to see pixels. `epochs` are those of the plain loop,
    `minutes` what a peer may take for its training, `hold_back` the images of each class that nobody trains on. Of the
    plain loop's epochs the first `timed` give its time: 0 for all of them.
    """

    data: Path
    arch: str
    weights: Path
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    epochs: int
    minutes: float
    hold_back: int
    images: tuple[Image, ...]
    timed: int = 0

    @property
    def classes(self) -> list[str]:
        """Return the labels, sorted as text."""
        return sorted({image.label for image in self.images})

    def of_split(self, *splits: str) -> list[Image]:
        """Return the images of some splits, in their order."""
        return [image for image in self.images if image.split in splits]

    @property
    def judged(self) -> list[Image]:
        """Return the images that every entrant is judged on: validation, then those held back."""
        return self.of_split(*JUDGED)


@dataclass(frozen=True)
class Finish:
    """What an entrant hands back: a label for each judged image, seconds of training, and how it went.

    `seconds` run from reading the images to a trained model, judging and the imports of a library excluded.
    """

    predicted: Sequence[str]
    seconds: float
    how: str
    versions: dict[str, str] = field(default_factory=dict)


def write_course(course: Course, folder: Path) -> None:
    """Write `course.json` and `images.csv` into a folder."""
    values = {**asdict(course), "data": str(course.data), "weights": str(course.weights)}
    del values["images"]
    write_text(folder / "course.json", json.dumps(values, indent=1))
    write_rows(folder / "images.csv", ["path", "label", "split"], [_row(image) for image in course.images])


def read_course(folder: Path) -> Course:
    """Read what `write_course` wrote."""
    values: dict[str, Any] = json.loads((folder / "course.json").read_text(encoding="utf-8"))
    with (folder / "images.csv").open(encoding="utf-8", newline="") as file:
        images = tuple(Image(**row) for row in csv.DictReader(file))
    paths = {name: Path(values[name]) for name in ("data", "weights")}
    colours = {name: tuple(values[name]) for name in ("mean", "std")}
    return Course(**{**values, **paths, **colours, "images": images})


def link_images(course: Course, split: str, folder: Path) -> Path:
    """Fill a folder with links `<class>/<number>-<name>` to a split's images and return it, for what only reads folders."""
    for number, image in enumerate(course.of_split(split)):
        place = folder / image.label
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06d}-{Path(image.path).name}").symlink_to((course.data / image.path).resolve())
    return folder


def write_finish(name: str, course: Course, finish: Finish, folder: Path) -> None:
    """Write `predictions-<name>.csv` (path, label, predicted) and `result-<name>.json` into a folder."""
    rows = [
        (image.path, image.label, label) for image, label in zip(course.judged, finish.predicted, strict=True)
    ]
    write_rows(folder / f"predictions-{name}.csv", ["path", "label", "predicted"], rows)
    values = {"seconds": finish.seconds, "how": finish.how, "versions": finish.versions}
    write_text(folder / f"result-{name}.json", json.dumps(values, indent=1))


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages that are installed here."""
    return {package: version(package) for package in packages}


def run_entrant(run: Callable[[str, Course, Path], Finish]) -> None:
    """Do what the command line `NAME FOLDER` asks: run an entrant on the folder's course and write what it hands back."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    course = read_course(folder)
    write_finish(name, course, run(name, course, folder), folder)


def _row(image: Image) -> tuple[str, str, str]:
    return image.path, image.label, image.split
