"""What answers in a chosen way: a run's model alone, several averaged, or a soup."""

from __future__ import annotations

from collections.abc import Sequence

from core.confidence.kept import read_temperature
from core.model.better import Committee
from core.model.predict import Answers, Predictor
from core.model.soup import load_runs, mix_soup
from core.runs.run import Run, find_run
from core.ship.quick import hasten
from core.ways.choice import Choice


def make_answers(
    run: Run, choice: Choice | None, temperature: float, *, images: int = 0
) -> tuple[Answers, float]:
    """Return what predicts for a run in a way, and the temperature it is asked at; None is the plain way.

    `temperature` is the one that the run's own confidences are to have. Where it is not the run's own, those of other runs
    are not used either. `images` are about to be asked about.

    Raises:
        RunError: where a run of the choice is gone, has no model or knows other classes.
    """
    if choice is None or choice.is_plain:
        predictor = Predictor.from_run(run)
        hasten(predictor, run, images=images)
        return predictor, temperature
    runs = [find_run(name, run.folder.parent) for name in choice.runs]
    return assemble(choice, runs, find_temperatures(choice, runs, run, temperature), images=images), 1.0


def find_temperatures(choice: Choice, runs: Sequence[Run], run: Run, temperature: float) -> list[float]:
    """Return the temperature of each run of a choice, where the run that is asked is asked at `temperature`."""
    calibrated = temperature == read_temperature(run) and not choice.soup  # of a soup none was measured
    return [read_temperature(one) if calibrated else 1.0 for one in runs]


def assemble(
    choice: Choice, runs: Sequence[Run], temperatures: Sequence[float], *, images: int = 0
) -> Committee:
    """Load the models of a choice, each to be asked at its own temperature; raises RunError as `load_runs`."""
    loaded = load_runs(runs)
    models = [mix_soup(loaded)] if choice.soup else loaded
    predictors = [model.make_predictor() for model in models]
    if not choice.soup:
        for predictor, run in zip(predictors, runs, strict=True):
            hasten(predictor, run, images=images)
    return Committee(predictors, tta=choice.tta, temperatures=temperatures[: len(models)])
