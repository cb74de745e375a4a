"""Ways to predict measured on images that none of the runs has seen: what each gets right and costs, and which soup there is."""

from __future__ import annotations

from collections.abc import Sequence

from core.confidence.kept import read_temperature
from core.errors import RunError
from core.model.better import TTA, Progress, Way, choose_judges, measure_ways
from core.model.predict import PLAIN
from core.model.soup import Loaded, choose_greedily, describe_starts, load_runs, mix_soup
from core.runs.run import Run
from core.ways.choice import Choice, list_choices
from core.ways.record import Measured, MeasuredWay, keep_measured


def measure_runs(runs: Sequence[Run], *, progress: Progress | None = None) -> Measured | None:
    """Measure all ways to predict with runs, and keep what was found; None when `progress(done, total)` told to stop.

    Raises:
        RunError: when a run has no model or other classes than the first, or was trained on the images that are to judge.
        DataError: naming an image that cannot be read.
    """
    loaded, judges = load_runs(runs), choose_judges(runs)
    count, before = len(judges.samples), 0

    def count_soup(done: int, total: int) -> bool:
        nonlocal before
        before = total
        return progress is None or progress(done, total + count)

    choosing = _choose_soup(loaded, count_soup)
    if choosing is None:
        return None
    soup, notes = choosing
    choices = list_choices([run.id for run in runs], [one.run.id for one in soup])
    models = [*loaded, mix_soup(soup)] if soup else loaded
    results = measure_ways(
        [model.make_predictor() for model in models],
        [make_way(choice, [run.id for run in runs]) for choice in choices],
        judges.folders.root,
        judges.samples,
        temperatures=[*map(read_temperature, runs), *([1.0] if soup else [])],
        progress=lambda done, total: progress is None or progress(before + done, before + total),
    )
    if results is None:
        return None
    ways = tuple(
        MeasuredWay(choice, "".join("1" if right else "0" for right in result.right), result.seconds)
        for choice, result in zip(choices, results, strict=True)
    )
    found = Measured(
        tuple(run.id for run in runs), tuple(run.read_status().best_epoch for run in runs), judges.split == "held",
        ways, tuple(one.run.id for one in soup), tuple(notes),
    )  # fmt: skip
    keep_measured(runs[0], found)
    return found


def make_way(choice: Choice, runs: Sequence[str]) -> Way:
    """Return a choice as the models and views that are asked; a soup is the model after those of the `runs`."""
    if choice.soup:
        return Way(choice.describe(), ((len(runs), PLAIN),))
    numbers = [runs.index(run) for run in choice.runs]
    return Way(choice.describe(), tuple((number, view) for number in numbers for view in TTA[choice.tta]))


def _choose_soup(loaded: Sequence[Loaded], progress: Progress) -> tuple[list[Loaded], list[str]] | None:
    """Return the models of the greedy soup, none where there is none, and what is to be said; None when told to stop."""
    if len(loaded) < 2:
        return [], []
    try:
        judges = choose_judges([one.run for one in loaded], ("val",))
        chosen = choose_greedily(loaded, judges, progress=progress)
    except RunError as error:
        return [], [f"No soup was measured. {error}"]
    if chosen is None:
        return None
    notes = [warning] if (warning := describe_starts(loaded)) else []
    if len(chosen) == 1:
        return [], [f"No soup was measured: {tell_alone(chosen[0].run)}.", *notes]
    return chosen, notes


def tell_alone(best: Run) -> str:
    """Say that no other run belongs in a soup with the best one."""
    return f"no other run's weights make {best.id} better on validation"
