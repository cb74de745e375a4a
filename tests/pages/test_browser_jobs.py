"""Trainings that are asked for in a real browser: stopped, killed, paused, longer, special, of the head, many in a row."""

from __future__ import annotations

import dataclasses
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from core.runs.bakeoff import Crossing, make_plan
from core.runs.run import Run, iter_runs
from tests.dashboards import (
    Dashboard,
    chart,
    choose,
    choose_network,
    field,
    fill,
    fill_all,
    open_page,
    serve,
    settle,
    show_all_settings,
    wait_until,
)
from tests.made_run import make_run
from tests.processes import make_images

pytestmark = pytest.mark.slow(90)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("jobs")
    with serve(folder, make_images(folder / "tiny", train=40, val=2)) as server:
        yield server


@pytest.fixture(scope="module")
def made(dashboard: Dashboard, best_model: Path) -> Run:
    """Return a run that has finished, with a model of random weights."""
    run = make_run(dashboard.runs, dashboard.data, name="made")
    shutil.copy(best_model, run.best_path)
    return run


def open_demo_form(page: Page, dashboard: Dashboard, name: str) -> None:
    open_page(page, dashboard, "train")
    page.get_by_role("radio", name="Digits from scratch").click()
    settle(page)
    show_all_settings(page)
    fill(page, "Name of the run", name)


def start(page: Page, name: str) -> None:
    page.get_by_role("button", name="Start training").click()
    expect(page).to_have_url(re.compile(rf"/live\?run={name}"))


def expect_told(page: Page, words: str, seconds: float) -> None:
    expect(page.get_by_test_id("stAlert").first).to_contain_text(re.compile(words), timeout=seconds * 1000)


def test_a_stop_saves_resume_goes_on_and_a_killed_trainer_is_shown_as_crashed_with_its_log(
    page: Page, dashboard: Dashboard
) -> None:
    open_demo_form(page, dashboard, "second")
    fill(page, "Epochs", "200")
    start(page, "second")
    run = dashboard.run("second")
    wait_until(page, lambda: run.read_status().best_epoch > 0, 300, "the first epoch")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect_told(page, "Stopped in epoch .* Everything is saved", 60)
    stopped = len(run.read_metrics()[0])
    page.get_by_role("button", name="Resume").click()
    wait_until(page, lambda: len(run.read_metrics()[0]) > stopped + 5, 240, "more steps")
    psutil.Process(run.read_status().pid).send_signal(signal.SIGKILL)
    open_page(page, dashboard, "runs")
    card = page.locator(".st-key-run-second")
    expect(card).to_contain_text("crashed", timeout=20_000)
    card.get_by_text("End of the log").click()
    expect(card.locator("code")).to_contain_text("train Loss")


def test_every_option_of_the_recipe_is_used_once_and_the_run_pauses_and_goes_on_longer(
    page: Page, dashboard: Dashboard
) -> None:
    open_demo_form(page, dashboard, "options")
    choose_network(page, "Network", "resnet18")
    choose(page, "Optimizer", "ranger")
    expect(field(page, "Momentum")).to_have_count(0)  # it has no say with Ranger
    choose(page, "Schedule", "step")
    fill_all(page, {"Cut every (epochs)": "1", "Cut to (factor)": "0.5"})
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
    fill_all(page, settings)
    start(page, "options")
    run = dashboard.run("options")
    wait_until(page, lambda: bool(run.read_metrics()[0]), 120, "the first step")
    page.get_by_role("button", name="Pause").click()
    expect_told(page, "Paused in epoch .* Everything is saved", 60)
    page.get_by_role("button", name="Resume").click()
    expect_told(page, "Finished: best validation accuracy", 300)
    page.get_by_role("button", name="Train longer").click()
    fill(page, "Epochs in all", "4")
    page.get_by_role("button", name="Go on").click()
    wait_until(page, lambda: run.read_status().epoch == 4, 400, "the fourth epoch")
    expected = {
        "optimizer": "ranger", "schedule": "cosine", "warmup_epochs": 1, "freeze_epochs": 1, "head_lr_factor": 2.0,
        "weight_decay": 0.01, "clip_norm": 5.0, "patience": 9, "ema": 0.9, "image_size": 48, "resize_size": 48,
        "progressive_from": 32, "label_smoothing": 0.1, "mixup": 0.2, "cutmix": 1.0,
    }  # fmt: skip
    config = dataclasses.asdict(run.read_config())
    assert {name: config[name] for name in expected} == expected


def test_the_head_is_trained_alone_at_a_rate_that_was_found(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_demo_form(page, dashboard, "head")
    choose(page, "Initial weights", "An earlier run's best model")
    choose(page, "Run", "made")
    page.get_by_text("Train the head only").click()
    settle(page)
    fill(page, "Views of an image", "2")
    page.get_by_text("Find a learning rate").click()
    page.get_by_role("button", name="Try rates").click()
    chart(page, "Loss at rising learning rates", seconds=240)
    settle(page)
    use = page.get_by_role("button", name=re.compile(r"^Use \d"))
    use.click()
    expect(field(page, "Learning rate")).to_have_value(use.inner_text().split()[-1])
    start(page, "head")
    expect_told(page, "Finished: best validation accuracy", 200)
    assert dashboard.run("head").read_status().best_val_acc > 0.9


def test_from_a_cell_of_the_matrix_to_a_verdict_on_the_training_that_it_asked_for(
    page: Page, dashboard: Dashboard, made: Run
) -> None:
    open_page(page, dashboard, "confusion?run=made&true=10&pred=2")
    page.get_by_role("button", name="Specialise on these").click()
    page.get_by_role("button", name="Only its head (quick)").click()
    expect(page.get_by_text(re.compile("Ready to specialise made on 10.*, 2"))).to_be_visible()
    show_all_settings(page)
    expect(page.get_by_role("button", name=re.compile(r"^Remove 10\b.*\b2\b"))).to_be_visible()
    settle(page)
    fill_all(page, {"Epochs": "6", "Learning rate": "0.05", "Others may lose (points)": "100"})
    fill(page, "Name of the run", "special")
    start(page, "special")
    page.get_by_role("link", name="Before and after").click(timeout=200_000)
    expect(page.get_by_role("heading", name="What changed from made to special")).to_be_visible()
    verdict = "The gain on the chosen classes|There is no gain|The chosen classes got worse"
    expect(page.get_by_text(re.compile(verdict))).to_be_visible()
    settle(page)
    page.locator(".ws-open").first.click()
    heat = page.get_by_role("dialog").get_by_alt_text(re.compile("^Grad-CAM of .* by (made|special)$"))
    expect(heat).to_have_count(2, timeout=60_000)
    page.keyboard.press("Escape")


def test_a_bake_off_of_four_tiny_runs_two_of_them_made_earlier_ends_in_its_ranking(
    page: Page, dashboard: Dashboard, tmp_path: Path
) -> None:
    data = make_images(tmp_path / "tiny")
    first_seed = Crossing(("resnet18",), ("sgd", "adamw"), ("demo",), seeds=(0,))
    for config in make_plan("tiny-bake-off", str(data), first_seed, epochs=1):
        values = dataclasses.asdict(config)
        make_run(dashboard.runs, Path(values.pop("data")), **values)
    open_page(page, dashboard, "bake-off?group=-")
    fill(page, "Folder of images", str(data))
    fill(page, "Name of the bake-off", "tiny-bake-off")
    fill(page, "Seeds", "0, 1")
    choose_network(page, "Networks", "resnet18")
    page.keyboard.press("Escape")  # the list of networks stays open for more of them
    for name in ("fast", "demo", "sgd", "adamw"):  # the preset fast goes, the others come
        page.get_by_role("button", name=name, exact=True).click()
        settle(page)
    page.get_by_text("Settings of all runs").click()
    fill(page, "Epochs", "1")
    expect(page.get_by_text("The plan: 4 runs, 2 combinations × 2 seeds")).to_be_visible()
    page.get_by_role("button", name="Start 2 runs").click()
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
        if re.fullmatch("tiny-bake-off-.*-1", run.id) and (status := run.read_status())
    )
    assert len(spans) == 2
    assert spans[0][1] <= spans[1][0]  # never two at once
    page.locator(".st-key-bake-delete").get_by_role("button").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page).to_have_url(re.compile("group=-"))
    assert not [run for run in iter_runs(dashboard.runs) if run.id.startswith("tiny-bake-off")]
