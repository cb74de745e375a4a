"""What is selected: the URL is the truth, the session fills in what a link of the sidebar drops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run

pytestmark = pytest.mark.usefixtures("quick_apps")


@pytest.fixture
def runs(runs_root: Path) -> list[Run]:
    """Return two runs, the older first."""
    found = []
    for number, name in enumerate(("old", "new")):
        run = create_run(TrainConfig(data="/data", name=name), runs_root)
        run.write_status(replace(run.read_status(), created=1000.0 + number))
        found.append(run)
    return found


def look() -> None:
    import streamlit as st

    from dashboard.state import address

    for _ in range(2):  # the sidebar asks, then the page
        run = address.selected_run()
    st.text(run.id if run else "no run")


def open_app(script: Callable[[], None], **query: str) -> AppTest:
    app = AppTest.from_function(script, default_timeout=20)
    app.query_params.update(query)
    return app.run()


def selected(app: AppTest) -> str:
    assert not app.exception
    return str(app.text[0].value)


def test_the_run_of_the_address_is_selected(runs: list[Run]) -> None:
    app = open_app(look, run="old")
    assert selected(app) == "old"
    assert app.session_state["run"] == "old"
    assert not app.warning


def test_without_a_run_in_the_address_the_newest_is_selected_and_written_there(runs: list[Run]) -> None:
    app = open_app(look)
    assert selected(app) == "new"
    assert app.query_params == {"run": "new"}


def test_the_run_last_looked_at_stays_selected_on_a_page_opened_from_the_sidebar(runs: list[Run]) -> None:
    app = open_app(look, run="old")
    app.query_params.clear()
    assert selected(app.run()) == "old"
    assert app.query_params == {"run": "old"}


def test_an_unknown_run_falls_back_to_the_newest_and_says_so_once(runs: list[Run]) -> None:
    app = open_app(look, run="gone")
    assert selected(app) == "new"
    assert app.query_params == {"run": "new"}
    (warning,) = app.warning
    assert "the run “gone”, which does not exist" in warning.value
    assert "The newest run is shown" in warning.value


def test_a_link_cannot_write_markdown_into_the_page(runs: list[Run]) -> None:
    app = open_app(look, run="[click](https://example.org)")
    (warning,) = app.warning
    assert r"\[click\]\(https\:" in warning.value


def test_a_run_that_was_deleted_since_falls_back_without_a_word(runs: list[Run]) -> None:
    app = open_app(look, run="old")
    app.query_params.clear()
    app.session_state["run"] = "gone"
    assert selected(app.run()) == "new"
    assert not app.warning


def test_the_address_may_ask_for_the_latest_run(runs: list[Run]) -> None:
    app = open_app(look, run="latest")
    assert selected(app) == "new"
    assert app.query_params == {"run": "new"}


def test_where_there_is_no_run_nothing_is_selected(runs_root: Path) -> None:
    app = open_app(look)
    assert selected(app) == "no run"
    assert app.query_params == {}


def test_where_there_is_no_run_a_link_to_one_promises_no_other(runs_root: Path) -> None:
    app = open_app(look, run="gone")
    assert selected(app) == "no run"
    assert not app.warning


def test_choosing_a_run_drops_what_was_selected_inside_another(runs: list[Run]) -> None:
    def choose() -> None:
        import streamlit as st

        from core.runs.run import default_root, find_run
        from dashboard.state import address

        address.choose_run(find_run("old", default_root()))
        st.text(address.selected_run().id)

    app = open_app(choose, run="new", true="10", pred="2", page="3")
    assert selected(app) == "old"
    assert app.query_params == {"run": "old"}


@pytest.mark.parametrize(
    ("query", "allowed", "found"),
    [
        ({}, None, ""),
        ({"class": "29"}, None, "29"),
        ({"class": "29"}, ["10", "29"], "29"),
        ({"class": "30"}, ["10", "29"], ""),
        ({"class": ""}, ["10", "29"], ""),
    ],
)
def test_a_parameter_counts_where_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str], allowed: list[str] | None, found: str
) -> None:
    from dashboard.state import address

    monkeypatch.setattr("streamlit.query_params", query)
    assert address.get_param("class", allowed) == found


@pytest.mark.parametrize(
    ("values", "query"),
    [
        ({"true": "10"}, {"run": "new", "page": "2", "true": "10"}),
        ({"true": "10", "page": ""}, {"run": "new", "true": "10"}),
        ({"run": "old"}, {"run": "old", "page": "2"}),
        ({"pred": ""}, {"run": "new", "page": "2"}),
    ],
)
def test_writing_parameters_keeps_the_others_and_removes_empty_ones(
    values: dict[str, Any], query: dict[str, str]
) -> None:
    def write(values: dict[str, str]) -> None:
        from dashboard.state import address

        address.set_params(**values)

    app = AppTest.from_function(write, default_timeout=20, kwargs={"values": values})
    app.query_params.update({"run": "new", "page": "2"})
    assert app.run().query_params == query
