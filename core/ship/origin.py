"""Which weights a model began with, through all runs it came from, and whose licence holds for them."""

from __future__ import annotations

from pathlib import Path

from core.errors import RunError
from core.networks.table import find_network
from core.runs.run import Run, find_run
from core.runs.seen import name_weights


def describe_licence(run: Run, root: Path) -> str:
    """Say what is known of the licence of the weights a run's model began with; `root` is the folder of all runs."""
    passed: list[str] = []
    while True:
        if run.id in passed:
            return "The run is recorded as its own ancestor, so it is not known what its weights began with."
        passed.append(run.id)
        try:
            config = run.read_config()
            kind, _, name = config.weights.partition(":")
            if kind != "run":
                return _describe(config.weights, config.arch)
            run = find_run(name, root)
        except RunError:
            return f"What {run.id} began with is no longer known, so neither is the licence of its weights."


def _describe(weights: str, arch: str) -> str:
    if weights == "none":
        return "It was trained from scratch: no published weights are in it, so the images' own terms are all that holds."
    if weights != "imagenet":
        return f"It began with {name_weights(weights)}. Ask where that came from for its licence."
    network = find_network(arch)
    if network is None or network.licence in ("", "unknown"):
        return f"It began with the published weights of {arch}. Their licence is not known here; ask their publisher."
    where = "torchvision" if network.weights == "torchvision" else "timm"
    return (
        f"It began with the published weights of {arch}, which {where} lists under **{network.licence}**. That licence and "
        "the terms of your images hold for this model too."
    )
