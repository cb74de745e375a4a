"""The pages as AppTest draws them, without a browser: their names, and what is read off them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from streamlit.testing.v1 import AppTest

from core.runs.run import Run

PAGES = {
    "start": "Find the weak spots of your image classifier",
    "runs": "Runs",
    "train": "Train",
    "live": "Live",
    "confusion": "Confusion",
    "weak": "Weak classes",
    "map": "Map",
    "confidence": "Confidence",
    "data": "Data",
    "predict": "Predict",
    "compare": "Compare",
    "bake-off": "Bake-off",
}
Open = Callable[..., AppTest]
ERROR = "val/35/1.png"


def set_state(run: Run, state: str, **values: Any) -> None:
    run.write_status(replace(run.read_status(), state=state, **values))


def title(app: AppTest) -> str:
    assert not app.exception
    (found,) = app.title
    return str(found.value)


def words(app: AppTest) -> str:
    """Return all text of the page."""
    kinds = (
        "markdown",
        "caption",
        "info",
        "warning",
        "error",
        "success",
        "header",
        "subheader",
        "code",
        "text",
    )
    found = [str(element.value) for kind in kinds for element in app.get(kind)]
    tiles = [json.loads(data).get("html", "") for data in component_data(app)]
    blocks = "\n".join([*(block.proto.body for block in app.get("html")), *tiles])
    return "\n".join(
        [*found, blocks.replace("<wbr>", "").replace("\u00a0", " ")]
    )  # where lines may be broken is not read


def links(app: AppTest) -> str:
    """Return the words of all links to pages."""
    return "\n".join(link.proto.label for link in app.get("page_link"))


def component_data(app: AppTest) -> list[str]:
    """Return what travels to each of the page's own components, as JSON."""
    return [block.proto.json for block in app.get("bidi_component")]


def charts_of(app: AppTest) -> dict[str, dict[str, Any]]:
    """Return the figures of the page by the keys of their charts."""
    found = [json.loads(data) for data in component_data(app)]
    return {chart["key"]: json.loads(chart["figure"]) for chart in found if "figure" in chart}


def pictures(app: AppTest) -> list[str]:
    """Return what the pictures of the page show."""
    return re.findall(r'<img alt="([^"]*)"', words(app))


def saves(app: AppTest) -> list[str]:
    return [element.proto.label for element in app.get("download_button")]
