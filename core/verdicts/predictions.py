"""From a predictions table: confusion matrix, figures per class with intervals, what is confused most."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from core.errors import RunError, UserError, describe_cause
from core.image_table import read_table
from core.places import name_place
from core.runs.imported import ORIGIN_FILE
from core.runs.run import TEST, Run
from core.stored.status import ACTIVE
from core.words import shorten

Z95 = float(ndtri(0.975))
_MOST = 1_000_000_000  # bytes of a table, also of what one unpacks to
_TEXTS = {"path", "true", "predicted", *(f"top{rank}" for rank in range(1, 6))}
_SUREST = 1.00001  # a confidence, rounded up by a hair
_OUTSIDE = r"\A/|(?:\A|/)\.\.(?:/|\Z)|\x00"


def read_predictions(path: Path) -> pd.DataFrame:
    """Read a predictions table, CSV, compressed or not, or Parquet; class names and paths stay text ("007" is not 7).

    Raises:
        FileNotFoundError: when there is none.
        RunError: naming the file and the column that is missing, what is not a number, or how many images are missing.
    """
    table = _read_table(path)
    missing = {"path", "true", "predicted", "confidence", "true_confidence", "loss"} - set(table.columns)
    if missing:
        raise RunError(
            f"{name_place(path)} is not a predictions table: it lacks the column {sorted(missing)[0]}."
        )
    numbers = [c for c in table.columns if c == "loss" or c.endswith("confidence")]
    if odd := [name for name in _TEXTS & set(table.columns) if table[name].dtype == np.float64]:
        raise RunError(f"{name_place(path)} is not a predictions table (the column {odd[0]} holds numbers).")
    try:
        table = table.astype(dict.fromkeys(numbers, np.float64))
    except ValueError as error:
        raise RunError(f"{name_place(path)} is not a predictions table ({_describe(error)}).") from None
    # Images that were judged from outside the data are known by their whole paths.
    elsewhere = path.stem == f"predictions-{TEST}"
    imported = path.with_name(ORIGIN_FILE).exists()
    if problem := _find_odd_value(table, numbers, elsewhere=elsewhere, unknown=imported):
        raise RunError(f"{name_place(path)} is not a predictions table ({problem}).")
    return table


def read_guesses(path: Path) -> pd.DataFrame:
    """Read of a predictions table no more than the columns true and predicted, which a matrix is of; raises as `read_predictions`."""
    table = _read_table(path, ("true", "predicted"))
    if odd := [name for name in table if table[name].dtype == np.float64]:
        raise RunError(f"{name_place(path)} is not a predictions table (the column {odd[0]} holds numbers).")
    return table


def _read_table(path: Path, columns: Sequence[str] | None = None) -> pd.DataFrame:
    try:
        table = read_table(path, most=_MOST, columns=columns)
    except FileNotFoundError:
        raise
    except (ValueError, EOFError, zlib.error) as error:
        raise RunError(f"{name_place(path)} is not a predictions table ({_describe(error)}).") from None
    except OSError as error:  # it is not a regular file, may not be read, or is not packed as its name says
        raise RunError(f"{name_place(path)} cannot be read ({describe_cause(error)}).") from None
    _refuse_part(path, len(table))
    return table


def _refuse_part(path: Path, count: int) -> None:
    """Refuse a run's table of validation that lacks images: one that was cut after a line looks whole."""
    if not path.name.startswith("predictions-val."):
        return
    try:
        status = Run(path.parent).read_status()
    except (UserError, OSError):
        return  # what is wrong with it is told elsewhere
    if (
        count < status.val_count and status.state not in ACTIVE
    ):  # at work it may be a moment ahead of its status
        raise RunError(
            f"{name_place(path)} has {count:,} of the {status.val_count:,} images that the run was judged on."
        )


def _describe(error: Exception) -> str:
    """Return in a line what was wrong with a table: a parser's words may quote all of it."""
    return shorten(str(error), 200)


def _find_odd_value(table: pd.DataFrame, numbers: Sequence[str], *, elsewhere: bool, unknown: bool) -> str:
    """Say which value of a predictions table is none that a training writes; empty where all are.

    Its images may lie `elsewhere` than in the data, and numbers of one that was imported be `unknown`, which NaN says.
    """
    for column in numbers:
        values = table[column].to_numpy()
        highest = np.inf if column == "loss" else _SUREST
        fits = (values >= 0) & (values <= highest)  # so written, NaN does not
        if (odd := ~(fits | (unknown & np.isnan(values)))).any():
            line = int(odd.argmax()) + 2
            return f"{column} in line {line} is {values[odd.argmax()]:g}"
    inside = table["path"].str.removeprefix("/") if elsewhere else table["path"]
    odd = inside.str.contains(_OUTSIDE, regex=True) | (table["path"] == "")
    if odd.any():
        line = int(odd.to_numpy().argmax()) + 2
        return f"line {line} has no path inside a data folder: {shorten(repr(table['path'].iloc[line - 2]))}"
    return ""


def list_guesses(row: pd.Series) -> list[tuple[str, float]]:
    """Return the likeliest classes of an image with their confidences (0..1), as far as the table knows them."""
    if math.isnan(row["confidence"]):
        return []
    ranks = [rank for rank in range(1, 6) if f"top{rank}" in row]
    if not ranks:
        return [(row["predicted"], row["confidence"])]
    return [(row[f"top{rank}"], row[f"top{rank}_confidence"]) for rank in ranks]


def wilson_interval(
    right: npt.ArrayLike, count: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the 95 % Wilson score interval of right/count (0..1), elementwise; 0 to 1 where count is 0.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    k, n = np.asarray(right, dtype=float), np.asarray(count, dtype=float)
    safe = np.maximum(n, 1.0)
    p = k / safe
    centre = (p + Z95**2 / (2 * safe)) / (1 + Z95**2 / safe)
    half = Z95 * np.sqrt(p * (1 - p) / safe + Z95**2 / (4 * safe**2)) / (1 + Z95**2 / safe)
    # At 0 and n of n the formula gives the bound itself up to rounding; make it exact.
    low = np.where((n == 0) | (k == 0), 0.0, centre - half)
    high = np.where((n == 0) | (k == n), 1.0, centre + half)
    return low, high


def macro_recall(table: pd.DataFrame) -> tuple[float, float, float]:
    """Return the mean of the classes' recalls (0..1) over a predictions table and its 95 % interval; NaN of no images.

    The interval is Wilson's for an effective number of images: as many as would leave a plain share as uncertain as
    the mean is, by the classes' own spread or by the harmonic mean of their sizes, whichever says fewer. With as many
    images in each class the macro recall is the accuracy, and so is its interval.

    Source: E. L. Korn and B. I. Graubard, "Confidence intervals for proportions with small expected number of
    positive counts estimated from survey data" (1998), with Wilson's interval in place of the exact one.
    """
    if table.empty:
        return math.nan, math.nan, math.nan
    by_class = (table["true"] == table["predicted"]).groupby(table["true"]).agg(["mean", "size"])
    recalls, sizes = by_class["mean"].to_numpy(dtype=float), by_class["size"].to_numpy(dtype=float)
    mean, classes = float(recalls.mean()), len(recalls)
    effective = classes**2 / float((1 / sizes).sum())
    # One image shows no spread of its class; the mean's stands in for it.
    spreads = np.where(sizes > 1, recalls * (1 - recalls) / sizes, mean * (1 - mean))
    if (variance := float(spreads.sum()) / classes**2) > 0:
        effective = min(effective, mean * (1 - mean) / variance)
    low, high = wilson_interval(mean * effective, effective)
    return mean, float(low), float(high)


def mean_loss(table: pd.DataFrame) -> tuple[float, float, float]:
    """Return the mean cross-entropy (nats) over a predictions table and its normal 95 % interval; NaN of one image."""
    losses = table["loss"].to_numpy(dtype=float)
    if len(losses) < 2:
        return (float(losses.mean()) if len(losses) else math.nan), math.nan, math.nan
    half = Z95 * float(losses.std(ddof=1)) / math.sqrt(len(losses))
    mean = float(losses.mean())
    return mean, max(0.0, mean - half), mean + half


def format_interval(low: float, high: float) -> str:
    """Return an interval of shares (0..1) in whole per cent: '0–56 %'."""
    return f"{low * 100:.0f}–{high * 100:.0f} %"


def format_rate(right: int, count: int) -> str:
    """Return a share with its interval in words: '266 of 300 right, 88.7 % (95 % interval 84.6–91.8 %)'."""
    if not count:
        return "no images"
    low, high = wilson_interval(right, count)
    interval = f"{float(low) * 100:.1f}–{float(high) * 100:.1f} %"
    return f"{right:,} of {count:,} right, {right / count * 100:.1f} % (95 % interval {interval})"


def confusion_matrix(table: pd.DataFrame, classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return counts (C, C) int64: rows are true classes, columns predicted ones, in the order of `classes`.

    Raises:
        RunError: naming a class in the table that is not among `classes`.
    """
    true, predicted = find_codes(table, classes)
    return count_cells(true, predicted, len(classes))


def count_cells(
    true: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], classes: int
) -> npt.NDArray[np.int64]:
    """Return counts (C, C) int64 of images whose true and predicted classes have these indices (N,); -1 is in no cell."""
    inside = (true >= 0) & (predicted >= 0)
    counts = np.bincount(true[inside] * classes + predicted[inside], minlength=classes**2)
    return counts.reshape(classes, classes).astype(np.int64, copy=False)


def find_codes(
    table: pd.DataFrame, classes: Sequence[str]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the true and the predicted classes of a predictions table as indices (N,) into `classes`.

    Raises:
        RunError: naming a class in the table that is not among `classes`.
    """
    names = pd.Index(classes, dtype=str)
    true, predicted = names.get_indexer(table["true"]), names.get_indexer(table["predicted"])
    if (unknown := (true < 0) | (predicted < 0)).any():
        row = table.iloc[int(unknown.argmax())]
        name = row["predicted"] if row["true"] in names else row["true"]
        raise RunError(f"The predictions name a class that is not among the classes of the data: {name!r}.")
    return true, predicted


def class_figures(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return one row a class, weakest first: class, support, right, recall, low, high, precision, f1, confused_with.

    Ranked by the recall's 95 % Wilson upper bound, so that luck on few images does not rank: a class comes early
    when even the kind reading of its images is poor. Figures are 0..1 and NaN where nothing is to be divided.
    """
    size = len(classes)
    true, predicted = find_codes(table, classes)
    right, support, named = (
        np.bincount(codes, minlength=size) for codes in (true[true == predicted], true, predicted)
    )
    low, high = wilson_interval(right, support)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision = right / support, right / named
        f1 = 2 * right / (support + named)
    others = _find_taken_for(true, predicted, classes)
    frame = pd.DataFrame(
        {
            "class": list(classes),
            "support": support,
            "right": right,
            "recall": recall,
            "low": low,
            "high": high,
            "precision": precision,
            "f1": f1,
            "confused_with": others,
        }
    )
    return frame.sort_values(
        ["high", "recall", "support"], ascending=[True, True, False], kind="stable", ignore_index=True
    )


def _find_taken_for(
    true: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], classes: Sequence[str]
) -> list[str]:
    """Return for each class the one that most of its images are taken for, of several the first; empty where none is wrong.

    Only the cells that hold images are looked at: of 10,000 classes the whole matrix would take 800 MB.
    """
    size, wrong = len(classes), true != predicted
    cells, counts = np.unique(true[wrong] * size + predicted[wrong], return_counts=True)
    by_row = np.lexsort((-counts, cells // size))
    rows, first = np.unique(cells[by_row] // size, return_index=True)
    others = [""] * size
    for row, column in zip(rows.tolist(), (cells[by_row][first] % size).tolist(), strict=True):
        others[row] = classes[column]
    return others


def most_confused(table: pd.DataFrame) -> pd.DataFrame:
    """Return the confused pairs, most first: true, predicted, count, share (of the true class's images, 0..1)."""
    support = table["true"].value_counts()
    wrong = table[table["true"] != table["predicted"]]
    pairs = wrong.groupby(["true", "predicted"], sort=True).size().rename("count").reset_index()
    pairs["share"] = pairs["count"] / support.reindex(pairs["true"]).to_numpy()
    return pairs.sort_values(["count", "share"], ascending=False, kind="stable", ignore_index=True)


def find_lookalikes(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the pairs of classes that are taken for each other, one way or both, those with most such images first."""
    counts: dict[tuple[str, str], int] = {}
    for pair in most_confused(table).itertuples():
        names = (pair.true, pair.predicted)
        known = names if names in counts else names[::-1]
        counts[known if known in counts else names] = counts.get(known, 0) + pair.count
    return sorted(counts, key=lambda names: -counts[names])


def find_overfitting(epochs: pd.DataFrame) -> str:
    """Say in words whether validation loss rises while training loss falls, and since when; empty when it does not.

    It compares the last epochs with the one of lowest validation loss: at least two epochs later, validation loss
    5 % above that minimum and training loss below what it was then.
    """
    if len(epochs) < 3:
        return ""
    lowest = int(epochs["val_loss"].to_numpy().argmin())
    last = len(epochs) - 1
    then, now = epochs.iloc[lowest], epochs.iloc[last]
    rises = now["val_loss"] >= 1.05 * then["val_loss"] and now["train_loss"] < then["train_loss"]
    if last - lowest < 2 or not rises:  # so written, a loss that is NaN claims nothing
        return ""
    return (
        f"Overfitting since epoch {int(then['epoch'])}: validation loss rose from {then['val_loss']:.3f} to "
        f"{now['val_loss']:.3f} while training loss fell from {then['train_loss']:.3f} to {now['train_loss']:.3f}. "
        "More epochs of this will not help; stronger augmentation, fewer epochs or more images may."
    )
