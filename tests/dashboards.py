"""A dashboard of its own in a real browser, and what a mouse and a keyboard do in it."""

from __future__ import annotations

import csv
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from core.runs import jobs
from core.runs.run import Run, find_run, iter_runs
from tests.browser import launch

ROOT = Path(__file__).resolve().parents[1]
expect.set_options(timeout=30_000)  # ms; a page after a cold start on two busy cores


class Dashboard:
    """A dashboard process with runs of its own."""

    def __init__(self, folder: Path, data: Path, *options: str) -> None:
        self.runs = folder / "runs"
        self.users = folder / "users.json"
        self.options = options
        self.data = data
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = (folder / "dashboard.log").open("wb")
        self.start()

    @property
    def url(self) -> str:
        base = self.options[self.options.index("--base-path") + 1] if "--base-path" in self.options else ""
        return f"http://127.0.0.1:{self.port}{base}"

    def start(self) -> None:
        command = [sys.executable, "-m", "dashboard", "--data", str(self.data), "--port", str(self.port)]
        command += self.options
        own = {"WEAKSPOT_RUNS": str(self.runs), "WEAKSPOT_UPLOADS": str(self.runs.parent / "uploads")}
        own["WEAKSPOT_USERS"] = str(self.users)
        environment = {**os.environ, **own}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1):
                    return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError("the dashboard did not answer within a minute")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def run(self, name: str) -> Run:
        return find_run(name, self.runs)


@contextmanager
def serve(folder: Path, data: Path, *options: str) -> Iterator[Dashboard]:
    """Open a dashboard on a folder of images, its runs and users under `folder`; in the end its trainings end too."""
    server = Dashboard(folder, data, *options)
    try:
        yield server
    finally:
        server.stop()
        for run in iter_runs(server.runs):
            jobs.kill(run)
        server.log.close()


@contextmanager
def browse(dashboard: Dashboard, *beside: str) -> Iterator[Page]:
    """Open a page of a browser; in the end it must have asked for nothing but the dashboard and the servers `beside`."""
    outside: list[str] = []
    own = (dashboard.url, "data:", "blob:", *beside)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(30_000)
        page.on("request", lambda r: None if r.url.startswith(own) else outside.append(r.url))
        yield page
        browser.close()
    assert outside == []


def open_page(page: Page, dashboard: Dashboard, path: str) -> None:
    page.goto(f"{dashboard.url}/{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)


def settle(page: Page) -> None:
    """Wait until the page's script has run to its end and does not begin anew within 0.4 s."""
    quiet = """([quiet, call]) => {
        const now = performance.now(), state = document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState;
        if (window.settleCall !== call || state !== "notRunning") window.settleSince = now;
        window.settleCall = call;
        return now - window.settleSince >= quiet;
    }"""
    page.wait_for_function(quiet, arg=[400, time.monotonic()], polling=50, timeout=120_000)


def wait_until(page: Page, holds: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:.0f} s"
        page.wait_for_timeout(250)


def chart(page: Page, title: str, *, seconds: float = 30) -> Locator:
    """Return the chart of this title once it is drawn."""
    graph = page.locator(".weakspot-plot").and_(page.get_by_label(title))
    expect(graph.locator(".main-svg").first).to_be_visible(timeout=seconds * 1000)
    return graph


def points(graph: Locator, name: str) -> int:
    # Arrays travel packed; what is drawn is in calcdata.
    return int(
        graph.evaluate("(g, name) => g.calcdata?.find(c => c[0].trace.name === name)?.length ?? 0", name)
    )


def place_of(graph: Locator, true: str, predicted: str) -> tuple[float, float]:
    """Return where the middle of a cell is on the screen."""
    x, y = graph.evaluate(
        """(g, [row, column]) => {
            const { xaxis, yaxis } = g._fullLayout, box = g.getBoundingClientRect();
            return [box.left + xaxis._offset + xaxis.d2p(column), box.top + yaxis._offset + yaxis.d2p(row)];
        }""",
        [true, predicted],
    )
    return x, y


def click_cell(page: Page, true: str, predicted: str, title: str = "Confusion matrix") -> None:
    """Move the real mouse to a cell of the matrix and click it."""
    graph = chart(page, title)
    page.wait_for_timeout(600)  # a click while another matrix is being drawn meets none of its cells
    graph.scroll_into_view_if_needed()
    x, y = place_of(graph, true, predicted)
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y)
    page.wait_for_timeout(200)
    page.mouse.click(x, y)


def predictions(run: Run) -> list[dict[str, str]]:
    with run.predictions_path().open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def gallery(page: Page) -> list[str]:
    return [str(name) for name in page.locator(".ws-grid img").evaluate_all("all => all.map(i => i.alt)")]


def field(page: Page, name: str) -> Locator:
    return page.locator(f'input[aria-label="{name}"]')


def fill(page: Page, name: str, value: str) -> None:
    box = field(page, name)
    box.fill(value)
    box.press("Enter")
    settle(page)


def fill_all(page: Page, values: dict[str, str]) -> None:
    """Fill several number fields: the page runs for several at a time, and a field that a run took back is filled again."""

    def lacking() -> list[str]:
        return [
            name for name in values if float(field(page, name).input_value() or "nan") != float(values[name])
        ]

    for name, value in values.items():
        box = field(page, name)
        box.fill(value)
        box.press("Enter")
    settle(page)
    for name in lacking():
        fill(page, name, values[name])
    assert lacking() == []


def show_all_settings(page: Page) -> None:
    """Show the settings of the Train page that are not asked of everyone."""
    page.get_by_text("All settings", exact=True).click()
    settle(page)


def choose(page: Page, name: str, option: str) -> None:
    """Open a select box and click an option."""
    entry = page.get_by_role("option", name=option, exact=True)
    page.get_by_role("combobox", name=re.compile(f"{name}$|, {name}")).first.click()
    if not entry.is_visible():  # the list closes again where the page is still being drawn
        page.keyboard.press("ArrowDown")
    entry.click()
    settle(page)


def choose_network(page: Page, label: str, name: str, *, typed: str = "") -> None:
    """Look for a network among more than a thousand by its name, or the part of it that is typed, and choose it."""
    box = page.get_by_role("combobox", name=re.compile(f"{label}$|, {label}")).first
    box.evaluate(
        "box => box.scrollIntoView({ block: 'center' })"
    )  # its list closes where the page has to move for it
    page.wait_for_timeout(300)
    box.fill(typed or f"{name} ·")
    page.get_by_role("option", name=re.compile(f"^{re.escape(name)} ·")).click()
    settle(page)
