"""`python -m benchmarks.pages RUN`: how long each page takes in a real browser, alone and with a training beside it.

A page is opened as a link to it opens it, in a browser that has been here before and on a server that has drawn it once.
Timed are the first words of the page and the end of its script, after which nothing changes. The section goes into
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from benchmarks.engine import describe_machine
from benchmarks.explorer import Server, wait_for_rest
from benchmarks.sections import write_section
from core.runs import jobs
from core.runs.run import Run, find_run
from dashboard.signposts import FOR_ADMINISTRATORS, TITLES

REPEATS = 5
WANTED_FIRST, WANTED_WHOLE = 1.0, 2.0  # seconds
FOREVER = 1000  # epochs of the training beside


def main() -> None:
    """Measure every page, print the section and put it into the page of benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder, with other runs beside it")
    folder = parser.parse_args().run.resolve()
    run = find_run(folder.name, folder.parent)
    busy = psutil.cpu_percent(interval=2.0)
    alone = measure(run)
    with train_beside(run):
        beside = measure(run)
    section = describe(alone, beside, busy)
    print(section)
    write_section("pages", section)


@contextmanager
def train_beside(run: Run) -> Iterator[None]:
    """Train the same again, in a folder of its own and as the dashboard starts it, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        config = replace(run.read_config(), name="beside", epochs=FOREVER)
        beside = jobs.submit(config, Path(folder))
        try:
            deadline = time.monotonic() + 300
            while not beside.read_metrics()[0]:
                if time.monotonic() > deadline:
                    sys.exit("The training beside did not begin: " + " ".join(beside.read_log()))
                time.sleep(0.5)
            yield
        finally:
            jobs.kill(beside)


def measure(run: Run) -> dict[str, tuple[float, float]]:
    """Return for each page's title the seconds to its first words and to its end, medians."""
    from playwright.sync_api import sync_playwright

    from tests.browser import launch

    found: dict[str, tuple[float, float]] = {}
    server = Server(run.folder.parent)
    try:
        with sync_playwright() as playwright:
            browser = launch(playwright)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(60_000)
            for name, title in TITLES.items():
                if name in FOR_ADMINISTRATORS:
                    continue
                address = f"http://127.0.0.1:{server.port}/{'' if name == 'start' else name}?run={run.id}"
                times = [open_page(page, address) for _ in range(REPEATS + 1)][1:]
                found[title] = (
                    statistics.median(t[0] for t in times),
                    statistics.median(t[1] for t in times),
                )
            browser.close()
    finally:
        server.stop()
    return found


def open_page(page: Any, address: str) -> tuple[float, float]:
    """Return the seconds from the request of a page until its first words are seen and until its script has ended."""
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.get_by_role("heading", level=1).first.wait_for()
    first = time.perf_counter() - begun
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    whole = time.perf_counter() - begun
    wait_for_rest(page)
    return first, whole


def describe(
    alone: dict[str, tuple[float, float]], beside: dict[str, tuple[float, float]], busy: float
) -> str:
    """Return the section: what was measured, on what, and what was wanted."""
    lines = [
        "## The pages",
        "",
        f"Written by `python -m benchmarks.pages` {describe_machine()}; before it the processor was {busy:.0f} % busy. Chromium at "
        f"1440 × 900, which shares the cores; medians of {REPEATS} openings, after a first one. Wanted: first words within "
        f"{WANTED_FIRST:.0f} s, and the whole page within {WANTED_WHOLE:.0f} s with a training beside it.",
        "",
        "| page | first words | whole page | first words, beside a training | whole page, beside a training |",
        "|---|---|---|---|---|",
    ]
    for title in alone:
        figures = (*alone[title], *beside[title])
        lines.append(f"| {title} | " + " | ".join(f"{seconds:.2f} s" for seconds in figures) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
