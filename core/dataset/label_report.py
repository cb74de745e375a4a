"""What was found about labels: the report that a run keeps, and fix lists."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import RunError, describe_unreadable
from core.files import write_rows, write_text
from core.places import name_place
from core.reading import open_text, read_object, take
from core.words import format_count, format_share

ACTIONS = ("keep", "relabel", "drop")
HEAD = ("path", "given", "suggested", "score", "action")
_NEEDED = ("path", "given", "suggested", "action")
_VERSION = 1
_MOST = 1_000_000_000  # bytes of a report
# From planted errors: 5 % wrong labels among 1,500 photos of 81 classes, models of 3 to 83 % accuracy (docs/log.md, 2026-11-28). Of
# the labels doubted 5 % were wrong at an accuracy of 15 %, 11 % at 46 %, 21 % at 68 % and 54 % at 83 %; of as many as were
# planted, the likeliest first, 36 %, 65 %, 76 % and 74 %, and 57 % at 29 %.
SURE_ACCURACY = 0.8  # from here on at least half of all labels doubted are wrong
LEAST_ACCURACY = 0.3  # from here on so are at least half of the likeliest
LIKELIEST = 0.05  # of the labels, that are listed below the first


@dataclass(frozen=True)
class LabelIssue:
    """An image whose label is probably wrong: the class given, the one suggested, how sure (0..1) the label is right.

    `confidence` (0..1) is that of the class suggested.
    """

    path: str
    given: str
    suggested: str
    score: float
    confidence: float


@dataclass(frozen=True)
class Fix:
    """A row of a fix list: what is to become of the label of an image; `line` is where the list says so, from 1.

    `score` is NaN where the list has none.
    """

    path: str
    given: str
    suggested: str
    action: str
    line: int
    score: float


@dataclass(frozen=True)
class Overlap:
    """Two classes that are taken for each other: `crossed` of their `count` images, with the 95 % Wilson interval.

    `mislabelled` is the number of these whose label is estimated to be wrong.
    """

    one: str
    other: str
    crossed: int
    count: int
    low: float
    high: float
    mislabelled: int


@dataclass(frozen=True)
class WeakClass:
    """A class that is recognised worse than the others and overlaps with no single one: `right` of `count` images."""

    name: str
    right: int
    count: int
    low: float
    high: float


@dataclass(frozen=True)
class LabelReport:
    """What was found among the `count` images of a split, worst first; `model` is the epoch of the model asked.

    `accuracy` (0..1) is how often it agrees with the labels: one that is weak doubts right labels more often than wrong
    ones. Older reports do not know it. `out_of_fold` tells that each image was judged by a model fitted without it; those on
    training images of older versions are of models that had seen them.
    """

    split: str
    count: int
    model: int
    issues: tuple[LabelIssue, ...]
    overlaps: tuple[Overlap, ...]
    weak: tuple[WeakClass, ...]
    accuracy: float = 1.0
    out_of_fold: bool = False

    @property
    def right(self) -> int:
        """Return how many of the images the model gets right."""
        return round(self.accuracy * self.count)

    def describe(self) -> str:
        """Return how many labels are doubtful, or that the model is too weak to doubt any."""
        if self.accuracy < LEAST_ACCURACY:
            return (
                f"The model gets only {format_share(self.accuracy)} of these images right, so its doubts say nothing about the labels. "
                f"Ask one that gets at least {format_share(LEAST_ACCURACY)} right, or better, {format_share(SURE_ACCURACY)}."
            )
        found = len(self.issues)
        verb = "is" if found == 1 else "are"
        what = "probably wrong" if self.accuracy >= SURE_ACCURACY else "worth a look"
        return f"{found:,} of {format_count(self.count, 'label')} {verb} {what}."


def most_listed(count: int) -> int:
    """Return how many of `count` labels a model below `SURE_ACCURACY` may doubt: the likeliest, at least one."""
    return math.ceil(LIKELIEST * count)


def report_path(folder: Path, split: str) -> Path:
    """Return where a run keeps the report on a split's labels."""
    return folder / f"label-issues-{split}.json"


def fixes_path(folder: Path, split: str) -> Path:
    """Return where a run of an older version kept the fix list of a split, with the actions its user chose."""
    return folder / f"label-fixes-{split}.csv"


def write_label_report(path: Path, report: LabelReport) -> None:
    """Write a report atomically."""
    write_text(path, json.dumps({"version": _VERSION, **asdict(report)}))


def read_report(path: Path) -> LabelReport:
    """Read a report.

    Raises:
        RunError: when it is damaged or of another version.
    """
    try:
        values = read_object(path, most=_MOST)
        if values.pop("version", None) != _VERSION:
            raise ValueError("it was written by another version")
        return take(LabelReport, values)
    except (OSError, ValueError) as error:
        raise RunError(
            f"{name_place(path)} cannot be read ({describe_unreadable(error)}). Look for label issues again."
        ) from None


def write_fixes(path: Path, issues: Sequence[LabelIssue]) -> None:
    """Write a fix list that keeps all labels, one row an issue, to be edited; raises OSError when it cannot be written."""
    rows = [(issue.path, issue.given, issue.suggested, f"{issue.score:.6f}", ACTIONS[0]) for issue in issues]
    write_rows(path, HEAD, rows)


def read_fixes(path: Path) -> list[Fix]:
    """Return the rows of a fix list; a column `score` need not be there.

    Raises:
        RunError: naming the line that is wrong.
        OSError: when there is no such file.
    """
    fixes = []
    try:
        with open_text(path) as file:
            rows = csv.DictReader(file)
            if not set(_NEEDED) <= set(rows.fieldnames or ()):
                raise RunError(f"{path}: the first line must be {','.join(HEAD)}.")
            for row in rows:
                if row["action"] not in ACTIONS:
                    raise RunError(
                        f"{path}, line {rows.line_num}: action must be one of {', '.join(ACTIONS)}."
                    )
                values = [row[name] or "" for name in _NEEDED]
                score = _read_score(row.get("score"))
                fixes.append(Fix(values[0], values[1], values[2], values[3], rows.line_num, score))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{name_place(path)} cannot be read ({describe_unreadable(error)}).") from None
    return fixes


def _read_score(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
