"""A slice of a data set, small enough for a CPU: links to some of its images, with a validation set of its own."""

from __future__ import annotations

import tarfile
from pathlib import Path

from core.dataset.demo import make_demo
from core.dataset.walk import walk_through
from core.file_names import natural_key

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "cifar100-hw.tar.xz"


def find_data(asked: Path | None, workshop: Path) -> Path:
    """Return the data asked for, else the homework's images where they lie beside the project, else the glyphs."""
    if asked is not None:
        return asked
    if ARCHIVE.is_file():
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(workshop, filter="data")
        return workshop / "cifar100-hw"
    make_demo("glyphs", workshop / "glyphs")
    return workshop / "glyphs"


def make_slice(data: Path, target: Path, *, classes: int, train: int, val: int) -> Path:
    """Link `train` and `val` training images of each of the first `classes` classes into `target`."""
    for folder in sorted((data / "train").iterdir(), key=lambda p: natural_key(p.name))[:classes]:
        images = [folder / path for path in walk_through(folder).files]
        if len(images) < train + val:
            raise ValueError(f"{folder}: has {len(images)} images, {train + val} are needed for the slice")
        for split, members in (("train", images[:train]), ("val", images[train : train + val])):
            place = target / split / folder.name
            place.mkdir(parents=True)
            for image in members:
                (place / image.name).symlink_to(image.resolve())
    return target
