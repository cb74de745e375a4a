"""How far the unpacking of shards has come, kept in the folder that is filled, so that it goes on after a stop or a kill."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from core.dataset.images import BadImage
from core.files import write_text
from core.reading import read_object, take

STATE = ".unpacking.json"
_MOST = 50_000_000  # bytes


@dataclass(frozen=True)
class State:
    """What has been done with which shards (their paths, sizes and times): all rows before `row` of the shard `shard`.

    `pending` are the places, by row, of those that come next: they may be there already, whole or in part. `labels` are all classes
    seen so far, in the order that names their folders. `damaged` tells that this shard could not be read on, so that a whole
    one may take its place.
    """

    shards: tuple[tuple[str, int, int], ...]
    image: str
    label: str
    shard: int = 0
    row: int = 0
    pending: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    images: int = 0
    bytes: int = 0
    refused: tuple[BadImage, ...] = ()
    refused_count: int = 0
    damaged: bool = False

    def fits(self, other: State) -> bool:
        """Tell whether it is of the same shards as another, but for one that was damaged, and of the same columns."""
        same = [
            one == two or (self.damaged and number == self.shard and one[0] == two[0])
            for number, (one, two) in enumerate(zip(self.shards, other.shards, strict=False))
        ]
        return (
            len(self.shards) == len(other.shards)
            and all(same)
            and (self.image, self.label) == (other.image, other.label)
        )


def write_state(path: Path, state: State) -> None:
    """Write how far it has come, whole or not at all."""
    write_text(path, json.dumps(asdict(state)) + "\n")


def read_state(path: Path) -> State | None:
    """Return how far it has come; None where nothing that can be read says so."""
    try:
        return take(State, read_object(path, most=_MOST))
    except (OSError, ValueError):
        return None
