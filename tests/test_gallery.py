"""Galleries: texts from outside are escaped, lost files are told, heat maps colour only where there is evidence."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from dashboard.charts import HEAT_SCALE
from dashboard.gallery import Card, Tile, overlay_map, show_cards, show_tiles

NASTY = "<script>alert('x')</script> & \"quoted\" 'too'"


class Reader(HTMLParser):
    """The tags, attributes and text of a piece of HTML, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for found, value in self.attributes if found == name]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that gets each block of HTML which is shown."""
    blocks: list[str] = []
    monkeypatch.setattr("streamlit.html", blocks.append)
    return blocks


def read(shown: list[str]) -> Reader:
    (block,) = shown
    return Reader(block)


def test_names_in_a_gallery_are_shown_letter_by_letter(shown: list[str]) -> None:
    show_tiles([Tile(b"x", NASTY, (NASTY,), alt=NASTY), Tile(None, NASTY)], label=NASTY)
    page = read(shown)
    assert "script" not in page.tags
    assert page.text.count(NASTY) == 3
    assert page.values("alt") == page.values("title") == [NASTY]
    assert page.values("aria-label") == [NASTY]


def test_names_in_a_card_are_shown_letter_by_letter(shown: list[str]) -> None:
    show_cards([Card(NASTY, (NASTY,), (Tile(b"x", NASTY),), bars=((NASTY, 0.5),))], label=NASTY)
    page = read(shown)
    assert "script" not in page.tags
    assert page.text.count(NASTY) == 4
    assert f"{NASTY}: 50.0 %" in page.values("title")
    assert {name for name, _ in page.attributes} <= {
        "class",
        "role",
        "aria-label",
        "style",
        "alt",
        "title",
        "src",
    }


def test_a_lost_file_says_so_in_the_place_of_its_picture(shown: list[str]) -> None:
    show_tiles([Tile(None, "gone.png", ("true rose",))])
    page = read(shown)
    assert "img" not in page.tags
    assert "The file is gone or cannot be read any more." in page.text
    assert "gone.png" in page.text
    assert "true rose" in page.text


def test_a_picture_without_a_description_is_described_by_its_title(shown: list[str]) -> None:
    show_tiles([Tile(b"x", "one.png")])
    assert read(shown).values("alt") == ["one.png"]


def test_pictures_travel_inside_the_page(shown: list[str]) -> None:
    show_tiles([Tile(b"picture", "one.png")])
    assert read(shown).values("src") == ["data:image/webp;base64,cGljdHVyZQ=="]


def test_a_gallery_is_a_list_with_an_item_a_picture(shown: list[str]) -> None:
    show_tiles([Tile(b"x", str(n)) for n in range(24)], label="images of first")
    page = read(shown)
    assert page.values("role") == ["list"] + ["listitem"] * 24
    assert page.values("aria-label") == ["images of first"]


def test_a_cards_bars_are_as_long_as_their_confidences(shown: list[str]) -> None:
    show_cards(
        [Card("rose", (), (Tile(b"x", "1.png"),), bars=(("rose", 0.75), ("tulip", 0.25), ("iris", 0.0)))]
    )
    page = read(shown)
    widths = re.findall(r"width: ([\d.]+)%", " ".join(page.values("style")))
    assert widths == ["75.00", "25.00", "0.00"]
    assert "Likeliest classes" in page.text
    assert "75.0 %" in page.text


def test_a_card_without_bars_has_no_heading_for_them(shown: list[str]) -> None:
    show_cards([Card("rose", (), (Tile(b"x", "1.png"),))])
    assert "Likeliest classes" not in read(shown).text


# Heat maps


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
