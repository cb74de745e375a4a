"""Why the same image has another confidence in a run's table than when its best model is asked now, in one sentence."""

from __future__ import annotations

from core.confidence.kept import read_precision
from core.runs.run import Run

OTHER_MODEL = "The likeliest classes are those of another model than the run's best, which is asked here."


def explain_apart(run: Run, *, same_model: bool) -> str:
    """Say why a confidence of a table differs from what the run's best model gives now; `same_model` tells that it wrote the table.

    A table is written while a run trains, in the precision of the training; later the model is asked in that in which its
    confidences were measured. On the way some rounding is done otherwise, which an image on the edge of two classes shows.
    """
    if not same_model:
        return OTHER_MODEL
    trained, asked = str(run.read_json("environment.json").get("precision", "")), read_precision(run)
    if trained and trained != asked:
        return (
            f"The confidences of the likeliest classes were computed in {trained} when the run was trained. Here its best model is asked in {asked}, "
            "as Predict asks it, so the same image comes out a little differently."
        )
    return (
        "The confidences of the likeliest classes were computed when the run was trained. Here its best model is asked again, alone with this "
        "image, so the last digits can differ."
    )
