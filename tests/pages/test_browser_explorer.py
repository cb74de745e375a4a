"""What is done with a run that has ended, in a real browser with a real mouse."""

from __future__ import annotations

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from benchmarks.explorer import make_run as make_large_run
from core.runs.run import Run
from tests.conftest import make_tiny_data
from tests.dashboards import (
    Dashboard,
    chart,
    choose,
    click_cell,
    field,
    fill,
    gallery,
    open_page,
    place_of,
    serve,
    settle,
    show_all_settings,
    wait_until,
)
from tests.made_run import GUESSED_FIRST, make_run, measure_confidence

pytestmark = pytest.mark.slow(50)
ROSE, TULIP, IRIS = "2 · rose", "10 · tulip", "35 · iris"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("explorer")
    data = make_tiny_data(folder / "tiny")
    shutil.copy(data / "train/10/2.png", data / "train/2/1.png")  # a wrong label to be found
    with serve(folder, data) as server:
        yield server


@pytest.fixture(scope="module")
def made(dashboard: Dashboard, best_model: Path) -> Run:
    """Return a run on six validation images of three classes, with a model of random weights."""
    run = make_run(dashboard.runs, dashboard.data, name="made")
    run.best_path.hardlink_to(best_model)
    return run


@pytest.fixture(scope="module")
def large(dashboard: Dashboard) -> Run:
    """Return a run on 640 validation images of 16 classes, each confused most within its half."""
    return make_large_run(dashboard.runs.parent, 16, 640)


def test_a_click_on_a_label_shows_all_of_its_class(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "confusion?run=made")
    graph = chart(page, "Confusion matrix")
    graph.locator(".ytick text", has_text=TULIP).click()
    expect(page).to_have_url(re.compile(r"true=10$"))
    settle(page)
    assert gallery(page) == ["val/10/2.png", "val/10/1.png"]
    graph.locator(".xtick text", has_text=IRIS).click()
    expect(page).to_have_url(re.compile(r"pred=35$"))
    settle(page)
    assert gallery(page) == ["val/35/2.png"]


def test_a_dragged_box_shows_the_images_of_its_block(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "confusion?run=made")
    graph = chart(page, "Confusion matrix")
    graph.hover()
    graph.locator('[data-title="Box Select"]').click()
    page.mouse.move(*place_of(graph, TULIP, ROSE))
    page.mouse.down()
    page.mouse.move(*place_of(graph, IRIS, TULIP), steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile("block="))
    settle(page)
    assert set(gallery(page)) == {"val/10/1.png", "val/10/2.png", "val/35/1.png"}


def test_the_images_are_sorted_and_one_is_opened_large(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "confusion?run=made&pred=2")
    before = gallery(page)
    page.get_by_role("button", name="Filter").click()
    choose(page, "Sorted by", "loss")
    page.keyboard.press("Escape")
    assert sorted(gallery(page)) == sorted(before) != gallery(page)
    page.locator(".ws-open").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".ws-bars .ws-bar")).to_have_count(3)
    expect(dialog.get_by_role("img").first).to_have_attribute("alt", gallery(page)[0])
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_images_stand_beside_the_matrix_in_the_same_window(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "confusion?run=made")
    click_cell(page, IRIS, ROSE)
    expect(page).to_have_url(re.compile("true=35&pred=2"))
    settle(page)
    matrix, image = (
        place.bounding_box()
        for place in (chart(page, "Confusion matrix"), page.locator(".ws-grid img").first)
    )
    assert matrix is not None
    assert image is not None
    assert image["x"] >= matrix["x"] + matrix["width"]
    assert image["y"] + image["height"] <= 900


@pytest.mark.parametrize("width", [900, 390])
def test_on_a_narrow_screen_images_come_over_the_matrix(
    page: Page, dashboard: Dashboard, made: Run, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 850})
    try:
        open_page(page, dashboard, "confusion?run=made&true=35&pred=2")
        image = page.locator(".ws-grid img").first.bounding_box()
        assert image is not None
        assert 0 <= image["x"] <= width - image["width"]
        assert image["y"] < 850
        page.locator(".st-key-confusion-close").get_by_role("button").click()
        expect(page.locator(".ws-grid img")).to_have_count(0)
    finally:
        page.set_viewport_size({"width": 1440, "height": 900})


def test_from_the_matrix_to_the_reason_by_keys_alone(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "confusion?run=made")
    matrix = chart(page, "Confusion matrix")
    matrix.focus()
    said = page.locator(".weakspot-said").first
    expect(said).to_contain_text("3 classes, 4 of 6 images right")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown"):  # the first shows where the cursor is
        page.keyboard.press(key)
    expect(said).to_have_text(f"true {IRIS}, predicted {ROSE}, images: 1")
    expect(page.locator(".weakspot-cursor").first).to_be_visible()
    page.keyboard.press("End")
    expect(said).to_have_text(f"true {IRIS}, predicted {IRIS}, images: 1")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("true=35&pred=2"))
    settle(page)
    page.locator(".ws-open").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_alt_text("Grad-CAM of val/35/1.png for 2", exact=True)).to_be_visible(timeout=60_000)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_arrows_lead_from_image_to_image(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "confusion?run=made&pred=2")
    names = gallery(page)
    page.locator(".ws-open").first.click()
    dialog = page.get_by_role("dialog")
    for name in names[:3]:
        expect(dialog.get_by_alt_text(name, exact=True)).to_be_visible()
        settle(page)
        page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("image="))
    page.keyboard.press("Escape")


def test_the_list_of_the_images_is_saved(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "confusion?run=made&pred=2")
    shown = gallery(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="List of 4 images (CSV)").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert [row["path"] for row in rows] == shown


def test_a_click_on_a_difference_tells_what_came_in(page: Page, dashboard: Dashboard, made: Run) -> None:
    open_page(page, dashboard, "confusion?run=made&against=epoch:1")
    click_cell(page, IRIS, ROSE, "Difference of the confusion matrices")
    expect(page.locator(".ws-mark")).to_have_text("came in")
    settle(page)
    assert gallery(page) == ["val/35/1.png"]


def test_a_report_is_made_saved_and_opens_without_a_network(
    page: Page, dashboard: Dashboard, made: Run, tmp_path: Path
) -> None:
    open_page(page, dashboard, "runs")
    page.locator(".st-key-run-made").get_by_role("button", name="Report").click()
    save = page.get_by_role("button", name="Save the page")
    expect(save).to_be_visible(timeout=120_000)
    with page.expect_download() as download:
        save.click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert page.context.browser is not None
    context = page.context.browser.new_context(offline=True, viewport={"width": 1000, "height": 900})
    report = context.new_page()
    asked: list[str] = []
    report.on("request", lambda request: asked.append(request.url))
    report.on("console", lambda message: asked.append(message.text))
    report.goto(file.as_uri())
    expect(report.get_by_role("heading", level=1)).to_have_text("made")
    expect(report.get_by_role("heading", level=2)).to_have_count(9)
    for scheme in ("light", "dark"):
        report.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        drawn = "all => all.every(i => i.complete && i.naturalWidth > 0)"
        assert report.locator("img").evaluate_all(drawn)
        assert report.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [what for what in asked if not what.startswith(("file:", "data:"))] == []
    context.close()


# The look of the matrix, on more classes

VALUES = "g => Array.from(g.calcdata[0][0].z, row => Array.from(row)).flat().filter(Number.isFinite)"
NAMES = "g => g._fullLayout.yaxis._categories"


def read(page: Page, what: str) -> Any:
    return chart(page, "Confusion matrix").evaluate(what)


def test_the_matrix_is_ordered_as_asked(page: Page, dashboard: Dashboard, large: Run) -> None:
    open_page(page, dashboard, f"confusion?run={large.id}")
    seen = [read(page, NAMES)]
    for order in ("Recall, lowest first", "Similarity"):
        choose(page, "Order", order)
        wait_until(page, lambda: read(page, NAMES) not in seen, 20, f"the order {order}")
        seen.append(read(page, NAMES))
    assert sorted(seen[0]) == sorted(seen[1]) == sorted(seen[2])


def test_the_cells_are_coloured_as_asked(page: Page, dashboard: Dashboard, large: Run) -> None:
    open_page(page, dashboard, f"confusion?run={large.id}")
    counts = read(page, VALUES)
    choose(page, "Colour by", "Share of row")
    wait_until(page, lambda: read(page, VALUES) != counts, 20, "the shares of the rows")
    choose(page, "Colour by", "Images")
    page.get_by_role("button", name="More").click()
    page.get_by_text("Logarithmic colours").click()
    wait_until(page, lambda: read(page, VALUES) != counts, 20, "the logarithms")
    page.get_by_text("Logarithmic colours").click()
    wait_until(page, lambda: read(page, VALUES) == counts, 20, "the images again")
    page.get_by_text("Right answers").click()
    wait_until(
        page, lambda: len(read(page, VALUES)) == len(counts) - 16, 20, "the matrix without its diagonal"
    )
    fill(page, "Fewest images in a cell", "3")
    wait_until(page, lambda: len(read(page, VALUES)) < len(counts) - 16, 20, "the matrix without rare errors")
    fill(page, "Fewest images in a cell", "1")
    page.get_by_text("Right answers").click()
    wait_until(page, lambda: read(page, VALUES) == counts, 20, "the whole matrix")
    page.keyboard.press("Escape")


def test_a_class_is_found_and_the_choices_are_kept_between_pages(
    page: Page, dashboard: Dashboard, large: Run
) -> None:
    open_page(page, dashboard, f"confusion?run={large.id}")
    first = read(page, NAMES)
    choose(page, "Order", "Similarity")
    wait_until(page, lambda: read(page, NAMES) != first, 20, "the order")
    similar = read(page, NAMES)
    choose(page, "Find a class", "class-0005")
    wait_until(page, lambda: len(read(page, "g => g._fullLayout.shapes")) > 0, 20, "the mark of the class")
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Live").click()
    chart(page, "Confusion matrix")
    page.get_by_role("link", name="Explore its images").click()
    expect(page).to_have_url(re.compile(rf"/confusion\?.*run={large.id}"))
    settle(page)
    assert len(read(page, "g => g._fullLayout.shapes")) > 0
    assert read(page, NAMES) == similar


def test_a_block_is_listed_by_its_classes_and_opens_page_by_page(
    page: Page, dashboard: Dashboard, large: Run
) -> None:
    open_page(page, dashboard, f"confusion?run={large.id}")
    page.get_by_role("radio", name="Blocks").click()
    block = page.locator("[class*=st-key-block-]").get_by_role("button").first
    images = int(block.inner_text().rsplit("·", 1)[1])
    block.click()
    expect(page).to_have_url(re.compile("block="))
    settle(page)
    first = gallery(page)
    assert len(first) == 24 < images
    number = page.get_by_label(re.compile(r"^Page \(of"))
    number.fill("2")
    number.press("Enter")
    settle(page)
    expect(page).to_have_url(re.compile("page=2"))
    assert gallery(page)
    assert not set(gallery(page)) & set(first)


def test_the_images_are_packed(page: Page, dashboard: Dashboard, large: Run) -> None:
    open_page(page, dashboard, f"confusion?run={large.id}&true=class-0005")
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Pack the images (zip)").click()
    save = page.get_by_role("button", name=re.compile(r"Save .*\.zip"))
    expect(save).to_be_visible()
    with page.expect_download() as download:
        save.click()
    packed = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert sum(name.endswith(".png") for name in packed.namelist()) > 24


def test_another_epoch_and_another_run_are_held_against_it(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    make_run(dashboard.runs, dashboard.data, name="other", guessed=GUESSED_FIRST)
    open_page(page, dashboard, "confusion?run=made")
    choose(page, "Matrix of", "epoch 1")
    expect(page).to_have_url(re.compile("epoch=1"))
    click_cell(page, IRIS, TULIP)
    settle(page)
    assert gallery(page) == ["val/35/1.png"]
    open_page(page, dashboard, "confusion?run=made")
    choose(page, "Difference from", "run other")
    expect(page).to_have_url(re.compile("against=run"))
    click_cell(page, TULIP, TULIP, "Difference of the confusion matrices")
    settle(page)
    assert gallery(page) == ["val/10/1.png"]


# An error closer, and the labels


def test_a_heat_map_is_of_the_class_the_layer_and_the_strength_that_were_chosen(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "weak?run=made&class=35&image=val/35/1.png")
    for_predicted = page.get_by_alt_text("Grad-CAM of val/35/1.png for 2", exact=True)
    pictures = [for_predicted.get_attribute("src")]
    choose(page, "Layer", "stage 2 (4×4)")
    wait_until(page, lambda: for_predicted.get_attribute("src") not in pictures, 20, "the map of the layer")
    pictures.append(for_predicted.get_attribute("src"))
    page.get_by_role("slider", name="Strength of the colour").press("ArrowLeft")
    expect(page).to_have_url(re.compile("strength=70"))
    wait_until(page, lambda: for_predicted.get_attribute("src") not in pictures, 20, "the paler map")
    choose(page, "What speaks for", f"{IRIS} (true)")
    expect(page.get_by_alt_text("Grad-CAM of val/35/1.png for 35", exact=True)).to_be_visible()
    expect(page.get_by_text("Can you trust this map?")).to_be_visible()


def test_the_nearest_training_images_are_found_while_the_page_can_be_used(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "weak?run=made&class=35&image=val/35/1.png")
    page.get_by_role("button", name="Find similar training images").click()
    expect(page.get_by_text(re.compile("Nearest of all is train/"))).to_be_visible(timeout=120_000)
    settle(page)
    shown = [name.split("/")[1] for name in gallery(page) if name.startswith("train/")]
    assert shown == ["2"] * 5 + ["35"] * 5


def test_doubtful_training_labels_become_a_run_without_them(
    page: Page, dashboard: Dashboard, best_model: Path
) -> None:
    # Of a network whose weights come with the installation: it has not seen these images, so it can judge them.
    run = make_run(dashboard.runs, dashboard.data, name="doubting", arch="tf_efficientnet_lite0")
    run.best_path.hardlink_to(best_model)
    open_page(page, dashboard, "data?run=doubting&labels=train")
    page.get_by_role("button", name="Look for wrong labels").click()
    several = page.get_by_role("button", name=re.compile("^Mark the .* left"))
    expect(several).to_be_visible(timeout=120_000)
    settle(page)
    assert "train/2/1.png" in gallery(page)
    several.click()
    page.get_by_role("button", name="Leave all out of training").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    settle(page)
    page.get_by_role("button", name="Train with these fixes").click()
    expect(page).to_have_url(re.compile("/train"))
    expect(
        page.get_by_text(re.compile(r"Ready to train doubting again with the corrections in .*\.csv"))
    ).to_be_visible()
    show_all_settings(page)
    expect(field(page, "Fix list of labels (CSV)")).to_have_value(re.compile(r"doubting/.*\.csv$"))
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


def test_a_threshold_that_was_chosen_makes_predict_say_not_sure(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    measure_confidence(made)  # of a model that answers well; this one, of random weights, is never sure
    open_page(page, dashboard, "confidence?run=made&wanted=90")
    chart(page, "Reliability")
    page.get_by_role("button", name="Use this threshold in Predict").click()
    expect(page.get_by_text("Predict uses this threshold.")).to_be_visible()
    page.get_by_role("link", name="Go to Predict").click()
    expect(page).to_have_url(re.compile("/predict"))
    settle(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(dashboard.data / "val/35/1.png")
    expect(page.locator(".ws-card header")).to_contain_text("Not sure. Best guess: ")
