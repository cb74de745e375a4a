"""Whether two runs are the same: their figures, their checkpoints bit by bit, and what their best models say."""

from __future__ import annotations

from typing import Any

import torch

from core.confidence.kept import calibration_path
from core.runs.run import Run
from core.training.checkpoint import load_checkpoint


def figures(run: Run) -> list[dict[str, Any]]:
    clocks = ("seconds", "val_seconds", "images_per_second")
    return [{key: row[key] for key in row if key not in clocks} for row in run.read_metrics()[0]]


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Compare checkpoints value by value, tensors bit by bit; times may differ."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            if key != "epoch_seconds":
                assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}/{index}")
    else:
        assert one == other, where


def assert_same_run(one: Run, other: Run) -> None:
    mine, others = figures(one), figures(other)
    differing = [pair for pair in zip(mine, others, strict=False) if pair[0] != pair[1]]
    assert mine == others, f"{len(mine)} and {len(others)} rows, first different: {differing[:1]}"
    for path in ("best_path", "last_path"):
        assert_same(load_checkpoint(getattr(one, path)), load_checkpoint(getattr(other, path)), path)
    for path in (Run.predictions_path, calibration_path):
        assert path(one).read_bytes() == path(other).read_bytes()
