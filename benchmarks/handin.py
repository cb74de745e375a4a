"""How much a hand-in takes beyond the network's own passes: python -m benchmarks.handin.

Made photos of 500×375 pixels are predicted as the dashboard and `predict` do it: read, cropped, asked about, written and
checked. Beside that, in turns, stand the bare forward passes over as many batches that lie ready in memory. Writes its
section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.engine import describe_machine
from benchmarks.sections import write_section
from core.answers.ask import BATCH
from core.answers.hand_in import write_hand_in
from core.answers.sources import find_images
from core.answers.submission import Form, plan_hand_in
from core.model.predict import Predictor
from core.networks.build import build_model
from core.networks.fold import fold_norms
from core.networks.table import find_network
from core.training.engine import choose_compute

SIZE, CLASSES = 224, 81
WANTED = 1.25  # times the bare passes
Timing = tuple[float, float]  # seconds on the clock, and those of all threads on the processor


def main() -> None:
    """Measure the networks and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.handin", description=__doc__)
    parser.add_argument("--archs", nargs="+", default=["tf_efficientnet_lite0", "resnext50_32x4d"])
    parser.add_argument("--images", type=int, default=2344)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        make_photos(Path(name), options.images)
        rows = [measure(arch, Path(name), options.rounds) for arch in options.archs]
    load = os.getloadavg()[0]
    text = "\n".join(
        [
            "## A hand-in beside the bare forward passes",
            "",
            f"Written by `python -m benchmarks.handin` {describe_machine()}. {options.images:,} JPEG photos of 500×375 pixels at "
            f"{SIZE} px, asked as Predict does (fp32); medians of {options.rounds} rounds in turns. The machine's load at the end "
            f"was {load:.1f}.",
            "",
            "| network | bare passes | the whole hand-in | ratio | wanted | processor: bare | processor: whole | ratio |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    write_section("handin", text)
    print(text)


def measure(arch: str, photos: Path, rounds: int) -> str:
    """Return the row of the table for a network."""
    predictor = make_predictor(arch)
    paths = find_images([photos])
    plan = plan_hand_in(paths, Form(), classes=predictor.classes, display={}, folder=photos)
    bare: list[Timing] = []
    whole: list[Timing] = []
    time_passes(predictor, BATCH)  # the first one makes kernels and memory
    for _ in range(rounds):
        bare.append(time_passes(predictor, len(paths)))
        begun = read_clocks()
        written = write_hand_in(predictor, plan, photos.parent / f"{arch}.csv")
        whole.append(since(begun))
        assert written is not None
        assert all(finding.good for finding in written.findings)
    (passes, passes_cpu), (took, took_cpu) = (statistics.median_low(found) for found in (bare, whole))
    return (
        f"| {arch} | {passes:.1f} s | {took:.1f} s | {took / passes:.2f} | ≤ {WANTED} | {passes_cpu:.1f} s | {took_cpu:.1f} s | "
        f"{took_cpu / passes_cpu:.2f} |"
    )


def time_passes(predictor: Predictor, count: int) -> Timing:
    """Return the time of the forward passes over so many images that lie ready as the network takes them."""
    batch = predictor.compute.place_images(torch.randn(BATCH, 3, SIZE, SIZE))
    begun = read_clocks()
    with torch.inference_mode():
        for start in range(0, count, BATCH):
            predictor.compute.ask(predictor.model, batch[: min(BATCH, count - start)])
    return since(begun)


def read_clocks() -> Timing:
    """Return the seconds on the clock and those of all threads on the processor, from some beginning."""
    return time.perf_counter(), time.process_time()


def since(begun: Timing) -> Timing:
    """Return how much both clocks have gone on."""
    now = read_clocks()
    return now[0] - begun[0], now[1] - begun[1]


def make_predictor(arch: str) -> Predictor:
    """Return a network with random weights, asked as a run's best model is."""
    network = find_network(arch)
    if network is None:
        raise SystemExit(f"there is no network {arch}")
    torch.manual_seed(0)
    return Predictor(
        fold_norms(build_model(arch, CLASSES).eval(), SIZE),
        classes=[str(number) for number in range(CLASSES)],
        image_size=SIZE,
        resize_size=SIZE * 8 // 7,
        compute=choose_compute("cpu", "fp32"),
        inputs=network.inputs,
    )


def make_photos(folder: Path, count: int) -> None:
    """Make JPEG photos of 500×375 pixels with some detail."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(folder / f"{number:05d}.jpg", quality=90)


if __name__ == "__main__":
    main()
