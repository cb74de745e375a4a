"""Several runs beside each other, each tested against the others on the same images; focus and others told apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import combinations

import pandas as pd

from core.errors import RunError, UserError
from core.recipe.class_names import normalise
from core.recipe.config import TrainConfig
from core.recipe.settings import group_by_settings, label_settings
from core.verdicts.differences import match_images
from core.verdicts.paired import PairedTest, compare_paired
from core.verdicts.seeds import (
    Pair,
    SeedSet,
    describe_pairs,
    describe_tests,
    make_set,
    match_sets,
    pairs_with_best,
)

ALL_PAIRS = 6  # of more groups of the same images the best is tested against each, not each against each


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
        left = ", so it is left out" if by_seed else ": once trained to its end, it may come out differently"
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
    none. Those of the same images are tested against each other; of more than `ALL_PAIRS` such, only the best against
    each of the others. What cannot be compared comes last, with the reason; `escape` is put upon names and reasons. The
    better one stands between pairs of asterisks.
    """
    alike, problems = match_groups(groups)
    told: list[Pair] = []
    untold: list[Pair] = []
    for sets in alike:
        named = {escape(name): found for name, found in sets.items()}
        if len(named) > ALL_PAIRS:
            with_best, others = pairs_with_best(named)
            told += with_best
            untold += others
        else:
            told += combinations(named.items(), 2)
    refused = list(map(escape, problems))
    if not told:
        if refused:
            return refused, ""
        several = any(len(found.right) > 1 for sets in alike for found in sets.values())
        chance = "These runs differ in their seed alone: their spread is chance."
        return [chance if several else "There is nothing to test: only one model is left."], ""
    sizes = [len(found.right) for sets in alike if len(sets) > 1 for found in sets.values()]
    how = describe_tests(sizes, len(told) + len(untold))
    if untold:
        how = f"The best is tested against each of the others. {how}"
    return [*describe_pairs(told, untold), *refused], how


def match_groups(
    groups: Mapping[str, list[pd.DataFrame] | str],
) -> tuple[list[dict[str, SeedSet]], list[str]]:
    """Return groups (see `compare_groups`) as sets, those of the same images together, and what is not compared and why.

    Most groups come first.
    """
    alike: list[dict[str, list[pd.DataFrame]]] = []
    problems: list[str] = []
    for name, tables in groups.items():
        try:
            if isinstance(tables, str):
                raise RunError(tables)
            make_set(tables)
        except UserError as error:
            problems.append(f"{name}: not compared. {error}")
            continue
        home = next((known for known in alike if not _find_difference(known, tables)), None)
        if home is None:
            alike.append({name: tables})
        else:
            home[name] = tables
    alike.sort(key=len, reverse=True)
    problems += [
        f"{', '.join(other)}: not compared with {', '.join(one)}. {_find_difference(one, next(iter(other.values())))}"
        for one, other in combinations(alike, 2)
    ]
    return [match_sets(known) for known in alike], problems


def _find_difference(known: Mapping[str, list[pd.DataFrame]], tables: list[pd.DataFrame]) -> str:
    """Say how the images of tables differ from those known; empty where they do not."""
    try:
        match_images(next(iter(known.values()))[0], tables[0])
    except UserError as error:
        return str(error)
    return ""


def compare_focus(
    config: TrainConfig, before: pd.DataFrame, after: pd.DataFrame
) -> tuple[PairedTest, PairedTest] | None:
    """Test what a specialised run won on its chosen classes and what all others paid; None where it chose none.

    Raises:
        RunError: as `compare_paired` does.
    """
    chosen = {normalise(name) for name in config.focus}
    if not chosen:
        return None
    tables = [(table, table["true"].map(normalise).isin(chosen)) for table in (before, after)]
    own, others = (
        compare_paired(*(table[is_chosen == inside] for table, is_chosen in tables))
        for inside in (True, False)
    )
    return own, others
