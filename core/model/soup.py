"""A soup: the weights of several runs of one network averaged into one network, as quick as any of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from torch import nn

from core.errors import RunError
from core.files import write_text
from core.model.ancestry import see_run
from core.model.better import Judges, Progress, Way, choose_judges, measure_ways, refuse_other_classes
from core.model.evaluate import evaluate_run
from core.model.predict import PLAIN, Predictor
from core.networks.build import build_model
from core.networks.table import InputFormat
from core.runs.run import Run, create_run, delete_run
from core.runs.run_data import recorded_folders
from core.runs.seen import write_seen
from core.training.average import average_weights
from core.training.checkpoint import load_best, save_checkpoint


@dataclass(frozen=True)
class Loaded:
    """A run's best model on the CPU, as it was trained, and the other values of its checkpoint."""

    run: Run
    model: nn.Module
    values: dict[str, Any]

    def make_predictor(self) -> Predictor:
        """Return it ready for images."""
        return Predictor.from_model(self.model, self.values, run=self.run)


def load_runs(runs: Sequence[Run]) -> list[Loaded]:
    """Load the best models of runs that know the same classes.

    Raises:
        RunError: when a run is named twice, has no model, or knows other classes than the first.
    """
    for number, run in enumerate(runs):
        if run in runs[:number]:
            raise RunError(f"{run.id} is named twice. Name each run once.")
    loaded = [Loaded(run, *load_best(run)) for run in runs]
    refuse_other_classes(runs, [one.values["classes"] for one in loaded])
    return loaded


def refuse_soup(loaded: Sequence[Loaded]) -> None:
    """Refuse models whose weights cannot be averaged: of another network, image size or normalisation.

    Raises:
        RunError: naming the two runs and what differs.
    """
    if len(loaded) < 2:
        raise RunError("A soup needs at least two runs.")
    first = _facts(loaded[0])
    for other in loaded[1:]:
        for what, value in _facts(other).items():
            if value != first[what]:
                raise RunError(
                    f"The weights of {loaded[0].run.id} and {other.run.id} cannot be averaged: "
                    f"the {what} is {first[what]} in one and {value} in the other."
                )


def _facts(loaded: Loaded) -> dict[str, Any]:
    values = loaded.values
    return {
        "network": values["arch"],
        "image size": values["image_size"],
        "way it takes images": InputFormat.from_values(values),
    }


def describe_starts(loaded: Sequence[Loaded]) -> str:
    """Warn in a sentence of runs that did not begin from the same trained weights; empty where they did."""
    starts = {one.run.read_config().weights for one in loaded}
    if len(starts) == 1 and starts != {"none"}:
        return ""
    return (
        "The runs did not begin from the same trained weights: an average of such weights rarely works well."
    )


def mix_soup(loaded: Sequence[Loaded]) -> Loaded:
    """Return the average of the weights of models, with the other values of the first; raises as `refuse_soup`.

    The statistics of normalisation are averaged too (see `average_weights`).
    """
    refuse_soup(loaded)
    values = loaded[0].values
    model = build_model(values["arch"], len(values["classes"]), values["image_size"])
    model.load_state_dict(average_weights([one.model.state_dict() for one in loaded]))
    return Loaded(loaded[0].run, model.eval(), values)


def choose_greedily(
    loaded: Sequence[Loaded], judges: Judges, *, progress: Callable[[int, int], bool] | None = None
) -> list[Loaded] | None:
    """Return the models of the greedy soup, the best first; None when told to stop.

    They are tried from the best on, and each stays whose weights do not make the soup's accuracy on these images worse:
    the greedy soup of M. Wortsman et al. (2022), arXiv 2203.05482, section 2. `progress` counts images over all tries.

    Raises:
        RunError: as `refuse_soup`.
    """
    refuse_soup(loaded)
    tries = len(loaded)  # all alone in one pass, then a soup for each but the best

    def count(number: int) -> Progress | None:
        total = len(judges.samples)
        return None if progress is None else lambda done, _: progress(number * total + done, tries * total)

    alone = _measure(loaded, judges, count(0))
    if alone is None:
        return None
    order = sorted(range(len(loaded)), key=lambda i: -alone[i])
    chosen, best = [loaded[order[0]]], alone[order[0]]
    for number, index in enumerate(order[1:], start=1):
        found = _measure([mix_soup([*chosen, loaded[index]])], judges, count(number))
        if found is None:
            return None
        if found[0] >= best:
            chosen, best = [*chosen, loaded[index]], found[0]
    return chosen


def _measure(loaded: Sequence[Loaded], judges: Judges, progress: Progress | None) -> list[float] | None:
    """Return the accuracy (0..1) of each model; None when told to stop."""
    ways = [Way(one.run.id, ((number, PLAIN),)) for number, one in enumerate(loaded)]
    predictors = [one.make_predictor() for one in loaded]
    found = measure_ways(predictors, ways, judges.folders.root, judges.samples, progress=progress)
    return None if found is None else [float(result.right.mean()) for result in found]


def write_soup(chosen: Sequence[Loaded], first: Run, name: str, root: Path) -> Run:
    """Make a run of this name whose best model is the soup, with the data and the settings of the run `first`.

    It is finished and has trained no epoch. Its model has seen what those of all the runs have seen.

    Raises:
        RunError: as `refuse_soup`; when a run of this name exists, the data is gone, or a run was trained on images that
            are to judge it.
    """
    soup, folders = mix_soup(chosen), recorded_folders(first)
    for split in ("held", "val") if folders.held else ("val",):
        choose_judges([first, *(one.run for one in chosen)], (split,))
    seen = reduce(or_, (see_run(one.run, root) for one in chosen))
    config = replace(first.read_config(), name=name, weights=f"run:{first.id}", group="", fixes="")
    run = create_run(config, root)
    try:
        for file in ("data.json", "network.json"):
            write_text(run.folder / file, (first.folder / file).read_text(encoding="utf-8"))
        write_seen(run, seen)
        values = {
            **soup.values, "model": soup.model.state_dict(), "epoch": 0, "seen": seen.to_values(),
            "soup": [one.run.id for one in chosen],
        }  # fmt: skip
        save_checkpoint(run.best_path, values)
        outcome = evaluate_run(run)
        assert outcome is not None
        if folders.held:
            evaluate_run(run, "held")
        members = ", ".join(one.run.id for one in chosen)
        run.write_status(
            replace(
                run.read_status(), state="finished", phase="finished", ended=time.time(), epochs=0,
                message=f"A soup: the average of the weights of {members}. It trained no epoch of its own.",
                best_val_acc=outcome.accuracy, val_count=len(outcome.target),
            )
        )  # fmt: skip
    except BaseException:
        delete_run(run)
        raise
    return run
