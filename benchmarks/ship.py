"""ONNX Runtime against PyTorch on this processor: python -m benchmarks.ship.

Each network at 224 px answers one image and a batch of 32, by PyTorch as Predict asks it and by its exported ONNX file, in
turns within one run. What is timed begins with pixels in memory. Writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image

from benchmarks.engine import describe_machine
from benchmarks.sections import write_section
from core.model.predict import Predictor
from core.networks.build import build_model
from core.networks.fold import fold_norms
from core.networks.table import inputs_of
from core.ship.contract import Contract
from core.ship.formats import ONNX
from core.ship.network import Source
from core.ship.readers import open_model
from core.ship.writers import write_model
from core.training.engine import Compute

SIZE, CLASSES, BATCH = 224, 100, 32
FP32 = Compute(torch.device("cpu"), bf16=False, channels_last=True)


def main() -> None:
    """Measure the networks and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ship", description=__doc__)
    parser.add_argument("--archs", nargs="+", default=["tf_efficientnet_lite0", "resnext50_32x4d"])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    busy = psutil.cpu_percent(interval=2.0)
    rows = [row for arch in options.archs for row in measure(arch, options.rounds)]
    text = "\n".join(
        [
            "## ONNX Runtime against PyTorch",
            "",
            f"Written by `python -m benchmarks.ship` {describe_machine()}; before it the processor was {busy:.0f} % busy. "
            f"{SIZE} px, fp32, random weights, {CLASSES} classes; from pixels to probabilities, medians of {options.rounds} "
            "rounds in turns. PyTorch is asked as Predict asks it: channels_last, normalisations folded.",
            "",
            "| network | images | PyTorch | ONNX Runtime | ONNX Runtime takes |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    write_section("ship", text)
    print(text)


def measure(arch: str, rounds: int) -> list[str]:
    """Return the rows of the table for a network."""
    source = make_source(arch)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_model(source, ONNX, path)
        answer = open_model(ONNX, path).answer
    rows = []
    for count in (1, BATCH):
        pixels = np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
        inputs = source.own.prepare([Image.fromarray(one) for one in pixels])
        ways: dict[str, Callable[[], object]] = {
            "torch": partial(ask, source.own, inputs),
            "onnx": partial(answer, pixels),
        }
        torch_seconds, onnx_seconds = (value / count for value in time_ways(ways, rounds).values())
        rows.append(
            f"| {arch} | {count} | {torch_seconds * 1e3:.1f} ms an image | {onnx_seconds * 1e3:.1f} ms an image | "
            f"{onnx_seconds / torch_seconds:.2f} times as long |"
        )
    return rows


def make_source(arch: str) -> Source:
    """Return a network of random weights as one to be shipped."""
    torch.manual_seed(0)
    model, inputs = build_model(arch, CLASSES, SIZE).eval(), inputs_of(arch)
    names = tuple(str(number) for number in range(CLASSES))
    contract = Contract(
        run="benchmark", epoch=0, network=arch, image_size=SIZE, resize_size=SIZE, interpolation=inputs.interpolation,
        mean=inputs.mean, std=inputs.std, classes=names, class_names=names, temperature=1.0, threshold=0.0,
    )  # fmt: skip
    folded = fold_norms(model, SIZE)
    own = Predictor(folded, classes=names, image_size=SIZE, resize_size=SIZE, compute=FP32, inputs=inputs)
    return Source(model, contract, own)


@torch.inference_mode()
def ask(predictor: Predictor, inputs: torch.Tensor) -> torch.Tensor:
    """Return the probabilities of a batch that was prepared before."""
    return predictor.compute.ask(predictor.model, inputs).softmax(1)


def time_ways(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return each way's median seconds over so many rounds, after two that warm it up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 2):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            if number >= 2:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(found) for name, found in seconds.items()}


if __name__ == "__main__":
    main()
