"""The search for kinds of images that a run's model is weak on: measured, cut, tested, and what was found kept."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from core.dataset.audit import facts_path
from core.dataset.image_facts import measure_images
from core.errors import RunError
from core.reading import read_plain
from core.runs.run import FOLD, Run
from core.runs.run_data import recorded_folders
from core.slices.columns import Columns, read_columns
from core.slices.cut import Slice, cut_slices
from core.slices.properties import Property, list_measured
from core.slices.report import SliceReport, TriedSlice, report_path, write_report
from core.slices.scenes import keep_one_each, read_scenes
from core.slices.stratified import SHUFFLES, SliceTest, compare_slices
from core.verdicts.paired import LEVEL
from core.verdicts.predictions import read_predictions
from core.words import format_class

SPLITS = (FOLD, "val", "held")  # in the order of how much they usually tell
LISTED = 200  # kinds that are no finding but kept to be looked at
Tested = tuple[Slice, SliceTest]
_NONE = Columns((), 0)
_LACKING = {
    FOLD: "Judge it on its training images first, on the page Weak classes or with the command judge.",
    "val": "They are written after its first epoch.",
    "held": "It held no images back (hold_back).",
}
_MOST = 1_000_000_000  # bytes of a predictions table


def list_splits(run: Run) -> list[str]:
    """Return the splits that a run was judged on, the one that usually tells most first."""
    return [split for split in SPLITS if run.predictions_path(split).exists()]


def search_run(
    run: Run,
    split: str,
    *,
    columns: Path | None = None,
    progress: Callable[[int, int], bool] | None = None,
) -> SliceReport | None:
    """Look for weak kinds among a run's judged images and keep what is found; None when `progress` said to stop.

    `columns` is a user's CSV file. What is measured of each image is kept beside the runs, as an audit keeps it.

    Raises:
        RunError: when the run was not judged on the split, or its data folder is gone.
        DataError: naming what is wrong with the user's columns.
    """
    path = run.predictions_path(split)
    if not path.exists():
        raise RunError(
            f"{run.id} has no predictions of the split {split}. {_LACKING.get(split, '')}".rstrip()
        )
    judged, digest, folders = read_predictions(path), digest_table(path), recorded_folders(run)
    table = list_counting(run, split, judged)
    paths = list(table["path"])
    told = _NONE if columns is None else read_columns(columns, paths, folders.root)
    facts = measure_images(
        folders.root, paths, cache=facts_path(folders.root, run.folder.parent), progress=progress
    )
    if facts is None:
        return None
    report = search_table(
        table,
        list_measured(facts),
        told,
        split=split,
        digest=digest,
        label=lambda name: format_class(name, folders.display),
        unread=sum(map(bool, facts.problems)),
        scenes_known=bool(read_scenes(run.folder, split)),
        same_scene=len(judged) - len(table),
    )
    write_report(report_path(run.folder, split), report)
    return report


def list_counting(run: Run, split: str, judged: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a split's predictions that count: one image of each scene, as far as scenes are known."""
    return keep_one_each(judged, read_scenes(run.folder, split))


def digest_table(path: Path) -> str:
    """Return a digest of a predictions table, by which a report knows whether it is still of the same."""
    return hashlib.sha256(read_plain(path, most=_MOST)).hexdigest()[:16]


def search_table(
    table: pd.DataFrame,
    measured: Sequence[Property],
    told: Columns = _NONE,
    *,
    split: str = "val",
    digest: str = "",
    label: Callable[[str], str] = str,
    unread: int = 0,
    scenes_known: bool = False,
    same_scene: int = 0,
    shuffles: int = SHUFFLES,
) -> SliceReport:
    """Return what is weak among the images of a predictions table by what was measured and what its user tells of them."""
    properties = [*measured, *told.properties]
    right = (table["true"] == table["predicted"]).to_numpy(dtype=bool)
    slices = cut_slices(properties, list(table["true"]), label)
    classes, _ = pd.factorize(table["true"])
    tests = compare_slices(right, classes, [one.rows for one in slices], shuffles=shuffles)
    order = sorted(range(len(slices)), key=lambda number: (tests[number].corrected, tests[number].p_value))
    ranked = [(slices[number], tests[number]) for number in order]
    weak = _choose_weak(ranked)
    chosen = {id(one) for one, _ in weak}
    rest = [pair for pair in ranked if id(pair[0]) not in chosen][:LISTED]
    cut = {id(one.source) for one in slices}
    return SliceReport(
        split=split,
        digest=digest,
        images=len(table),
        right=int(right.sum()),
        tried=len(slices),
        unseen=_find_middling(ranked),
        unread=unread,
        scenes_known=scenes_known,
        same_scene=same_scene,
        columns=tuple(one.name for one in told.properties),
        matched=told.matched,
        unused=tuple(one.name for one in properties if id(one) not in cut),
        weak=tuple(_tell_weak(weak, list(table["path"]))),
        others=tuple(_tell(*pair) for pair in rest),
    )


def _choose_weak(ranked: Sequence[Tested]) -> list[Tested]:
    """Return what is found, of each family the clearest only."""
    found: dict[tuple[int, str, str], Tested] = {}
    for one, test in ranked:
        if test.corrected < LEVEL:
            found.setdefault(one.family, (one, test))
    return list(found.values())


def _find_middling(tested: Sequence[Tested]) -> float:
    """Return the smallest difference that half of the slices over all classes would show; NaN where they would show none."""
    reach = [test.unseen for one, test in tested if not one.class_name]
    found = float(np.median(np.nan_to_num(reach, nan=np.inf))) if reach else math.inf
    return found if math.isfinite(found) else math.nan


def _tell_weak(weak: Sequence[Tested], paths: Sequence[str]) -> list[TriedSlice]:
    """Return the findings with their images, each with the clearest before it that has most of these images too."""
    told = []
    for number, (one, test) in enumerate(weak):
        shared, title = 0, ""
        for other, _ in weak[:number]:
            both = len(np.intersect1d(one.rows, other.rows))
            if both > max(shared, len(one.rows) / 2):
                shared, title = both, other.title
        images = tuple(paths[row] for row in one.rows)
        told.append(_tell(one, test, paths=images, shared=shared, shared_with=title))
    return told


def _tell(
    one: Slice, test: SliceTest, *, paths: tuple[str, ...] = (), shared: int = 0, shared_with: str = ""
) -> TriedSlice:
    return TriedSlice(
        one.title,
        bool(one.class_name),
        test.images,
        test.right,
        test.difference,
        test.low,
        test.high,
        test.p_value,
        test.corrected,
        paths,
        shared,
        shared_with,
    )
