"""What a list of runs shows of each beside its status, kept in memory and read again only when its folder changes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from core.errors import UserError
from core.people.disk import measure_folder
from core.people.owner import read_owner
from core.runs.imported import describe_origin
from core.runs.notes import Note, parent_of, read_note
from core.runs.run import Run
from core.stored.damage import find_file_damage
from core.stored.status import SETTLED, Stamp, Status, stamp_file

_NOTHING = Stamp(0, 0, 0)


@dataclass(frozen=True)
class Recipe:
    """What a list shows of a run's config, or the `damage` that keeps it from being read.

    `data` is its folder of images, `fixes` its fix list, `parent` the id of the run whose model it starts from, empty where
    there is none.
    """

    damage: str = ""
    data: str = ""
    arch: str = ""
    preset: str = ""
    fixes: str = ""
    parent: str = ""


@dataclass(frozen=True)
class RunFacts:
    """A run's recipe, where an imported one is from, its note, its `disk` in bytes, and the user whose it is, if any."""

    recipe: Recipe
    origin: str
    note: Note
    disk: int
    owner: str


# As they were read: of thousands of runs next to none changes. The index beside the runs fills them in a new process.
# They are known by the paths of the folders as text, which is found faster than as `Path`.
RECIPES: dict[str, tuple[Stamp, Recipe]] = {}
FACTS: dict[str, tuple[tuple[int, Stamp], RunFacts]] = {}


def read_recipe(run: Run) -> Recipe:
    """Return what a list shows of a run's config."""
    return _read_known_recipe(run, _stamp_config(run))


def _read_known_recipe(run: Run, stamp: Stamp) -> Recipe:
    known = RECIPES.get(str(run.folder))
    if known is not None and known[0] == stamp:
        return known[1]
    recipe = _read_recipe(run)
    if is_settled(stamp.changed):
        RECIPES[str(run.folder)] = stamp, recipe
    return recipe


def read_facts(run: Run) -> RunFacts:
    """Return the facts of a run. Files are replaced whole, so its folder's time of change tells that one is new.

    What a task writes into a folder inside of it (a report, an export) is counted with the run's next change.
    """
    stamp, known = stamp_run(run), FACTS.get(str(run.folder))
    if known is not None and known[0] == stamp:
        return known[1]
    facts = RunFacts(
        _read_known_recipe(run, stamp[1]),
        describe_origin(run),
        read_note(run),
        measure_folder(run.folder),
        read_owner(run.folder),
    )
    FACTS[str(run.folder)] = stamp, facts
    return facts


def find_damage(run: Run, status: Status, recipe: Recipe) -> str:
    """Say which files of a run are damaged, and why; empty where none is, as far as a list looks.

    `status` and `recipe` are as they were read: the status of a damaged file is a failed one.
    """
    listed = run.find_damage() if status.state == "failed" or recipe.damage else ""
    return "; ".join(filter(None, (listed, find_file_damage(run.folder))))


def stamp_run(run: Run) -> tuple[int, Stamp]:
    """Return when a run's folder changed last, in nanoseconds, and its config's stamp: an editor may write that in place."""
    try:
        changed = os.stat(run.folder).st_mtime_ns  # noqa: PTH116  thousands at a time
    except OSError:
        changed = 0
    return changed, _stamp_config(run)


def is_settled(changed: int) -> bool:
    """Tell whether a file that was changed then, in nanoseconds, would show a later change by its time."""
    return time.time_ns() - changed > SETTLED


def _stamp_config(run: Run) -> Stamp:
    try:
        return stamp_file(os.path.join(run.folder, "config.json"))  # noqa: PTH118
    except OSError:
        return _NOTHING


def _read_recipe(run: Run) -> Recipe:
    try:
        config = run.read_config()
    except UserError as error:
        return Recipe(damage=str(error))
    return Recipe("", config.data, config.arch, config.preset, config.fixes, parent_of(config))
