"""Whether a shipped file answers as the product does: asked about validation images before it is offered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.dataset.folders import Sample
from core.dataset.images import ImageProblem, read_image
from core.errors import DataError, RunError
from core.model.predict import Predictor
from core.ship.contract import Contract
from core.ship.readers import Pixels, Shipped
from core.training.loaders import eval_transforms
from core.words import format_count

LIMIT = 1e-3  # of the difference of a probability
IMAGES = 100  # asked about
BATCH = 32
Progress = Callable[[int], bool]  # is told how many images are done and says whether to go on


@dataclass(frozen=True)
class Agreement:
    """How a file's answers to `images` go with the product's: the largest difference of a probability, and how many differ.

    `others` counts the images whose likeliest class is another.
    """

    images: int
    difference: float
    others: int

    @property
    def is_whole(self) -> bool:
        """Tell whether the file answers as the product does."""
        return not self.others and self.difference <= LIMIT  # so written, a NaN is none

    def describe(self) -> str:
        """Return it in a sentence."""
        first = "the same class" if not self.others else f"another class for {self.others}"
        return (
            f"On {format_count(self.images, 'validation image')} it names {first} as this program does; the largest "
            f"difference of a probability is {self.difference:.1e}."
        )


def spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return at most so many samples, evenly over all, so that each class has its share."""
    places = np.unique(np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int))
    return [samples[place] for place in places]


def read_batches(
    root: Path, samples: Sequence[Sample], size: int = BATCH
) -> Iterator[tuple[Sequence[Sample], list[Image.Image]]]:
    """Yield images below a folder in batches, with what is known of them.

    Raises:
        DataError: naming an image that cannot be read.
    """
    for start in range(0, len(samples), size):
        batch = samples[start : start + size]
        yield batch, [_read(root, sample) for sample in batch]


def _read(root: Path, sample: Sample) -> Image.Image:
    try:
        return read_image(root / sample.path)
    except ImageProblem as problem:
        raise DataError(f"{sample.path} {problem}.") from None


def make_cutter(contract: Contract) -> Callable[[Sequence[Image.Image]], Pixels]:
    """Return what makes of RGB images the pixels (N, S, S, 3) that a contract asks for."""
    transforms = eval_transforms(contract.image_size, contract.resize_size, contract.inputs)
    resize, crop = transforms.transforms[:2]  # what follows is inside the graph

    def cut(images: Sequence[Image.Image]) -> Pixels:
        return np.stack([np.asarray(crop(resize(image)), dtype=np.uint8) for image in images])

    return cut


def compare_answers(
    shipped: Shipped, own: Predictor, root: Path, samples: Sequence[Sample], progress: Progress
) -> Agreement | None:
    """Ask a shipped file and the product about images; None when `progress(done)` told to stop.

    The file gets what its own contract says, and the first image also alone: a graph may have learnt its batch's size.

    Raises:
        DataError: naming an image that cannot be read.
        RunError: when the file cannot be asked.
    """
    cut, temperature = make_cutter(shipped.contract), shipped.contract.temperature
    difference, others, done = 0.0, 0, 0
    for batch, images in read_batches(root, samples):
        pixels = cut(images)
        theirs = own.weigh_classes(images, temperature=temperature).numpy()
        for found, wanted in _pair(shipped, pixels, theirs, alone=not done):
            difference = max(difference, float(np.nan_to_num(np.abs(found - wanted), nan=1.0).max()))
            if len(found) == len(batch):  # the one asked about alone comes twice
                others += int((found.argmax(1) != wanted.argmax(1)).sum())
        done += len(batch)
        if not progress(done):
            return None
    return Agreement(done, difference, others)


def _pair(
    shipped: Shipped, pixels: Pixels, theirs: np.ndarray, *, alone: bool
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield what a file answers with what it should."""
    for count in (1, len(pixels)) if alone and len(pixels) > 1 else (len(pixels),):
        try:
            found = shipped.answer(pixels[:count])
        except Exception as error:  # of one of four engines
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise RunError(
                f"The file cannot be asked about {format_count(count, 'image')}: {first} Choose another format."
            ) from error
        if found.shape != theirs[:count].shape:
            raise RunError(
                f"The file answers with the shape {found.shape}, not {theirs[:count].shape}. Choose another format."
            )
        yield found, theirs[:count]


def refuse_other_answers(run: str, agreement: Agreement) -> None:
    """Refuse a file that does not answer as the product does.

    Raises:
        RunError: with what was found.
    """
    if not agreement.is_whole:
        raise RunError(
            f"The file made from {run} does not answer as the run does, so it was deleted. {agreement.describe()} At most "
            f"{LIMIT:g} is allowed. Choose another format."
        )
