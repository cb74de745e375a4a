"""How long a page of 24 heat maps takes, the first time and again: python -m benchmarks.maps.

It draws the page Weak classes as the dashboard does (its script in full, without a browser) for networks with random
weights, whose maps take as long as any, computes the features that the nearest images need, and writes its section of
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
ARCHS = ("tf_efficientnet_lite0", "resnext50_32x4d")
ERRORS, RIGHT = 6, 6  # as the page shows: 6 errors of 2 maps, 6 right images of the class and of a strong one
MAPS = 2 * ERRORS + 2 * RIGHT
CLASSES, TRAINING = 10, 12
IMAGES = CLASSES * (TRAINING + ERRORS + RIGHT)


def main() -> None:
    """Measure at each size and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.maps", description=__doc__)
    parser.add_argument("--archs", nargs="+", default=list(ARCHS))
    parser.add_argument("--sizes", type=int, nargs="+", default=[224], help="pixels a side")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    from benchmarks.sections import write_section

    logging.getLogger("streamlit").setLevel(logging.ERROR)  # it warns of running without a server
    results = {
        (arch, size): measure(arch, size, options.rounds) for arch in options.archs for size in options.sizes
    }
    text = describe(results, options.rounds)
    write_section("maps", text)
    print(text)


Timing = tuple[float, float]  # seconds on the clock, and those of all threads on the processor


def measure(arch: str, size: int, rounds: int) -> dict[str, Timing]:
    """Return timings: of the page with fresh maps, of the same again, of an error in detail, of the features of all images."""
    import streamlit as st
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from dashboard.components.plot import component
    from dashboard.state import maps

    with tempfile.TemporaryDirectory() as name:
        os.environ["WEAKSPOT_RUNS"] = str(Path(name) / "runs")
        run = make_run(Path(name), arch, size)
        st.cache_data.clear()
        st.cache_resource.clear()
        component.cache_clear()
        app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=600)
        app._page_hash = calc_hash("weak")
        app.query_params.update({"run": run, "class": "0"})
        app.run()  # looks through the installed packages first, which a server does before any page
        found: dict[str, list[Timing]] = {"fresh": [], "again": []}
        for _ in range(rounds):
            maps._shelf.clear()
            found["fresh"].append(time_page(app, MAPS))
            found["again"].append(time_page(app, MAPS))
        st.cache_resource.clear()  # the model too
        cold = time_page(app, MAPS)
        app.query_params.update({"image": "val/0/0.jpg"})
        detail = time_page(app, 2)
        again = time_page(app, 2)
        features = time_features(run)
    medians = {key: statistics.median_low(values) for key, values in found.items()}  # by the clock
    return {"cold": cold, **medians, "detail": detail, "detail_again": again, "features": features}


def time_page(app: Any, wanted: int) -> Timing:
    """Draw the page once more and return how long it took; raises RuntimeError when it has not the maps it should have."""
    begun, before = time.perf_counter(), time.process_time()
    app.run()
    seconds = time.perf_counter() - begun, time.process_time() - before
    drawn = [block.proto.body for block in app.get("html")]
    drawn += [json.loads(block.proto.json).get("html", "") for block in app.get("bidi_component")]
    count = sum(body.count('alt="Grad-CAM of') for body in drawn)
    if app.exception or count != wanted:
        raise RuntimeError(f"the page has {count} heat maps, not {wanted}: {[e.value for e in app.error]}")
    return seconds


def time_features(run: str) -> Timing:
    """Return how long it takes to see all images once for the nearest ones, which is done once a run."""
    from core.model.neighbours import compute_neighbourhood, locate
    from core.model.placement import choose_placement
    from core.runs.run import default_root, find_run

    found = find_run(run, default_root())
    compute = choose_placement(found)
    begun, before = time.perf_counter(), time.process_time()
    place = locate(found, compute)
    assert place is not None
    compute_neighbourhood(found, place, compute, progress=lambda *_: True)
    return time.perf_counter() - begun, time.process_time() - before


def make_run(folder: Path, arch: str, size: int) -> str:
    """Make a finished run on photos of 500×375 pixels in two classes, both with errors and right images; return its id."""
    from dataclasses import replace

    import torch

    from core.dataset.folders import scan_folders
    from core.model.evaluate import write_predictions
    from core.networks.build import build_model
    from core.networks.table import find_network
    from core.recipe.config import TrainConfig
    from core.runs.run import create_run
    from core.runs.run_data import record_data
    from core.training.checkpoint import best_values, save_checkpoint
    from core.training.engine import Outcome

    rng = np.random.default_rng(0)
    classes = tuple(str(number) for number in range(CLASSES))
    for label in classes:
        for split, count in (("train", TRAINING), ("val", ERRORS + RIGHT)):
            for number in range(count):
                path = folder / "data" / split / label / f"{number}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
                coarse.resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
    config = TrainConfig(
        data=str(folder / "data"), name="bench", arch=arch, image_size=size, resize_size=size * 8 // 7
    )
    run = create_run(config, folder / "runs")
    folders = scan_folders(folder / "data")
    record_data(run, folders, config)
    target = np.array([sample.target for sample in folders.val])
    wrong = (np.arange(len(target)) % (ERRORS + RIGHT) < ERRORS) & (target == 0)
    order = (np.where(wrong, target + 1, target)[:, None] + np.arange(5)) % len(classes)
    prob = np.tile(np.array([0.6, 0.2, 0.1, 0.05, 0.05], dtype=np.float32), (len(target), 1))
    true = np.where(wrong, 0.01, 0.6).astype(np.float32)
    write_predictions(
        run.predictions_path(), folders.val, Outcome(order, prob, true, -np.log(true), target), classes
    )
    network = find_network(arch)
    if network is None:
        raise SystemExit(f"there is no network {arch}")
    torch.manual_seed(0)
    values = best_values(
        build_model(arch, len(classes)),
        arch=arch,
        inputs=network.inputs,
        classes=classes,
        display={},
        image_size=size,
        resize_size=size * 8 // 7,
    )
    save_checkpoint(run.best_path, values)
    run.write_status(replace(run.read_status(), state="finished", phase="finished", best_epoch=1))
    return run.id


def describe(results: dict[tuple[str, int], dict[str, Timing]], rounds: int) -> str:
    """Return the section: what was measured, on what, and what was wanted."""
    import torch

    from core.training.engine import choose_compute
    from core.training.environment import processor_name

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor_name()
    rows = [
        f"| {what} | {arch}, {size} px | {found[key][0]:.2f} s | {found[key][1]:.2f} s | {wanted} |"
        for (arch, size), found in results.items()
        for what, key, wanted in (
            (f"page of {MAPS} maps, first time (median of {rounds})", "fresh", "≤ 6 s"),
            (f"the same page again (median of {rounds})", "again", "≤ 0.5 s"),
            ("the same, and the model to be loaded first", "cold", ""),
            ("an error in detail, first time: 2 maps, 10 passes for faithfulness", "detail", ""),
            ("the same again", "detail_again", ""),
            (f"features of {IMAGES} images for the nearest ones, once a run", "features", ""),
        )
    ]
    return "\n".join(
        [
            "## Heat maps on a page",
            "",
            f"Written by `python -m benchmarks.maps` ({time.strftime('%Y-%m-%d')}) on {device}, {os.cpu_count()} cores; "
            f"torch {torch.__version__} with {torch.get_num_threads()} threads, {platform.system()}, maps in fp32 "
            f"({choose_compute()} for the rest). The script of Weak classes in full, without a browser: "
            f"{ERRORS} errors with two maps each and {2 * RIGHT} right images with one, from 500×375 JPEG.",
            "",
            "| what | network | by the clock | processor time of all threads | wanted |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


if __name__ == "__main__":
    main()
