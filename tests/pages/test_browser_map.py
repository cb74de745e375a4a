"""The map in a real browser: it is made, drawn around with the mouse, clicked, and Back takes the area away."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from core.landscape.table import read_table
from core.runs.run import Run
from tests.conftest import make_tiny_data
from tests.dashboards import Dashboard, chart, gallery, open_page, serve, settle, wait_until
from tests.made_run import make_run

pytestmark = pytest.mark.slow(30)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("map")
    with serve(folder, make_tiny_data(folder / "tiny")) as server:
        yield server


@pytest.fixture(scope="module")
def made(dashboard: Dashboard, best_model: str) -> Run:
    """Return a run of three classes with a model, without a map."""
    run = make_run(dashboard.runs, dashboard.data, name="made", precision="fp32", device="cpu", workers=0)
    run.best_path.hardlink_to(best_model)
    return run


def place_on_screen(graph: Locator, x: float, y: float) -> tuple[float, float]:
    """Return where a place of the map is on the screen."""
    across, down = graph.evaluate(
        """(g, [x, y]) => {
            const { xaxis, yaxis } = g._fullLayout, box = g.getBoundingClientRect();
            return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
        }""",
        [x, y],
    )
    return across, down


def draw_around(page: Page, graph: Locator, corners: list[tuple[float, float]]) -> None:
    """Draw with the real mouse from corner to corner and back to the first."""
    graph.evaluate("g => g.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(300)
    first, *others = (place_on_screen(graph, x, y) for x, y in corners)
    page.mouse.move(*first)
    page.mouse.down()
    for corner in (*others, first):
        page.mouse.move(*corner, steps=5)
    page.mouse.up()


def test_from_the_first_visit_to_the_images_that_were_drawn_around(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "map?run=made")
    page.get_by_role("button", name="Make the map").click()
    graph = chart(page, "Map of images", seconds=120)
    settle(page)
    table = read_table(made)
    half = table[table["x"] < 0.5]
    assert 0 < len(half) < 27
    draw_around(page, graph, [(-0.02, -0.02), (0.5, -0.02), (0.5, 1.02), (-0.02, 1.02)])
    expect(page).to_have_url(re.compile("area="))
    settle(page)
    assert set(gallery(page)) == set(half["path"])
    outline = "g => (g.layout.shapes ?? []).map(s => s.type)"
    wait_until(page, lambda: graph.evaluate(outline) == ["path"], 10, "the outline")
    kept = "g => !(g.layout.selections ?? []).length && g.data.every(t => !t.selectedpoints)"
    wait_until(page, lambda: graph.evaluate(kept), 10, "all points have their colour again")
    page.go_back()
    settle(page)
    assert gallery(page) == []
    assert graph.evaluate(outline) == []


def test_a_photo_that_is_dropped_finds_images_like_it_and_each_opens(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "map?run=made&side=like")
    photo = (dashboard.data / "val/35/2.png").read_bytes()
    drop = page.get_by_test_id("stFileUploaderDropzoneInput")
    drop.set_input_files([{"name": "cut.png", "mimeType": "image/png", "buffer": photo[:200]}])
    expect(page.get_by_text("Drop another photo")).to_be_visible()
    drop.set_input_files([{"name": "mine.png", "mimeType": "image/png", "buffer": photo}])
    expect(page.get_by_alt_text("mine.png", exact=True)).to_be_visible()
    settle(page)
    asked, *found = gallery(page)
    assert (asked, found[0]) == ("mine.png", "val/35/2.png")
    assert any(path.startswith("train/35/") for path in found)
    page.get_by_alt_text(found[1], exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".ws-bars .ws-bar")).to_have_count(3)
    dialog.get_by_role("link", name="More like this").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("list", name="the image asked about").get_by_alt_text(found[1])).to_be_visible()
    settle(page)
    assert found[1] not in gallery(page)[1:]


def test_a_click_on_a_point_opens_its_image(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "map?run=made")
    graph = chart(page, "Map of images")
    graph.evaluate("g => g.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(300)
    row = read_table(made).iloc[-1]
    x, y = place_on_screen(graph, row["x"], row["y"])
    page.mouse.move(x - 4, y - 4)
    page.mouse.move(x, y)
    page.wait_for_timeout(300)
    page.mouse.click(x, y)
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".ws-bars .ws-bar")).to_have_count(3)
    expect(page).to_have_url(re.compile("image="))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
