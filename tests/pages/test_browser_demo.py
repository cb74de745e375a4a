"""A newcomer in a real browser with a real mouse: no run yet, the form, and the demo trained to its end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.dataset.demo import make_demo
from core.runs import jobs
from core.stored.status import ACTIVE
from tests.dashboards import (
    Dashboard,
    chart,
    field,
    fill,
    open_page,
    points,
    predictions,
    serve,
    settle,
    wait_until,
)
from tests.pages.apps import PAGES

pytestmark = pytest.mark.slow(90)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("demo")
    make_demo("digits", folder / "digits")
    with serve(folder, folder / "digits") as server:
        yield server


def test_every_page_without_a_run_names_the_next_step(page: Page, dashboard: Dashboard) -> None:
    for name in PAGES:
        open_page(page, dashboard, name)
        main = page.get_by_test_id("stMain")
        expect(
            main.get_by_text(
                re.compile("Start the demo training|Go to Train|Start training|Scan the images|Start 1 run")
            ).first
        ).to_be_visible()


def test_a_wrong_field_gets_its_message_and_holds_the_start_back(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "")
    page.get_by_role("button", name="Train on my images").click()
    expect(page).to_have_url(re.compile("/train"))
    settle(page)
    folder = field(page, "Folder of images")
    expect(folder).to_have_value(str(dashboard.data))
    builtin = page.get_by_role("button", name="Use the built-in digits")
    place = builtin.bounding_box()
    folder.fill("/no/such/folder")
    folder.press("Enter")
    expect(page.get_by_text("/no/such/folder: there is no such folder.")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    assert builtin.bounding_box() == place
    folder.fill(str(dashboard.data))
    folder.press("Enter")
    expect(
        page.get_by_text("10 classes · 1,200 training, 300 validation and 297 test images")
    ).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


def test_the_form_shows_sixteen_augmented_images_and_the_command(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "train")
    page.get_by_role("radio", name="Digits from scratch").click()
    expect(page.get_by_role("list", name="augmented training images").locator("img")).to_have_count(16)
    page.get_by_text("The same from the command line").click()
    expect(page.get_by_text("python -m weakspot train --data")).to_be_visible()


def test_a_folder_that_is_dropped_becomes_the_forms(page: Page, dashboard: Dashboard, tmp_path: Path) -> None:
    for name in ("1", "7"):
        shutil.copytree(dashboard.data / "train" / name, tmp_path / "photos" / name)
    open_page(page, dashboard, "")
    page.get_by_role("button", name="Bring images here").click()
    settle(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(tmp_path / "photos")
    expect(field(page, "Name of the data set")).to_have_value("photos", timeout=60_000)
    page.get_by_role("button", name=re.compile("Bring in .* files")).click()
    brought = str(dashboard.runs.parent / "uploads" / "photos")
    expect(field(page, "Folder of images")).to_have_value(brought, timeout=60_000)
    expect(page.get_by_text(re.compile("2 classes · "))).to_be_visible()


@pytest.mark.timeout(900)
def test_the_demo_is_watched_survives_the_dashboards_end_and_finishes_with_95_per_cent(
    page: Page, dashboard: Dashboard
) -> None:
    start_demo(page, dashboard)
    watch_the_curve_grow(page)
    zoom_while_it_grows(page)
    end_the_dashboard_and_come_back(page, dashboard)
    expect(page.get_by_test_id("stAlert").first).to_contain_text(
        re.compile("Finished: best validation accuracy"), timeout=300_000
    )
    rows = predictions(dashboard.run("first"))
    accuracy = sum(row["true"] == row["predicted"] for row in rows) / len(rows)
    assert accuracy >= 0.95
    expect(page.get_by_test_id("stMain")).to_contain_text(f"{accuracy * 100:.1f} % (")


def start_demo(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "train")
    page.get_by_role("radio", name="Digits from scratch").click()
    settle(page)
    fill(page, "Name of the run", "first")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/live\?run=first"))


def watch_the_curve_grow(page: Page) -> None:
    graph = chart(page, "Loss by epoch")
    wait_until(page, lambda: points(graph, "training, each step") > 2, 90, "the first steps")
    before = points(graph, "training, each step")
    wait_until(page, lambda: points(graph, "training, each step") > before, 30, "more steps")
    expect(page.get_by_text(re.compile(r"training · \d+ % · about .* left"))).to_be_visible()
    expect(page.get_by_text("images/s")).to_be_visible()


def zoom_while_it_grows(page: Page) -> None:
    """Zoom by mouse into a curve: more steps leave the zoom as it is."""
    graph = chart(page, "Accuracy by epoch")
    box = graph.bounding_box()
    assert box is not None
    whole = graph.evaluate(RANGES)
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.8, steps=5)
    page.mouse.up()
    wait_until(page, lambda: graph.evaluate(RANGES) != whole, 20, "the zoom")
    zoomed = graph.evaluate(RANGES)
    before = points(graph, "training, each step")
    wait_until(page, lambda: points(graph, "training, each step") > before + 1, 60, "more steps")
    assert graph.evaluate(RANGES) == zoomed


RANGES = "g => [g._fullLayout.xaxis.range, g._fullLayout.yaxis.range]"


def end_the_dashboard_and_come_back(page: Page, dashboard: Dashboard) -> None:
    """End the dashboard: the training goes on to its last epoch, which is watched again by a new one."""
    dashboard.stop()
    run = dashboard.run("first")
    assert jobs.live_status(run).state in ACTIVE
    wait_until(page, lambda: run.read_status().epoch == 3, 600, "the last epoch")
    dashboard.start()
    open_page(page, dashboard, "")
    page.get_by_role("link", name="Watch it live").click()
    expect(page).to_have_url(re.compile(r"/live\?run=first"))
