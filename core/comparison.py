"""Several runs beside each other: every two tested on the same images, and the settings in which they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from core.config import TrainConfig
from core.focus import focus_names
from core.paired import PairedTest, compare_paired, correct_holm
from core.rules import applies


@dataclass(frozen=True)
class Verdict:
    """Whether one of two runs is better on the same images, `p_value` corrected for the number of pairs.

    Where they are not compared, `test` is None and `reason` says why.
    """

    first: str
    second: str
    test: PairedTest | None
    p_value: float = 1.0
    reason: str = ""

    def describe(self, escape: Callable[[str], str] = str) -> str:
        """Return the verdict in words, the better run between two pairs of asterisks; `escape` is put upon names."""
        names = escape(self.first), escape(self.second)
        if self.test is None:
            return f"{names[0]} and {names[1]}: not compared. {escape(self.reason)}"
        return self.test.describe(*names, p_value=self.p_value)


def compare_runs(tables: Mapping[str, pd.DataFrame | str]) -> list[Verdict]:
    """Test every two of the runs named, those that cannot be last.

    A text in place of a predictions table says why a run has none.
    """
    found = [_compare(*pair, tables) for pair in combinations(tables, 2)]
    corrected = iter(correct_holm([verdict.test.p_value for verdict in found if verdict.test is not None]))
    judged = [
        verdict if verdict.test is None else dataclasses.replace(verdict, p_value=next(corrected))
        for verdict in found
    ]
    return sorted(judged, key=lambda verdict: verdict.test is None)


def describe_tests(verdicts: list[Verdict]) -> str:
    """Say how the verdicts were come to."""
    tested = sum(verdict.test is not None for verdict in verdicts)
    corrected = f", p corrected for {tested} pairs by Holm's method" if tested > 1 else ""
    return (
        f"McNemar's exact test on the images that one run gets right and the other wrong{corrected}; "
        "bootstrap interval of the difference."
    )


def find_differing(configs: Mapping[str, TrainConfig]) -> dict[str, dict[str, str]]:
    """Return the fields in which configs differ, with the value of each by the name of its run.

    What has no effect in one of them, such as augmentation with the head only, explains nothing and is left out.
    """
    values = {name: dataclasses.asdict(config) for name, config in configs.items()}
    found = {}
    for field in dataclasses.fields(TrainConfig):
        if field.name == "name" or not all(applies(field.name, config) for config in values.values()):
            continue
        told = {name: str(config[field.name]) for name, config in values.items()}
        if len(set(told.values())) > 1:
            found[field.name] = told
    return found


def compare_focus(
    config: TrainConfig, before: pd.DataFrame, after: pd.DataFrame
) -> tuple[PairedTest, PairedTest] | None:
    """Test what a specialised run won on its chosen classes and what all others paid; None where it chose none.

    Raises:
        ValueError: as `compare_paired` does.
    """
    chosen = focus_names(config)
    if not chosen:
        return None
    own, others = (
        compare_paired(
            before[before["true"].isin(chosen) == inside], after[after["true"].isin(chosen) == inside]
        )
        for inside in (True, False)
    )
    return own, others


def _compare(first: str, second: str, tables: Mapping[str, pd.DataFrame | str]) -> Verdict:
    one, other = tables[first], tables[second]
    if isinstance(one, str) or isinstance(other, str):
        return Verdict(first, second, None, reason=one if isinstance(one, str) else str(other))
    try:
        return Verdict(first, second, compare_paired(one, other))
    except ValueError as error:
        return Verdict(first, second, None, reason=str(error))
