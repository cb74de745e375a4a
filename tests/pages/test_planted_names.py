"""Names that would be markup, scripts or formulas, planted wherever people give names: on every page they are text."""

from __future__ import annotations

import csv
import io
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect

from core.networks.build import build_model
from core.networks.table import IMAGENET
from core.report.page import write_report
from core.runs.notes import write_note
from core.runs.run import Run
from core.training.checkpoint import best_values, save_checkpoint
from tests.conftest import make_tiny_data
from tests.dashboards import Dashboard, open_page, predictions, serve, settle
from tests.made_run import make_run, measure_confidence
from tests.pages.apps import PAGES

pytestmark = pytest.mark.slow(60)
SCRIPT = "<script>window.hit=1</script>"
IMAGE = "<img src=x onerror=window.hit=1>"
MARKUP = "**bold** $x^2$ [a](javascript:1)"
FORMULA = "=1+1"
# What the folders of the three classes are called, where no name has a slash, and what their names are.
CLASSES = {"2": IMAGE, "10": MARKUP, "35": FORMULA}
NAMES = {IMAGE: SCRIPT, MARKUP: f"{MARKUP} {IMAGE}", FORMULA: "=HYPERLINK(1)"}
RUN = f"{IMAGE} {MARKUP}"
# What a planted name would have become: elements, and Markdown or a formula that was drawn.
MADE = """() => ({
    hit: window.hit ?? null,
    scripts: [...document.scripts].filter(one => one.textContent.includes("window.hit")).length,
    images: document.querySelectorAll('img[src="x"], [onerror]').length,
    bold: [...document.querySelectorAll("strong, b")].filter(one => one.textContent === "bold").length,
    links: document.querySelectorAll('a[href^="javascript"]').length,
    formulas: document.querySelectorAll(".katex").length,
})"""
WHERE = """() => [...document.querySelectorAll("strong, b, .katex, img[src='x']")]
    .filter(one => one.className === "katex" || one.tagName === "IMG" || one.textContent === "bold")
    .map(one => one.parentElement.parentElement.outerHTML.slice(0, 500))"""
NOTHING = {"hit": None, "scripts": 0, "images": 0, "bold": 0, "links": 0, "formulas": 0}


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("planted")
    data = make_tiny_data(folder / IMAGE)
    for split in ("train", "val"):
        for label, name in CLASSES.items():
            (data / split / label).rename(data / split / name)
            (data / split / name / "1.png").rename(data / split / name / f"{IMAGE}.png")
            (data / split / name / "2.png").rename(data / split / name / f"{FORMULA} {MARKUP}.png")
    (data / "test" / "1.png").rename(data / "test" / f"{IMAGE}.png")
    with (data / "class_names.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("label", "name"), *NAMES.items()])
    with serve(folder, data) as server:
        yield server


@pytest.fixture(scope="module")
def planted(dashboard: Dashboard, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run with a model whose name, note, tag, classes and images are planted, as one that was copied here."""
    run = make_run(dashboard.runs, dashboard.data, name="made")
    torch.manual_seed(0)
    classes = tuple(run_classes(run))
    values = best_values(
        build_model("resnet18", 3), arch="resnet18", inputs=IMAGENET, classes=classes, display=NAMES, image_size=32,
        resize_size=32,
    )  # fmt: skip
    save_checkpoint(run.best_path, values)
    measure_confidence(run)
    write_note(run, text=f"{SCRIPT} {IMAGE} {MARKUP}", tags=(IMAGE, "$x^2$", FORMULA))
    run.folder.rename(dashboard.runs / RUN)
    make_run(dashboard.runs, dashboard.data, name="other")
    return Run(dashboard.runs / RUN)


def run_classes(run: Run) -> list[str]:
    from core.runs.run_data import read_run_data

    return list(read_run_data(run).classes)


def open_planted(page: Page, dashboard: Dashboard, path: str, **query: str) -> str:
    """Open a page of the planted run and return its text; nothing planted may have become anything but text."""
    open_page(page, dashboard, f"{path}?{urllib.parse.urlencode({'run': RUN, **query})}")
    return look(page)


def look(page: Page) -> str:
    settle(page)
    page.wait_for_timeout(300)
    assert page.evaluate(MADE) == NOTHING, page.evaluate(WHERE)
    return page.locator("body").inner_text()


@pytest.mark.parametrize("name", PAGES)
def test_what_is_planted_is_text_on_every_page(
    page: Page, dashboard: Dashboard, planted: Run, name: str
) -> None:
    more = {"runs": f"{RUN},other"} if name == "compare" else {}
    seen = open_planted(page, dashboard, name, **more)
    assert "could not be drawn" not in seen
    if name not in ("start", "train", "bake-off"):  # which show no run's names
        assert re.search(r"<img src=x|\*\*bold\*\*|<script>", seen), seen[:2000]


def test_what_is_planted_is_text_beside_images_and_in_one_opened_large(
    page: Page, dashboard: Dashboard, planted: Run
) -> None:
    wrong = next(row for row in predictions(planted) if row["true"] != row["predicted"])
    open_planted(page, dashboard, "confusion", true=wrong["true"], pred=wrong["predicted"])
    page.locator(".ws-open").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert IMAGE in look(page)
    page.keyboard.press("Escape")
    page.locator(".ws-grid").first.hover()
    look(page)
    assert IMAGE in open_planted(page, dashboard, "weak", **{"class": MARKUP})


def test_no_table_to_be_saved_holds_a_formula(page: Page, dashboard: Dashboard, planted: Run) -> None:
    open_planted(page, dashboard, "confusion", true=FORMULA)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="(CSV)").click()
    check_table(Path(started.value.path()).read_text(encoding="utf-8"))


def test_a_report_shows_what_is_planted_as_text_and_its_tables_hold_no_formula(
    page: Page, dashboard: Dashboard, planted: Run, tmp_path: Path
) -> None:
    path = write_report([planted, Run(dashboard.runs / "other")], tmp_path / "report")
    assert path is not None
    page.set_content(path.read_text(encoding="utf-8"))
    assert page.evaluate(MADE) == NOTHING, page.evaluate(WHERE)
    seen = page.locator("body").inner_text()
    assert SCRIPT in seen
    assert "**bold**" in seen
    for table in (tmp_path / "report" / "tables").glob("*.csv"):
        check_table(table.read_text(encoding="utf-8"))


def check_table(text: str) -> None:
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert cells
    assert [cell for cell in cells if cell.startswith(("=", "@", "\t"))] == []
