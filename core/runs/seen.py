"""What a model has seen, by the contents of the images: who is to judge it must not be among them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.dataset.contents import Content
from core.dataset.folders import ImageFolders
from core.errors import DataError, RunError
from core.files import write_text
from core.recipe.config import TrainConfig
from core.runs.run import Run, find_run

SEEN_FILE = "seen.json"
KNOWN_WEIGHTS = ("imagenet", "none")  # initial weights that have seen no image of a run's data
Digests = npt.NDArray[np.uint64]


def _no_digests() -> Digests:
    return np.empty(0, np.uint64)


@dataclass(frozen=True, eq=False)
class Seen:
    """The images a model and all it came from were `trained` on and `chosen` by, as digests (N,), sorted, 8 bytes each.

    `unknown` names those it came from of which that is not known: 'the file resnet.pt'.
    """

    trained: Digests = field(default_factory=_no_digests)
    chosen: Digests = field(default_factory=_no_digests)
    unknown: tuple[str, ...] = ()

    def __or__(self, other: Seen) -> Seen:
        """Return what both have seen together."""
        return Seen(
            np.union1d(self.trained, other.trained),
            np.union1d(self.chosen, other.chosen),
            tuple(dict.fromkeys((*self.unknown, *other.unknown))),
        )

    def to_values(self) -> dict[str, Any]:
        """Return what JSON and a checkpoint can hold; `from_values` reads it back."""
        return {"trained": _pack(self.trained), "chosen": _pack(self.chosen), "unknown": list(self.unknown)}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Seen:
        """Make it of what `to_values` returned."""
        unknown = values["unknown"]
        if not (isinstance(unknown, list) and all(isinstance(name, str) for name in unknown)):
            raise ValueError("unknown must be a list of texts")
        return cls(_unpack(values["trained"]), _unpack(values["chosen"]), tuple(unknown))


NOTHING = Seen()


def see_data(folders: ImageFolders, contents: Mapping[str, Content]) -> Seen:
    """Return what a run on this data set sees: `contents` are by path."""
    trained, chosen = (
        _digests(contents[sample.path].digest for sample in split) for split in (folders.train, folders.val)
    )
    return Seen(trained, chosen)


def write_seen(run: Run, seen: Seen) -> None:
    """Keep in a run's folder what its model has seen."""
    write_text(run.folder / SEEN_FILE, json.dumps(seen.to_values()) + "\n")


def read_seen(run: Run) -> Seen | None:
    """Return what a run's model has seen; None for a run of an older version, which kept no record of it.

    Raises:
        RunError: when the record is damaged.
    """
    values = run.read_json(SEEN_FILE)
    try:
        return Seen.from_values(values) if values else None
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run.id}: {SEEN_FILE} is damaged: {error}") from None


def name_unknown(run: Run) -> str:
    """Name what a run's model came from of which nobody knows what it had seen; empty where all is known."""
    try:
        seen, weights = read_seen(run), run.read_config().weights
    except RunError:
        return "a model whose record is lost"
    if seen is not None:
        return " and ".join(seen.unknown)
    return "" if weights in KNOWN_WEIGHTS else name_weights(weights)


def name_unknowns(runs: Iterable[Run]) -> dict[str, str]:
    """Return by its id what `name_unknown` names for each run of which not all is known."""
    return {run.id: name for run in runs if (name := name_unknown(run))}


def name_weights(weights: str) -> str:
    """Return in words what a config's initial weights are: 'the run first', 'the file resnet.pt'."""
    kind, _, name = weights.partition(":")
    return f"the run {name}" if kind == "run" else f"the file {weights.rpartition('/')[2]}"


def refuse_seen(
    folders: ImageFolders, contents: Mapping[str, Content], config: TrainConfig, initial: Seen, root: Path
) -> None:
    """Refuse an initial model that has seen what is to judge it: trained on it or, where held back, chosen by it.

    Which images those are says `list_seen`. `root` is the folder of all runs.

    Raises:
        DataError: naming the initial model and how many of the images it has seen.
    """
    for name, split, samples, what in (
        ("hold_back", "held", folders.held, "images to hold back"),
        ("val_fraction", "val", folders.val, "validation images"),
    ):
        if found := list_seen(initial, folders, contents, split):
            raise DataError(
                f"{name}: {name_weights(config.weights)}, which this one starts from, was trained on or chosen by "
                f"{len(found)} of the {len(samples)} {what}, itself or through a model it came from (first {found[0]}), "
                f"so they would prove nothing. {_find_remedy(name, config, root)}"
            )


def list_seen(seen: Seen, folders: ImageFolders, contents: Mapping[str, Content], split: str) -> list[str]:
    """Return the paths of the images of a split (val or held) that a model has seen, so that they cannot judge it.

    It has where it was trained on them or, where they are held back, chosen by them. Images are known by their contents;
    one that also is among this data set's own training images proves nothing anyway, and is not counted.
    """
    own = see_data(folders, contents)
    if split == "held":
        samples, own_digests = folders.held, np.union1d(own.trained, own.chosen)
        theirs = np.union1d(seen.trained, seen.chosen)
    else:
        samples, own_digests, theirs = folders.val, own.trained, seen.trained
    digests = set(np.setdiff1d(theirs, own_digests).tolist())
    return [sample.path for sample in samples if _number(contents[sample.path].digest) in digests]


def count_trained(seen: Seen, contents: Iterable[Content]) -> int:
    """Return how many files, by what they contain, a model was trained on."""
    trained = set(seen.trained.tolist())
    return sum(_number(content.digest) in trained for content in contents)


def _find_remedy(name: str, config: TrainConfig, root: Path) -> str:
    kind, _, earlier = config.weights.partition(":")
    if config.fold:
        return "Start from published weights, or from the run of the same fold."
    if name == "hold_back":
        return "Start from a model that held back as many, or set hold_back to 0."
    if kind != "run":
        return "Start from other weights, or validate on images that it has not seen."
    known = find_run(earlier, root).read_config()
    share = f"fold {known.fold}" if known.fold else f"val_fraction {known.val_fraction:g}"
    return (
        f"Split the data as that run did: {share}, hold_back {known.hold_back} and group_by {known.group_by}."
    )


def _number(digest: str) -> int:
    return int(digest, 16)


def _digests(texts: Iterable[str]) -> Digests:
    return np.unique(np.array([*map(_number, texts)], np.uint64))


def _pack(digests: Digests) -> str:
    return base64.b64encode(digests.astype("<u8").tobytes()).decode("ascii")


def _unpack(text: str) -> Digests:
    return np.frombuffer(base64.b64decode(text, validate=True), "<u8").astype(np.uint64)
