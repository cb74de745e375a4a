"""How a bake-off came out: its combinations by mean accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from core.errors import UserError
from core.runs.bakeoff import Board
from core.runs.run import Run
from core.verdicts.seeds import SeedSet, match_sets, rank_sets


@dataclass(frozen=True)
class Ranking:
    """Sets of a bake-off by label, the best first, and the runs that were left out.

    `problem` says why nothing is ranked, such as that the runs were validated on different images.
    """

    sets: dict[str, SeedSet]
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
            except (UserError, OSError):
                left_out.append(member.run.id)
    if not tables:
        return Ranking({}, left_out, "No run has finished, so there is nothing to rank.")
    try:
        sets = match_sets(tables)
    except UserError as error:
        return Ranking({}, left_out, str(error))
    return Ranking({label: sets[label] for label in rank_sets(sets)}, left_out)
