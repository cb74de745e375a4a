"""What is known of each image: how dark, sharp or large it is, and whatever else its user tells of it; in words too."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.dataset.image_facts import COLOURS, ImageFacts

Floats = npt.NDArray[np.float64]
Told = tuple[str, str]  # what stands before and after the name of a class


@dataclass(frozen=True, eq=False)
class Amount:
    """A number for each image (N,), NaN where it is not known, and how the images at its ends are told.

    `bound` is what stands before and after a value; `digits` are those after the point, None for as many as there are.
    """

    name: str
    values: Floats
    lowest: Told
    highest: Told
    bound: Told
    digits: int | None = 0

    def tell_end(self, value: float, *, highest: bool) -> str:
        """Return in words how far an end reaches: 'brightness up to 62 of 255'."""
        return f"{self.bound[0]} {'from' if highest else 'up to'} {self._format(value, up=not highest)}{self.bound[1]}"

    def _format(self, value: float, *, up: bool) -> str:
        if self.digits is None:
            return f"{value:,.10g}"
        # So rounded that the words are true of every image of the slice.
        scaled = round(value * 10**self.digits, 6)
        return f"{(math.ceil(scaled) if up else math.floor(scaled)) / 10**self.digits:,.{self.digits}f}"


@dataclass(frozen=True, eq=False)
class Sort:
    """A word for each image, empty where it is not known; `tell` says it of images, before and after a class's name."""

    name: str
    values: tuple[str, ...]
    tell: Callable[[str], Told]


Property = Amount | Sort


def list_measured(facts: ImageFacts) -> list[Property]:
    """Return what was measured of images as their properties; of files with a problem nothing is known."""
    known = facts.values["width"] > 0

    def take(values: npt.NDArray[np.generic]) -> Floats:
        return np.where(known, values.astype(np.float64), np.nan)

    width, height = take(facts.values["width"]), take(facts.values["height"])
    return [
        Amount(
            "brightness", take(facts.values["brightness"]), ("The darkest images", ""), ("The brightest images", ""),
            ("brightness", " of 255"),
        ),
        Amount(
            "contrast", take(facts.values["contrast"]), ("The images", " with the least contrast"),
            ("The images", " with the most contrast"), ("contrast", " grey levels"),
        ),
        Amount(
            "sharpness", take(facts.values["sharpness"]), ("The images", " with the least fine detail"),
            ("The images", " with the most fine detail"), ("sharpness", ""),
        ),
        Amount(
            "size", np.minimum(width, height), ("The smallest images", ""), ("The largest images", ""),
            ("shorter side", " pixels"),
        ),
        Amount(
            "shape", width / height, ("The narrowest images", ""), ("The widest images", ""),
            ("width", " times the height"), 2,
        ),
        Sort(
            "colour",
            tuple(
                COLOURS[colour] if there else ""
                for colour, there in zip(facts.values["colour"].tolist(), known.tolist(), strict=True)
            ),
            lambda colour: (f"Mostly {colour} images", ""),
        ),
    ]  # fmt: skip


def make_amount(name: str, values: Floats) -> Amount:
    """Return a user's column of numbers as a property."""
    return Amount(
        name, values, ("The images", f" with the lowest {name}"), ("The images", f" with the highest {name}"),
        (name, ""), None,
    )  # fmt: skip


def make_sort(name: str, values: tuple[str, ...]) -> Sort:
    """Return a user's column of words as a property."""
    return Sort(name, values, lambda word: ("The images", f" whose {name} is {word}"))
