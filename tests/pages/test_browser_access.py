"""What people who use no mouse, see little or listen to a page can use: WCAG 2.2 AA on every page, as axe-core judges it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from core.marks.marks import Mark, add_marks, list_path
from core.report.page import write_report
from core.runs.run import Run
from tests.conftest import make_tiny_data
from tests.dashboards import Dashboard, open_page, serve, settle
from tests.made_run import TRUE, make_member, make_run, measure_confidence

pytestmark = pytest.mark.slow(50)
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
MORE = {"heading-order": {"enabled": True}, "aria-allowed-role": {"enabled": True}}
PLACES = {
    "start": "",
    "train": "train",
    "live": "live?run=made",
    "runs": "runs",
    "table of runs": "runs?view=table",
    "bake-off": "bake-off?group=bake",
    "confusion": "confusion?run=made&true=10&pred=2",
    "weak": "weak?run=made&class=35",
    "map": "map?run=made",
    "data": "data?run=made",
    "confidence": "confidence?run=made",
    "predict": "predict?run=made",
    "compare": "compare?runs=made,better",
    "people": "people",
}

# What opens over a page: the page, the button, and something that is seen once it is open.
OPENED = {
    "an image": ("confusion?run=made&true=10&pred=2", ".ws-open", "Can you trust this map?"),
    "browse": ("train", "button:has-text('Browse')", "Use this folder"),
    "note, tags and name": ("live?run=made", "button:has-text('Note')", "Tags"),
    "train longer": ("live?run=made", "button:has-text('Train longer')", "Go on"),
    "delete": ("runs?view=cards", ".st-key-delete-better button", "Delete this run?"),
    "columns": ("runs?view=table", "button:has-text('Columns')", "recipe"),
    "how a matrix is drawn": ("confusion?run=made", "button:has-text('More')", "Logarithmic colours"),
    "export": ("confusion?run=made&true=10&pred=2", "button:has-text('Export')", "(CSV)"),
    "settings from a file": (
        "train",
        "button:has-text('Settings from a file')",
        "Drop the settings of a run",
    ),
    "corrected copy": ("data?run=made", "button:has-text('Write a corrected copy')", "New folder"),
    "specialise": ("confusion?run=made&true=10&pred=2", "button:has-text('Specialise on these')", "classes"),
}


@dataclass(frozen=True)
class Excuse:
    """A violation inside of what Streamlit draws, out of our reach: its rule, whose element it is, and why it stays."""

    rule: str
    selector: str
    why: str


EXCUSES = (
    Excuse(
        "list", '[data-testid="stSidebarNavItems"]', "Streamlit groups the links of its navigation in div"
    ),
    Excuse("listitem", '[data-testid="stSidebarNavItems"] li', "the same, from the side of its items"),
    Excuse("target-size", '.stMultiSelect [aria-label="Clear all"]', "22.5 px, and its place is given"),
)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("access")
    with serve(folder, make_tiny_data(folder / "tiny")) as server:
        yield server


@pytest.fixture(autouse=True, scope="module")
def made(dashboard: Dashboard, best_model: Path) -> Run:
    """Return a run with a model, measured confidences and a marked image, beside a better one and a bake-off of two."""
    run = make_run(dashboard.runs, dashboard.data, name="made")
    run.best_path.hardlink_to(best_model)
    measure_confidence(run)
    add_marks(list_path(dashboard.data, dashboard.runs), [Mark("train/2/1.png", "2", "drop")])
    make_run(dashboard.runs, dashboard.data, name="better", lr=0.5, guessed=TRUE)
    for seed in (0, 1):
        make_member(dashboard.runs, dashboard.data, seed=seed)
    return run


@pytest.mark.parametrize("name", PLACES)
def test_a_page_can_be_used_by_everyone_in_light_and_dark(
    page: Page, dashboard: Dashboard, name: str
) -> None:
    page.emulate_media(color_scheme="light")
    open_page(page, dashboard, PLACES[name])
    assert find_faults(page) == []
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)  # colours change in a transition
    assert find_faults(page) == []


@pytest.mark.parametrize("name", OPENED)
def test_what_opens_over_a_page_can_be_used_by_everyone(page: Page, dashboard: Dashboard, name: str) -> None:
    place, button, seen = OPENED[name]
    opened = page.locator('[role="dialog"], [data-testid="stPopoverBody"]').first
    page.emulate_media(color_scheme="light")
    open_page(page, dashboard, place)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.locator(button).first.click()
        expect(opened.get_by_text(seen).first).to_be_visible()
        settle(page)
        assert find_faults(page) == []
        page.keyboard.press("Escape")
        expect(opened).to_have_count(0)


def test_a_report_can_be_used_by_everyone_in_light_and_dark(page: Page, made: Run, tmp_path: Path) -> None:
    report = write_report([made], tmp_path / "report")
    assert report is not None
    page.set_content(report.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert find_faults(page) == []


def test_a_run_is_ticked_in_the_table_by_keys_alone(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "runs?view=table")
    page.get_by_test_id("data-grid-canvas").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")
    expect(page.get_by_text("1 run chosen")).to_be_visible()
    expect(page.get_by_test_id("stMain").get_by_role("button", name="Open")).to_be_visible()


def test_the_list_is_a_table_again_when_one_comes_back_to_it(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "runs")
    page.get_by_role("radio", name="Table").click()
    expect(page).to_have_url(re.compile("view=table"))
    settle(page)
    for name in ("Train", "Runs"):
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
        settle(page)
    expect(page.get_by_test_id("data-grid-canvas")).to_be_visible()


def test_start_is_found_by_its_name_as_every_page_is(page: Page, dashboard: Dashboard) -> None:
    open_page(page, dashboard, "start")
    expect(page.get_by_role("button", name="Train on my images")).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)


def find_faults(page: Page) -> list[str]:
    """Return the violations that have no excuse: rule, element, and what is to be mended."""
    options = {"runOnly": RULES, "rules": MORE, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
        if not is_excused(page, rule["id"], node)
    ]


def is_excused(page: Page, rule: str, node: dict[str, Any]) -> bool:
    known = [excuse.selector for excuse in EXCUSES if excuse.rule == rule]
    return bool(known) and page.locator(node["target"][0]).first.evaluate(
        "(element, known) => known.some(one => element.matches(one))", known
    )
