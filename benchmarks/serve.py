"""How many images a second a served model answers, against its bare network: python -m benchmarks.serve.

The network has random weights, which answer as soon as any. Each side is a process of its own, and they take turns, so
that neither inherits the other's memory or threads. Writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from core.runs.run import Run

ROOT = Path(__file__).resolve().parents[1]
IMAGES, BATCH = 64, 32
SIZE = (500, 375)  # pixels of the photos


def main() -> None:
    """Measure both sides and write the section, or be the bare network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__)
    parser.add_argument("--arch", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224, help="pixels a side")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=15, help="of each side in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", metavar="RUN", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        print(json.dumps(ask_bare(options.bare, options.seconds)))
        return
    from benchmarks.sections import write_section

    text = measure(options)
    write_section("serve", text)
    print(text)


def measure(options: argparse.Namespace) -> str:
    """Take turns, and return the section."""
    with tempfile.TemporaryDirectory() as name:
        run = make_run(Path(name), options.arch, options.size)
        environment = {**os.environ, "WEAKSPOT_RUNS": str(run.folder.parent), "OMP_WAIT_POLICY": "passive"}
        bare: list[dict[str, float]] = []
        many: list[Load] = []
        one: list[Load] = []
        for _ in range(options.rounds):
            bare.append(start_bare(run, options.seconds, environment))
            with subprocess.Popen(
                [sys.executable, "-m", "core", "serve", run.id, "--port", "0"],
                cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
            ) as server:  # fmt: skip
                address = read_address(server)
                many.append(ask_served(address, options.clients, options.seconds))
                one.append(ask_served(address, 1, options.seconds / 3))
                server.terminate()
    return describe(options, bare, many, one)


def draw_photos() -> list[bytes]:
    """Return JPEG files of what is as hard to read as photos."""
    rng, files = np.random.default_rng(0), []
    for _ in range(IMAGES):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize(SIZE, Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def make_run(folder: Path, arch: str, size: int) -> Run:
    """Make a run of ten classes with a model of random weights."""
    import torch

    from core.networks.build import build_model
    from core.networks.table import find_network
    from core.recipe.config import TrainConfig
    from core.runs.run import create_run
    from core.training.checkpoint import best_values, save_checkpoint

    network = find_network(arch)
    if network is None:
        raise SystemExit(f"there is no network {arch}")
    resize = size * 8 // 7
    config = TrainConfig(data=str(folder), name="bench", arch=arch, image_size=size, resize_size=resize)
    run = create_run(config, folder / "runs")
    torch.manual_seed(0)
    values = best_values(
        build_model(arch, 10), arch=arch, inputs=network.inputs, classes=tuple("0123456789"), display={},
        image_size=size, resize_size=resize,
    )  # fmt: skip
    save_checkpoint(run.best_path, values)
    return run


def start_bare(run: Run, seconds: float, environment: dict[str, str]) -> dict[str, float]:
    """Return what `ask_bare` does in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.serve", "--bare", str(run.folder), "--seconds", str(seconds)]
    done = subprocess.run(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def ask_bare(folder: Path, seconds: float) -> dict[str, float]:
    """Return images a second of the network alone, and of reading, scaling and asking one batch after another."""
    import torch

    from core.dataset.images import read_image
    from core.model.predict import Predictor
    from core.runs.run import Run

    predictor, files = Predictor.from_run(Run(folder)), draw_photos()
    inputs = predictor.prepare([read_image(io.BytesIO(file)) for file in files[:BATCH]])

    @torch.inference_mode()
    def ask_network(_: int) -> None:
        predictor.compute.ask(predictor.model, inputs)

    def ask_all(turn: int) -> None:
        first = turn * BATCH % IMAGES
        images = [read_image(io.BytesIO(file)) for file in files[first : first + BATCH]]
        predictor.predict(images)

    return {"network": rate(ask_network, seconds / 2), "loop": rate(ask_all, seconds / 2)}


def rate(ask: Any, seconds: float) -> float:
    """Return images a second, after one batch that is not timed."""
    ask(0)
    turns, begun = 0, time.perf_counter()
    while time.perf_counter() < begun + seconds:
        turns += 1
        ask(turns)
    return turns * BATCH / (time.perf_counter() - begun)


def read_address(server: subprocess.Popen[str]) -> str:
    """Return where a server that has been started listens."""
    assert server.stdout is not None
    for line in server.stdout:
        if "http://" in line:
            return "http://" + line.split("http://")[1].split()[0]
    raise SystemExit("the server did not start")


@dataclass(frozen=True)
class Load:
    """What clients got: images a second of all, and how long each waited, in seconds."""

    images_per_second: float
    waits: list[float]

    def percentile(self, share: float) -> float:
        """Return a percentile of the waits in milliseconds."""
        return float(np.percentile(self.waits, share) * 1000)


def ask_served(address: str, clients: int, seconds: float) -> Load:
    """Let clients send photos one by one over connections that stay open; the first second is not timed."""
    files, place = draw_photos(), urlsplit(address).netloc
    begun = time.perf_counter() + 1
    waits: list[float] = []

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection(place, timeout=60)
        turn = number
        while (now := time.perf_counter()) < begun + seconds:
            turn += 1
            connection.request("POST", "/predict", files[turn % IMAGES], {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the server answered {answer.status}")
            if now >= begun:
                waits.append(time.perf_counter() - now)
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(len(waits) / (time.perf_counter() - begun), waits)


def describe(
    options: argparse.Namespace, bare: list[dict[str, float]], many: list[Load], one: list[Load]
) -> str:
    """Return the section: what was measured, and on what."""
    import torch

    from core.training.environment import processor_name

    network, loop = (statistics.median(found[key] for found in bare) for key in ("network", "loop"))
    served = statistics.median(load.images_per_second for load in many)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else processor_name()

    def waits(loads: list[Load]) -> str:
        middle, late = (statistics.median(load.percentile(share) for load in loads) for share in (50, 99))
        return f"{middle:.0f} ms, {late:.0f} ms"

    return "\n".join(
        [
            "## A served model",
            "",
            f"Written by `python -m benchmarks.serve` ({time.strftime('%Y-%m-%d')}) on {device}, {os.cpu_count()} cores; "
            f"torch {torch.__version__}, {platform.system()}; {options.arch} at {options.size} px, JPEG of "
            f"{SIZE[0]}×{SIZE[1]}. Medians of {options.rounds} rounds in which the sides take turns. The clients "
            "share the cores with the server.",
            "",
            "| what | images a second | of the network alone | wait of a client, median and 99 % |",
            "|---|---|---|---|",
            f"| the network alone, batches of {BATCH} | {network:.1f} | | |",
            f"| reading, scaling and the network, one batch after another | {loop:.1f} | {loop / network:.0%} | |",
            f"| `serve`, {options.clients} clients, an image a request | {served:.1f} | {served / network:.0%} | {waits(many)} |",
            f"| `serve`, one client | {statistics.median(load.images_per_second for load in one):.1f} | | {waits(one)} |",
        ]
    )


if __name__ == "__main__":
    main()
