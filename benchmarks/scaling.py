"""What more processes bring: python -m benchmarks.scaling.

The same training, by the real command, in one process and in several: on the GPUs of this machine, or where there are none on its
cores, one thread each, against one process with a thread a core. Images a second are those that each epoch's row says, without
the first. It takes turns until its minutes are over, says each figure as it comes, and writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil
import torch

from benchmarks.engine import describe_machine
from benchmarks.sections import write_section
from benchmarks.slices import make_slice
from core.dataset.demo import make_demo
from core.runs.run import Run
from core.words import format_count

_CLASSES = 16
_FAREWELL = 15.0  # seconds that a training has to save and end in, once it is asked to
Speeds = dict[tuple[str, "Way"], list[float]]


@dataclass(frozen=True)
class Way:
    """How many processes train, and with how many threads each."""

    processes: int
    threads: int

    @property
    def cores(self) -> int:
        """Return how many cores, or GPUs, it uses."""
        return self.processes * self.threads

    def __str__(self) -> str:
        each = " each" * (self.processes > 1)
        return f"{format_count(self.processes, 'process')}, {format_count(self.threads, 'thread')}{each}"


def main() -> None:
    """Measure the ways for each network and write the section."""
    options = _read_options()
    signal.signal(signal.SIGTERM, _leave)  # as a Ctrl-C does, it ends what was started
    busy = psutil.cpu_percent(interval=2.0)
    with tempfile.TemporaryDirectory(prefix="weakspot-scaling-") as name:
        place = Path(name)
        source = options.data or place / "glyphs"
        if options.data is None:
            make_demo("glyphs", source)
        data = make_slice(source, place / "slice", classes=_CLASSES, train=options.images, val=2)
        speeds = measure(data, place / "runs", options)
    rounds = format_count(min(map(len, speeds.values())), "round")
    text = "\n".join(
        [
            "## Several processes",
            "",
            f"Written by `python -m benchmarks.scaling` {describe_machine()}; before it the processor was {busy:.0f} % busy. The real "
            f"command, {options.batch} images a step of all processes together at {options.size} px, fp32; medians of "
            f"{rounds} in turns of {options.epochs - 1} epochs each. Efficiency is the speed against as many times that "
            "of one process with one thread (or on one GPU).",
            "",
            "| network | way | speed (images/s) | against one (×) | efficiency (%) |",
            "|---|---|---|---|---|",
            *list_rows(speeds),
        ]
    )
    write_section("scaling", text)
    print(text)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder; default: the built-in glyphs")
    parser.add_argument("--archs", nargs="+", default=["tf_efficientnet_lite0", "resnet18"])
    parser.add_argument("--batch", type=int, default=32, help="images a step, of all processes together")
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument(
        "--images", type=int, default=8, help=f"training images of each of {_CLASSES} classes"
    )
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3, help="at most")
    parser.add_argument(
        "--minutes", type=float, default=3.5, help="another round begins only where it will end within these"
    )
    return parser.parse_args()


def _leave(number: int, _: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def measure(data: Path, root: Path, options: argparse.Namespace) -> Speeds:
    """Return the images a second of each network and way, one figure a round; all take their turns in each round."""
    speeds: Speeds = {(arch, way): [] for arch in options.archs for way in list_ways()}
    begun, longest = time.monotonic(), 0.0
    for number in range(options.rounds):
        if number and time.monotonic() - begun + longest > 60 * options.minutes:
            break
        round_begun = time.monotonic()
        for (arch, way), found in speeds.items():
            name = f"{arch}-{way.processes}-{way.threads}-{number}"
            found.append(train(name, arch, way, data, root, options))
            passed = time.monotonic() - begun
            print(f"{passed:4.0f} s  {arch}, {way}: {found[-1]:.1f} images/s", file=sys.stderr, flush=True)
        longest = max(longest, time.monotonic() - round_begun)
    return speeds


def list_ways() -> list[Way]:
    """Return the ways to compare, the first of them the one that the others are measured against."""
    if gpus := torch.cuda.device_count():
        return [Way(count, 1) for count in (1, 2, 4, 8) if count <= gpus]
    cores = os.cpu_count() or 1
    return [Way(1, 1)] if cores == 1 else [Way(1, 1), Way(1, cores), Way(cores, 1)]


def list_rows(speeds: Speeds) -> list[str]:
    """Return the rows of the table: the medians, each network's against its own first way."""
    medians = {key: statistics.median(found) for key, found in speeds.items()}
    one: dict[str, float] = {}
    for (arch, _), speed in medians.items():
        one.setdefault(arch, speed)
    return [
        f"| {arch} | {way} | {speed:.1f} | {speed / one[arch]:.2f} | {100 * speed / one[arch] / way.cores:.0f} |"
        for (arch, way), speed in medians.items()
    ]


def train(name: str, arch: str, way: Way, data: Path, root: Path, options: argparse.Namespace) -> float:
    """Train a run and return its images a second, the median of its epochs without the first.

    Raises:
        SystemExit: with the end of its log where the training failed.
    """
    values = {
        "data": data, "name": name, "arch": arch, "weights": "none", "epochs": options.epochs, "batch-size": options.batch,
        "image-size": options.size, "resize-size": options.size, "precision": "fp32", "devices": way.processes,
        "save-minutes": 1000,
    }  # fmt: skip
    words = [sys.executable, "-m", "core", "train", *(f"--{key}={value}" for key, value in values.items())]
    run = Run(root / name)
    if code := _run(words, {"OMP_NUM_THREADS": str(way.cores), "WEAKSPOT_RUNS": str(root)}):
        sys.exit("\n".join([f"{name} ended with the code {code}.", *run.read_log(20)]))
    rows = [row for row in run.read_metrics()[0] if row["kind"] == "epoch"]
    return float(statistics.median(row["images_per_second"] for row in rows[1:]))


def _run(words: Sequence[str], environment: dict[str, str]) -> int:
    """Run a command and return its exit code; what it started ends with it, also where this process is interrupted."""
    process = subprocess.Popen(
        words, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()  # it ends its own processes
            try:
                process.wait(_FAREWELL)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
