"""The page of the race: one row an entrant, also of those that failed, and whether our presets are really better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from core.verdicts.paired import PairedTest, compare_paired, correct_holm, format_bounds, format_p
from core.verdicts.predictions import wilson_interval
from core.words import format_accuracy

HEAD = """| entrant | all judged: right, with 95 % interval | validation | held back | training | whole process | time, {ours} = 1 | {ours} less it, in points |
|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Entrant:
    """What became of an entrant.

    `table` has the columns path, true, predicted and split (val or held); None where it failed, and `how` then says how.
    `seconds` are those of training, `whole` those of its whole process; `load` is the machine's when it began (processes
    that want to compute, over a minute), None where it never did. Beside other work no time here says much.
    """

    name: str
    how: str
    table: pd.DataFrame | None = None
    seconds: float = 0.0
    whole: float = 0.0
    load: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """One of our presets against another entrant: the test of ours less the other, and its p corrected for all pairs."""

    ours: str
    other: str
    test: PairedTest
    p_value: float


def describe_race(entrants: Sequence[Entrant], presets: Sequence[str], *, title: str, setting: str) -> str:
    """Return the page. `presets` are the names of our entrants, the one that all are measured by first.

    Raises:
        RunError: when two entrants were judged on different images.
    """
    done = {entrant.name: entrant for entrant in entrants if entrant.table is not None}
    ours = next((name for name in presets if name in done), "")
    pairs = compare_all(done, presets)
    against = {pair.other: pair for pair in pairs if pair.ours == ours}
    rows = [list_row(entrant, done.get(ours), against.get(entrant.name)) for entrant in entrants]
    parts = [f"# {title}", setting, "\n".join([HEAD.format(ours=ours or "ours"), *rows])]
    if pairs:
        parts += ["## Is ours better?", list_verdicts(pairs)]
    parts += ["## What each did", "\n".join(f"- **{e.name}**: {e.how}{list_facts(e)}" for e in entrants)]
    return "\n\n".join(parts) + "\n"


def compare_all(done: Mapping[str, Entrant], presets: Sequence[str]) -> list[Pair]:
    """Return each of our presets against all others that finished, two of ours once; p corrected for all of them."""
    names = [
        (own, other)
        for number, own in enumerate(presets)
        for other in done
        if own in done and other not in presets[: number + 1]
    ]
    tests = [compare_paired(_judged(done[other]), _judged(done[own])) for own, other in names]
    corrected = correct_holm([test.p_value for test in tests])
    return [Pair(own, other, test, p) for (own, other), test, p in zip(names, tests, corrected, strict=True)]


def list_row(entrant: Entrant, ours: Entrant | None, pair: Pair | None) -> str:
    """Return an entrant's row; one that failed has its reason in place of figures."""
    if entrant.table is None:
        return f"| {entrant.name} | failed: {_in_cell(entrant.how)} | | | | {entrant.whole:,.0f} s | | |"
    cells = [entrant.name, *(_rate(entrant.table, split) for split in ("", "val", "held"))]
    cells += [f"{entrant.seconds:,.0f} s", f"{entrant.whole:,.0f} s"]
    cells.append(f"{entrant.seconds / ours.seconds:.2f} ×" if ours else "")
    cells.append(_difference(pair) if pair else "")
    return f"| {' | '.join(cells)} |"


def list_verdicts(pairs: Sequence[Pair]) -> str:
    """Return the verdict on each pair in words."""
    return "\n".join(
        f"- {pair.test.describe(pair.other, pair.ours, p_value=pair.p_value, comparisons=len(pairs))}"
        for pair in pairs
    )


def list_facts(entrant: Entrant) -> str:
    """Return the versions that it ran with and the machine's load when it began, in brackets."""
    facts = [f"{package} {version}" for package, version in entrant.versions.items()]
    if entrant.load is not None:
        facts.append(f"load when it began {entrant.load:.1f}")
    return f" ({', '.join(facts)})" if facts else ""


def _judged(entrant: Entrant) -> pd.DataFrame:
    assert entrant.table is not None
    return entrant.table[["path", "true", "predicted"]]


def _rate(table: pd.DataFrame, split: str) -> str:
    rows = table[table["split"] == split] if split else table
    right = int((rows["true"] == rows["predicted"]).sum())
    if rows.empty:
        return "no images"
    low, high = wilson_interval(right, len(rows))
    return f"{right} of {len(rows)}: {format_accuracy(right / len(rows), float(low), float(high))}"


def _difference(pair: Pair) -> str:
    interval = format_bounds(pair.test.low, pair.test.high)
    return f"{100 * pair.test.difference:+.1f} ({interval}), p = {format_p(pair.p_value)}"


def _in_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
