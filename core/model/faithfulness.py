"""Whether a heat map tells the truth: does the confidence fall when what it marks is hidden?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from core.training.engine import Compute

SHARE = 0.2  # of the pixels are hidden
DRAWS = 8
_LEAST = 0.02  # a confidence below this can hardly fall
_CLEAR = 0.05  # a difference of confidence smaller than this shows nothing


@dataclass(frozen=True)
class Faithfulness:
    """The confidence for a class, 0..1: in the whole image, with the marked pixels hidden, with others hidden.

    `share` is the part of the pixels that was hidden; `elsewhere` has one confidence for each of the random places.
    """

    share: float
    whole: float
    hidden: float
    elsewhere: tuple[float, ...]

    @property
    def random(self) -> float:
        """Return the mean confidence with as many pixels hidden at random places."""
        return float(np.mean(self.elsewhere))

    def describe(self) -> str:
        """Return what the figures mean for the map, in words."""
        if self.whole < _LEAST:
            return "The network has almost no confidence in this class to begin with, so hiding parts cannot test the map."
        if self.hidden >= self.whole:
            return (
                "Hiding what the map marks does not lower the confidence at all: the map does not show what it rests on. Try "
                "another method or layer before you trust it."
            )
        if self.random - self.hidden < _CLEAR:
            return (
                "Hiding what the map marks costs no more than hiding as much elsewhere: the map does not show what this "
                "confidence rests on. Try another method or layer before you trust it."
            )
        if self.hidden >= min(self.elsewhere):
            return (
                "Hiding what the map marks costs more than hiding as much elsewhere does on average, but not more than at "
                "every place that was tried: the map is only partly right."
            )
        return (
            f"Hiding what the map marks costs more than hiding as much at any of {len(self.elsewhere)} random places: "
            "the map marks what this confidence rests on."
        )


@torch.inference_mode()
def measure_faithfulness(
    model: nn.Module,
    image: torch.Tensor,
    heat: npt.NDArray[np.float32],
    target: int,
    compute: Compute,
    *,
    seed: int = 0,
) -> Faithfulness | None:
    """Measure how the confidence for class `target` falls when the most marked fifth of the pixels is hidden.

    Hidden pixels take the image's mean colour. The comparison hides as many pixels in the same shapes at random other
    places: the mask is shifted around the image's edges, so that only the place differs, and not the edges that hiding
    makes. Fewer pixels than a fifth are hidden where the map marks fewer. None for a map that marks nothing.

    Args:
        model: network in evaluation mode.
        image: float32 (1, 3, S, S), normalised, on the model's device.
        heat: float32 (S, S), 0 where nothing is marked.

    Source: the deletion metric of V. Petsiuk et al., "RISE" (2018), at one share, against a baseline of equal shape.
    """
    marked = _find_marked(heat)
    if not marked.any():
        return None
    mask = torch.from_numpy(marked)
    shifts = _draw_shifts(image.shape[-1], seed)
    masks = torch.stack([torch.zeros_like(mask), mask, *(mask.roll(shift, (0, 1)) for shift in shifts)])
    batch = torch.where(masks[:, None].to(image.device), image.mean(dim=(2, 3), keepdim=True), image)
    logits = compute.ask(model, batch)
    whole, hidden, *elsewhere = logits.float().softmax(1)[:, target].tolist()
    return Faithfulness(float(marked.mean()), whole, hidden, tuple(elsewhere))


def _find_marked(heat: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return the fifth of the pixels with the most evidence, (S, S) bool; never one without any."""
    order = np.argsort(-heat, axis=None, kind="stable")[: round(SHARE * heat.size)]
    marked = np.zeros(heat.size, dtype=bool)
    marked[order] = heat.ravel()[order] > 0
    return marked.reshape(heat.shape)


def _draw_shifts(side: int, seed: int) -> list[tuple[int, int]]:
    """Return DRAWS shifts (down, right) in pixels, each by at least a quarter of the side in one direction."""
    rng = np.random.default_rng(seed)
    shifts: list[tuple[int, int]] = []
    while len(shifts) < DRAWS:
        down, right = (int(value) for value in rng.integers(0, side, 2))
        if max(min(down, side - down), min(right, side - right)) >= side / 4:
            shifts.append((down, right))
    return shifts
