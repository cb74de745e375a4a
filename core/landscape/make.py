"""A run's images placed on a plane by what its best model makes of them, and kept with the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.landscape.images import SeenImages, see_images
from core.landscape.projection import measure_kept, project, reduce_rows, scale_rows
from core.landscape.strangers import LISTED, find_nearest, rate_strangers
from core.landscape.table import About, write_map
from core.runs.run import Run
from core.verdicts.predictions import read_predictions

MOST = 50_000  # images on a map: as many as a browser still moves smoothly
Progress = Callable[[int, int], bool]


def make_map(run: Run, *, seed: int = 0, progress: Progress | None = None) -> About | None:
    """Make the map of all images of a run, test images too, and keep it; None when told to stop.

    `progress(done, total)` counts each image twice: seen by the network, and placed. What the network made of the images
    is kept, so that a stopped map goes on from there.

    Raises:
        RunError: when the run has no model, or its data is gone.
        DataError: naming an image that cannot be read any more.
    """

    def report(done: int, total: int) -> bool:
        return progress is None or progress(done, total)

    epoch = run.read_status().best_epoch  # before the work: another model may become the best meanwhile
    seen = see_images(run, lambda done, total: report(done, 2 * total))
    if seen is None:
        return None
    chosen = choose_rows(seen, seed=seed)
    unit = scale_rows(seen.features)
    values = reduce_rows(unit[chosen], seed=seed)
    placing = len(seen.samples)
    places = project(
        values, seed=seed,
        progress=lambda done, steps: report(placing + placing * done // steps, 2 * placing),
    )  # fmt: skip
    if places is None:
        return None
    table = make_table(run, seen, rate_images(seen, unit)).iloc[chosen]
    table = table.assign(x=places[:, 0], y=places[:, 1])
    about = About(
        epoch, len(chosen), placing - len(chosen), measure_kept(unit[chosen], places, seed=seed), seed
    )
    write_map(run, table, about)
    return about


def choose_rows(seen: SeenImages, *, most: int = MOST, seed: int = 0) -> npt.NDArray[np.int64]:
    """Return the rows of the images that a map takes, in order: all, or of many those that the model was not trained on first."""
    rows = np.arange(len(seen.samples))
    if len(rows) <= most:
        return rows
    # A random order in which training images come last.
    order = np.lexsort((np.random.default_rng(seed).random(len(rows)), np.array(seen.splits) == "train"))
    return np.sort(order[:most])


def rate_images(seen: SeenImages, unit: npt.NDArray[np.float32]) -> pd.DataFrame:
    """Return for each image how many times as far as usual it is from its class, `far`, and the path of the `nearest`.

    Only training images are judged, against each other; of those furthest from their class the nearest is looked for.
    """
    train = np.flatnonzero(np.array(seen.splits) == "train")
    targets = np.array([seen.samples[row].target for row in train], dtype=np.int64)
    far, nearest = np.full(len(seen.samples), np.nan), np.full(len(seen.samples), "", dtype=object)
    far[train] = rate_strangers(unit[train], targets)
    ranked = np.argsort(-np.nan_to_num(far[train], nan=-1.0), kind="stable")[:LISTED]
    for row, other in zip(ranked.tolist(), find_nearest(unit[train], ranked).tolist(), strict=True):
        nearest[train[row]] = seen.samples[train[other]].path
    return pd.DataFrame({"far": far, "nearest": nearest})


def make_table(run: Run, seen: SeenImages, rated: pd.DataFrame) -> pd.DataFrame:
    """Return the predictions table of all images, with their split and how far they are from their class.

    Test images have no true class, and NaN for what depends on it. Where a run has a table of a split, that is what it says of the split's images, as on every other page.
    """
    classes = np.array([*seen.folders.classes, ""], dtype=object)  # the last is that of UNLABELLED
    answers = seen.answers
    columns: dict[str, Any] = {
        "path": [sample.path for sample in seen.samples],
        "true": classes[answers.target],
        "predicted": classes[answers.top_index[:, 0]],
        "confidence": answers.top_prob[:, 0].astype(float),
        "true_confidence": answers.true_prob.astype(float),
        "loss": answers.loss.astype(float),
    }
    for rank in range(answers.top_index.shape[1]):
        columns[f"top{rank + 1}"] = classes[answers.top_index[:, rank]]
        columns[f"top{rank + 1}_confidence"] = answers.top_prob[:, rank].astype(float)
    table = pd.DataFrame(columns).set_index("path")
    for split in ("val", "held"):
        if run.predictions_path(split).exists():
            known = read_predictions(run.predictions_path(split)).set_index("path")
            shared = known.index.intersection(table.index)
            names = [name for name in table.columns if name in known.columns]  # an older run lacks some
            table.loc[shared, names] = known.loc[shared, names]
    return table.reset_index().assign(split=list(seen.splits), far=rated["far"], nearest=rated["nearest"])
