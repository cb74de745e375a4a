"""Is a hand-in what was asked for? Read back as it was written: every image once, known labels, the order, the columns."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.answers.submission import Plan
from core.words import format_count, name_some

_NAMED = 5  # names that are written out


@dataclass(frozen=True)
class Finding:
    """What one look at a hand-in found, in words, and whether it is as it should be."""

    good: bool
    words: str


def check_hand_in(text: str, plan: Plan, labels: Collection[str]) -> tuple[Finding, ...]:
    """Check the text of a hand-in against its plan; `labels` are what it may call the classes."""
    head, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [[]]
    first, second = (0, 1) if plan.form.images_first else (1, 0)
    whole = [row for row in rows if len(row) == 2]
    names = [row[first] for row in whole]
    return (
        _check_columns(head, len(rows) - len(whole), plan),
        _check_names(names, plan.wanted),
        _check_labels([row[second] for row in whole], labels, plan),
        _check_order(names, plan),
    )


def is_good(findings: Sequence[Finding]) -> bool:
    """Tell whether a hand-in is all that it should be."""
    return all(finding.good for finding in findings)


def _check_columns(head: Sequence[str], torn: int, plan: Plan) -> Finding:
    wanted = " and ".join(plan.form.columns)
    if tuple(head) != plan.form.columns:
        return Finding(False, f"The columns are {', '.join(head)}, not {wanted}.")
    if torn:
        return Finding(False, f"{format_count(torn, 'line', 'has')} more or fewer than two columns.")
    return Finding(True, f"The columns are {wanted}{_as_in(plan)}.")


def _check_names(names: Sequence[str], wanted: Sequence[str]) -> Finding:
    counts, asked = Counter(names), Counter(wanted)
    faults = [
        (list(asked - counts), "has", "no line"),
        ([name for name, count in counts.items() if count > 1], "has", "more than one line"),
    ]
    words = [
        f"{format_count(len(found), 'image', verb)} {what}: {_name(found)}."
        for found, verb, what in faults
        if found
    ]
    if strange := [name for name in counts if name not in asked]:
        words.append(
            f"{format_count(len(strange), 'line', 'is')} for an image that was not asked for: {_name(strange)}."
        )
    if words:
        return Finding(False, " ".join(words))
    return Finding(
        True, f"{format_count(len(names), 'image', 'is')} asked for, and each has exactly one line."
    )


def _check_labels(found: Sequence[str], labels: Collection[str], plan: Plan) -> Finding:
    known = set(labels)
    kind = "the class's name" if plan.form.labels == "name" else "the name of the class's folder"
    if unknown := list(dict.fromkeys(label for label in found if label not in known)):
        return Finding(
            False, f"{format_count(len(unknown), 'label', 'is')} unknown to the model: {_name(unknown)}."
        )
    return Finding(
        True, f"Every label is one of the model's {format_count(len(known), 'class')}, written as {kind}."
    )


def _check_order(names: Sequence[str], plan: Plan) -> Finding:
    present = set(names)
    wanted = [name for name in plan.wanted if name in present]
    source = plan.sample.name if plan.sample else "the folder (2 before 10)"
    wrong = next((n for n, (one, other) in enumerate(zip(names, wanted, strict=False)) if one != other), None)
    if wrong is not None:
        return Finding(False, f"From line {wrong + 2} on, the order is not that of {source}.")
    return Finding(True, f"The lines are in the order of {source}.")


def _as_in(plan: Plan) -> str:
    return f", as in {plan.sample.name}" if plan.sample else ""


def _name(found: Sequence[str]) -> str:
    return name_some([name or "(empty)" for name in found], _NAMED)
