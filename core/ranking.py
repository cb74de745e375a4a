"""How a bake-off came out: its combinations by mean accuracy, and the best against each of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from core.bakeoff import Board
from core.runs import Run, RunError
from core.seeds import SeedSet, compare_with_best, match_sets, rank_sets


@dataclass(frozen=True)
class Ranking:
    """Sets of a bake-off by label, the best first; verdicts in words; what was left out and why the rest is not told.

    `problem` says why nothing is compared, such as that the runs were validated on different images.
    """

    sets: dict[str, SeedSet]
    verdicts: list[str]
    left_out: list[str]
    problem: str = ""


def rank_board(board: Board, read: Callable[[Run], pd.DataFrame]) -> Ranking:
    """Rank a bake-off by its runs that have finished; `read` gives a run's predictions table on validation.

    A run that was stopped or failed had not as many epochs as the others, so it is left out.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    left_out = []
    for label, row in board.rows.items():
        for member in row.values():
            if member.status.state != "finished":
                left_out.append(member.run.id)
                continue
            try:
                tables.setdefault(label, []).append(read(member.run))
            except (RunError, OSError, ValueError):
                left_out.append(member.run.id)
    if not tables:
        return Ranking({}, [], left_out, "No run has finished, so there is nothing to rank.")
    try:
        sets = match_sets(tables)
    except ValueError as error:
        return Ranking({}, [], left_out, str(error))
    return Ranking({label: sets[label] for label in rank_sets(sets)}, compare_with_best(sets), left_out)


def describe_tests(ranking: Ranking) -> str:
    """Say which tests the verdicts are of."""
    sizes = {len(found.right) for found in ranking.sets.values()}
    corrected = (
        f" p is corrected for {len(ranking.verdicts)} comparisons by Holm's method."
        if len(ranking.verdicts) > 1
        else ""
    )
    if sizes == {1}:
        return (
            "Tested by McNemar's exact test on the images that one model gets right and the other wrong, with a "
            f"bootstrap interval over the images.{corrected} It speaks of these very models: with other seeds they may "
            "come out otherwise."
        )
    return (
        "Tested by the exact permutation test of the mean accuracies over the seeds (is it luck of the training?), with a "
        "bootstrap interval of the difference of the means over the images (is it luck of these images?). One is called "
        f"better only where both say so.{corrected}"
    )
