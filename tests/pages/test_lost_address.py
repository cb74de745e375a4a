"""What an address asks for that is not there: the page says so once, at its top, with what it shows instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.util import calc_hash

from core.places import HOUSE
from core.runs.run import Run
from dashboard.lost.rules import RULES, find_unknown
from tests.corpus.addresses import PARAMS
from tests.made_run import make_run
from tests.pages.apps import ERROR, Open, pictures, words

FINE = {
    "confusion": {
        "true": "35", "pred": "2", "find": "35", "image": ERROR, "epoch": "1", "against": "epoch:best", "order": "recall", "colour": "row",
        "sort": "loss", "only": "wrong", "least": "2", "part": "0-0", "method": "LayerCAM", "for": "2",
    },
    "weak": {"class": "35", "image": "train/35/1.png", "from": "training"},
    "data": {"marked": "drop", "labels": "train"},
}  # fmt: skip


def told(open_page: Open, page: str, **query: str) -> str:
    """Return the line at the top, without the backslashes that keep a user's words from being Markdown; empty for none."""
    found = [one.value for one in open_page(page, **query).warning if "The address asks" in one.value]
    assert len(found) <= 1
    return "".join(found).replace("\\", "")


@pytest.mark.parametrize(
    ("page", "query", "line"),
    [
        ("weak", {"class": "zebra"}, "the class “zebra”, which first does not have. The weakest class is shown."),
        ("confusion", {"true": "zebra"}, "the true class “zebra”, which first does not have. It is left out of what is selected."),
        ("confusion", {"block": "x"}, "a block of classes, which first does not have. Nothing is selected."),
        ("confusion", {"image": "val/2/9.png"}, "the image “val/2/9.png”, which first does not have, or no longer. No image is opened."),
        ("confusion", {"order": "size"}, "the order “size”, which does not exist. The classes stand by name."),
        ("confusion", {"sort": "age"}, "images sorted by “age”, by which they cannot be sorted. The surest ones come first."),
        ("confusion", {"only": "right"}, "the filter “right”, which does not exist. Right and wrong answers are shown."),
        ("confusion", {"epoch": "7"}, "the matrix of epoch “7”, which first does not have, or no longer. That of the best model is shown."),
        ("confusion", {"against": "run:gone"}, "the difference from “run:gone”, which does not exist, or has no predictions. No difference is shown."),
        ("confusion", {"least": "-5"}, "cells of at least as many images as “-5”, which is not a whole number from 1 to 999,999,999. All cells are shown."),
        ("confusion", {"least": "99999999999"}, "cells of at least as many images as “99999999999”, which is not a whole number from 1 to 999,999,999. All cells are shown."),
        ("confusion", {"cell": "999,999"}, "“cell”, which this page does not know. It is left aside."),
        ("confusion", {"class": "35"}, "“class”, which this page does not know. It is left aside."),
        ("live", {"true": "35"}, "“true”, which this page does not know. It is left aside."),
        ("data", {"marked": "blue"}, "the marks “blue”, which does not exist. All marked images are shown."),
        ("train", {"data": "/nonexist"}, "“data”, which this page does not know. It is left aside."),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named_with_what_is_shown_instead(
    open_page: Open, run: Run, page: str, query: dict[str, str], line: str
) -> None:
    assert told(open_page, page, run="first", **query) == f"The address asks for {line}"


def test_several_things_stand_in_one_line(open_page: Open, run: Run) -> None:
    line = told(open_page, "confusion", run="first", true="zebra", order="size", sort="age")
    assert line.count("The address asks for") == 1
    assert line.count("It also asks for") == 2


@pytest.mark.parametrize("page", FINE)
def test_nothing_is_said_of_an_address_that_can_be_followed(open_page: Open, run: Run, page: str) -> None:
    assert told(open_page, page, run="first", **FINE[page]) == ""


def test_every_parameter_that_a_page_writes_is_known_to_a_page() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (HOUSE / "dashboard").rglob("*.py")]
    calls = [call for text in sources for call in re.findall(r"(?:set_params|query_params=)[({][^)}]*", text)]
    written = {
        name for call in calls for pair in re.findall(r"(\w+)=|\"(\w+)\":", call) for name in pair if name
    }
    written |= {name for text in sources for name in re.findall(r"get_param\(\s*\"(\w+)\"", text)}
    written |= {name for text in sources for name in re.findall(r"param=\"(\w+)\"", text)}
    pages = [*PARAMS, "people"]
    unknown = [set(find_unknown(page, written)) for page in pages]
    assert set.intersection(*unknown) <= {"query_params"}
    assert all(find_unknown(page, names) == [] for page, names in PARAMS.items())


def test_every_rule_is_of_a_parameter_that_odd_addresses_try() -> None:
    for page, rules in RULES.items():
        assert set(rules) <= set(PARAMS[page])


def test_an_image_that_is_named_alone_opens_with_its_cell(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", image=ERROR)
    assert set(pictures(app)) == {ERROR}


def test_a_class_looked_for_in_one_run_is_not_asked_of_another(open_page: Open, run: Run) -> None:
    app = open_page("live", run="first")
    app.session_state["kept-choices"] = {
        "find": "zebra",
        "order": "recall",
    }  # as left on the matrix of another run
    app._page_hash = calc_hash("confusion")
    app.run()
    assert app.query_params == {"run": "first", "order": "recall"}


def test_compare_takes_one_run_of_the_address_beside_the_newest_other(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    for name in ("second", "third"):
        make_run(runs_root, tiny_data, name=name)
    app = open_page("compare", run="first")
    assert app.multiselect(key="compare-runs").value == ["first", "third"]
    assert told(open_page, "compare", runs="first,gone") == (
        "The address asks for the run “gone”, which does not exist, or no longer. It is left out."
    )
    assert told(open_page, "compare", runs="gone,lost") == (
        "The address asks for the runs “gone”, “lost”, which do not exist, or no longer. The newest runs are shown."
    )
    text = words(app)
    assert text.count("are right and wrong on the same 6 images") == 1
