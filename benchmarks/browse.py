"""`python -m benchmarks.browse`: how fast images are reached in a real browser: by the lasso, one after the other, by keys.

Makes a run of 100 classes and 50,000 tiny images with a model of random weights and a map, opens it in Chromium and
prints medians as a section of docs/benchmarks.md, which is put there too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.explorer import EPOCHS, make_run, visit, wait_for_rest
from benchmarks.sections import write_section
from core.landscape.table import About, write_map
from core.runs.run import Run
from core.training.environment import processor_name
from core.verdicts.predictions import read_predictions

CLASSES, IMAGES, CHOSEN, REVIEWED, REPEATS = 100, 50_000, 5_000, 500, 7
LOOK = 200  # ms that a picture is looked at: faster than people decide
# What is wanted, in seconds.
LASSO, NEXT_KEPT, NEXT_NEW, KEY = 0.5, 0.3, 1.0, 0.15
# Resolves with the milliseconds from the event until `find()` returns a picture other than before that is drawn.
WATCH = """([event, find]) => { window.seen = new Promise((resolve, reject) => {
    const image = () => eval(find);
    const old = image()?.alt;
    const start = () => {
        const begun = performance.now();
        const look = () => {
            const now = image();
            if (now && now.alt !== old && now.complete && now.naturalWidth) resolve(performance.now() - begun);
            else if (performance.now() - begun > 30000) reject(new Error("no new picture"));
            else requestAnimationFrame(look);
        };
        look();
    };
    addEventListener(event, start, { once: true, capture: true });
}); }"""
GALLERY = "document.querySelector('.ws-grid img')"
HEAT_MAP = "document.querySelector('[role=dialog] img[alt^=\"Grad-CAM of \"]')"
REVIEW = "document.querySelector('img.ws-review-picture')"


def main() -> None:
    """Measure, print the section and put it into the page of benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browse", description=__doc__)
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="make the run there, or take the one that is there"
    )
    parser.add_argument(
        "--arch", default="resnext50_32x4d", help="network of the model (default: resnext50_32x4d)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        workshop = options.keep or Path(name)
        known = Run(workshop / "runs" / f"run-{CLASSES}")
        run = known if known.folder.exists() else make_mapped_run(workshop, options.arch)
        found = measure(run)
    print(json.dumps(found), flush=True)
    section = describe(found, options.arch)
    print(section)
    write_section("browse", section)


def make_mapped_run(workshop: Path, arch: str) -> Run:
    """Make a run with a model of random weights, whose images stand on its map in a cloud for each class."""
    import torch

    from core.networks.build import build_model
    from core.networks.table import inputs_of
    from core.training.checkpoint import best_values, save_checkpoint

    run = make_run(workshop, CLASSES, IMAGES)
    table = read_predictions(run.predictions_path())
    rng = np.random.default_rng(0)
    classes = run.read_json("data.json")["classes"]
    middles = dict(zip(classes, rng.random((CLASSES, 2)), strict=True))
    places = np.array([middles[name] for name in table["true"]]) + rng.normal(0, 0.02, (len(table), 2))
    places = (places - places.min(0)) / (places.max(0) - places.min(0))
    table = table.assign(split="val", x=places[:, 0], y=places[:, 1], far=np.nan, nearest="")
    write_map(run, table, About(EPOCHS, len(table), 0, 0.5, 0))
    torch.manual_seed(0)
    values = best_values(
        build_model(arch, CLASSES), arch=arch, inputs=inputs_of(arch), classes=classes, display={},
        image_size=224, resize_size=256,
    )  # fmt: skip
    save_checkpoint(run.best_path, values)
    return run


def measure(run: Run) -> dict[str, float]:
    """Return the medians in seconds, and of the keys the longest wait too."""
    name = run.read_json("data.json")["classes"][0]
    with visit(run) as (_, page, address):
        base = address.split("/confusion")[0]
        page.goto(f"{base}/map?run={run.id}")
        lassos = draw_lassos(page, run)
        page.goto(f"{base}/confusion?run={run.id}&true={name}")
        page.locator(".ws-grid img").first.wait_for()
        wait_for_rest(page)
        keys = review(page)
        page.locator(".ws-grid .ws-open").first.click()
        page.locator('[role=dialog] img[alt^="Grad-CAM of "]').first.wait_for()
        wait_for_rest(page)
        new = [press(page, "ArrowRight", HEAT_MAP) for _ in range(REPEATS + 1)][1:]
        kept = [press(page, "ArrowLeft", HEAT_MAP) for _ in range(REPEATS)]
    return {
        "lasso": statistics.median(lassos),
        "next_new": statistics.median(new),
        "next_kept": statistics.median(kept),
        "key": statistics.median(keys),
        "key_longest": max(keys),
    }


def draw_lassos(page: Any, run: Run) -> list[float]:
    """Draw around about a tenth of the points with the mouse, each time elsewhere; return the seconds until images are seen."""
    from core.landscape.table import read_table

    graph = page.get_by_role("figure", name="Map of images")
    graph.locator(".nsewdrag").first.wait_for(state="attached")
    wait_for_rest(page)
    graph.evaluate("g => g.scrollIntoView({ block: 'center' })")
    page.wait_for_timeout(1000)
    across = np.sort(read_table(run)["x"].to_numpy())
    found = []
    for turn in range(REPEATS + 1):
        left, right = (float(across[(turn + more) * CHOSEN]) for more in (0, 1))
        corners = [place(graph, x, y) for x, y in ((left, 0), (right, 0), (right, 1), (left, 1), (left, 0))]
        page.mouse.move(*corners[0])
        page.mouse.down()
        for corner in corners[1:]:
            page.mouse.move(*corner, steps=5)
        page.evaluate(WATCH, ["pointerup", GALLERY])
        page.mouse.up()
        found.append(float(page.evaluate("window.seen")) / 1000)
        wait_for_rest(page)
        page.wait_for_timeout(500)
    return found[1:]


def place(graph: Any, x: float, y: float) -> list[float]:
    """Return where a place of the map is on the screen."""
    found: list[float] = graph.evaluate(
        """(g, [x, y]) => {
            const { xaxis, yaxis } = g._fullLayout, box = g.getBoundingClientRect();
            return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
        }""",
        [x, y],
    )
    return found


def review(page: Any) -> list[float]:
    """Review labels by keys alone, each looked at for a moment; return the seconds from each key to the next picture."""
    page.get_by_role("button", name="Review one by one").click()
    page.locator("img.ws-review-picture").wait_for()
    waits = []
    for _ in range(REVIEWED - 1):
        waits.append(press(page, "y", REVIEW))
        page.wait_for_timeout(LOOK)
    page.keyboard.press("Escape")
    wait_for_rest(page)
    return waits


def press(page: Any, key: str, picture: str) -> float:
    """Press a key; return the seconds until another picture is seen."""
    page.evaluate(WATCH, ["keydown", picture])
    page.keyboard.press(key)
    return float(page.evaluate("window.seen")) / 1000


def describe(found: dict[str, float], arch: str) -> str:
    """Return the section: what was measured, on what, and what was wanted."""
    rows = (
        (f"lasso around {CHOSEN:,} of {IMAGES:,} points until their images are seen", found["lasso"], LASSO),
        (
            "next image in the detail view until its heat map is seen, one that is kept",
            found["next_kept"],
            NEXT_KEPT,
        ),
        ("the same, its heat maps not yet made", found["next_new"], NEXT_NEW),
        (
            f"label marked by a key until the next image is seen, {REVIEWED} in a row: the longest",
            found["key_longest"],
            KEY,
        ),
        ("the same: the median", found["key"], KEY),
    )
    return "\n".join(
        [
            "## Images in the browser",
            "",
            f"Written by `python -m benchmarks.browse` ({time.strftime('%Y-%m-%d')}): {processor_name()}, {os.cpu_count()} cores, "
            f"Chromium at 1440 × 900, medians of {REPEATS}, images of 32 px, {arch} at 224 px.",
            "",
            "| what | measured | wanted |",
            "|---|---|---|",
            *(f"| {what} | {seconds:.2f} s | ≤ {wanted} s |" for what, seconds, wanted in rows),
        ]
    )


if __name__ == "__main__":
    main()
