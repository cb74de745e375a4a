"""What is measured of an image's light: its brightness, contrast, sharpness and colour, whatever its size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from core.dataset.image_facts import COLOURS, describe_light


def paint(seed: int = 0, side: int = 600) -> Image.Image:
    blots = np.random.default_rng(seed).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    return Image.fromarray(blots).resize((side, side), Image.Resampling.BICUBIC)


def test_a_darker_image_is_less_bright_and_a_paler_one_has_less_contrast() -> None:
    image = paint()
    brightness, contrast, _, _ = describe_light(image)
    assert describe_light(ImageEnhance.Brightness(image).enhance(0.5))[0] == pytest.approx(
        brightness / 2, abs=2
    )
    assert describe_light(ImageEnhance.Contrast(image).enhance(0.5))[1] == pytest.approx(
        contrast / 2, rel=0.05
    )
    assert describe_light(Image.new("RGB", (50, 40), (255, 255, 255)))[:3] == (255, 0, 0)


def test_a_blurred_image_is_less_sharp_and_a_larger_copy_about_as_sharp() -> None:
    image = paint()
    sharpness = describe_light(image)[2]
    assert describe_light(image.filter(ImageFilter.GaussianBlur(8)))[2] < sharpness / 3
    larger = image.resize((1500, 1500), Image.Resampling.BICUBIC)
    assert describe_light(larger)[2] == pytest.approx(sharpness, rel=0.3)


@pytest.mark.parametrize(
    ("pixel", "colour"),
    [
        ((200, 30, 30), "red"),
        ((120, 70, 20), "orange or brown"),
        ((230, 220, 40), "yellow"),
        ((40, 140, 50), "green"),
        ((40, 70, 200), "blue"),
        ((200, 60, 190), "purple or pink"),
        ((220, 30, 60), "red"),
        ((130, 130, 125), "grey, black or white"),
        ((20, 2, 2), "grey, black or white"),
        ((255, 255, 255), "grey, black or white"),
    ],
)
def test_a_colour_has_its_name(pixel: tuple[int, int, int], colour: str) -> None:
    image = Image.new("RGB", (90, 40), pixel)
    image.paste((40, 70, 200) if colour != "blue" else (200, 30, 30), (0, 0, 30, 40))  # a third of it
    assert COLOURS[describe_light(image)[3]] == colour


def test_an_image_of_one_pixel_is_measured_too() -> None:
    assert describe_light(Image.new("RGB", (1, 1), (10, 200, 10))) == (
        pytest.approx(121, abs=3),
        0,
        0,
        COLOURS.index("green"),
    )
