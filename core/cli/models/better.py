"""The commands about several answers in place of one: `python -m core better | soup`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from core.cli.terminal import make_bar
from core.errors import RunError
from core.places import own_command
from core.runs.run import Run, default_root, find_run
from core.runs.seen import name_unknowns

if TYPE_CHECKING:
    from core.model.soup import Loaded

ABOUT_AVERAGES = (
    "Temperature and confidence threshold were measured for a run's plain predictions. Averages are mostly less sure, "
    "so that the same threshold answers fewer images."
)
ABOUT_SOUP = (
    "A soup's confidences were not measured: it has no temperature and no threshold of its own. Its normalisation "
    "statistics are averages of those of the runs."
)


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands."""
    better = commands.add_parser(
        "better",
        help="measure whether views, several runs or a soup of them predict better, and at what cost",
    )
    better.add_argument(
        "runs", nargs="+", metavar="RUN", help="ids of runs of the same classes; the first is compared with"
    )
    better.set_defaults(command=_better)

    soup = commands.add_parser("soup", help="average the weights of runs into a run of its own")
    soup.add_argument(
        "runs", nargs="+", metavar="RUN", help="ids of runs of the same network, image size and classes"
    )
    soup.add_argument("--name", default="", metavar="STR", help="name of the new run; by default soup-RUN")
    soup.add_argument(
        "--all", action="store_true", help="take all of them, not only those that do validation no harm"
    )
    soup.set_defaults(command=_soup)


def _better(options: argparse.Namespace) -> int:
    runs = [find_run(name, default_root()) for name in options.runs]
    from core.model.better import choose_judges, list_ways, measure_ways
    from core.model.calibration import read_temperature
    from core.model.soup import load_runs, mix_soup
    from core.verdicts.ways import compare_ways, describe_judges, describe_verdict, tabulate_ways

    loaded = load_runs(runs)
    judges = choose_judges(runs)
    chosen, notes = _choose_soup(loaded) if len(runs) > 1 else ([], [])
    soup = f"soup of {' + '.join(one.run.id for one in chosen)}" if chosen else ""
    models = [*loaded, mix_soup(chosen)] if chosen else loaded
    results = measure_ways(
        [model.make_predictor() for model in models],
        list_ways([run.id for run in runs], soup),
        judges.folders.root,
        judges.samples,
        temperatures=[*map(read_temperature, runs), *([1.0] if soup else [])],
        progress=make_bar("images"),
    )
    assert results is not None
    gains = compare_ways(results)
    print(describe_verdict(results[0].name, gains))
    print(
        describe_judges(
            runs[0].id, judges.split, len(judges.samples), soup_chosen=bool(soup), unknown=name_unknowns(runs)
        )
    )
    print("", *tabulate_ways(results[0], gains), "", sep="\n")
    print(
        "How was this tested? By McNemar's exact test of each way against the first on the same images; "
        f"p is corrected for all {len(gains)} ways (Holm), intervals are each way's own."
    )
    for note in [*notes, ABOUT_AVERAGES, *([ABOUT_SOUP] if soup else [])]:
        print(note)
    return 0


def _soup(options: argparse.Namespace) -> int:
    root = default_root()
    runs = [find_run(name, root) for name in options.runs]
    from core.model.better import choose_judges
    from core.model.soup import choose_greedily, describe_starts, load_runs, refuse_soup, write_soup
    from core.verdicts.predictions import format_rate

    loaded = load_runs(runs)
    refuse_soup(loaded)
    judges = choose_judges(runs, ("val",))
    chosen = loaded if options.all else choose_greedily(loaded, judges, progress=make_bar("images"))
    assert chosen is not None
    if len(chosen) == 1:
        raise RunError(f"There is no soup to make: {_tell_alone(chosen[0].run)}.")
    made = write_soup(chosen, runs[0], options.name or f"soup-{runs[0].id}", root)
    status = made.read_status()
    print(f"{made.id}: {status.message}")
    print(
        f"val accuracy {format_rate(round(status.best_val_acc * status.val_count), status.val_count)}"
        + ("" if options.all else "; the runs were chosen by it, so it is a little too high")
    )
    if warning := describe_starts(loaded):
        print(warning)
    print(f"Its confidences are not measured yet: {own_command()} calibrate {made.id}")
    print(made.folder)
    return 0


def _tell_alone(best: Run) -> str:
    return f"the weights of no other run make {best.id} better on validation"


def _choose_soup(loaded: Sequence[Loaded]) -> tuple[list[Loaded], list[str]]:
    """Return the models of the greedy soup, none where there is none, and what is to be said of it."""
    from core.model.better import choose_judges
    from core.model.soup import choose_greedily, describe_starts

    try:
        chosen = choose_greedily(
            loaded, choose_judges([one.run for one in loaded], ("val",)), progress=make_bar("images")
        )
    except RunError as error:
        return [], [f"No soup was measured. {error}"]
    assert chosen is not None
    notes = [warning] if (warning := describe_starts(loaded)) else []
    if len(chosen) == 1:
        return [], [f"No soup was measured: {_tell_alone(chosen[0].run)}.", *notes]
    return chosen, [_tell_soup([one.run for one in chosen]), *notes]


def _tell_soup(runs: Sequence[Run]) -> str:
    others, names = (f"--with {run.id}" for run in runs[1:]), (run.id for run in runs)
    return (
        f"To predict with the soup: {own_command()} predict {runs[0].id} PATHS {' '.join(others)} --soup\n"
        f"To make it a run of its own: {own_command()} soup {' '.join(names)} --all"
    )
