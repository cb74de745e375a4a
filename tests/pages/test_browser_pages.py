"""The whole way in a real browser with a real mouse, on a real training: what a newcomer does, in their order."""

from __future__ import annotations

import csv
import io
import itertools
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from core.dataset.demo import make_demo
from core.runs import jobs
from core.runs.run import ACTIVE, delete_run, iter_runs
from core.verdicts.predictions import most_confused, read_predictions
from tests.dashboards import (
    ROOT,
    Dashboard,
    browse,
    chart,
    choose,
    click_cell,
    field,
    fill,
    gallery,
    open_page,
    points,
    predictions,
    serve,
    settle,
    wait_until,
)
from tests.made_run import make_run
from tests.processes import make_images

PAGES = ("runs", "train", "live", "confusion", "weak", "confidence", "data", "predict", "compare", "bake-off")


def link_few(data: Path, target: Path, *, train: int, val: int) -> None:
    """Link some images of each class into a data set of its own."""
    for split, count in (("train", train), ("val", val)):
        for folder in (data / split).iterdir():
            (target / split / folder.name).mkdir(parents=True)
            for image in sorted(folder.iterdir())[:count]:
                (target / split / folder.name / image.name).symlink_to(image)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("browser")
    make_demo("digits", folder / "digits")
    # A few images of each class, for trainings whose accuracy does not matter.
    link_few(folder / "digits", folder / "few", train=12, val=3)
    with serve(folder, folder / "digits") as server:
        yield server


@pytest.fixture(scope="module")
def outside() -> list[str]:
    """Addresses outside this machine that a page asked for."""
    return []


@pytest.fixture(scope="module")
def page(dashboard: Dashboard, outside: list[str]) -> Iterator[Page]:
    with browse(dashboard, outside) as page:
        yield page


def label(name: str) -> str:
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return f"{name} · {words[int(name)]}"


def png(colour: str = "white") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()


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
    expect(page).to_have_url(re.compile("/train"))
    folder = field(page, "Folder of images")
    expect(folder).to_have_value(str(dashboard.data))
    folder.fill("/no/such/folder")
    folder.press("Enter")
    expect(page.get_by_text("/no/such/folder: there is no such folder.")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    folder.fill(str(dashboard.data))
    folder.press("Enter")
    expect(
        page.get_by_text("10 classes · 1,200 training, 300 validation and 297 test images")
    ).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


def test_the_form_shows_sixteen_augmented_images_and_the_command(page: Page) -> None:
    expect(page.get_by_role("list", name="augmented training images").locator("img")).to_have_count(16)
    page.get_by_text("The same from the command line").click()
    expect(page.get_by_text("python -m core train --data")).to_be_visible()


def test_the_demo_starts_from_the_form_and_its_curve_grows(page: Page, dashboard: Dashboard) -> None:
    page.get_by_role("radio", name="demo").click()
    settle(page)
    name = field(page, "Name of the run")
    name.fill("first")
    name.press("Enter")
    settle(page)
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/live\?run=first"))
    graph = chart(page, "Loss by epoch")
    wait_until(page, lambda: points(graph, "training, each step") > 2, 90, "the first steps")
    before = points(graph, "training, each step")
    wait_until(page, lambda: points(graph, "training, each step") > before, 30, "more steps")
    expect(page.get_by_text(re.compile(r"training · \d+% · about .* left"))).to_be_visible()
    expect(page.get_by_text("images/s")).to_be_visible()


def test_zoom_is_kept_while_the_curve_grows(page: Page) -> None:
    graph = chart(page, "Accuracy by epoch")
    box = graph.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.8, steps=5)
    page.mouse.up()
    page.wait_for_timeout(500)
    zoomed = graph.evaluate("g => [g._fullLayout.xaxis.range, g._fullLayout.yaxis.range]")
    before = points(graph, "training, each step")
    wait_until(page, lambda: points(graph, "training, each step") > before + 1, 60, "more steps")
    assert graph.evaluate("g => [g._fullLayout.xaxis.range, g._fullLayout.yaxis.range]") == zoomed


def test_a_page_that_needs_an_epoch_says_so_while_there_is_none(page: Page, dashboard: Dashboard) -> None:
    if dashboard.run("first").predictions_path().exists():  # a fast machine
        return
    open_page(page, dashboard, "confusion?run=first")
    expect(page.get_by_text("first has no predictions yet")).to_be_visible()


def test_the_training_survives_the_dashboards_end(page: Page, dashboard: Dashboard) -> None:
    dashboard.stop()
    assert jobs.live_status(dashboard.run("first")).state in ACTIVE
    dashboard.start()
    open_page(page, dashboard, "")
    expect(page).to_have_url(re.compile(r"/live\?run=first"))


@pytest.mark.timeout(900)
def test_the_demo_finishes_with_95_per_cent(page: Page, dashboard: Dashboard) -> None:
    expect(page.get_by_test_id("stAlert").first).to_contain_text(
        re.compile("Finished: best validation accuracy"), timeout=800_000
    )
    rows = predictions(dashboard.run("first"))
    accuracy = sum(row["true"] == row["predicted"] for row in rows) / len(rows)
    assert accuracy >= 0.95
    expect(page.get_by_test_id("stMain")).to_contain_text(f"{accuracy * 100:.1f} % (")


def test_an_ended_run_is_not_polled(page: Page, dashboard: Dashboard) -> None:
    frames: list[float] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda _: frames.append(time.monotonic())))
    open_page(page, dashboard, "live?run=first")
    page.wait_for_timeout(2000)
    seen = len(frames)
    assert seen  # the page itself came this way
    page.wait_for_timeout(4000)
    assert len(frames) == seen


def test_a_click_on_a_cell_shows_exactly_its_images(page: Page, dashboard: Dashboard) -> None:
    rows = predictions(dashboard.run("first"))
    wrong = next(row for row in rows if row["true"] != row["predicted"])
    true, predicted = wrong["true"], wrong["predicted"]
    open_page(page, dashboard, "confusion?run=first")
    expect(chart(page, "Confusion matrix").locator(".heatmaplayer image").first).to_be_visible()
    click_cell(page, label(true), label(predicted))
    expect(page).to_have_url(re.compile(rf"true={true}&pred={predicted}"))
    settle(page)
    cell = {row["path"] for row in rows if (row["true"], row["predicted"]) == (true, predicted)}
    assert set(gallery(page)) == cell
    page.reload()
    settle(page)
    assert set(gallery(page)) == cell
    click_cell(page, label("0"), label("0"))
    expect(page).to_have_url(re.compile("true=0&pred=0"))
    settle(page)
    page.go_back()
    expect(page).to_have_url(re.compile(rf"true={true}&pred={predicted}"))
    settle(page)
    assert set(gallery(page)) == cell


def test_the_boxes_and_the_list_of_pairs_lead_to_the_same(page: Page, dashboard: Dashboard) -> None:
    rows = predictions(dashboard.run("first"))
    open_page(page, dashboard, "confusion?run=first")
    page.get_by_role("button", name=re.compile("taken for")).first.click()
    expect(page).to_have_url(re.compile("true="))
    settle(page)
    assert gallery(page)
    open_page(page, dashboard, "confusion?run=first")
    choose(page, "Predicted class", label("3"))
    expect(page).to_have_url(re.compile("pred=3"))
    settle(page)
    expect(
        page.get_by_text(re.compile(rf"{sum(row['predicted'] == '3' for row in rows)} validation images"))
    ).to_be_visible()


def test_weak_classes_shows_two_heat_maps_an_image(page: Page, dashboard: Dashboard) -> None:
    rows = predictions(dashboard.run("first"))
    true = next(row["true"] for row in rows if row["true"] != row["predicted"])
    wrong = {row["path"]: row["predicted"] for row in rows if row["true"] == true != row["predicted"]}
    open_page(page, dashboard, f"weak?run=first&class={true}")
    cards = page.locator(".ws-card")
    expect(cards).to_have_count(min(6, len(wrong)), timeout=60_000)
    for card in cards.all():
        seen, for_predicted, for_true = card.locator("img").all()
        path = seen.get_attribute("alt") or ""
        assert for_predicted.get_attribute("alt") == f"Grad-CAM of {path} for {wrong[path]}"
        assert for_true.get_attribute("alt") == f"Grad-CAM of {path} for {true}"
        assert for_predicted.get_attribute("src") != seen.get_attribute("src")
    expect(page.get_by_role("heading", name=re.compile("For contrast, a strong class"))).to_be_visible()


def test_a_class_is_chosen_by_a_click_in_the_ranking(page: Page) -> None:
    graph = chart(page, "Recall of classes")
    graph.scroll_into_view_if_needed()
    marks = graph.locator(".scatterlayer .point")
    box = marks.last.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2 - 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    last = graph.evaluate("g => g.data[0].y[g.data[0].y.length - 1]")
    expect(page).to_have_url(re.compile(f"class={last.split(' ')[0]}"))


def test_an_error_is_looked_at_closer_by_another_method(
    page: Page, dashboard: Dashboard, tiny_data: Path, best_model: Path
) -> None:
    run = make_run(dashboard.runs, tiny_data, name="made")
    run.best_path.hardlink_to(best_model)
    open_page(page, dashboard, "weak?run=made&class=35")
    page.get_by_role("button", name="Look closer").first.click()
    expect(page).to_have_url(re.compile("image="))
    before = page.get_by_alt_text("Grad-CAM of val/35/1.png for 2", exact=True).get_attribute("src")
    choose(page, "Method", "LayerCAM")
    after = page.get_by_alt_text("LayerCAM of val/35/1.png for 2", exact=True)
    expect(after).to_be_visible()
    assert after.get_attribute("src") != before
    page.go_back()
    expect(page.get_by_alt_text("Grad-CAM of val/35/1.png for 2", exact=True)).to_be_visible()
    delete_run(run)


def test_three_uploads_one_broken_give_two_results_and_one_clear_message(
    page: Page, dashboard: Dashboard
) -> None:
    open_page(page, dashboard, "predict?run=first")
    digit = next((dashboard.data / "test").iterdir()).read_bytes()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        [
            {"name": "digit.png", "mimeType": "image/png", "buffer": digit},
            {"name": "broken.png", "mimeType": "image/png", "buffer": digit[:200]},
            {"name": "white.png", "mimeType": "image/png", "buffer": png()},
        ]
    )
    expect(page.locator(".ws-card")).to_have_count(2, timeout=60_000)
    expect(page.get_by_test_id("stAlert")).to_have_count(1)
    expect(page.get_by_test_id("stAlert")).to_contain_text("broken.png is cut off or damaged")
    expect(page.locator(".ws-card").first.locator(".ws-bars .ws-bar")).to_have_count(5)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save 3 results as CSV").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert [row["image_name"] for row in rows] == ["digit.png", "broken.png", "white.png"]
    assert [bool(row["problem"]) for row in rows] == [False, True, False]


def test_a_whole_test_folder_becomes_the_file_to_hand_in(page: Page, dashboard: Dashboard) -> None:
    page.get_by_role("tab", name="A whole test folder").click()
    page.get_by_role("button", name="Predict the folder").click()
    expect(page.get_by_text(re.compile("297 images predicted in"))).to_be_visible(timeout=120_000)
    with page.expect_download() as download:
        page.get_by_role("button", name=re.compile("Save prediction.csv")).click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "image_name,pred_label"
    assert len(lines) == 298


def start_small_run(page: Page, dashboard: Dashboard, name: str) -> None:
    """Start a run of many short epochs from the form."""
    open_page(page, dashboard, "train")
    page.get_by_role("radio", name="demo").click()
    settle(page)
    fill(page, "Folder of images", str(dashboard.data.with_name("few")))
    fill(page, "Name of the run", name)
    fill(page, "Epochs", "200")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(rf"/live\?run={name}"))


def test_a_stop_finishes_the_step_and_saves_and_resume_goes_on(page: Page, dashboard: Dashboard) -> None:
    start_small_run(page, dashboard, "second")
    run = dashboard.run("second")
    wait_until(page, lambda: run.read_status().best_epoch > 0, 300, "the first epoch")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_test_id("stAlert").first).to_contain_text(
        re.compile("Stopped in epoch .* Everything is saved"), timeout=60_000
    )
    stopped = len(run.read_metrics()[0])
    page.get_by_role("button", name="Resume").click()
    wait_until(page, lambda: len(run.read_metrics()[0]) > stopped + 5, 240, "more steps")


def test_a_killed_trainer_is_shown_as_crashed_with_its_log(page: Page, dashboard: Dashboard) -> None:
    run = dashboard.run("second")
    psutil.Process(run.read_status().pid).send_signal(signal.SIGKILL)
    open_page(page, dashboard, "runs")
    card = page.locator(".st-key-run-second")
    expect(card).to_contain_text("crashed", timeout=20_000)
    card.get_by_text("End of the log").click()
    expect(card.locator("code")).to_contain_text("train Loss")


def test_two_runs_on_other_images_are_laid_over_each_other_but_not_tested(
    page: Page, dashboard: Dashboard
) -> None:
    open_page(page, dashboard, "compare?runs=first,second")
    graph = chart(page, "Validation accuracy by epoch")
    assert {trace["name"] for trace in graph.evaluate("g => g.data.map(t => ({ name: t.name }))")} == {
        "first",
        "second",
    }
    expect(
        page.get_by_text(
            re.compile("not compared with (first|second). They were validated on different images")
        )
    ).to_be_visible()
    expect(page.get_by_role("heading", name="Settings that differ")).to_be_visible()


def test_delete_asks_first_and_removes_the_folder(page: Page, dashboard: Dashboard) -> None:
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


def test_every_option_of_the_recipe_is_used_once_and_the_run_pauses_and_goes_on_longer(
    page: Page, dashboard: Dashboard
) -> None:
    open_page(page, dashboard, "train")
    page.get_by_role("radio", name="demo").click()
    settle(page)
    fill(page, "Folder of images", str(dashboard.data.with_name("few")))
    fill(page, "Name of the run", "options")
    choose(page, "Network", "resnet18")
    choose(page, "Optimizer", "ranger")
    expect(field(page, "Momentum")).to_have_count(0)  # it has no say with Ranger
    choose(page, "Schedule", "step")
    fill(page, "Cut every (epochs)", "1")
    fill(page, "Cut to (factor)", "0.5")
    fall = "g => g.calcdata[0][0].y / g.calcdata[0].at(-1).y"
    wait_until(
        page,
        lambda: chart(page, "Learning rate by epoch").evaluate(fall) == pytest.approx(8),
        20,
        "three cuts in four epochs",
    )
    choose(page, "Schedule", "cosine")
    expect(chart(page, "Learning rate by epoch")).to_be_visible()
    settings = {
        "Epochs": "3", "Warm-up (epochs)": "1", "Frozen epochs": "1", "Head rate (factor)": "2",
        "Weight decay": "0.01", "Clip gradients at": "5", "Patience (epochs)": "9", "Weight average (decay)": "0.9",
        "Image size (px)": "48", "Validation resize (px)": "48", "Grow images from (px)": "32",
        "Label smoothing": "0.1", "Mixup (alpha)": "0.2", "Cutmix (alpha)": "1",
    }  # fmt: skip
    for name, value in settings.items():
        fill(page, name, value)
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/live\?run=options"))
    run = dashboard.run("options")
    wait_until(page, lambda: bool(run.read_metrics()[0]), 120, "the first step")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_test_id("stAlert").first).to_contain_text(
        re.compile("Paused in epoch .* Everything is saved"), timeout=60_000
    )
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_test_id("stAlert").first).to_contain_text(
        re.compile("Finished: best validation accuracy"), timeout=300_000
    )
    page.get_by_role("button", name="Train longer").click()
    fill(page, "Epochs in all", "4")
    page.get_by_role("button", name="Go on").click()
    wait_until(page, lambda: run.read_status().epoch == 4, 400, "the fourth epoch")
    config = run.read_config()
    assert (config.optimizer, config.schedule, config.ema, config.cutmix) == ("ranger", "cosine", 0.9, 1.0)


def test_the_head_is_trained_alone_at_a_rate_that_was_found(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "train")
    page.get_by_role("radio", name="demo").click()
    settle(page)
    fill(page, "Folder of images", str(dashboard.data))
    fill(page, "Name of the run", "head")
    choose(page, "Initial weights", "An earlier run's best model")
    choose(page, "Run", "first")
    page.get_by_text("Train the head only").click()
    settle(page)
    fill(page, "Views of an image", "2")
    page.get_by_text("Find a learning rate").click()
    page.get_by_role("button", name="Try rates").click()
    chart(page, "Loss at rising learning rates", seconds=240)
    settle(page)
    use = page.get_by_role("button", name=re.compile(r"^Use \d"))
    if use.count():  # a head that has learnt it all finds no rate that helps
        use.click()
        expect(field(page, "Learning rate")).to_have_value(use.inner_text().split()[-1])
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/live\?run=head"))
    expect(page.get_by_test_id("stAlert").first).to_contain_text(
        re.compile("Finished: best validation accuracy"), timeout=200_000
    )
    assert dashboard.run("head").read_status().best_val_acc > 0.9


def test_two_runs_on_the_same_images_are_compared_with_a_test(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "compare?runs=first,head")
    expect(
        page.get_by_text(re.compile("No evidence of a difference|is better than|on the same")).first
    ).to_be_visible()
    expect(page.get_by_role("heading", name="What changed from first to head")).to_be_visible()


def test_from_a_cell_of_the_matrix_to_a_verdict_on_the_training_that_it_asked_for(
    page: Page, dashboard: Dashboard
) -> None:
    pair = most_confused(read_predictions(dashboard.run("options").predictions_path())).iloc[0]
    open_page(page, dashboard, f"confusion?run=options&true={pair['true']}&pred={pair['predicted']}")
    page.get_by_role("button", name="Specialise on these").click()
    page.get_by_role("button", name="Only its head (quick)").click()
    expect(field(page, "Look-alikes to tell apart")).to_have_value(f"{pair['true']}:{pair['predicted']}")
    settle(page)
    # That network has hardly learnt a thing, so its head alone has much to win.
    for name, value in {"Epochs": "6", "Learning rate": "0.05", "Others may lose (points)": "100"}.items():
        fill(page, name, value)
    fill(page, "Name of the run", "special")
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(r"/live\?run=special"))
    page.get_by_role("link", name="Before and after").click(timeout=200_000)
    expect(page.get_by_role("heading", name="What changed from options to special")).to_be_visible()
    verdict = "The gain on the chosen classes|There is no gain|The chosen classes got worse"
    expect(page.get_by_text(re.compile(verdict))).to_be_visible()
    settle(page)
    if (tiles := page.locator(".ws-open")).count():  # a tiny training may leave all as it was
        tiles.first.click()
        heat = page.get_by_role("dialog").get_by_alt_text(re.compile("^Grad-CAM of .* by (options|special)$"))
        expect(heat).to_have_count(2, timeout=60_000)
        page.keyboard.press("Escape")


def test_a_scan_of_other_data_finds_a_leak_and_opens_its_two_images(
    page: Page, dashboard: Dashboard, tmp_path: Path
) -> None:
    data = make_images(tmp_path / "leaky")
    shutil.copy(data / "train/10/3.png", data / "val/10/again.png")
    open_page(page, dashboard, f"data?folder={data}")
    page.get_by_role("button", name="Scan the images").click()
    finding = page.get_by_role("button", name="1 image lies in more than one split")
    finding.click()
    expect(page.locator(".ws-card img")).to_have_count(2)
    shown = page.locator(".ws-card img").evaluate_all("all => all.map(i => i.alt)")
    assert shown == ["train/10/3.png", "val/10/again.png"]
    expect(page).to_have_url(re.compile("finding=leak"))


def test_a_bake_off_of_four_tiny_runs_ends_in_its_ranking(
    page: Page, dashboard: Dashboard, tmp_path: Path
) -> None:
    open_page(page, dashboard, "bake-off")
    fill(page, "Folder of images", str(make_images(tmp_path / "tiny")))
    fill(page, "Seeds", "0, 1")
    choose(page, "Networks", "resnet18")
    page.keyboard.press("Escape")  # the list of networks stays open for more of them
    for name in ("seed", "demo", "sgd", "adamw"):  # the preset seed goes, the others come
        page.get_by_role("button", name=name, exact=True).click()
        settle(page)
    page.get_by_text("Settings of all runs").click()
    fill(page, "Epochs", "1")
    expect(page.get_by_text("The plan: 4 runs, 2 combinations × 2 seeds")).to_be_visible()
    page.get_by_role("button", name="Start 4 runs").click()
    expect(page).to_have_url(re.compile(r"group=tiny-bake-off"))
    table = page.get_by_role("table", name="Runs of tiny-bake-off")
    expect(table.locator("a.ws-place")).to_have_count(4)
    expect(page.get_by_text("4 of 4 runs finished")).to_be_visible(timeout=180_000)
    expect(page.get_by_role("heading", name="Ranking")).to_be_visible()
    expect(page.get_by_text(re.compile("No evidence of a difference between"))).to_be_visible()
    chart(page, "Accuracy of each seed, mean and standard deviation")
    spans = sorted(
        (status.started, status.ended)
        for run in iter_runs(dashboard.runs)
        if run.id.startswith("tiny-bake-off") and (status := run.read_status())
    )
    assert len(spans) == 4
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))  # never two at once
    page.locator(".st-key-bake-delete").get_by_role("button").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page).to_have_url(re.compile("group=-"))
    assert not [run for run in iter_runs(dashboard.runs) if run.id.startswith("tiny-bake-off")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_its_window(page: Page, dashboard: Dashboard, scheme: str) -> None:
    shots = ROOT / ".test-artifacts"
    shots.mkdir(exist_ok=True)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for name in PAGES:
        open_page(page, dashboard, f"{name}?run=first")
        for width in (1440, 900):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(500)
            main = page.get_by_test_id("stMain")
            assert main.evaluate("m => m.scrollWidth <= m.clientWidth + 1"), (
                f"{name} is wider than its window"
            )
            assert "Traceback" not in main.inner_text()
            page.screenshot(path=shots / f"{name}-{width}-{scheme}.png")
        page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")


def test_no_page_asked_for_anything_outside_this_machine(outside: list[str]) -> None:
    assert outside == []
