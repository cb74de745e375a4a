"""Galleries: texts from outside are escaped, lost files are told."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from dashboard.components.gallery import Card, Tile, show_cards, show_tiles

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


def test_a_long_file_name_is_broken_at_its_joints_and_not_within_its_ending(shown: list[str]) -> None:
    show_tiles([Tile(b"x", "val/green_apple/photo_12.jpg", ("60.5 % at 1.2 m, e.g. this",))])
    (block,) = shown
    assert "val/<wbr>green_<wbr>apple/<wbr>photo_<wbr>12<wbr>.jpg" in block
    assert "60.5\u00a0% at 1.2 m, e.g. this" in block


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
