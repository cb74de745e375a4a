"""The home of a cache: what a list of runs shows of each beside its status, read again only when its folder changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.people.disk import measure_folder
from core.people.owner import read_owner
from core.recipe.config import TrainConfig
from core.runs.imported import describe_origin
from core.runs.notes import Note, parent_of, read_note
from core.runs.run import Run


@dataclass(frozen=True)
class RunFacts:
    """A run's config, or None and the `damage` that keeps it from being read; where an imported one is from; its note.

    `parent` is the id of the run whose model it starts from, and `owner` the user whose it is, empty where there is none;
    `disk` is in bytes.
    """

    config: TrainConfig | None
    damage: str
    origin: str
    note: Note
    parent: str
    disk: int
    owner: str


def read_facts(run: Run) -> RunFacts:
    """Return the facts of a run. Files are replaced whole, so its folder's time of change tells that one is new.

    What a task writes into a folder inside of it (a report, an export) is counted with the run's next change.
    """
    kept, stamp = _kept(), _stamp(run.folder)
    known = kept.get(run.folder)
    if known is None or known[0] != stamp:
        known = kept[run.folder] = (stamp, _read(run))
    return known[1]


def _read(run: Run) -> RunFacts:
    origin, note, disk = describe_origin(run), read_note(run), measure_folder(run.folder)
    owner = read_owner(run.folder)
    try:
        config = run.read_config()
    except UserError as error:
        return RunFacts(None, str(error), origin, note, "", disk, owner)
    return RunFacts(config, "", origin, note, parent_of(config), disk, owner)


def _stamp(folder: Path) -> tuple[int, ...]:
    """Return when a folder and its config changed last, in nanoseconds: an editor may write a config in place."""
    stamp = []
    for path in (folder, folder / "config.json"):
        try:
            stamp.append(path.stat().st_mtime_ns)
        except OSError:
            stamp.append(0)
    return tuple(stamp)


@st.cache_resource(show_spinner=False)
def _kept() -> dict[Path, tuple[tuple[int, ...], RunFacts]]:
    return {}
