"""How a bake-off came out: its combinations by mean accuracy, and what the folds of a training say together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from core.errors import UserError
from core.runs.bakeoff import Board
from core.runs.run import Run
from core.verdicts.predictions import format_rate
from core.verdicts.seeds import SeedSet, match_sets, rank_sets

UNFINISHED = "Not finished, so left out"
UNREADABLE = "Left out, since no predictions can be read"
UNLIKE = "Left out, since its folds were not made of the same images"
INCOMPLETE = "Finished, but left out until the other folds have finished too"


@dataclass(frozen=True)
class Folds:
    """What the runs of all folds of one training said of the images that each left out: right ones and images, (K,) each."""

    runs: tuple[Run, ...]
    seed: int
    right: tuple[int, ...]
    counts: tuple[int, ...]

    def describe(self) -> str:
        """Return the pooled accuracy with its interval, and mean and standard deviation (divisor K - 1) of the folds' own."""
        alone = 100 * np.array(self.right) / np.array(self.counts)
        return (
            f"{format_rate(sum(self.right), sum(self.counts))}, each image judged by the one of {len(self.runs)} networks that "
            f"never saw it. The folds alone: {alone.mean():.1f} ± {alone.std(ddof=1):.1f} %, from {alone.min():.1f} to "
            f"{alone.max():.1f} %."
        )


def describe_held(tables: list[pd.DataFrame]) -> str:
    """Return what the networks of a row say of the images held back from all of them; their tables have the same images."""
    right, count = (
        sorted(int((table["true"] == table["predicted"]).sum()) for table in tables),
        len(tables[0]),
    )
    if len(tables) > 1 and right[0] == right[-1]:
        return f"Images held back: each of {len(tables)} networks has {format_rate(right[0], count)}."
    if len(tables) == 1:
        return f"Images held back: {format_rate(right[0], count)}."
    return (
        f"Images held back: of {len(tables)} networks the lowest has {format_rate(right[0], count)}, the highest "
        f"{format_rate(right[-1], count)}; their mean is {100 * sum(right) / count / len(right):.1f} %."
    )


@dataclass(frozen=True)
class Ranking:
    """Sets of a bake-off by label, the best first, and the runs that were left out, by why in words.

    Of a row with folds a model of its set is all the folds of a seed, on all training images; `folds` has them by label.
    `problem` says why nothing is ranked, such as that the runs were validated on different images.
    """

    sets: dict[str, SeedSet]
    left_out: dict[str, list[str]]
    problem: str = ""
    folds: dict[str, list[Folds]] = field(default_factory=dict)


def rank_board(board: Board, read: Callable[[Run], pd.DataFrame]) -> Ranking:
    """Rank a bake-off by its runs that have finished; `read` gives a run's predictions table on validation.

    A run that was stopped or failed had not as many epochs as the others, so it is left out, and so are folds of which
    one is missing.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    folds: dict[str, list[Folds]] = {}
    left_out: dict[str, list[str]] = {}
    for label, row in board.rows.items():
        read_row: dict[int, list[tuple[Run, pd.DataFrame]]] = {}
        for place, member in sorted(row.items()):
            if member.status.state != "finished":
                left_out.setdefault(UNFINISHED, []).append(member.run.id)
                continue
            try:
                table = read(member.run)
            except (UserError, OSError):
                left_out.setdefault(UNREADABLE, []).append(member.run.id)
                continue
            read_row.setdefault(place.seed, []).append((member.run, table))
        count = board.count_folds(label)
        for seed, found in read_row.items():
            runs, parts = zip(*found, strict=True)
            if len(parts) < count:
                left_out.setdefault(INCOMPLETE, []).extend(run.id for run in runs)
                continue
            table = pd.concat(parts, ignore_index=True) if count else parts[0]
            if count and table["path"].duplicated().any():
                left_out.setdefault(UNLIKE, []).extend(run.id for run in runs)
                continue
            tables.setdefault(label, []).append(table)
            if count:
                right = tuple(int((part["true"] == part["predicted"]).sum()) for part in parts)
                folds.setdefault(label, []).append(Folds(runs, seed, right, tuple(map(len, parts))))
    if not tables:
        why = "All folds of a training have to finish first." if _has_folds(board) else "No run has finished."
        return Ranking({}, left_out, f"{why} There is nothing to rank yet.")
    try:
        sets = match_sets(tables)
    except UserError as error:
        return Ranking({}, left_out, str(error))
    return Ranking({label: sets[label] for label in rank_sets(sets)}, left_out, folds=folds)


def _has_folds(board: Board) -> bool:
    return any(map(board.count_folds, board.rows))
