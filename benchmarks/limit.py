"""How near training comes to what the processor can compute: python -m benchmarks.limit.

For each network at 224 px it counts the arithmetic of a training step, times the step in several ways in turns, and the
product of two large matrices, which is taken as the processor's limit. Writes its section of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.engine import describe_machine
from benchmarks.sections import write_section
from core.networks.build import build_model
from core.training.engine import Compute, train_step

SIZE, CLASSES = 224, 100
SIDE = 2048  # of the matrices of the limit
CPU = torch.device("cpu")
WAYS = {
    "plain loop: fp32, contiguous": Compute(CPU, bf16=False, channels_last=False),
    "fp32, channels_last": Compute(CPU, bf16=False, channels_last=True),
    "bf16 autocast, channels_last": Compute(CPU, bf16=True, channels_last=True),
}


def main() -> None:
    """Measure the networks and write the section."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limit", description=__doc__)
    parser.add_argument("--archs", nargs="+", default=["resnext50_32x4d", "tf_efficientnet_lite0"])
    parser.add_argument("--batch", type=int, default=32, help="images a step")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    limits = {dtype: measure_limit(dtype) for dtype in (torch.float32, torch.bfloat16)}
    rows = [row for arch in options.archs for row in measure(arch, options.batch, options.rounds, limits)]
    text = "\n".join(
        [
            "## How near training comes to the processor's limit",
            "",
            f"Written by `python -m benchmarks.limit` {describe_machine()}. A step is forward, backward and SGD for "
            f"{options.batch} images of {SIZE} px; medians of {options.rounds} steps a way, in turns. The limit is the product of two "
            f"matrices of {SIDE} × {SIDE}: {limits[torch.float32]:,.0f} GFLOP/s in fp32, {limits[torch.bfloat16]:,.0f} in bf16.",
            "",
            "| network | way | ms an image | against the plain loop | GFLOP an image | share of the limit |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    write_section("limit", text)
    print(text)


def measure_limit(dtype: torch.dtype) -> float:
    """Return how many GFLOP a second (a multiplication and an addition are two) a product of large matrices reaches."""
    left, right = (torch.randn(SIDE, SIDE).to(dtype) for _ in range(2))
    return 2 * SIDE**3 / min(time_it(lambda: left @ right) for _ in range(8)) / 1e9


def measure(arch: str, batch: int, rounds: int, limits: dict[torch.dtype, float]) -> list[str]:
    """Return the rows of the table for a network."""
    images, targets = torch.randn(batch, 3, SIZE, SIZE), torch.randint(CLASSES, (batch,))
    work = count_arithmetic(arch)
    steps = {name: make_step(arch, images, targets, way) for name, way in WAYS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds + 1):
        for name, step in steps.items():
            took = time_it(step)
            if number:  # the first one makes kernels and memory
                seconds[name].append(took / batch)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    plain = medians[next(iter(WAYS))]
    return [
        f"| {arch} | {name} | {took * 1e3:.1f} | {plain / took:.2f} × | {work:.1f} | "
        f"{work / took / limits[torch.bfloat16 if WAYS[name].bf16 else torch.float32]:.0%} |"
        for name, took in medians.items()
    ]


def make_step(arch: str, images: torch.Tensor, targets: torch.Tensor, way: Compute) -> Callable[[], object]:
    """Return a training step of a fresh network in one way."""
    torch.manual_seed(0)
    model = way.place_model(build_model(arch, CLASSES)).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    return lambda: train_step(model, [(images, targets)], optimizer, loss_of, way)


def count_arithmetic(arch: str) -> float:
    """Return the GFLOP of a training step an image, of convolutions and matrix products: thrice those of the forward pass.

    The backward pass takes two products for each of the forward's. torch's counter takes grouped convolutions for dense
    ones there, so it is not asked.
    """
    model = build_model(arch, CLASSES).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.randn(1, 3, SIZE, SIZE))
    return 3 * float(counter.get_total_flops()) / 1e9


def time_it(do: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
