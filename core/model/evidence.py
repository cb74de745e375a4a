"""What can be asked of a heat map: evidence for which class, by which method, at which stage; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GRADCAM = "Grad-CAM"
EIGENCAM = "EigenCAM"
# By what each does, in the words the pages show.
METHODS = {
    GRADCAM: "weighs what the layer found by its average pull on the class: broad and stable",
    "Grad-CAM++": "the same, weighing each place by itself: better where an object appears several times",
    "LayerCAM": "weighs every cell by its own pull: finer, and good for early layers",
    EIGENCAM: "shows what the layer reacts to most, whatever the class: the same map for every class",
}
# A 224 px image gives 7×7 on the last stage: the least that shows where, not only what.
MIN_CAM_SIDE = 7


@dataclass(frozen=True)
class Evidence:
    """What a heat map shows: where an image speaks for a class, by folder name, or for it `rather_than` another."""

    name: str
    rather_than: str | None = None


def choose_stage(sides: Mapping[int, int]) -> int:
    """Return the deepest stage whose map has at least 7×7 cells, else the deepest of the finest; `sides` are theirs by number."""
    fine = [stage for stage, side in sides.items() if side >= MIN_CAM_SIDE]
    finest = max(sides.values())
    return max(fine or [stage for stage, side in sides.items() if side == finest])
