"""Which epoch is the best: by accuracy, ties by loss, also for a state that was saved before losses were."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from core.training.best import Best
from core.training.engine import Outcome


def outcome(right: int, loss: float) -> Outcome:
    """Return what a model says of four images of two classes, of which it has the first so many right."""
    target = np.array([0, 0, 1, 1])
    guesses = np.where(np.arange(4) < right, target, 1 - target)[:, None]
    half = np.full(4, 0.5, dtype=np.float32)
    return Outcome(guesses, half[:, None], half, np.full(4, loss, dtype=np.float32), target)


@pytest.mark.parametrize("chosen", [[], [1]], ids=["all", "specialised"])
def test_ties_of_accuracy_go_to_the_lower_loss(chosen: list[int]) -> None:
    best = Best()
    if chosen:
        best.judge_start(outcome(2, 2.0), chosen)
    steps = [(3, 0.9), (3, 0.5), (3, 0.7), (3, 0.5), (2, 0.1), (4, 3.0)]
    better = [best.judge(outcome(*step), epoch, chosen, 0.0) for epoch, step in enumerate(steps, start=1)]
    assert better == [True, True, False, False, False, True]
    assert (best.epoch, best.acc, best.loss) == (6, 1.0, 3.0)


def test_the_best_of_a_run_of_an_older_version_keeps_its_place_in_a_tie() -> None:
    saved = asdict(Best(acc=0.75, epoch=2, focus=0.0))
    del saved["loss"]
    best = Best(**saved)
    assert not best.judge(outcome(3, 0.1), 3, [], 0.0)
    assert best.judge(outcome(4, 0.9), 4, [], 0.0)
    assert best == Best(**asdict(best))
