"""The pages' part of `python -m benchmarks.scale`: how soon a real Chromium shows what there is very much of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.explorer import Server, wait_for_rest
from core.runs.claim import hold
from core.runs.run import Run

WATCHED = 20.0  # seconds for which Live is looked at while figures come
TABLE = "[data-testid=stDataFrame]"
CURVES = "document.querySelectorAll('.weakspot-plot .scatterlayer .trace').length > 1"
MATRIX = "document.querySelector('.weakspot-plot .heatmaplayer image') !== null"
SINGLE = (
    "document.querySelector('.weakspot-plot').data?.[0]?.x?.[0] === 'class-00000'"  # groups are named longer
)
# The pages of a run of very many classes, with what stands there when they have been drawn.
PAGES = {
    "confusion": MATRIX,
    "weak": "document.querySelector('.weakspot-plot .barlayer, .weakspot-plot .scatterlayer') !== null",
    "map": "document.querySelector('h1') !== null",
    "confidence": "document.querySelector('h1') !== null",
    "data": "document.querySelector('h1') !== null",
    "live": CURVES,
    "predict": "document.querySelector('h1') !== null",
    "train": "document.querySelector('h1') !== null",
}


class Visit:
    """A dashboard of its own and a browser that looks at it; what reaches the page is counted in bytes."""

    def __init__(self, server: Server, page: Any) -> None:
        """Begin with a page on which nothing is open."""
        self.server, self.page, self._received = server, page, 0
        page.on("websocket", lambda socket: socket.on("framereceived", self._count))

    def _count(self, frame: str | bytes) -> None:
        self._received += len(frame)

    def _compute(self) -> float:
        times = psutil.Process(self.server.process.pid).cpu_times()
        return float(times.user + times.system)

    def open(self, what: str, path: str, drawn: str) -> None:
        """Open a page and print how long that took."""
        self.page.goto("about:blank")
        address = f"http://127.0.0.1:{self.server.port}/{path}"
        self.measure(what, lambda: self.page.goto(address, wait_until="commit"), drawn)

    def measure(self, what: str, act: Callable[[], object], drawn: str) -> None:
        """Print how long after an act the page shows what it should, which is JavaScript that is true then, and rests."""
        before, computed, begun = self._received, self._compute(), time.perf_counter()
        act()
        self.page.wait_for_function(drawn, polling="raf")
        seconds = time.perf_counter() - begun
        self.page.get_by_test_id("stApp").wait_for()
        wait_for_rest(self.page)
        rest = time.perf_counter() - begun - 0.3  # for which nothing came
        sent = (self._received - before) / 1e3
        print(
            f"| {what} | {seconds:.2f} s, at rest after {max(seconds, rest):.2f} s | {sent:,.0f} kB to the browser, "
            f"the server computed {self._compute() - computed:.2f} s, has {self.server.memory():,.0f} MB |",
            flush=True,
        )


@contextmanager
def visit(runs: Path) -> Iterator[Visit]:
    """Start a dashboard on a folder of runs, and a browser that has its scripts already."""
    from playwright.sync_api import sync_playwright

    from tests.browser import launch

    server = Server(runs)
    try:
        with sync_playwright() as playwright:
            browser = launch(playwright)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(120_000)
            page.goto(f"http://127.0.0.1:{server.port}/people")
            page.get_by_role("heading", level=1).wait_for()
            wait_for_rest(page)
            yield Visit(server, page)
            browser.close()
    finally:
        server.stop()


def look_at_runs(runs: Path, size: int) -> None:
    """Open the page Runs, tick a run, look for one; then a page of one run, which offers the others."""
    with visit(runs) as seen:
        for time_ in ("first", "again"):
            seen.open(
                f"page Runs of {size:,} runs {time_}",
                "runs",
                f"document.querySelector('{TABLE} canvas') !== null",
            )
        box = seen.page.locator(TABLE).first.bounding_box()
        seen.measure(
            "a run of it ticked",
            lambda: seen.page.mouse.click(box["x"] + 18, box["y"] + 35 + 17),
            "document.querySelector('[class*=\"st-key-run-\"]') !== null",
        )

        def look_for_one() -> None:
            field = seen.page.get_by_label("Find a run")
            field.fill("run-00042")
            field.press("Enter")

        seen.measure(
            "a run looked for", look_for_one, f"document.querySelector('{TABLE}').clientHeight < 200"
        )
        seen.open(
            "page Predict of one of them", "predict?run=run-00042", "document.querySelector('h1') !== null"
        )
        seen.open("page Compare", "compare", "document.querySelector('h1') !== null")
        seen.open("page Train", "train", "document.querySelector('h1') !== null")


def look_at_live(run: Run, size: int, append: Callable[[Run, int, int], None]) -> None:
    """Open Live on a run of so many steps that has ended, then on one that goes on; `append` writes its new lines."""
    with visit(run.folder.parent) as seen:
        for time_ in ("first", "again"):
            seen.open(f"page Live of {size:,} steps {time_}", f"live?run={run.id}", CURVES)
    with hold(run), visit(run.folder.parent) as seen:
        run.write_status(replace(run.read_status(), state="running", phase="training", started=time.time()))
        seen.open(f"page Live of {size:,} steps while it trains", f"live?run={run.id}", CURVES)
        before, ended = seen.server.memory(), threading.Event()

        def go_on() -> None:
            step = size
            while not ended.wait(0.5):
                append(run, step, 500)
                step += 500

        training = threading.Thread(target=go_on)
        training.start()
        seen.page.wait_for_timeout(WATCHED * 1000)
        ended.set()
        training.join()
        grown = seen.server.memory() - before
        print(
            f"| Live watched for {WATCHED:.0f} s, 1,000 steps a second | – | {grown:+,.0f} MB |", flush=True
        )
        run.write_status(replace(run.read_status(), state="finished", phase="finished"))


def look_at_classes(run: Run, other: Run) -> None:
    """Open every page of a run of very many classes, click into its matrix, and compare it with another."""
    with visit(run.folder.parent) as seen:
        for time_ in ("first", "again"):
            for name, drawn in PAGES.items():
                seen.open(f"page {name.capitalize()} {time_}", f"{name}?run={run.id}", drawn)
            runs = f"compare?runs={other.id},{run.id}"
            seen.open(f"page Compare of two {time_}", runs, "document.querySelectorAll('h2').length > 2")
        seen.open("page Confusion by similarity", f"confusion?run={run.id}&order=similarity", MATRIX)
        seen.open("page Confusion", f"confusion?run={run.id}", MATRIX)
        seen.measure("a click into a pair of groups", lambda: _click_first(seen.page), SINGLE)


def _click_first(page: Any) -> None:
    graph = page.get_by_label("Confusion matrix")
    at: Sequence[float] = graph.evaluate(
        """g => {
            const { xaxis, yaxis } = g._fullLayout, box = g.getBoundingClientRect();
            return [box.left + xaxis._offset + xaxis.l2p(0), box.top + yaxis._offset + yaxis.l2p(0)];
        }"""
    )
    page.mouse.move(at[0] + 1, at[1] + 1)
    page.mouse.move(*at)
    page.mouse.click(*at)


def look_at_files(data: Path, runs: Path) -> None:
    """Open the pages that look at a folder of very many files, before it was counted and after; `runs` holds a run already.

    Where there is none a dashboard begins its demo.
    """
    with visit(runs) as seen:
        address = f"data?folder={data}"
        seen.open("page Data of the folder", address, "document.querySelector('h1') !== null")
        seen.open("page Train", "train", "document.querySelector('h1') !== null")

        def choose() -> None:
            field = seen.page.locator('input[aria-label="Folder of images"]')
            field.fill(str(data))
            field.press("Enter")

        seen.measure(
            "the folder chosen there", choose, "document.body.innerText.includes('counted in the background')"
        )
        seen.measure("counted", lambda: None, "document.body.innerText.includes('training images')")
        seen.open("page Train again", "train", "document.body.innerText.includes('training images')")
