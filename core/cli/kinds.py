"""What is done for each kind of task: a table of functions, which `core.cli.task` calls.

Each imports what it needs itself, since what takes long to load must wait until the process has claimed its folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.terminal import Progress
from core.places import expand_home, real_path
from core.recipe.config import NONE, TrainConfig
from core.runs.run import default_root, find_run, make_slug
from core.words import format_count

if TYPE_CHECKING:
    from core.answers.submission import LabelStyle

STOPPED = {
    "audit": "Stopped; what was measured is kept, and the next scan goes on from there.",
    "slices": "Stopped; what was measured is kept, and the next search goes on from there.",
    "unpack": "Stopped; what is unpacked is kept, and unpacking the same folder again goes on from there.",
    "map": "Stopped; once the network has seen all images that is kept, and the next map goes on from there.",
}


def _audit(
    _: Path, progress: Progress, *, data: str, val_fraction: float, hold_back: int, group_by: str = NONE
) -> str | None:
    from core.dataset.audit import audit_data

    # Refuses what training does.
    config = TrainConfig(data=data, val_fraction=val_fraction, hold_back=hold_back, group_by=group_by)
    audit = audit_data(
        Path(config.data), default_root(), val_fraction=val_fraction, hold_back=hold_back, group_by=group_by,
        progress=progress,
    )  # fmt: skip
    return None if audit is None else f"{format_count(len(audit.images), 'file')}."


def _count(folder: Path, progress: Progress, *, data: str, **settings: Any) -> str | None:
    from core.census.count import count_data

    found = count_data(TrainConfig.from_dict({"data": data, **settings}), folder, progress)
    return None if found is None else found.problem or f"{found}."


def _find_label_issues(_: Path, progress: Progress, *, run: str, split: str) -> str | None:
    asked = find_run(run, default_root())
    from core.model.label_issues import find_issues_of

    report = find_issues_of(asked, split, progress=progress)
    return None if report is None else report.describe()


def _find_rate(folder: Path, progress: Progress, *, config: dict[str, Any], steps: int = 100) -> str | None:
    from core.runs.rate_curve import write_curve
    from core.training.rate_finder import find_rate

    curve = find_rate(TrainConfig.from_dict(config), root=default_root(), progress=progress, steps=steps)
    if curve is None:
        return None
    write_curve(folder / "curve.json", curve)
    return f"{len(curve.rates)} rates are tried."


def _estimate(folder: Path, progress: Progress, *, config: dict[str, Any]) -> str | None:
    from core.trial.forecast import FORECAST, write_forecast
    from core.trial.measure import forecast_run

    found = forecast_run(TrainConfig.from_dict(config), root=default_root(), progress=progress)
    if found is None:
        return None
    write_forecast(folder / FORECAST, found)
    return found.describe()


def _bring_in(
    folder: Path, progress: Progress, *, sent: str, name: str, root: str, owner: str = ""
) -> str | None:
    from core.arrivals.bring_in import ARRIVAL, bring_in, write_arrival

    try:
        found = bring_in(Path(sent), name, Path(root), progress, owner=owner)
    finally:
        shutil.rmtree(sent, ignore_errors=True)  # nothing goes on from it, and it counts for no limit
    if found is None:
        return None
    write_arrival(folder / ARRIVAL, found)
    return found.describe()


def _arrange(
    folder: Path, progress: Progress, *, images: str, table: str, columns: dict[str, str], name: str, root: str,
    skip_missing: bool, owner: str = "",
) -> str | None:  # fmt: skip
    from core.arrivals.arrange import arrange
    from core.arrivals.bring_in import ARRIVAL, Arrival, write_arrival
    from core.arrivals.label_table import Columns

    made = arrange(
        Path(images), Path(table), Columns(**columns), out=Path(root) / make_slug(name), skip_missing=skip_missing,
        progress=progress, owner=owner,
    )  # fmt: skip
    if made is None:
        return None
    write_arrival(folder / ARRIVAL, Arrival(str(made.folder), sum(made.counts.values()), 0))
    return made.describe()


def _unpack(
    folder: Path, progress: Progress, *, images: str, name: str, root: str, owner: str = ""
) -> str | None:
    from core.arrivals.bring_in import ARRIVAL, write_arrival
    from core.arrivals.unpack import unpack

    made = unpack(Path(images), Path(root) / make_slug(name), progress, owner=owner)
    if made is None:
        return None
    write_arrival(folder / ARRIVAL, made)
    return made.describe()


def _find_neighbours(_: Path, progress: Progress, *, run: str) -> str | None:
    asked = find_run(run, default_root())
    from core.model.neighbours import compute_neighbourhood, locate
    from core.model.placement import choose_placement

    compute = choose_placement(asked)
    place = locate(asked, compute, progress)
    found = None if place is None else compute_neighbourhood(asked, place, compute, progress=progress)
    return None if found is None else "All images are compared."


def _calibrate(_: Path, progress: Progress, *, run: str) -> str | None:
    asked = find_run(run, default_root())
    from core.model.calibration import calibrate_run

    found = calibrate_run(asked, progress=progress)
    return None if found is None else found.describe()


def _report(folder: Path, progress: Progress, *, runs: list[str]) -> str | None:
    asked = [find_run(name, default_root()) for name in runs]
    from core.report.page import write_report

    page = write_report(asked, folder / "report", overwrite=True, progress=progress)
    return None if page is None else str(page)


def _print_report(_: Path, progress: Progress, *, page: str) -> str | None:
    from core.report.paper import print_report

    pdf = print_report(Path(page), progress=progress)
    return None if pdf is None else str(pdf)


def _predict(
    folder: Path,
    progress: Progress,
    *,
    run: str,
    images: str,
    temperature: float,
    threshold: float,
    extension: bool = True,
    labels: LabelStyle = "",
    sample: str = "",
    sample_name: str = "",
    choice: dict[str, Any] | None = None,
) -> str | None:
    asked = find_run(run, default_root())
    from core.answers.hand_in import predict_folder
    from core.answers.submission import read_sample
    from core.ways.choice import Choice

    found = predict_folder(
        asked, Path(images), folder, temperature=temperature, threshold=threshold, extension=extension, labels=labels,
        sample=read_sample(Path(sample), sample_name) if sample else None,
        choice=None if choice is None else Choice.from_values(choice), progress=progress,
    )  # fmt: skip
    return None if found is None else found.describe()


def _measure_ways(_: Path, progress: Progress, *, runs: list[str]) -> str | None:
    asked = [find_run(name, default_root()) for name in runs]
    from core.verdicts.ways import compare_ways, describe_verdict
    from core.ways.measure import measure_runs

    found = measure_runs(asked, progress=progress)
    return None if found is None else describe_verdict(found.results[0].name, compare_ways(found.results))


def _judge(_: Path, progress: Progress, *, run: str) -> str | None:
    asked = find_run(run, default_root())
    from core.model.out_of_sample import judge_training
    from core.verdicts.predictions import format_rate

    found = judge_training(asked, progress=progress)
    return None if found is None else f"Out of fold {format_rate(found.right, found.judged)}."


def _copy_corrected(
    _: Path, progress: Progress, *, run: str, target: str, link: bool, owner: str = ""
) -> str | None:
    asked = find_run(run, default_root())
    from core.dataset.folders import scan_folders
    from core.marks.corrected import write_corrected
    from core.marks.marks import list_path, read_marks

    config = asked.read_config()
    root = real_path(config.data)
    folders = scan_folders(root, val_fraction=config.val_fraction, hold_back=config.hold_back)
    marks = read_marks(list_path(root, default_root())).marks
    found = write_corrected(
        folders, marks, expand_home(target), link=link, progress=progress, owner=owner, runs=default_root()
    )
    return None if found is None else found.describe()


def _find_slices(_: Path, progress: Progress, *, run: str, split: str, columns: str = "") -> str | None:
    asked = find_run(run, default_root())
    from core.slices.search import search_run

    found = search_run(asked, split, columns=Path(columns) if columns else None, progress=progress)
    return None if found is None else found.describe()


def _learn_strangers(_: Path, progress: Progress, *, run: str) -> str | None:
    asked = find_run(run, default_root())
    from core.model.strangers import learn_strangers

    found = learn_strangers(asked, progress=progress)
    return None if found is None else f"Chosen by {format_count(found.count, 'validation image')}."


def _judge_folder(
    _: Path, progress: Progress, *, run: str, images: str, labels: str = "", called: str = ""
) -> str | None:
    asked = find_run(run, default_root())
    from core.answers.labelled import judge_folder
    from core.answers.submission import read_sample
    from core.verdicts.predictions import format_rate

    table = read_sample(Path(labels), what="table of labels") if labels else None
    found = judge_folder(asked, Path(images), labels=table, called=called, progress=progress)
    return None if found is None else f"{format_rate(found.right, found.count)}."


def _export(folder: Path, progress: Progress, *, run: str, form: str, int8: bool) -> str | None:
    asked = find_run(run, default_root())
    from core.ship.package import ship_to_task

    made = ship_to_task(asked, form, folder, int8=int8, progress=progress)
    return None if made is None else made.describe()


def _map(_: Path, progress: Progress, *, run: str) -> str | None:
    asked = find_run(run, default_root())
    from core.landscape.make import make_map

    found = make_map(asked, progress=progress)
    return None if found is None else found.describe()


KINDS: dict[str, Callable[..., str | None]] = {
    "audit": _audit,
    "count": _count,
    "label-issues": _find_label_issues,
    "find-rate": _find_rate,
    "estimate": _estimate,
    "bring-in": _bring_in,
    "arrange": _arrange,
    "unpack": _unpack,
    "neighbours": _find_neighbours,
    "calibrate": _calibrate,
    "report": _report,
    "report-pdf": _print_report,
    "predict": _predict,
    "ways": _measure_ways,
    "judge": _judge,
    "corrected-copy": _copy_corrected,
    "slices": _find_slices,
    "judge-folder": _judge_folder,
    "strangers": _learn_strangers,
    "export": _export,
    "map": _map,
}
