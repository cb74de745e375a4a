"""Addresses that nobody should open: every page is drawn all the same, and what it says of them is text."""

from __future__ import annotations

import pytest

from core.runs.run import Run
from tests.corpus.addresses import ODD, PARAMS
from tests.pages.apps import PAGES, Open, title, words

pytestmark = pytest.mark.slow(25)


def test_every_page_has_odd_addresses() -> None:
    assert set(PARAMS) == set(PAGES)


@pytest.mark.parametrize("page", PARAMS)
def test_every_page_is_drawn_whatever_its_address_holds(
    open_page: Open, run_with_model: Run, page: str
) -> None:
    # Each time every parameter but one holds something odd, each something else, and that one what it may.
    names = PARAMS[page]
    for turn in range(0, len(ODD), 5):
        asked = {name: ODD[(turn + number) % len(ODD)] for number, name in enumerate(names)}
        for changes in ({}, {"run": "first"}):
            app = open_page(page, **{**asked, **(changes if "run" in names else {})})
            assert title(app) == PAGES[page], asked
            seen = words(app)
            assert "could not be drawn" not in seen, (asked, seen)
            assert "unexpected fault" not in seen, (asked, seen)
            assert "<script>window" not in "".join(block.proto.body for block in app.get("html"))
            if "run" not in names:
                break
