"""Pictures: small ones are enlarged, heat maps colour only where there is evidence."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.model.pictures import enlarge, overlay_map
from core.palette import HEAT_SCALE


@pytest.mark.parametrize(
    ("size", "enlarged"), [((32, 32), (192, 192)), ((64, 96), (192, 288)), ((300, 200), (300, 200))]
)
def test_small_pictures_are_enlarged_by_a_whole_factor(
    size: tuple[int, int], enlarged: tuple[int, int]
) -> None:
    assert enlarge(Image.new("RGB", size)).size == enlarged


def test_without_evidence_the_image_stays_grey() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8)
    seen = np.asarray(overlay_map(pixels, np.zeros((192, 192), dtype=np.float32)))
    expected = pixels.mean(axis=2).round()
    for channel in range(3):
        np.testing.assert_array_equal(seen[..., channel], expected)


def test_full_evidence_takes_the_last_colour_of_the_scale() -> None:
    grey = np.full((192, 192, 3), 100, dtype=np.uint8)
    seen = np.asarray(overlay_map(grey, np.ones((192, 192), dtype=np.float32)))[0, 0]
    expected = 0.25 * 100 + 0.75 * np.array(HEAT_SCALE[-1])
    np.testing.assert_allclose(seen, expected, atol=1)


def test_more_evidence_gives_more_colour() -> None:
    heat = np.tile(np.linspace(0, 1, 192, dtype=np.float32), (192, 1))
    seen = np.asarray(overlay_map(np.full((192, 192, 3), 128, dtype=np.uint8), heat)).astype(int)
    colourfulness = (seen.max(axis=2) - seen.min(axis=2))[0]
    assert colourfulness[0] == 0
    assert colourfulness[10] > 0
    assert colourfulness[-1] > 80


def test_evidence_beyond_the_scale_counts_as_its_end() -> None:
    grey = np.full((192, 192, 3), 100, dtype=np.uint8)
    heat = np.ones((192, 192), dtype=np.float32)
    beyond, end = overlay_map(grey, heat * 1.01), overlay_map(grey, heat)
    np.testing.assert_array_equal(np.asarray(beyond), np.asarray(end))


@pytest.mark.parametrize(("side", "shown_side"), [(32, 192), (64, 192), (192, 192), (224, 224)])
def test_a_small_image_is_enlarged_by_a_whole_factor(side: int, shown_side: int) -> None:
    image = overlay_map(np.zeros((side, side, 3), dtype=np.uint8), np.zeros((side, side), dtype=np.float32))
    assert image.size == (shown_side, shown_side)


def test_a_weaker_overlay_takes_less_of_the_colour_and_none_leaves_the_grey_image() -> None:
    grey, heat = np.full((192, 192, 3), 100, dtype=np.uint8), np.ones((192, 192), dtype=np.float32)
    half = np.asarray(overlay_map(grey, heat, strength=0.5))[0, 0]
    np.testing.assert_allclose(half, 50 + 0.5 * np.array(HEAT_SCALE[-1]), atol=1)
    assert set(np.asarray(overlay_map(grey, heat, strength=0)).ravel()) == {100}
