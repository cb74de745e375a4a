"""What the pages tell of runs that have ended, in a real browser with a real mouse: cells, classes, uploads, windows."""

from __future__ import annotations

import csv
import io
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core.runs.run import Run
from tests.conftest import make_tiny_data
from tests.dashboards import (
    ROOT,
    Dashboard,
    chart,
    choose,
    click_cell,
    gallery,
    open_page,
    serve,
    settle,
    wait_until,
)
from tests.made_run import TRUE, make_run
from tests.pages.apps import PAGES
from tests.processes import make_images

pytestmark = pytest.mark.slow(50)
ROSE, TULIP, IRIS = "2 · rose", "10 · tulip", "35 · iris"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("run")
    with serve(folder, make_tiny_data(folder / "tiny")) as server:
        yield server


@pytest.fixture(autouse=True, scope="module")
def made(dashboard: Dashboard, best_model: Path) -> Run:
    """Return a run on six validation images of three classes, with a model of random weights."""
    run = make_run(dashboard.runs, dashboard.data, name="made")
    run.best_path.hardlink_to(best_model)
    return run


def test_an_ended_run_is_not_polled(page: Page, dashboard: Dashboard) -> None:
    frames: list[float] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: frames.append(time.monotonic())))
    open_page(page, dashboard, "live?run=made")
    page.wait_for_timeout(1000)
    seen = len(frames)
    assert seen  # the page itself came this way
    page.wait_for_timeout(4000)
    assert len(frames) == seen


def test_a_click_on_a_cell_shows_exactly_its_images(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "confusion?run=made")
    expect(chart(page, "Confusion matrix").locator(".heatmaplayer image").first).to_be_visible()
    click_cell(page, IRIS, ROSE)
    expect(page).to_have_url(re.compile("true=35&pred=2"))
    settle(page)
    assert gallery(page) == ["val/35/1.png"]
    page.reload()
    settle(page)
    assert gallery(page) == ["val/35/1.png"]
    click_cell(page, ROSE, ROSE)
    expect(page).to_have_url(re.compile("true=2&pred=2"))
    settle(page)
    assert set(gallery(page)) == {"val/2/1.png", "val/2/2.png"}
    page.go_back()
    expect(page).to_have_url(re.compile("true=35&pred=2"))
    settle(page)
    assert gallery(page) == ["val/35/1.png"]


def test_the_boxes_and_the_list_of_pairs_lead_to_the_same(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "confusion?run=made")
    page.get_by_role("button", name=re.compile("taken for")).first.click()
    expect(page).to_have_url(re.compile("true=10&pred=2"))
    settle(page)
    assert gallery(page) == ["val/10/2.png"]
    open_page(page, dashboard, "confusion?run=made")
    page.get_by_role("radio", name="Images").click()
    choose(page, "Predicted class", ROSE)
    expect(page).to_have_url(re.compile("pred=2"))
    settle(page)
    expect(page.get_by_text(re.compile("4 images"))).to_be_visible()


def test_weak_classes_shows_two_heat_maps_an_image(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "weak?run=made&class=35")
    card = page.locator(".ws-card")
    expect(card).to_have_count(1, timeout=60_000)
    seen, for_predicted, for_true = card.locator("img").all()
    assert seen.get_attribute("alt") == "val/35/1.png"
    assert for_predicted.get_attribute("alt") == "Grad-CAM of val/35/1.png for 2"
    assert for_true.get_attribute("alt") == "Grad-CAM of val/35/1.png for 35"
    assert for_predicted.get_attribute("src") != seen.get_attribute("src")
    expect(page.get_by_role("heading", name=re.compile("For contrast, a strong class"))).to_be_visible()


def test_a_class_is_chosen_by_a_click_in_the_ranking(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "weak?run=made&class=35")
    graph = chart(page, "Recall of classes")
    graph.scroll_into_view_if_needed()
    marks = graph.locator(".scatterlayer .point")
    box = marks.last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 - 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    last = graph.evaluate("g => g.data[0].y[g.data[0].y.length - 1]")
    assert not last.startswith("35 ")
    expect(page).to_have_url(re.compile(f"class={last.split(' ')[0]}"))


def test_an_error_is_looked_at_closer_by_another_method(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "weak?run=made&class=35")
    page.get_by_role("button", name="Look closer").first.click()
    expect(page).to_have_url(re.compile("image="))
    settle(page)
    before = page.get_by_alt_text("Grad-CAM of val/35/1.png for 2", exact=True).get_attribute("src")
    choose(page, "Method", "LayerCAM")
    after = page.get_by_alt_text("LayerCAM of val/35/1.png for 2", exact=True)
    expect(after).to_be_visible()
    assert after.get_attribute("src") != before
    page.go_back()
    expect(page.get_by_alt_text("Grad-CAM of val/35/1.png for 2", exact=True)).to_be_visible()


def test_three_uploads_one_broken_give_two_results_and_one_clear_message(
    page: Page, dashboard: Dashboard
) -> None:
    open_page(page, dashboard, "predict?run=made")
    flower = (dashboard.data / "test/1.png").read_bytes()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        [
            {"name": "flower.png", "mimeType": "image/png", "buffer": flower},
            {"name": "broken.png", "mimeType": "image/png", "buffer": flower[:200]},
            {"name": "white.png", "mimeType": "image/png", "buffer": png()},
        ]
    )
    expect(page.locator(".ws-card")).to_have_count(2, timeout=60_000)
    expect(page.get_by_test_id("stAlert")).to_have_count(1)
    expect(page.get_by_test_id("stAlert")).to_contain_text("broken.png is cut off or damaged")
    expect(page.locator(".ws-card").first.locator(".ws-bars .ws-bar")).to_have_count(3)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert [row["image_name"] for row in rows] == ["flower.png", "broken.png", "white.png"]
    assert [bool(row["problem"]) for row in rows] == [False, True, False]


def test_a_photo_of_the_camera_is_predicted(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "predict?run=made")
    page.get_by_text("Use the camera").click()
    shown = "() => { const video = document.querySelector('video'); return video?.readyState >= 3 && video.videoWidth > 0; }"
    page.wait_for_function(shown)  # before it there is no picture to take
    page.get_by_role("button", name="Take Photo").click()
    expect(page.locator(".ws-card")).to_have_count(1, timeout=60_000)
    expect(page.locator(".ws-card .ws-bars .ws-bar")).to_have_count(3)


def png(colour: str = "white") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_whole_test_folder_becomes_the_file_to_hand_in(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "predict?run=made")
    page.get_by_role("tab", name="A whole test folder").click()
    page.get_by_role("button", name="Predict the folder").click()
    settle(page)
    page.reload()  # the work goes on, and any page shows it
    page.get_by_role("tab", name="A whole test folder").click()
    expect(page.get_by_text("3 images predicted.")).to_be_visible(timeout=120_000)
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Save prediction.csv")).click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "image_name,pred_label"
    assert [line.split(",")[0] for line in lines[1:]] == ["1.png", "2.png", "3.png"]


def test_two_runs_on_the_same_images_are_compared_with_a_test(page: Page, dashboard: Dashboard) -> None:
    make_run(dashboard.runs, dashboard.data, name="better", lr=0.5, guessed=TRUE)
    open_page(page, dashboard, "compare?runs=made,better")
    expect(page.get_by_text(re.compile("No evidence of a difference")).first).to_be_visible()
    expect(page.get_by_role("heading", name="What changed from made to better")).to_be_visible()


def test_two_runs_on_other_images_are_laid_over_each_other_but_not_tested(
    page: Page, dashboard: Dashboard
) -> None:
    other = make_run(dashboard.runs, dashboard.data, name="other", lr=0.5)
    lines = other.predictions_path().read_text(encoding="utf-8").splitlines(keepends=True)
    other.predictions_path().write_text("".join(lines[:-1]), encoding="utf-8")
    other.write_status(replace(other.read_status(), val_count=len(lines) - 2))
    open_page(page, dashboard, "compare?runs=made,other")
    graph = chart(page, "Validation accuracy by epoch")
    names = "g => g.data.map(t => t.name)"
    assert set(graph.evaluate(names)) == {"made", "other"}
    expect(
        page.get_by_text(
            re.compile("not compared with (made|other). They were validated on different images")
        )
    ).to_be_visible()
    expect(page.get_by_role("heading", name="Settings that differ")).to_be_visible()


def test_delete_asks_first_and_removes_the_folder(page: Page, dashboard: Dashboard) -> None:
    make_run(dashboard.runs, dashboard.data, name="second")
    open_page(page, dashboard, "runs")
    card = page.locator(".st-key-run-second")
    card.get_by_role("button").last.click()
    page.get_by_role("button", name="Keep it").click()
    settle(page)
    assert dashboard.run("second").folder.exists()
    card.get_by_role("button").last.click()
    page.get_by_role("button", name="Delete", exact=True).click()
    wait_until(page, lambda: not (dashboard.runs / "second").exists(), 20, "the end of the folder")
    expect(page.locator(".st-key-run-second")).to_have_count(0)


def test_a_scan_of_other_data_finds_a_leak_and_opens_its_two_images(
    page: Page, dashboard: Dashboard, tmp_path: Path
) -> None:
    data = make_images(tmp_path / "leaky")
    shutil.copy(data / "train/10/3.png", data / "val/10/again.png")
    open_page(page, dashboard, f"data?folder={data}")
    page.get_by_role("button", name="Scan the images").click()
    finding = page.get_by_role("button", name="1 image is in more than one split")
    finding.click()
    expect(page.locator(".ws-card img")).to_have_count(2)
    shown = page.locator(".ws-card img").evaluate_all("all => all.map(i => i.alt)")
    assert shown == ["train/10/3.png", "val/10/again.png"]
    expect(page).to_have_url(re.compile("finding=leak"))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_window_in_light_and_dark(page: Page, dashboard: Dashboard, name: str) -> None:
    shots = ROOT / ".test-artifacts"
    shots.mkdir(exist_ok=True)
    main = page.get_by_test_id("stMain")
    page.emulate_media(color_scheme="dark")
    open_page(page, dashboard, f"{name}?run=made")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for width in (900, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(300)
            assert main.evaluate("m => m.scrollWidth <= m.clientWidth + 1"), (
                f"{name} is wider than its window"
            )
            assert "Traceback" not in main.inner_text()
            page.screenshot(path=shots / f"{name}-{width}-{scheme}.png")
