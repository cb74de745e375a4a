"""What a training will take, told from a few of its steps: seconds part by part, and memory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.dataset.folders import ImageFolders
from core.dataset.images import check_images
from core.recipe.config import TrainConfig
from core.recipe.rules import fits_alone
from core.runs.jobs import list_live
from core.runs.journal import Interrupted
from core.runs.run_data import leave_out_bad, scan_config
from core.training import engine
from core.trial.bench import Bench, Kind, kind_of, set_up, time_head, time_looking, time_saving, time_steps
from core.trial.forecast import SAVING, TRAINING, VALIDATION, Forecast, Part
from core.trial.memory import PeakMemory
from core.trial.pace import Pace, mix_paces
from core.trial.together import ERROR, count_apart, take_part

SECONDS = 6.0  # for the steps; looking at images gets a third of it
PLANNED = 15  # seconds of it all, as its progress tells them
_CHECKED = 200  # files that are checked in place of all
_READING = (
    0.3  # error of the time to read all files, of which some lie in the system's memory and some do not
)


def forecast_run(
    config: TrainConfig, *, root: Path, progress: Callable[[int, int], bool], seconds: float = SECONDS
) -> Forecast | None:
    """Estimate what the run of a config will take; None when `progress(done, total)` said to end.

    It makes and touches no run and loads no weights; `root` is the folder of all runs, where a checkpoint is written and
    removed again. `seconds` go into steps, and about as many into all else.

    Raises:
        DataError: as the training of this config would.
        RunError: when the memory does not hold a batch, with how many images it would hold.
    """
    begun = time.perf_counter()

    def check() -> None:
        if not progress(min(PLANNED - 1, int(time.perf_counter() - begun)), PLANNED):
            raise Interrupted("stopped")

    try:
        check()
        folders, left = _read_folders(config, root, progress)
        compute = engine.choose_compute(config.device, config.precision)
        with PeakMemory(compute.device) as watch:
            check()
            apart = count_apart(config.devices, compute.device.type)
            bench = set_up(take_part(config), folders, compute, watch, check, apart)
            before = left + time.perf_counter() - begun
            parts = [
                Part("checking the images", before, _READING * before),
                *_measure_parts(bench, root, seconds, config.devices),
            ]
        progress(PLANNED, PLANNED)
    except Interrupted:
        return None
    return Forecast(
        tuple(parts), config.epochs, config.devices * watch.peak + _count_features(bench), watch.free, watch.gpu_peak,
        watch.gpu_free, busy=any(status.state == "running" for _, status in list_live(root)), devices=config.devices,
    )  # fmt: skip


def _read_folders(
    config: TrainConfig, root: Path, progress: Callable[[int, int], bool]
) -> tuple[ImageFolders, float]:
    """Return the data set, and how many seconds more the check of all its images takes that were not looked at here."""
    folders = scan_config(config)
    if config.bad_images == "skip":  # a step must meet none of those that the run leaves out
        checked = leave_out_bad(folders, config, root, progress)
        if checked is None:
            raise Interrupted("stopped")
        return checked, 0.0
    files = folders.files
    some = files[:: max(1, len(files) // _CHECKED)][:_CHECKED]
    begun = time.perf_counter()
    check_images(folders.root, some)
    return folders, (time.perf_counter() - begun) * (len(files) - len(some)) / len(some)


def _measure_parts(bench: Bench, root: Path, seconds: float, devices: int) -> list[Part]:
    config, folders = bench.config, bench.folders
    looked = time_looking(bench, seconds / 3)
    parts: list[Part] = []
    judged = len(folders.held) + len(folders.val)  # its confidence is measured on validation
    if config.head_only or config.head_first:
        views = config.feature_views if config.head_only else 1
        parts.append(_spread("computing features", views * len(folders.train) + len(folders.val), looked))
    if config.head_first:
        from core.trial.fit_time import estimate_fit  # loads scikit-learn

        fit = estimate_fit(len(folders.train), bench.width, len(folders.classes))
        parts.append(_spread("fitting the head", 1, fit))
    if not config.head_only:
        together = ERROR if devices > 1 else 0.0
        parts.append(_add_error(_time_training(bench, seconds), together))
        validated = -(-len(folders.val) // bench.apart)
        parts.append(_add_error(_spread(VALIDATION, config.epochs * validated, looked), together))
        judged += len(folders.val) if config.focus or config.head_first else 0  # the initial model
    elif not fits_alone(vars(config)):
        parts.append(_spread(TRAINING, config.epochs * bench.steps, time_head(bench, seconds / 3)))
    saved = time_saving(bench, root)
    parts.append(_spread(SAVING, config.epochs, saved))
    return [*parts, _spread("judging the best model", judged, looked)]


def _spread(name: str, count: int, pace: Pace) -> Part:
    seconds = count * pace.seconds
    return Part(name, seconds, seconds * pace.error)


def _add_error(part: Part, share: float) -> Part:
    return replace(part, error=part.error + share * part.seconds)


def _time_training(bench: Bench, seconds: float) -> Part:
    """Return how long the steps of all epochs take, whose images may grow and whose backbone may be frozen at first."""
    kinds = Counter(kind_of(epoch, bench.config) for epoch in range(bench.config.epochs))
    tried = _choose_kinds(list(kinds))
    paces = {kind: time_steps(bench, kind, seconds / len(tried)) for kind in tried}
    found = [_spread("", epochs * bench.steps, _find_pace(kind, paces)) for kind, epochs in kinds.items()]
    return Part(TRAINING, sum(part.seconds for part in found), sum(part.error for part in found))


def _choose_kinds(kinds: list[Kind]) -> list[Kind]:
    """Return the kinds of epoch to measure: the smallest and the largest images, frozen or not; others lie between."""
    chosen: set[Kind] = set()
    for frozen in {kind[1] for kind in kinds}:
        sizes = [size for size, is_frozen in kinds if is_frozen == frozen]
        chosen |= {(min(sizes), frozen), (max(sizes), frozen)}
    return sorted(chosen)


def _find_pace(kind: Kind, paces: dict[Kind, Pace]) -> Pace:
    """Return the pace of a kind of epoch, by its pixels between those of the smallest and the largest images."""
    size, frozen = kind
    sizes = [side for side, is_frozen in paces if is_frozen == frozen]
    low, high = min(sizes), max(sizes)
    share = (size**2 - low**2) / (high**2 - low**2) if high > low else 0.0
    return mix_paces(paces[low, frozen], paces[high, frozen], share)


def _count_features(bench: Bench) -> int:
    """Return the bytes of the features that a training of the head keeps in memory, and of the copies that fit it."""
    config = bench.config
    if not (config.head_only or config.head_first):
        return 0
    views = config.feature_views + (2 if config.head_first else 0)
    return 4 * bench.width * (views * len(bench.folders.train) + len(bench.folders.val))
