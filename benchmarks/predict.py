"""How long visitors of the page Predict wait in a real browser: python -m benchmarks.predict.

A photo of twelve megapixels is dropped on the page: the seconds until its five likeliest classes stand there and until
its heat map does, for one visitor and for ten at once. Networks have random weights, which answer as soon as any. Writes
its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.engine import describe_machine
from benchmarks.sections import write_section
from core.dataset.folders import scan_folders
from core.networks.build import build_model
from core.networks.table import find_network
from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run
from core.runs.run_data import record_data
from core.training.checkpoint import best_values, save_checkpoint
from tests.browser import launch
from tests.dashboards import Dashboard, open_page, serve

SIZE, RESIZE, CLASSES = 224, 256, 10
PHOTO = (4000, 3000)  # pixels
TOP, MAP, ALL = 1.0, 1.0, 3.0  # seconds wanted: to the classes, from there to the map, and of any of ten
# Both are in the page as soon as it draws them; what is looked at often enough takes nothing from what is measured.
_SEEN = "() => document.querySelector('.ws-cards') !== null"
_MAPPED = "() => [...document.querySelectorAll('.ws-cards img')].some(i => i.alt.startsWith('Grad-CAM') && i.complete)"


@dataclass(frozen=True)
class Wait:
    """Seconds from dropping a photo until its classes stand there, and until its heat map does."""

    classes: float
    heat: float


def main() -> None:
    """Measure the networks and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predict", description=__doc__)
    parser.add_argument("--archs", nargs="+", default=["tf_efficientnet_lite0", "resnext50_32x4d"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--visitors", type=int, default=10)
    options = parser.parse_args()
    busy = psutil.cpu_percent(interval=2.0)
    with tempfile.TemporaryDirectory() as name:
        rows = [measure(Path(name) / arch, arch, options) for arch in options.archs]
    text = "\n".join(
        [
            "## A photo on the page Predict",
            "",
            f"Written by `python -m benchmarks.predict` {describe_machine()}; before it the processor was {busy:.0f} % busy. A JPEG of "
            f"{PHOTO[0]}×{PHOTO[1]} pixels at {SIZE} px, from dropping it in Chromium, which shares the cores, with a model that has "
            f"answered before. One visitor: medians of {options.rounds}; {options.visitors} at once: the slowest.",
            "",
            f"| network | to the classes | wanted | from there to the heat map | wanted | slowest of {options.visitors}, to the classes | wanted | to its map | processor time of the server |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    write_section("predict", text)
    print(text)


def measure(folder: Path, arch: str, options: argparse.Namespace) -> str:
    """Return the row of the table for a network."""
    run = make_run(folder, arch)
    photos = [draw_photo(seed) for seed in range(options.rounds + options.visitors + 1)]
    with serve(folder, folder / "data") as dashboard, sync_playwright() as playwright:
        browser = launch(playwright)
        page = visit(browser, dashboard, run)
        drop([page], photos[:1])  # the model is loaded
        alone = []
        for photo in photos[1 : options.rounds + 1]:
            page.reload()
            page.get_by_test_id("stFileUploaderDropzone").first.wait_for()
            alone += drop([page], [photo])
        page.close()
        pages = [visit(browser, dashboard, run) for _ in range(options.visitors)]
        server = psutil.Process(dashboard.process.pid)
        before = sum(server.cpu_times()[:2])
        together = drop(pages, photos[-options.visitors :])
        worked = sum(server.cpu_times()[:2]) - before
        browser.close()
    top = statistics.median(wait.classes for wait in alone)
    heat = statistics.median(wait.heat - wait.classes for wait in alone)
    return (
        f"| {arch} | {top:.2f} s | ≤ {TOP:g} s | {heat:.2f} s | ≤ {MAP:g} s | {max(wait.classes for wait in together):.2f} s | "
        f"≤ {ALL:g} s | {max(wait.heat for wait in together):.2f} s | {worked:.1f} s |"
    )


def visit(browser: Browser, dashboard: Dashboard, run: Run) -> Page:
    """Open the page Predict as a visitor of its own."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(60_000)
    open_page(page, dashboard, f"predict?run={run.id}")
    return page


def drop(pages: list[Page], photos: list[bytes]) -> list[Wait]:
    """Drop a photo on each page, one right after the other, and return how long each waited."""
    begun = []
    for page, photo in zip(pages, photos, strict=True):
        begun.append(time.perf_counter())
        field = page.locator("input[type=file]").first
        field.set_input_files({"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo})
    seen: dict[int, float] = {}
    mapped: dict[int, float] = {}
    end = time.perf_counter() + 120
    while len(mapped) < len(pages):
        if time.perf_counter() > end:
            raise SystemExit("no heat map came within two minutes")
        for number, page in enumerate(pages):
            if number not in seen and page.evaluate(_SEEN):
                seen[number] = time.perf_counter()
            if number in seen and number not in mapped and page.evaluate(_MAPPED):
                mapped[number] = time.perf_counter()
        time.sleep(0.02)
    return [Wait(seen[number] - start, mapped[number] - start) for number, start in enumerate(begun)]


def draw_photo(seed: int) -> bytes:
    """Return a JPEG file of twelve megapixels with some detail."""
    rng, file = np.random.default_rng(seed), io.BytesIO()
    coarse = Image.fromarray(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8))
    coarse.resize(PHOTO, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def make_run(folder: Path, arch: str) -> Run:
    """Make a run that has ended, of a network with random weights, on a few tiny images."""
    network = find_network(arch)
    if network is None:
        raise SystemExit(f"there is no network {arch}")
    for number in range(CLASSES):
        for split in ("train", "val"):
            path = folder / "data" / split / f"class-{number}" / "1.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (8, 8), (25 * number, 0, 128 if split == "val" else 0)).save(path)
    folders = scan_folders(folder / "data")
    config = TrainConfig(
        data=str(folders.root), name="bench", arch=arch, image_size=SIZE, resize_size=RESIZE, weights="none"
    )
    run = create_run(config, folder / "runs")
    record_data(run, folders, config)
    torch.manual_seed(0)
    values = best_values(
        build_model(arch, CLASSES), arch=arch, inputs=network.inputs, classes=folders.classes, display={},
        image_size=SIZE, resize_size=RESIZE,
    )  # fmt: skip
    save_checkpoint(run.best_path, values)
    now = time.time()
    run.write_status(replace(run.read_status(), state="finished", best_epoch=1, started=now, ended=now))
    return run


if __name__ == "__main__":
    main()
