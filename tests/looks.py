"""Pages looked at without a browser, outside of pytest: whether each is drawn, whatever state its runs are in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.components import gallery, plot
from tests.pages.apps import PAGES, words
from tests.processes import REPOSITORY

BAD = ("could not be drawn", "unexpected fault", "Traceback")


@contextmanager
def dashboard_on(root: Path, data: Path) -> Iterator[None]:
    """Let the pages of this process show the runs under a root."""
    before, main = dict(os.environ), sys.modules["__main__"]
    os.environ.update({"WEAKSPOT_RUNS": str(root), "WEAKSPOT_DATA": str(data)})
    st.cache_data.clear()
    st.cache_resource.clear()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.modules["__main__"] = main  # an AppTest leaves the page's script in its place


def open_page(name: str, **query: str) -> AppTest:
    """Open a page by its name in the address; AssertionError where it is not drawn."""
    for component in (plot.component, gallery.component):
        component.cache_clear()  # each AppTest has a server of its own, where the component is to be registered
    app = AppTest.from_file(str(REPOSITORY / "dashboard" / "app.py"), default_timeout=60)
    app._page_hash = calc_hash(name)
    app.query_params.update(query)
    look_at(app.run(), name)
    return app


def look_at(app: AppTest, name: str) -> None:
    """Assert that a page is drawn, and says in words what it cannot show."""
    assert not app.exception, f"{name}: {app.exception[0].value}"
    titles = [str(title.value) for title in app.title]
    assert titles == [PAGES[name]], f"{name} shows {titles}"
    seen = words(app)
    if found := [bad for bad in BAD if bad in seen]:
        raise AssertionError(f"{name} says: {seen[max(0, seen.index(found[0]) - 100) :][:400]}")


def look_at_all(names: Sequence[str], **query: str) -> None:
    """Open several pages."""
    for name in names:
        open_page(name, **query)
