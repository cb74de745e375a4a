"""The matrix of very many classes in a real browser: by real clicks down to an image, and back; by keys as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.conftest import make_tiny_data
from tests.dashboards import Dashboard, chart, click_cell, gallery, open_page, serve, settle
from tests.large_run import make_large_run

pytestmark = pytest.mark.slow(30)
GROUP = "class-00000, class-00001, class-00002 … class-00044 (45 classes)"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("levels")
    with serve(folder, make_tiny_data(folder / "tiny")) as server:
        make_large_run(server.runs, server.data, 2_000)
        yield server


def test_clicks_lead_from_groups_to_an_image_and_the_way_leads_back(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "confusion?run=large")
    click_cell(page, GROUP, GROUP)
    expect(page).to_have_url(re.compile("part=0-0"))
    settle(page)
    click_cell(page, "class-00000", "class-00001")
    expect(page).to_have_url(re.compile("true=class-00000&pred=class-00001"))
    settle(page)
    assert gallery(page) == ["val/class-00000/0.png"]
    page.get_by_role("button", name="All 2,000 classes").click()
    expect(page).to_have_url(re.compile("part=all"))
    settle(page)
    assert len(chart(page, "Confusion matrix").evaluate("g => g._fullLayout.yaxis._categories")) == 45
    page.go_back()
    settle(page)
    expect(page.get_by_role("button", name="All 2,000 classes")).to_be_visible()


def test_a_part_without_errors_is_drawn_and_led_back_from(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "confusion?run=large&part=0-7")
    assert len(chart(page, "Confusion matrix").evaluate("g => g._fullLayout.yaxis._categories")) == 45
    page.get_by_role("button", name="All 2,000 classes").click()
    expect(page).to_have_url(re.compile("part=all"))


def test_keys_open_a_cell_too(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "confusion?run=large")
    chart(page, "Confusion matrix").focus()
    page.keyboard.press("ArrowDown")
    said = page.locator(".weakspot-said")
    expect(said).to_contain_text("images: ")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("part=0-0"))


def test_a_finger_looks_closer_before_it_opens_a_cell(page: Page, dashboard: Dashboard) -> None:
    browser = page.context.browser
    assert browser is not None
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.new_page()
    open_page(page, dashboard, "confusion?run=large")
    expect(page.get_by_text("Tap the matrix to look closer")).to_be_visible()
    tap_first(page)
    expect(page).to_have_url(re.compile("zoom=-0.5"))
    settle(page)
    tap_first(page)
    expect(page).to_have_url(re.compile("part=0-0"))
    phone.close()


def tap_first(page: Page) -> None:
    """Tap the first cell of the matrix."""
    graph = chart(page, "Confusion matrix")
    graph.scroll_into_view_if_needed()
    at = graph.evaluate(
        """g => {
            const { xaxis, yaxis } = g._fullLayout, box = g.getBoundingClientRect();
            return [box.left + xaxis._offset + xaxis.l2p(0), box.top + yaxis._offset + yaxis.l2p(0)];
        }"""
    )
    page.touchscreen.tap(*at)


def test_the_box_of_a_chart_has_room_for_all_of_it(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "confusion?run=large")
    sizes = "g => { const box = g.closest('.st-key-confusion-matrix'); return [box.scrollHeight, box.clientHeight]; }"
    scrolled, seen = chart(page, "Confusion matrix").evaluate(sizes)
    assert scrolled == seen  # else a scroll bar stands beside it where a browser shows them


def test_the_sidebar_tells_by_itself_that_a_run_has_ended(page: Page, dashboard: Dashboard) -> None:
    run, me = dashboard.run("large"), psutil.Process()
    ended = run.read_status()
    run.write_status(replace(ended, state="running", pid=me.pid, pid_created=me.create_time()))
    open_page(page, dashboard, "weak?run=large")
    sidebar = page.get_by_test_id("stSidebar")
    expect(sidebar).to_contain_text("running")
    run.write_status(ended)
    expect(sidebar).to_contain_text("finished")
