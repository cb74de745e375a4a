"""Which epoch's model is the best of a run: by accuracy, or by the classes specialised on without harm to the others."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.recipe.focus import Recalls, is_allowed, measure_recalls
from core.training.engine import Outcome
from core.words import format_share


@dataclass
class Best:
    """The best model yet: its epoch (0 is the initial model) and figures (0..1), and what others are held against.

    `loss` is its mean validation loss in nats, to which ties go; the best of a run of an older version has none, and
    keeps its place in a tie. `focus` is the mean recall of the classes specialised on, 0 without any; `start_elsewhere` the mean recall that all
    other classes began with, of which a model may lose `guard` percentage points at most.
    """

    acc: float = -1.0
    epoch: int = 0
    focus: float = -1.0
    start_elsewhere: float = 0.0
    loss: float = -math.inf

    def judge_start(self, outcome: Outcome, chosen: list[int]) -> None:
        """Take the measure of the initial model, the one to beat, where the classes `chosen` are specialised on."""
        recalls = _recalls(outcome, chosen)
        self.acc, self.focus, self.start_elsewhere = outcome.accuracy, recalls.focus, recalls.elsewhere
        self.loss = float(outcome.loss.mean())

    def judge(self, outcome: Outcome, epoch: int, chosen: list[int], guard: float) -> bool:
        """Tell whether this epoch's model (from 1) is the best yet, and if so remember it."""
        focus = 0.0
        if chosen:
            recalls = _recalls(outcome, chosen)
            focus = recalls.focus
            if not is_allowed(recalls.elsewhere, self.start_elsewhere, guard):
                return False
        loss = float(outcome.loss.mean())
        if (focus, outcome.accuracy, -loss) <= (self.focus, self.acc, -self.loss):
            return False
        self.focus, self.acc, self.loss, self.epoch = focus, outcome.accuracy, loss, epoch
        return True

    def describe(self, *, focused: bool, guard: float) -> str:
        """Say which model is the best and how good it is."""
        if not focused:
            when = f"at epoch {self.epoch}" if self.epoch else "of the fitted head, before the first epoch"
            return f"best validation accuracy {format_share(self.acc)} {when}"
        figures = f"mean recall {format_share(self.focus)} of the chosen classes, accuracy {format_share(self.acc)} of all"
        if self.epoch:
            return f"the best model is of epoch {self.epoch}: {figures}"
        return (
            f"no epoch was better at the chosen classes without costing the others more than {guard:g} "
            f"points of mean recall, so the best model is the one it began with: {figures}"
        )


def _recalls(outcome: Outcome, chosen: list[int]) -> Recalls:
    return measure_recalls(outcome.top_index[:, 0] == outcome.target, outcome.target, chosen)
