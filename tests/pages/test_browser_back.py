"""Choices of the Confusion page in a real browser: what Back or a click changes is not taken back by a closed popover."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from core.runs.run import Run
from tests.conftest import make_tiny_data
from tests.dashboards import (
    Dashboard,
    chart,
    click_cell,
    gallery,
    open_page,
    serve,
    settle,
    wait_until,
)
from tests.made_run import make_run

pytestmark = pytest.mark.slow(40)
ROSE, TULIP, IRIS = "2 · rose", "10 · tulip", "35 · iris"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("back")
    with serve(folder, make_tiny_data(folder / "tiny")) as server:
        yield server


@pytest.fixture(scope="module")
def made(dashboard: Dashboard) -> Run:
    """Return a run on six validation images of three classes, without a model."""
    return make_run(dashboard.runs, dashboard.data, name="made")


def test_a_switch_taken_back_by_the_browser_stays_so(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "confusion?run=made&order=name")
    page.get_by_role("button", name="More").click()
    page.get_by_text("Logarithmic colours").click()
    expect(page).to_have_url(re.compile("log=yes"))
    settle(page)
    page.keyboard.press("Escape")
    page.go_back()
    settle(page)
    click_cell(page, IRIS, ROSE)
    settle(page)
    expect(page).not_to_have_url(re.compile("log="))


def test_a_cell_stays_selected_after_the_filter_was_looked_at_for_another(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "confusion?run=made&true=10&pred=2")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("combobox", name="True class")).to_be_visible()
    page.keyboard.press("Escape")
    click_cell(page, IRIS, ROSE)
    expect(page).to_have_url(re.compile("true=35&pred=2"))
    settle(page)
    assert gallery(page) == ["val/35/1.png"]
    page.locator(".ws-open").first.click()
    expect(page.get_by_role("dialog").get_by_alt_text("val/35/1.png", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("true=35&pred=2"))
    page.keyboard.press("Escape")


def test_a_cell_stays_selected_after_classes_could_be_chosen_without_one(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "confusion?run=made")
    page.get_by_text("Images", exact=True).last.click()
    expect(page.get_by_role("combobox", name="True class")).to_be_visible()
    settle(page)
    click_cell(page, IRIS, ROSE)
    settle(page)
    page.locator(".ws-open").first.click()
    expect(page.get_by_role("dialog").get_by_alt_text("val/35/1.png", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("true=35&pred=2"))
    page.keyboard.press("Escape")


def test_the_zoom_stands_in_the_address_and_a_link_opens_it(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "confusion?run=made")
    graph = chart(page, "Confusion matrix")
    graph.evaluate("g => Plotly.relayout(g, {'xaxis.range': [-0.5, 1.5], 'yaxis.range': [1.5, -0.5]})")
    expect(page).to_have_url(re.compile("zoom=-0.5_1.5_-0.5_1.5"))
    settle(page)
    page.reload()
    shown = "g => g._fullLayout.xaxis.range.map(Number)"
    wait_until(
        page, lambda: chart(page, "Confusion matrix").evaluate(shown) == [-0.5, 1.5], 20, "the zoomed matrix"
    )
