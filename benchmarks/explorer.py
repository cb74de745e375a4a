"""`python -m benchmarks.explorer`: how fast the Confusion page is in a real browser, at 100 and at 1,000 classes.

Makes a run of that many classes with tables of predictions and tiny images, opens it in Chromium and prints medians as
a section of docs/benchmarks.md, which is put there too.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks.engine import ROOT
from benchmarks.sections import write_section
from core.dataset.folders import ImageFolders, scan_folders
from core.model.evaluate import write_predictions
from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run
from core.runs.run_data import record_data
from core.training.environment import processor_name

GROUP = 8  # classes that are confused with each other
EPOCHS = 3
REPEATS = 7
SIDE = 32  # pixels of an image
# Classes, images; seconds wanted for a click and for a page, MB wanted for the server.
CASES = ((100, 10_000, 0.4, 1.5), (1_000, 50_000, 1.0, 4.0))
WANTED_MB = 300


def main() -> None:
    """Measure every case, print the section and put it into the page of benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explorer", description=__doc__)
    parser.add_argument("--classes", type=int, choices=[case[0] for case in CASES], help="one case only")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="make the runs there, or take those that are there, and leave them",
    )
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        workshop = options.keep or Path(name)
        for classes, images, click, page in CASES:
            if options.classes in (None, classes):
                known = Run(workshop / "runs" / f"run-{classes}")
                run = known if known.folder.exists() else make_run(workshop, classes, images)
                found = measure(run)
                print(json.dumps(found), flush=True)
                rows.append((classes, images, click, page, found))
    section = describe(rows)
    print(section)
    write_section("explorer", section)


def make_run(workshop: Path, classes: int, images: int) -> Run:
    """Make a run that has ended on a data set of its own, with a table for each of its epochs."""
    folders = make_data(workshop / f"data-{classes}", classes, images)
    config = TrainConfig(data=str(folders.root), name=f"run-{classes}", epochs=EPOCHS)
    run = create_run(config, workshop / "runs")
    record_data(run, folders, config)
    run.epoch_path(1).parent.mkdir()
    for epoch in range(1, EPOCHS + 1):
        outcome = make_outcome(folders, accuracy=0.5 + 0.1 * epoch, seed=epoch)
        write_predictions(run.epoch_path(epoch), folders.val, outcome, folders.classes)
        run.append_metrics(describe_epoch(epoch, outcome, classes))
    write_predictions(run.predictions_path(), folders.val, outcome, folders.classes)
    right = float((outcome.top_index[:, 0] == outcome.target).mean())
    ended: dict[str, Any] = {
        "state": "finished",
        "phase": "finished",
        "epoch": EPOCHS,
        "best_epoch": EPOCHS,
        "best_val_acc": right,
    }
    run.write_status(
        replace(run.read_status(), **ended, val_count=images, started=time.time(), ended=time.time())
    )
    return run


def make_data(root: Path, classes: int, images: int) -> ImageFolders:
    """Make tiny pictures, as many of each class, in a colour of the class."""
    rng = np.random.default_rng(0)
    for number in range(classes):
        pixels = np.clip(rng.integers(0, 256, 3) + rng.normal(0, 25, (SIDE, SIDE, 3)), 0, 255).astype(
            np.uint8
        )
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        for split, count in (("train", 1), ("val", images // classes)):
            folder = root / split / f"class-{number:04d}"
            folder.mkdir(parents=True)
            for place in range(count):
                (folder / f"{place:04d}.png").write_bytes(buffer.getvalue())
    return scan_folders(root)


def make_outcome(folders: ImageFolders, *, accuracy: float, seed: int) -> Any:
    """Return predictions of which that share is right; most errors stay among groups of classes that are alike."""
    from core.training.engine import Outcome

    rng = np.random.default_rng(seed)
    target = np.array([sample.target for sample in folders.val])
    classes = len(folders.classes)
    # Group members lie far apart in the order of names, as look-alikes do.
    groups = np.random.default_rng(0).permutation(classes)
    place = np.argsort(groups)
    near = groups[
        np.minimum(place[target] // GROUP * GROUP + rng.integers(0, GROUP, len(target)), classes - 1)
    ]
    anywhere = rng.integers(0, classes, len(target))
    wrong = np.where(rng.random(len(target)) < 0.8, near, anywhere)
    guess = np.where(rng.random(len(target)) < accuracy, target, wrong)
    top = np.column_stack([guess] + [(guess + 1 + n) % classes for n in range(4)])
    prob = np.sort(rng.dirichlet(np.ones(8), len(target)).astype(np.float32), axis=1)[:, ::-1][:, :5]
    true_prob = np.where(guess == target, prob[:, 0], prob[:, 4])
    return Outcome(top, prob, true_prob, -np.log(true_prob), target)


def describe_epoch(epoch: int, outcome: Any, classes: int) -> dict[str, Any]:
    """Return the row of figures that a training would write."""
    right = outcome.target[outcome.top_index[:, 0] == outcome.target]
    losses = {"train_loss": 2 / epoch, "val_loss": float(outcome.loss.mean())}
    accuracies = {"train_acc": outcome.accuracy, "val_acc": outcome.accuracy}
    correct = np.bincount(right, minlength=classes).tolist()
    return {
        "kind": "epoch",
        "epoch": epoch,
        "step": 100 * epoch,
        **losses,
        **accuracies,
        "seconds": 60.0,
        "images_per_second": 100.0,
        "val_correct": correct,
    }


class Server:
    """A dashboard process on the runs of a folder."""

    def __init__(self, runs: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environment = {**os.environ, "WEAKSPOT_RUNS": str(runs)}
        command = [sys.executable, "-m", "dashboard", "--port", str(self.port)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def memory(self) -> float:
        """Return what the process holds for itself, in MB."""
        return float(psutil.Process(self.process.pid).memory_full_info().uss) / 1e6

    @contextmanager
    def watch_memory(self) -> Iterator[list[float]]:
        """Fill a list with what the process holds, in MB, twenty times a second."""
        seen, ended = [self.memory()], threading.Event()

        def look() -> None:
            while not ended.wait(0.05):
                seen.append(self.memory())

        watch = threading.Thread(target=look)
        watch.start()
        try:
            yield seen
        finally:
            ended.set()
            watch.join()

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(20)


def measure(run: Run) -> dict[str, float]:
    """Return seconds for a run: the page's first opening, later ones, clicks on cells; and the most MB it takes.

    Memory is watched in a second visit, to a new server, since to look at it takes time too.
    """
    with visit(run) as (_, page, address):
        opened = [open_matrix(page, address) for _ in range(REPEATS + 1)]
        # A cell whose place is taken by a stronger neighbour below the same pixels is passed over.
        tried = (click_cell(page, cell) for cell in largest_cells(run, 10 * REPEATS))
        clicked = list(islice((seconds for seconds in tried if seconds), REPEATS + 1))[1:]
    with visit(run) as (server, page, address), server.watch_memory() as held:
        open_matrix(page, address)
        for cell in largest_cells(run, REPEATS):
            click_cell(page, cell)
    return {
        "first_open": opened[0],
        "open": statistics.median(opened[1:]),
        "click": statistics.median(clicked),
        "memory_mb": max(held) - held[0],
    }


@contextmanager
def visit(run: Run) -> Iterator[tuple[Server, Any, str]]:
    """Start a server on a run and a browser, and open another page first, so that its start is not measured."""
    from playwright.sync_api import sync_playwright

    from tests.browser import launch

    server = Server(run.folder.parent)
    try:
        with sync_playwright() as playwright:
            browser = launch(playwright)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(60_000)
            base = f"http://127.0.0.1:{server.port}"
            page.goto(f"{base}/runs")
            page.get_by_role("heading", level=1).wait_for()
            wait_for_rest(page)
            yield server, page, f"{base}/confusion?run={run.id}"
            browser.close()
    finally:
        server.stop()


def open_matrix(page: Any, address: str) -> float:
    """Return the seconds from the request of the page until the matrix is drawn in it."""
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.get_by_label("Confusion matrix").locator(".heatmaplayer image").first.wait_for(state="attached")
    seconds = time.perf_counter() - begun
    wait_for_rest(page)
    return seconds


def largest_cells(run: Run, count: int) -> list[tuple[int, int]]:
    """Return the places (row, column) of the cells of most confusions, by name."""
    from core.verdicts.predictions import confusion_matrix, read_predictions

    classes = run.read_json("data.json")["classes"]
    wrong = confusion_matrix(read_predictions(run.predictions_path()), classes)
    np.fill_diagonal(wrong, 0)
    places = np.argsort(-wrong, axis=None, kind="stable")[:count]
    return [(int(place) // len(classes), int(place) % len(classes)) for place in places]


def click_cell(page: Any, cell: tuple[int, int]) -> float:
    """Click a cell with the mouse; return the seconds until the first picture of its images is seen.

    Of a thousand classes a cell is below a pixel: what is clicked is the strongest one at its place. Returns 0 where
    the mouse is over none.
    """
    graph = page.get_by_label("Confusion matrix")
    graph.scroll_into_view_if_needed()
    at = graph.evaluate(
        """(g, [row, column]) => {
            const { xaxis, yaxis } = g._fullLayout, box = g.getBoundingClientRect();
            return [box.left + xaxis._offset + xaxis.l2p(column), box.top + yaxis._offset + yaxis.l2p(row)];
        }""",
        list(cell),
    )
    page.mouse.move(at[0] - 2, at[1] - 2)
    page.mouse.move(*at)
    page.wait_for_timeout(500)
    if not graph.evaluate("g => g._hoverdata?.length"):
        return 0.0
    page.evaluate(
        """() => { window.seen = new Promise((resolve, reject) => {
            const graph = document.querySelector(".weakspot-plot");
            const wanted = `/${graph._hoverdata[0].customdata.at(-1)}/`;
            const old = new Set(document.querySelectorAll(".ws-grid img"));
            let pressed = 0;
            const look = () => {
                const image = document.querySelector(".ws-grid img");
                if (image && !old.has(image) && image.alt.includes(wanted) && image.complete && image.naturalWidth)
                    resolve(performance.now() - pressed);
                else if (performance.now() - pressed > 30000) reject(new Error(`no image of ${wanted}`));
                else requestAnimationFrame(look);
            };
            const start = () => { pressed = performance.now(); look(); };
            addEventListener("pointerup", start, { once: true, capture: true });
        }); }"""
    )
    page.mouse.click(*at)
    seconds = float(page.evaluate("window.seen")) / 1000
    wait_for_rest(page)
    return seconds


def wait_for_rest(page: Any) -> None:
    """Wait until the page's script has run to its end."""
    quiet = 0
    while quiet < 3:
        page.wait_for_timeout(100)
        quiet = (
            quiet + 1
            if page.get_by_test_id("stApp").get_attribute("data-test-script-state") == "notRunning"
            else 0
        )


def describe(rows: list[tuple[int, int, float, float, dict[str, float]]]) -> str:
    """Return the section: what was measured, on what, and what was wanted."""
    lines = [
        "## The Confusion page",
        "",
        f"Written by `python -m benchmarks.explorer` ({time.strftime('%Y-%m-%d')}): {processor_name()}, {os.cpu_count()} cores, "
        f"Chromium at 1440 × 900, medians of {REPEATS}, images of {SIDE} px. The first opening reads the tables.",
        "",
        "| what | classes × images | measured | wanted |",
        "|---|---|---|---|",
    ]
    for classes, images, click, page, found in rows:
        size = f"{classes:,} × {images:,}"
        lines += [
            f"| click on a cell until its images are seen | {size} | {found['click']:.2f} s | ≤ {click} s |",
            f"| page opened until the matrix is drawn | {size} | {found['open']:.2f} s (the first time {found['first_open']:.2f} s) | ≤ {page} s |",
            f"| most memory the server takes for it | {size} | {found['memory_mb']:.0f} MB | ≤ {WANTED_MB} MB |",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
