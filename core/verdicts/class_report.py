"""What can be said of each class, in figures and in words: averages, top 5, frequency in training, a finding."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import bdtr, pdtrc, stdtr

from core.verdicts import predictions
from core.words import format_count

WIDE = 0.4  # an interval wider than this tells next to nothing
LISTED = 3  # classes named in a sentence
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def find_top5(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return for each row of a predictions table whether the true class is among its first five guesses, (N,) bool.

    A table holds min(5, C) guesses an image; one without them (of another program) counts its single guess.
    """
    columns = [name for name in (f"top{rank}" for rank in range(1, 6)) if name in table] or ["predicted"]
    found: npt.NDArray[np.bool_] = table[columns].eq(table["true"], axis=0).to_numpy(dtype=bool).any(axis=1)
    return found


def report_classes(
    table: pd.DataFrame, classes: Sequence[str], train_counts: Mapping[str, int]
) -> pd.DataFrame:
    """Return `predictions.class_figures`, weakest first, with the columns top5, mistaken_for_it and train more.

    `top5` is the share of a class's images (0..1, NaN without images) whose first five guesses hold it,
    `mistaken_for_it` the other class that is most often taken for this one ("" for none), and `train` its number of
    training images.
    """
    report = predictions.class_figures(table, classes)
    top5 = pd.Series(find_top5(table), index=table["true"]).groupby(level=0).mean()
    report["top5"] = top5.reindex(report["class"]).to_numpy(dtype=float)
    first = predictions.most_confused(table).drop_duplicates("predicted").set_index("predicted")["true"]
    report["mistaken_for_it"] = first.reindex(report["class"]).fillna("").to_numpy()
    report["train"] = [train_counts.get(name, 0) for name in report["class"]]
    return report


def find_certainly_weak(report: pd.DataFrame, overall: float) -> pd.DataFrame:
    """Return the rows of a report whose recall is below the accuracy of all images (0..1) even at its upper end, weakest first.

    The class stands in the column `class_name` too. Of classes that are as good as all others one in forty is among them.
    """
    weak = report[(report["support"] > 0) & (report["high"] < overall)]
    return weak.sort_values("high", kind="stable").assign(class_name=weak["class"])


def count_by_luck(supports: Iterable[int], overall: float) -> float:
    """Return how many classes `find_certainly_weak` would name on average if each had the accuracy of all images (0..1).

    `supports` are the numbers of judged images, a class each. Of few images the interval is rough, and more than one
    class in forty comes out below by luck.
    """
    expected = 0.0
    for count, classes in Counter(int(support) for support in supports if support > 0).items():
        right = np.arange(count + 1)
        named = predictions.wilson_interval(right, np.full(count + 1, count))[1] < overall
        if named.any():  # those of few right ones, up to some number
            expected += classes * float(bdtr(named.sum() - 1, count, overall))
    return expected


def exceeds_luck(count: int, luck: float) -> bool:
    """Tell whether so many classes below are more than luck shows in one of twenty sets, where it names `luck` on average.

    By Poisson's distribution, which is wider than that of many classes of few chances each: it errs on the side of luck.
    Where luck mostly names none, as of few classes of many images, each interval speaks for itself.
    """
    return luck < 0.5 or bool(pdtrc(count - 1, luck) < 0.05)


@dataclass(frozen=True)
class Weakness:
    """The classes of a report below all images together, and how many of `judged` classes luck alone would put there.

    `rows` are those of `find_certainly_weak`.
    """

    rows: pd.DataFrame
    judged: int
    luck: float

    @property
    def is_sure(self) -> bool:
        """Tell whether there are such classes, and more of them than luck explains."""
        return not self.rows.empty and exceeds_luck(len(self.rows), self.luck)

    def describe(self, whole: str = "the average of all images") -> str:
        """Say it in a sentence, without naming the classes; `whole` is what they are below."""
        classes = format_count(self.judged, "class")
        if self.rows.empty:
            return f"None of {classes} is clearly below {whole}."
        verb = "is" if len(self.rows) == 1 else "are"
        if not self.is_sure:
            return (
                f"No class is surely weaker than the rest. {len(self.rows)} of {classes} {verb} below {whole} even at the upper "
                f"end of the interval, but about {self.luck:.0f} would be by luck alone."
            )
        return (
            f"{len(self.rows)} of {classes} {verb} clearly below {whole}. "
            f"If all classes were equally good, about {self.luck:.0f} would be by luck alone."
        )


def find_weakness(report: pd.DataFrame, overall: float) -> Weakness:
    """Return the classes of a report below the accuracy of all images (0..1), held against luck."""
    return Weakness(
        find_certainly_weak(report, overall),
        int((report["support"] > 0).sum()),
        count_by_luck(report["support"], overall),
    )


def average_figures(report: pd.DataFrame) -> pd.DataFrame:
    """Return the rows `macro` and `weighted` of precision, recall, f1 and top5 (0..1), over the classes with images.

    Macro gives each class, weighted each image the same weight. A class that is never the answer has a precision of
    0 here, as in scikit-learn's report; without any images all is NaN.
    """
    columns = ["precision", "recall", "f1", "top5"]
    seen = report[report["support"] > 0]
    if seen.empty:
        return pd.DataFrame(np.nan, index=["macro", "weighted"], columns=columns)
    values, weights = seen[columns].fillna(0.0), seen["support"].to_numpy(dtype=float)
    weighted = values.mul(weights / weights.sum(), axis=0).sum()
    return pd.DataFrame({"macro": values.mean(), "weighted": weighted}).T


def describe_frequency(report: pd.DataFrame) -> str:
    """Say in words whether classes with more training images have a better recall.

    Source of the figure: C. Spearman, "The proof and measurement of association between two things" (1904).
    """
    seen = report[report["support"] > 0]
    counts = seen["train"]
    if len(seen) < 3:
        return "Two classes are too few to tell whether more training images help."
    if counts.min() == counts.max():
        return f"Every class has {format_count(counts.min(), 'training image')}, so a lack of images does not explain a weak class here."
    spread = f"Classes have {counts.min():,} to {counts.max():,} training images."
    if seen["recall"].nunique() == 1:
        return f"{spread} All have the same recall."
    rank = float(np.corrcoef(counts.rank(), seen["recall"].rank())[0, 1].clip(-1, 1))
    free = len(seen) - 2
    reach = rank * math.sqrt(free / (1 - rank**2)) if abs(rank) < 1 else math.inf
    p_value = 2 * float(stdtr(free, -abs(reach)))
    figures = f"Spearman's ρ = {rank:.2f}, p = {p_value:.2g}"
    if p_value >= 0.05:
        return f"{spread} There is no evidence that classes with more images are recognised better or worse ({figures})."
    better = "better" if rank > 0 else "worse"
    return f"{spread} Those with more are recognised {better} ({figures})."


def describe_class(
    name: str, *, table: pd.DataFrame, report: pd.DataFrame, label: Callable[[str], str]
) -> str:
    """Return a paragraph of plain text on one class: how weak and how sure that is, what it is confused with, why.

    `report` is that of `report_classes` for this predictions table, `label` gives what a reader calls a class.
    """
    row = report[report["class"] == name].iloc[0]
    if not row["support"]:
        return "No image that was judged shows this class, so nothing can be said about it."
    parts = [
        _describe_recall(row, float((table["true"] == table["predicted"]).mean())),
        *_describe_confusions(name, table, label),
        _describe_precision(row, label(name)),
        _describe_top5(row, table),
        _describe_training(row, report),
    ]
    return " ".join(part for part in parts if part)


def _describe_recall(row: pd.Series, overall: float) -> str:
    low, high = float(row["low"]), float(row["high"])
    text = f"{row['right']} of {row['support']} right: the true recall may be anywhere between {low * 100:.0f} and {high * 100:.0f} %."
    if high - low > WIDE:
        one = row["support"] == 1
        images = f"{_number_word(row['support'])} image{'' if one else 's'}"
        return f"{text} {images.capitalize()} cannot show more. Look at {'it' if one else 'them'}, or judge more images of this class, before you act."
    if high < overall:
        return f"{text} Even its upper end is below the {overall * 100:.1f} % of all classes together."
    if low > overall:
        return f"{text} Even its lower end is above the {overall * 100:.1f} % of all classes together."
    return f"{text} The {overall * 100:.1f} % of all classes together lie within it."


def _describe_confusions(name: str, table: pd.DataFrame, label: Callable[[str], str]) -> list[str]:
    pairs = predictions.most_confused(table)
    parts = []
    for column, other, text in (
        ("true", "predicted", "It is confused with"),
        ("predicted", "true", "Images mistaken for it come from"),
    ):
        found = pairs[pairs[column] == name]
        if found.empty:
            continue
        first = found.head(LISTED)
        named = [f"{label(c)} ({n})" for c, n in zip(first[other], first["count"], strict=True)]
        more = len(found) - len(first)
        parts.append(f"{text} {', '.join(named)}{f' and {_number_word(more)} more' if more else ''}.")
    return parts or ["It is not confused with any class."]


def _describe_precision(row: pd.Series, label: str) -> str:
    if np.isnan(row["precision"]):
        return f"No image at all is taken for {label}."
    named = round(row["right"] / row["precision"]) if row["right"] else 0
    return (
        f"The answer {label} is right {row['right']} of {format_count(named, 'time')}."
        if named > row["right"]
        else ""
    )


def _describe_top5(row: pd.Series, table: pd.DataFrame) -> str:
    guesses = sum(f"top{rank}" in table for rank in range(1, 6))
    wrong = row["support"] - row["right"]
    if not wrong or guesses < 5:  # of few classes the first five are all or most
        return ""
    near = round(row["top5"] * row["support"]) - row["right"]
    if wrong == 1:
        return f"For the wrong image the true class is {'' if near else 'not '}among the first five guesses."
    if near == wrong:
        return f"For {'both' if wrong == 2 else f'all {wrong}'} wrong images the true class is among the first five guesses."
    if not near:
        return f"For {'neither of the two' if wrong == 2 else f'none of the {wrong}'} wrong images is the true class among the first five guesses."
    return f"For {near} of the {wrong} wrong images the true class is among the first five guesses."


def _describe_training(row: pd.Series, report: pd.DataFrame) -> str:
    counts, own = report["train"], int(row["train"])
    median = float(counts.median())
    if counts.min() == counts.max() or not median:
        return ""
    text = f"It has {format_count(own, 'training image')}, the median class {median:,.0f}"
    if own <= median / 2:
        return f"{text}: that may be too few."
    return f"{text}: a lack of images is not the reason." if own >= median else f"{text}."


def _number_word(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"
