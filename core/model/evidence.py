"""What can be asked of a heat map: evidence for which class, by which method, at which stage; no torch."""

from __future__ import annotations

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
STAGES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Evidence:
    """What a heat map shows: where an image speaks for a class, by folder name, or for it `rather_than` another."""

    name: str
    rather_than: str | None = None


def stage_sides(image_size: int) -> dict[int, int]:
    """Return the side in cells of the maps of a ResNet's stages 1 to 4 for an image size, of those that show a place."""
    sides = {stage: -(-image_size // 2 ** (stage + 1)) for stage in STAGES}
    return {stage: side for stage, side in sides.items() if side > 1}


def choose_stage(image_size: int) -> int:
    """Return the deepest stage whose map is at least 7×7 for this image size (else the finest one)."""
    return max((s for s, side in stage_sides(image_size).items() if side >= MIN_CAM_SIDE), default=STAGES[0])
