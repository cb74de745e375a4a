"""What the model that a run starts from has seen, with all it came from; also where older versions kept no record of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.dataset.contents import read_contents
from core.dataset.folders import Sample
from core.errors import RunError, UserError
from core.places import real_path
from core.runs.run import Run, find_run
from core.runs.run_data import recorded_folders
from core.runs.seen import KNOWN_WEIGHTS, NOTHING, Digests, Seen, name_weights, read_seen, see_data
from core.training.checkpoint import load_checkpoint

_REMEDY = "Train a run from published weights on them, such as the preset quick, and judge that one."


@dataclass(frozen=True)
class Beginning:
    """Initial weights, as a config names them, of a run or of one that it came from, which have not seen certain images.

    `whole` tells that a whole network was trained on since. `unknown` names those of which it is not known what they had
    seen.
    """

    weights: str
    whole: bool
    unknown: tuple[str, ...]


def find_beginning(run: Run, images: Digests, root: Path) -> Beginning:
    """Return the latest weights a run came from that have seen none of the images with these digests, nor were chosen by them.

    Raises:
        RunError: when there are none, or a run that it came from is gone.
    """
    whole, passed = False, [run]
    while True:
        own = passed[-1].read_config()
        whole |= not own.head_only
        if own.weights == "none":
            raise RunError(_describe_scratch(run, passed[-1]))
        seen = see_weights(own.weights, root)
        met = np.intersect1d(np.union1d(seen.trained, seen.chosen), images).size
        is_run = own.weights.startswith("run:")
        # What is not known of a run may be known of what that one began with.
        if not met and not (seen.unknown and is_run):
            return Beginning(own.weights, whole, seen.unknown)
        if not is_run:
            raise RunError(
                f"{run.id} began with {name_weights(own.weights)}, which has seen {met:,} of its training images, so "
                f"it cannot judge them. {_REMEDY}"
            )
        parent = find_run(own.weights.removeprefix("run:"), root)
        if parent.id in {one.id for one in passed}:
            raise RunError(
                f"{run.id} is recorded as its own ancestor, so it is not known what it began with."
            )
        passed.append(parent)


def see_weights(weights: str, root: Path) -> Seen:
    """Return what the model that a config's `weights` name has seen; `root` is the folder of all runs.

    Raises:
        RunError: when they are of a run that there is not.
    """
    if weights in KNOWN_WEIGHTS:
        return NOTHING
    kind, _, name = weights.partition(":")
    return see_run(find_run(name, root), root) if kind == "run" else _see_file(Path(weights), root)


def see_run(run: Run, root: Path) -> Seen:
    """Return what a run's best model has seen; of a run of an older version as far as it can still be told."""
    kept = read_seen(run)
    return kept if kept is not None else _see_before(run, root) | _see_own(run, root)


def _describe_scratch(run: Run, first: Run) -> str:
    came = run.id if run.id == first.id else f"{run.id} came from {first.id}, which"
    return f"{came} was trained from scratch, so there is no network that has not seen its training images. {_REMEDY}"


def _see_file(path: Path, root: Path) -> Seen:
    path = real_path(path)
    try:
        kept = load_checkpoint(path).get("seen")
        if kept:
            return Seen.from_values(kept)
    except (RunError, OSError, KeyError, TypeError, ValueError, AttributeError):
        pass  # of another program: whether it fits is told where it is loaded
    owner = Run(path.parent)
    if path == owner.best_path and (owner.folder / "data.json").exists():
        return see_run(owner, root)
    return Seen(unknown=(name_weights(str(path)),))


def _see_before(run: Run, root: Path) -> Seen:
    """Return what a run of an older version began with had seen."""
    try:
        weights = run.read_config().weights
    except RunError:
        return Seen(unknown=(f"what the run {run.id} began with",))
    try:
        kind, _, name = weights.partition(":")
        # A run that was made after the one which began with it is another one of the same name.
        if kind == "run" and find_run(name, root).read_status().created >= run.read_status().created:
            return Seen(unknown=(name_weights(weights),))
        return see_weights(weights, root)
    except RunError:  # there is no such run any more
        return Seen(unknown=(name_weights(weights),))


def _see_own(run: Run, root: Path) -> Seen:
    """Return what a run of an older version trained on and was chosen by, of the files that kept their size."""
    lost = Seen(unknown=(f"the run {run.id}",))
    try:
        folders, sizes = recorded_folders(run), run.read_json("data.json")["sizes"]

        def keep(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
            files = ((sample, folders.root / sample.path) for sample in samples)
            return tuple(s for s, file in files if file.is_file() and file.stat().st_size == sizes[s.path])

        kept = replace(folders, train=keep(folders.train), val=keep(folders.val), held=())
        contents = read_contents(kept.root, kept.files, root)
    except (UserError, KeyError):
        return lost
    assert contents is not None
    whole = len(kept.files) == len(folders.train) + len(folders.val)
    return see_data(kept, contents) | (NOTHING if whole else lost)
