"""What more processes bring: python -m benchmarks.scaling.

The same training, by the real command, in one process and in several: on the GPUs of this machine, or where there are none on its
cores, one thread each, against one process with a thread a core. Images a second are those that each epoch's row says, without
the first. Writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from benchmarks.engine import describe_machine
from benchmarks.sections import write_section
from benchmarks.slices import find_data, make_slice
from core.runs.run import Run
from core.words import format_count


@dataclass(frozen=True)
class Way:
    """How many processes train, and with how many threads each."""

    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{format_count(self.processes, 'process')}, {format_count(self.threads, 'thread')}{' each' * (self.processes > 1)}"


def main() -> None:
    """Measure the ways for each network and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="data folder; default: the homework's, else the built-in glyphs"
    )
    parser.add_argument("--archs", nargs="+", default=["tf_efficientnet_lite0", "resnet18"])
    parser.add_argument("--batch", type=int, default=64, help="images a step, of all processes together")
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--images", type=int, default=12, help="training images of each of 20 classes")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    busy = psutil.cpu_percent(interval=2.0)
    with tempfile.TemporaryDirectory(prefix="weakspot-scaling-") as name:
        place = Path(name)
        data = make_slice(
            find_data(options.data, place), place / "slice", classes=20, train=options.images, val=2
        )
        rows = [row for arch in options.archs for row in measure(arch, data, place / "runs", options)]
    text = "\n".join(
        [
            "## Several processes",
            "",
            f"Written by `python -m benchmarks.scaling` {describe_machine()}; before it the processor was {busy:.0f} % busy. The real "
            f"command, {options.batch} images a step of all processes together at {options.size} px, fp32; medians of "
            f"{options.rounds} rounds in turns of {options.epochs - 1} epochs each. Efficiency is the speed against as many times that "
            "of one process with one thread (or on one GPU).",
            "",
            "| network | way | images/s | against one | efficiency |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )
    write_section("scaling", text)
    print(text)


def measure(arch: str, data: Path, root: Path, options: argparse.Namespace) -> list[str]:
    """Return the rows of the table for a network."""
    speeds: dict[Way, list[float]] = {way: [] for way in list_ways()}
    for number in range(options.rounds):
        for way, found in speeds.items():
            found.append(
                train(f"{arch}-{way.processes}-{way.threads}-{number}", arch, way, data, root, options)
            )
    medians = {way: statistics.median(found) for way, found in speeds.items()}
    one = medians[next(iter(medians))]
    return [
        f"| {arch} | {way} | {speed:.1f} | {speed / one:.2f} × | {speed / one / (way.processes * way.threads):.0%} |"
        for way, speed in medians.items()
    ]


def list_ways() -> list[Way]:
    """Return the ways to compare, the first of them the one that the others are measured against."""
    if gpus := torch.cuda.device_count():
        return [Way(count, 1) for count in (1, 2, 4, 8) if count <= gpus]
    cores = os.cpu_count() or 1
    return [Way(1, 1), Way(1, cores), Way(cores, 1)]


def train(name: str, arch: str, way: Way, data: Path, root: Path, options: argparse.Namespace) -> float:
    """Train a run and return its images a second, the median of its epochs without the first."""
    values = {
        "data": data, "name": name, "arch": arch, "weights": "none", "epochs": options.epochs, "batch-size": options.batch,
        "image-size": options.size, "resize-size": options.size, "precision": "fp32", "devices": way.processes,
        "save-minutes": 1000,
    }  # fmt: skip
    words = [f"--{key}={value}" for key, value in values.items()]
    threads = {"OMP_NUM_THREADS": str(way.processes * way.threads), "WEAKSPOT_RUNS": str(root)}
    subprocess.run(
        [sys.executable, "-m", "core", "train", *words], env={**os.environ, **threads}, check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    rows = [row for row in Run(root / name).read_metrics()[0] if row["kind"] == "epoch"]
    return float(statistics.median(row["images_per_second"] for row in rows[1:]))


if __name__ == "__main__":
    main()
