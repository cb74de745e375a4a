"""Several runs beside each other, each tested against the others on the same images; focus and others told apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from itertools import combinations

import pandas as pd

from core.config import TrainConfig
from core.focus import focus_names
from core.paired import PairedTest, compare_paired
from core.seeds import (
    Comparison,
    SeedSet,
    compare_sets,
    compare_with_best,
    describe_comparisons,
    describe_tests,
    match_sets,
)
from core.settings import group_by_settings, label_settings

ALL_PAIRS = 6  # of more groups the best is tested against each, not each against each


def group_seeds(
    configs: Mapping[str, TrainConfig], finished: Collection[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the ids of runs that differ in nothing but the seed together, by what they are called, and what is to be said.

    A group has one run a seed, since a repeat is no evidence of its own, and only those that have finished; the others
    are left out, and named in what is to be said. Where none has finished, each stands by itself. A run by itself is
    called by its id.
    """
    alike = group_by_settings(configs)
    labels = label_settings([configs[members[0]] for members in alike]) if alike else []
    groups: dict[str, list[str]] = {}
    notes = []
    for label, members in zip(labels, alike, strict=True):
        by_seed: dict[int, str] = {}
        for run in members:
            if run in finished:
                first = by_seed.setdefault(configs[run].seed, run)
                if first != run:
                    notes.append(f"{run} repeats the seed of {first}, so it is left out.")
        left = ", so it is left out" if by_seed else ": trained to its end it may come out otherwise"
        notes += [f"{run} has not finished{left}." for run in members if run not in finished]
        if len(by_seed) > 1:
            groups[f"{label}, {len(by_seed)} seeds"] = list(by_seed.values())
        else:
            groups |= {run: [run] for run in by_seed.values() or members}
    return groups, notes


def compare_groups(
    groups: Mapping[str, list[pd.DataFrame] | str], escape: Callable[[str], str] = str
) -> tuple[list[str], str]:
    """Test groups of models against each other; return the verdicts in words and how they were come to.

    A group holds the predictions tables of runs that differ in the seed alone; a text in its place says why there are
    none. Of more than `ALL_PAIRS` groups only the best is tested against each other one. What cannot be compared comes
    last, with the reason; `escape` is put upon names and reasons. The better one stands between pairs of asterisks.
    """
    if len(groups) < 2:
        several = any(len(tables) > 1 for tables in groups.values() if not isinstance(tables, str))
        if several:
            return ["These runs differ in their seed alone: their spread is chance."], ""
        return ["There is nothing to test: only one model is left."], ""
    if len(groups) > ALL_PAIRS:
        return _compare_with_best(groups, escape)
    refused: list[str] = []
    tests: dict[tuple[str, str], Comparison] = {}
    sizes: dict[str, int] = {}
    for pair in combinations(groups, 2):
        first, second = map(escape, pair)
        try:
            sets = _match({name: groups[name] for name in pair})
        except ValueError as error:
            refused.append(f"{first} and {second}: not compared. {escape(str(error))}")
            continue
        tests[first, second] = compare_sets(*sets.values())
        sizes |= {name: len(found.right) for name, found in sets.items()}
    how = describe_tests(list(sizes.values()), len(tests)) if tests else ""
    return [*describe_comparisons(tests), *refused], how


def _compare_with_best(
    groups: Mapping[str, list[pd.DataFrame] | str], escape: Callable[[str], str]
) -> tuple[list[str], str]:
    best = max(groups, key=lambda name: _mean_accuracy(groups[name]))
    sets: dict[str, SeedSet] = {}
    refused = []
    for name in groups:
        try:
            sets[escape(name)] = _match({best: groups[best], name: groups[name]})[name]
        except ValueError as error:
            refused.append(f"{escape(name)}: not compared. {escape(str(error))}")
    if len(sets) < 2:
        return refused, ""
    tests = describe_tests([len(found.right) for found in sets.values()], math.comb(len(sets), 2))
    return [*compare_with_best(sets), *refused], f"The best is tested against each of the others. {tests}"


def _match(groups: Mapping[str, list[pd.DataFrame] | str]) -> dict[str, SeedSet]:
    found: dict[str, list[pd.DataFrame]] = {}
    for name, tables in groups.items():
        if isinstance(tables, str):
            raise ValueError(tables)
        found[name] = tables
    return match_sets(found)


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
