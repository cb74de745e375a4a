"""`make bench`: the engine against the plain loop, both sides timed in one run on the same images.

Writes its section of docs/benchmarks.md. Each side of the throughput comparison is a process of its own, in turns, so that neither
inherits the other's memory or threads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from core.recipe.config import TrainConfig
    from core.runs.run import Run

ROOT = Path(__file__).resolve().parents[1]
ARCH = "resnext50_32x4d"
PLAIN_WORKERS = 4
RACE_SIZE = 64  # pixels
ROUNDS = 3


def main() -> None:
    """Measure everything and write the page, or be one side of the throughput comparison."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--data", type=Path, help="a data set with at least 120 training images a class")
    parser.add_argument("--side", choices=("plain", "engine"), help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=224, help="pixels, for throughput and head-only")
    parser.add_argument("--steps", type=int, default=4, help="steps a round that are timed")
    parser.add_argument(
        "--epochs", type=int, default=8, help="epochs of the plain loop in the race to its accuracy"
    )
    parser.add_argument(
        "--weights", default="none", help="for the race: none, imagenet or a file, as --weights of train"
    )
    parser.add_argument("--race-arch", default=ARCH, help="the network of the race")
    parser.add_argument("--only", choices=("race",), help="measure this alone, into a section of its own")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure_side(options.side, options.data, options.size, options.steps)))
        return
    from benchmarks.sections import write_section
    from benchmarks.slices import find_data, make_slice

    with tempfile.TemporaryDirectory() as name:
        workshop = Path(name)
        data = find_data(options.data, workshop)
        race = make_slice(data, workshop / "race", classes=10, train=100, val=20)
        small = make_slice(data, workshop / "small", classes=10, train=30, val=5)
        if options.only:
            page = describe_race(compare_race(race, workshop, options), data.name, options)
            write_section("race", page)
            print(page)
            return
        results = {
            "throughput": compare_throughput(race, options.size, options.steps),
            "head_only": compare_head_only(small, workshop, options.size),
            "race": compare_race(race, workshop, options),
        }
    page = describe(results, data.name, options)
    write_section("engine", page)
    print(page)


def measure_side(side: str, data: Path, size: int, steps: int) -> dict[str, float]:
    """Train some steps one way; return images a second after the first step, and the peak memory in MB."""
    peak = PeakMemory()
    rate = measure_plain(data, size, steps) if side == "plain" else measure_engine(data, size, steps)
    return {"images_per_second": rate, "peak_mb": peak.stop()}


class PeakMemory:
    """Watches what this process and its children hold for themselves (unique set size)."""

    def __init__(self) -> None:
        self._peak, self._done = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Return the peak in MB."""
        self._done.set()
        self._thread.join()
        return round(self._peak / 1e6)

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._done.wait(0.2):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().uss
                except psutil.Error:
                    continue
            self._peak = max(self._peak, total)


def measure_plain(data: Path, size: int, steps: int) -> float:
    """Return the plain loop's images a second."""
    import torch

    from benchmarks.reference import make_loaders, train_step
    from core.networks.build import build_model

    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build_model(ARCH, 10).to(device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    train, _ = make_loaders(data, size=size, workers=PLAIN_WORKERS)
    begun, count = 0.0, 0
    for number, (images, labels) in enumerate(train):
        train_step(model, images.to(device), labels.to(device), optimizer)
        if number:
            count += len(labels)
        else:
            begun = time.perf_counter()
        if number == steps:
            break
    return count / (time.perf_counter() - begun)


def measure_engine(data: Path, size: int, steps: int) -> float:
    """Return the engine's images a second, with everything it chooses by itself."""
    import torch
    from torch import nn

    from core.dataset.folders import scan_folders
    from core.networks.build import build_model
    from core.networks.table import IMAGENET
    from core.recipe.presets import from_preset
    from core.training import engine
    from core.training.batches import ImageBatches
    from core.training.learner import make_learner
    from core.training.loaders import choose_workers

    config = from_preset("seed", data=str(data), weights="none", image_size=size, resize_size=size * 8 // 7)
    compute = engine.choose_compute()
    torch.manual_seed(0)
    learner = make_learner(compute.place_model(build_model(ARCH, 10)), config)
    workers = choose_workers(-1, compute.device.type)
    source = ImageBatches(scan_folders(data), config, IMAGENET, compute, workers=workers)
    begun, count = 0.0, 0

    def on_steps(figures: list[engine.StepFigures]) -> bool:
        nonlocal begun, count
        if begun:
            count += sum(figure.count for figure in figures)
        else:
            begun = time.perf_counter()
        return figures[-1].step <= steps

    engine.train_epoch(
        learner.trained, source.train(0), learner.optimizer, nn.CrossEntropyLoss(), compute,
        set_rate=lambda _: None, on_steps=on_steps,
    )  # fmt: skip
    return count / (time.perf_counter() - begun)


def compare_throughput(data: Path, size: int, steps: int) -> dict[str, Any]:
    """Measure both sides in turns; medians over the rounds."""
    found: dict[str, list[dict[str, float]]] = {"plain": [], "engine": []}
    for _ in range(ROUNDS):
        for side, rows in found.items():
            command = [sys.executable, "-m", "benchmarks.engine", "--side", side, "--data", str(data)]
            command += ["--size", str(size), "--steps", str(steps)]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(side, rows[-1], flush=True)
    return {
        side: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for side, rows in found.items()
    }


def compare_head_only(data: Path, workshop: Path, size: int) -> dict[str, float]:
    """Time 25 epochs of the head alone, features included, and one evaluation pass over the training images."""
    import torch

    from core.dataset.folders import scan_folders
    from core.networks.build import build_model
    from core.networks.table import IMAGENET
    from core.recipe.presets import from_preset
    from core.training import engine
    from core.training.loaders import EpochBatches, ImageTable, choose_workers, eval_transforms, make_loader

    weights = workshop / "weights.pt"
    torch.save(build_model(ARCH, 10).state_dict(), weights)
    config = from_preset(
        "seed",
        data=str(data),
        weights=str(weights),
        head_only=True,
        image_size=size,
        resize_size=size * 8 // 7,
    )
    folders, compute = scan_folders(data), engine.choose_compute()
    workers = choose_workers(-1, compute.device.type)
    model = compute.place_model(build_model(ARCH, 10))
    transform = eval_transforms(config.image_size, config.resize_size, IMAGENET)
    table = ImageTable(folders.root, folders.train, transform)
    batches = EpochBatches(len(folders.train), config.batch_size, seed=None)
    begun = time.perf_counter()
    engine.evaluate(model, make_loader(table, batches, workers=workers, pin_memory=False), compute)
    one_pass = time.perf_counter() - begun
    begun = time.perf_counter()
    train(config, workshop)
    both = time.perf_counter() - begun
    return {"pass_seconds": one_pass, "run_seconds": both, "images": len(folders.train)}


def compare_race(data: Path, workshop: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Time the plain loop to its best accuracy, and our quick ways to the same, from the same weights at 64 px."""
    import torch

    from benchmarks.reference import make_loaders, train_reference
    from core.networks.build import build_model
    from core.networks.weights import load_initial_weights
    from core.recipe.presets import from_preset

    torch.manual_seed(0)
    loaders = make_loaders(data, size=RACE_SIZE, workers=PLAIN_WORKERS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build_model(options.race_arch, 10)
    load_initial_weights(
        model, options.race_arch, options.weights, Path, image_size=RACE_SIZE, progress=lambda *_: True
    )
    plain = train_reference(model, *loaders, epochs=options.epochs, device=device)
    best = max(plain.val_acc)
    at = plain.val_acc.index(best)
    print("plain", plain.val_acc, plain.seconds, flush=True)
    common = {
        "data": str(data), "arch": options.race_arch, "weights": options.weights, "image_size": RACE_SIZE,
        "resize_size": RACE_SIZE * 8 // 7,
    }  # fmt: skip
    known = options.weights != "none"  # a head is fitted first only to features that say something
    quick = {"preset fast": from_preset("fast", **common, head_first=known, keep_statistics=known)}
    if known:
        quick["head alone"] = from_preset("seed", **common, head_only=True, optimizer="adamw")
    found = {name: race_to(best, train(config, workshop)) for name, config in quick.items()}
    return {
        "weights": Path(options.weights).name, "arch": options.race_arch, "val_images": 200,
        "plain_best": best, "plain_seconds": plain.seconds[at], "plain_epoch": at + 1, "quick": found,
    }  # fmt: skip


def race_to(accuracy: float, run: Run) -> dict[str, float | None]:
    """Return when a run that ended had reached an accuracy, None for never, its best, and its seconds in all.

    The clock runs from the start of the job: reading images and computing features count.
    """
    status = run.read_status()
    rows = [row for row in run.read_metrics()[0] if row["kind"] == "epoch"]
    # What lies before the first epoch is what the epochs do not account for.
    seconds = status.ended - status.started - sum(row["seconds"] + row["val_seconds"] for row in rows)
    reached = None
    for row in rows:
        seconds += row["seconds"] + row["val_seconds"]
        if reached is None and row["val_acc"] >= accuracy:
            reached = seconds
    return {"reached": reached, "best": max(row["val_acc"] for row in rows), "seconds": seconds}


def train(config: TrainConfig, workshop: Path) -> Run:
    """Train a run to its end and return it."""
    from core.job.job import TrainingJob
    from core.runs.run import create_run

    run = create_run(config, workshop / "runs")
    with (workshop / "console.log").open("a", encoding="utf-8") as console:
        status = TrainingJob(run, console).execute()
    if status.state != "finished":
        raise RuntimeError(status.message)
    return run


def describe(results: dict[str, Any], data: str, options: argparse.Namespace) -> str:
    """Return the page: what was measured, on what, and how it compares with what was wanted."""
    rate, head = results["throughput"], results["head_only"]
    ratio = rate["engine"]["images_per_second"] / rate["plain"]["images_per_second"]
    return f"""## Training

Written by `make bench` {describe_setting(data)}
- network {ARCH}, where nothing else is said

{TABLE}
| training, {options.size} px, batch 32, median of {ROUNDS} rounds of {options.steps} steps | {rate["plain"]["images_per_second"]:.2f} images/s | {rate["engine"]["images_per_second"]:.2f} images/s | {ratio:.2f} × | ≥ 2.9 × on a CPU with AVX-512 bf16, ≥ 4 × on a GPU |
| peak memory of the same, all processes | {rate["plain"]["peak_mb"]:,.0f} MB | {rate["engine"]["peak_mb"]:,.0f} MB | {rate["engine"]["peak_mb"] / rate["plain"]["peak_mb"]:.2f} × | ≤ 1 × |
| 25 epochs of the head alone with its features, against one evaluation pass, {head["images"]} images at {options.size} px | {head["pass_seconds"]:.1f} s a pass | {head["run_seconds"]:.1f} s | {head["run_seconds"] / head["pass_seconds"]:.2f} × | ≤ 1.3 × |
{list_races(results["race"], options)}
"""


def describe_race(race: dict[str, Any], data: str, options: argparse.Namespace) -> str:
    """Return the section of a race by itself."""
    return f"""## The race from weights of other classes

Written by `python -m benchmarks.engine --only race --weights {race["weights"]} --race-arch {race["arch"]}` {describe_setting(data)}

{TABLE}
{list_races(race, options)}
"""


TABLE = """| what | plain loop | engine | ratio | wanted |
|---|---|---|---|---|"""


def describe_machine() -> str:
    """Return when and on what something was measured, in brackets."""
    import torch

    from core.training.environment import processor_name

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, check=False, capture_output=True, text=True
    ).stdout.strip()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor_name()
    return (
        f"({time.strftime('%Y-%m-%d')}, commit {commit}, {device}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__})"
    )


def describe_setting(data: str) -> str:
    """Return when and on what it was measured, as the rest of a sentence and a list."""
    from core.training.engine import choose_compute

    return f"""{describe_machine()}. Both sides are timed in one run on the same images.

- the engine chose: {choose_compute()}
- images: a slice of {data}, 10 classes
- plain: `benchmarks/reference.py`, fp32, contiguous, `loss.item()` at each step, {PLAIN_WORKERS} loading processes"""


def list_races(race: dict[str, Any], options: argparse.Namespace) -> str:
    """Return a row for each of our ways to the plain loop's best accuracy."""
    lines = []
    for name, quick in race["quick"].items():
        came = (
            f"{quick['reached']:.0f} s"
            if quick["reached"]
            else f"not reached in its {quick['seconds']:.0f} s"
        )
        share = f"1/{race['plain_seconds'] / quick['reached']:.1f}" if quick["reached"] else ""
        lines.append(
            f"| time to the plain loop's best accuracy, {race['plain_best']:.1%} of {race['val_images']} images at its epoch "
            f"{race['plain_epoch']} of {options.epochs}; {race['arch']} from {race['weights']}, {RACE_SIZE} px; {name} "
            f"| {race['plain_seconds']:.0f} s | {came} (its best: {quick['best']:.1%}) | {share} | ≤ 1/6, the goal is 1/10 |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
