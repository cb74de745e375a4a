"""The runs of a list, each with what is shown of it, and those that are looked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from core.cluster.follow import follow
from core.overview import index
from core.overview.facts import RunFacts, find_damage, read_facts
from core.queue.order import make_line
from core.queue.slots import read_slots
from core.queue.turn import describe_wait, revive_queue
from core.runs import jobs
from core.runs.run import Run, default_root, list_runs
from core.stored.status import Status
from dashboard.state.status_words import DAMAGED


@dataclass(frozen=True)
class Row:
    """A run with what is shown of it; `children` start from its model, `damage` says which of its files cannot be used."""

    run: Run
    status: Status
    facts: RunFacts
    children: tuple[str, ...] = ()
    damage: str = ""

    @property
    def state(self) -> str:
        """Return what a list shows as its state."""
        return DAMAGED if self.damage else self.status.state

    @property
    def data_name(self) -> str:
        """Return the name of its folder of images; empty where its config cannot be read."""
        return _name_folder(self.facts.recipe.data)

    @property
    def network(self) -> str:
        """Return the name of its network; empty where it has none or its config cannot be read."""
        return "" if self.facts.origin else self.facts.recipe.arch

    def matches(self, words: str) -> bool:
        """Tell whether all of some words, in small letters, stand in its name, note, tags, network, data, parent or owner."""
        own = (self.run.id, self.network, self.data_name, self.facts.recipe.parent, self.facts.owner)
        return all(
            any(word in text.casefold() for text in own) or self.facts.note.matches(word)
            for word in words.split()
        )


@lru_cache(maxsize=1_000)  # thousands of runs have few folders, and a list asks for them several times
def _name_folder(path: str) -> str:
    return Path(path).name


def read_rows() -> list[Row]:
    """Return all runs, newest first."""
    root = default_root()
    index.recall(root)
    found = list_runs(root)
    if any((revive_queue(found), follow(found))):
        found = list_runs(root)
    facts = {run: read_facts(run) for run, _ in found}
    damage = {run: find_damage(run, status, facts[run].recipe) for run, status in found}
    index.keep(root, list(facts))
    children = defaultdict(list)
    for run, known in facts.items():
        if known.recipe.parent:
            children[known.recipe.parent].append(run.id)
    return [
        Row(run, jobs.judge_status(run, status), facts[run], tuple(children[run.id]), damage[run])
        for run, status in found
    ]


def tell_waits(shown: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return rows to be shown, of all there are, with what those that wait wait for at this moment."""
    if not any(row.status.state == "queued" for row in shown):
        return list(shown)
    line = make_line([(row.run, row.status) for row in rows], read_slots(default_root()))
    waits = {row.run: describe_wait(row.run, line) for row in shown}
    return [
        replace(row, status=replace(row.status, message=waits[row.run])) if waits[row.run] else row
        for row in shown
    ]
