"""Several runs beside each other, each tested against the others on the same images; focus and others told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import pandas as pd

from core.config import TrainConfig
from core.focus import focus_names
from core.paired import PairedTest, compare_paired
from core.seeds import Comparison, compare_sets, describe_comparisons, describe_tests, match_sets
from core.settings import group_by_settings, label_settings

ALL_PAIRS = 6  # of more groups the best is tested against each, not each against each


def group_seeds(configs: Mapping[str, TrainConfig]) -> dict[str, list[str]]:
    """Return the ids of runs that differ in nothing but the seed together, by what they are called.

    A run by itself is called by its id.
    """
    groups = group_by_settings(configs)
    labels = label_settings([configs[members[0]] for members in groups]) if groups else []
    return {
        members[0] if len(members) == 1 else f"{label}, {len(members)} seeds": members
        for label, members in zip(labels, groups, strict=True)
    }


def compare_groups(
    groups: Mapping[str, list[pd.DataFrame] | str], escape: Callable[[str], str] = str
) -> tuple[list[str], str]:
    """Test groups of models against each other; return the verdicts in words and how they were come to.

    A group holds the predictions tables of runs that differ in the seed alone; a text in its place says why there are
    none. Of more than `ALL_PAIRS` groups only the best is tested against each other one. Pairs that cannot be compared
    come last, with the reason; `escape` is put upon names and reasons. The better one stands between pairs of asterisks.
    """
    if len(groups) < 2:
        return ["These runs differ in their seed alone: their spread is chance."], ""
    pairs = list(combinations(groups, 2))
    only_best = ""
    if len(groups) > ALL_PAIRS:
        best = max(groups, key=lambda name: _mean_accuracy(groups[name]))
        pairs = [(other, best) for other in groups if other != best]
        only_best = " The best is tested against each of the others."
    refused: list[str] = []
    tests: dict[tuple[str, str], Comparison] = {}
    sizes: dict[str, int] = {}
    for pair in pairs:
        first, second = map(escape, pair)
        tables = {name: groups[name] for name in pair}
        try:
            sets = match_sets(_refuse_reasons(tables))
        except ValueError as error:
            refused.append(f"{first} and {second}: not compared. {escape(str(error))}")
            continue
        tests[first, second] = compare_sets(*sets.values())
        sizes |= {name: len(found.right) for name, found in sets.items()}
    how = f"{describe_tests(list(sizes.values()), len(tests))}{only_best}" if tests else ""
    return [*describe_comparisons(tests), *refused], how


def _refuse_reasons(groups: Mapping[str, list[pd.DataFrame] | str]) -> dict[str, list[pd.DataFrame]]:
    found: dict[str, list[pd.DataFrame]] = {}
    for name, tables in groups.items():
        if isinstance(tables, str):
            raise ValueError(tables)
        found[name] = tables
    return found


def _mean_accuracy(tables: list[pd.DataFrame] | str) -> float:
    if isinstance(tables, str):
        return -1.0
    return sum(float((table["true"] == table["predicted"]).mean()) for table in tables) / len(tables)


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
