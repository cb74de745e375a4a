"""Why a run's table and its best model asked now differ, in an image's confidence and in the run's accuracy, in few sentences."""

from __future__ import annotations

from core.confidence.kept import read_precision
from core.runs.run import Run
from core.verdicts.run_accuracy import ASKED_AGAIN, tell_apart

ANSWERED = "The confidences of the likeliest classes are as Predict answers. This test asks the run's best model alone, not calibrated."
_ROUNDING = 0.002  # that a confidence can differ by where the same model is asked twice in the same precision


def tell_asked_again(run: Run, right: int, count: int) -> str:
    """Say what the run's accuracy is where its best model, asked again, has `right` of `count` images right; else nothing."""
    return tell_apart(run.read_status(), right, count, ASKED_AGAIN.format(precision=read_precision(run)))


def explain_apart(run: Run, before: float, now: float, *, same_table: bool) -> str:
    """Say why a confidence that was `before` (0..1) is another `now`, when the run's best model is asked.

    `same_table` tells that it stood in the table of that model, which is written while a run trains, in the precision of the
    training; later the model is asked in that in which its confidences were measured.
    """
    trained, asked = str(run.read_json("environment.json").get("precision", "")), read_precision(run)
    if same_table and trained not in ("", asked):
        return (
            f"The confidences of the likeliest classes were computed in {trained} when the run was trained. Here its best model is "
            f"asked in {asked}, as on Predict, so the same image comes out a little differently."
        )
    if same_table or abs(before - now) < _ROUNDING:
        return (
            "The likeliest classes were computed in a batch with other images, so the last digits can differ."
        )
    return "The likeliest classes are those of another model than the run's best, which is asked here."
