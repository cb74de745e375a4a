"""What is known of all runs, kept beside them in one file: a new process reads that instead of three files a run.

Nothing in it is believed unless the run's own files are as they were: each entry has their times, sizes and numbers. It
is written whole, so of two dashboards the last one wins, and either is right. Where it cannot be written, it is not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from core.files import write_text
from core.overview.facts import FACTS, RECIPES, Recipe, RunFacts, is_settled
from core.reading import read_object, rest_collector
from core.runs.notes import Note
from core.runs.run import Run
from core.stored.damage import SOUND
from core.stored.status import STATUSES, Stamp, Status, list_defaults

NAME = ".runs.json"
FEW = 200  # runs that are read in a moment: for as many new ones no file is written
_MOST = 500_000_000  # bytes: a million runs
_VERSION = 2
_RECIPE = len(fields(Recipe))

Known = tuple[object, ...]
_indexed: dict[
    Path, dict[str, Known]
] = {}  # for each folder of runs, by which stamps its index knows each run


def recall(root: Path) -> None:
    """Take from the index of a folder of runs what is known of them, once in a process."""
    if root in _indexed:
        return
    indexed = _indexed[root] = {}
    # There is none yet, or it is none of ours: the runs themselves are read then.
    with suppress(OSError, ValueError), rest_collector():
        values = read_object(root / NAME, most=_MOST)
        if values.get("version") != _VERSION or not isinstance(values.get("runs"), dict):
            return
        for name, entry in values["runs"].items():
            if _take(folder := f"{root}{os.sep}{name}", entry):
                indexed[folder] = _list_stamps(folder)


def keep(root: Path, runs: list[Run]) -> None:
    """Write what is known of these runs, all of a folder, into its index, where that knows of many otherwise."""
    indexed, now = _indexed.get(root, {}), {(own := str(run.folder)): _list_stamps(own) for run in runs}
    if sum(indexed.get(folder) != stamps for folder, stamps in now.items()) < FEW:
        return
    entries = {run.id: entry for run in runs if (entry := dict(_describe(str(run.folder))))}
    with suppress(OSError):  # a folder that may only be read, or a full disk
        write_text(root / NAME, json.dumps({"version": _VERSION, "runs": entries}, separators=(",", ":")))
        _indexed[root] = now


def _list_stamps(folder: str) -> Known:
    status, recipe, facts = (known.get(folder) for known in (STATUSES, RECIPES, FACTS))
    return status and status[0], recipe and recipe[0], facts and facts[0], SOUND.get(folder)


def _describe(folder: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield what is known of a run, each with the stamp of what it was read from; nothing that may still change unseen."""
    if (status := STATUSES.get(folder)) is not None:
        defaults = list_defaults()
        told = {name: value for name, value in vars(status[1]).items() if value != defaults[name]}
        yield "status", [*status[0], told]
    if (recipe := RECIPES.get(folder)) is not None:
        yield "recipe", [*recipe[0], *vars(recipe[1]).values()]
    if (sound := SOUND.get(folder)) is not None and all(map(_has_settled, sound)):
        yield "sound", list(sound)
    if (facts := FACTS.get(folder)) is None or recipe is None:
        return
    (changed, config), known = facts
    if config == recipe[0] and is_settled(changed):
        note = known.note
        yield (
            "facts",
            [changed, known.origin, known.disk, known.owner, note.text, list(note.tags), note.archived],
        )


def _take(folder: str, entry: object) -> bool:
    """Take over an entry that is what it must be; tell whether it is."""
    try:
        _take_parts(folder, entry)  # type: ignore[arg-type]  # told by what is raised
    except (TypeError, ValueError, KeyError, AttributeError):
        return False
    return True


def _take_parts(folder: str, entry: Mapping[str, Any]) -> None:
    *stamp, told = entry["status"]
    status = Status(**told)
    if problem := status.find_problem():
        raise ValueError(problem)
    STATUSES.setdefault(folder, (_stamp(stamp), status))
    stamp, texts = entry["recipe"][:3], entry["recipe"][3:]
    if len(texts) != _RECIPE or not all(type(text) is str for text in texts):
        raise ValueError("a recipe is texts")
    recipe = Recipe(*texts)
    RECIPES.setdefault(folder, (_stamp(stamp), recipe))
    if (sound := entry.get("sound")) is not None:
        SOUND.setdefault(folder, tuple(None if one is None else _stamp(one) for one in sound))
    if (facts := entry.get("facts")) is not None:
        changed, origin, disk, owner, text, tags, archived = facts
        kinds = (int, str, int, str, str, bool, *(str for _ in tags))
        if [type(one) for one in (changed, origin, disk, owner, text, archived, *tags)] != list(kinds):
            raise ValueError("facts are texts and numbers")
        found = RunFacts(recipe, origin, Note(text, tuple(tags), archived), disk, owner)
        FACTS.setdefault(folder, ((changed, _stamp(stamp)), found))


def _has_settled(stamp: Stamp | None) -> bool:
    return stamp is None or is_settled(stamp.changed)


def _stamp(numbers: list[Any]) -> Stamp:
    stamp = Stamp(*numbers)
    if not all(type(number) is int for number in stamp):
        raise ValueError("a stamp is whole numbers")
    return stamp
