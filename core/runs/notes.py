"""What its user says of a run: a note, tags, whether it is put away, and what it is called."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.errors import RunError, UserError
from core.files import changing, insist, write_text
from core.people.acting import ADMINISTER, TRAIN, needs
from core.reading import read_object
from core.recipe.config import TrainConfig
from core.runs.claim import hold, told_when_gone
from core.runs.jobs import live_status
from core.runs.run import Run, iter_runs
from core.stored.status import ACTIVE

NOTES = "notes.json"
LONGEST = 2000  # characters of a note
_LONGEST_TAG = 40
_MOST = 100_000  # bytes of the file
_FROM = "run:"  # how weights of a run are named


@dataclass(frozen=True)
class Note:
    """A run's note and tags; one that is archived is left out of lists, and nothing of it is deleted."""

    text: str = ""
    tags: tuple[str, ...] = ()
    archived: bool = False

    def matches(self, words: str) -> bool:
        """Tell whether the note or a tag has some words, in small or capital letters."""
        return any(words.casefold() in one.casefold() for one in (self.text, *self.tags))


def read_note(run: Run) -> Note:
    """Read what is said of a run; an empty note where there is none, or one that cannot be read."""
    try:
        values = read_object(run.folder / NOTES, most=_MOST)
        return Note(
            str(values["text"]), tuple(str(tag) for tag in values["tags"]), bool(values.get("archived"))
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return Note()


@needs(TRAIN, "note", lambda run, **_: run.id)
def write_note(
    run: Run, *, text: str | None = None, tags: tuple[str, ...] | None = None, archived: bool | None = None
) -> None:
    """Write what is said of a run, whole or not at all; of what is not given, what was said before stays.

    Raises:
        RunError: when the note is too long.
        Gone: when the run is not there any more.
    """
    if text is not None and len(text) > LONGEST:
        raise RunError(f"The note has {len(text):,} characters; the limit is {LONGEST:,}.")
    said = {"text": text, "tags": tags, "archived": archived}
    with told_when_gone(run), changing(run.folder / NOTES):
        kept = asdict(read_note(run)) | {name: value for name, value in said.items() if value is not None}
        write_text(run.folder / NOTES, json.dumps(kept, ensure_ascii=False, indent=2) + "\n")


def parse_tags(text: str) -> tuple[str, ...]:
    """Return the tags of a text, which commas separate; each once."""
    found = (" ".join(part.split())[:_LONGEST_TAG] for part in text.split(","))
    return tuple(dict.fromkeys(tag for tag in found if tag))


@needs(
    ADMINISTER,
    "archive or take out",
    lambda runs, *_, **__: ", ".join(run.id for run in runs),
)
def archive(runs: Sequence[Run], archived: bool = True) -> None:
    """Put runs away, or take them out again; raises RunError of one that is active, or gone."""
    for run in runs:
        with told_when_gone(run):
            _refuse_active(run)
    for run in runs:
        with told_when_gone(run), hold(run):  # nobody resumes it meanwhile
            _refuse_active(run, held=True)
            write_note(run, archived=archived)


def iter_listed(root: Path, keep: Collection[str] = ()) -> Iterator[Run]:
    """Yield the runs that choices offer, newest first: all but the archived ones, and of these those named to be kept."""
    yield from (run for run in iter_runs(root) if run.id in keep or not read_note(run).archived)


@needs(TRAIN, "rename", lambda run, name: f"{run.id} to {name}")
def rename(run: Run, name: str) -> Run:
    """Give a run another name and return it.

    Raises:
        ConfigError: when no run can be called so.
        RunError: when it is active or gone, is of a bake-off, another run starts from it or has that name.
    """
    with told_when_gone(run):
        config = run.read_config()
        renamed = replace(config, name=name)  # refuses what is no name
        if not name:
            raise RunError("A run needs a name.")
        if name == run.id:
            return run
        _refuse_active(run)
        if config.group:
            raise RunError(
                f"{run.id} cannot be renamed: it belongs to the bake-off {config.group}, which knows it by its name."
            )
        target = run.folder.parent / name
        with hold(run):  # nobody resumes it meanwhile
            _refuse_active(run, held=True)
            _refuse_children(run)
            _refuse_taken(target)
            run.write_config(renamed)
            if os.name != "nt":
                _move(run, target, config)
                return Run(target)
        _move(run, target, config)  # Windows moves no folder with an open file in it
        return Run(target)


def _move(run: Run, target: Path, config: TrainConfig) -> None:
    try:
        insist(lambda: run.folder.rename(target))
    except OSError:
        if run.folder.is_dir():
            run.write_config(config)
            _refuse_taken(target)  # another took the name just now
        raise


def _refuse_taken(target: Path) -> None:
    if target.exists():
        raise RunError(f"A run named {target.name} already exists. Choose another name.")


def _refuse_children(run: Run) -> None:
    children = [child.id for child in iter_runs(run.folder.parent) if find_parent(child) == run.id]
    if children:
        raise RunError(f"{run.id} cannot be renamed: {children[0]} starts from it, and knows it by its name.")


def find_parent(run: Run) -> str:
    """Return the id of the run whose best model a run starts from; empty where there is none."""
    try:
        return parent_of(run.read_config())
    except UserError:
        return ""


def parent_of(config: TrainConfig) -> str:
    """Return the id of the run whose best model a training with this config starts from; empty where there is none."""
    return config.weights.removeprefix(_FROM) if config.weights.startswith(_FROM) else ""


def _refuse_active(run: Run, *, held: bool = False) -> None:
    status = live_status(run, held=held)
    if status.state in ACTIVE:
        raise RunError(f"{run.id} is {status.state}. Wait until it has ended, or stop it first.")
