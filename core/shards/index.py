"""The index of a shard: what each of its images is called and where it lies, made once and kept beside the runs.

Three files: the names with their labels, for who lists them all, a table of places that is looked into without reading it whole,
so that a process which loads images needs no memory for the names of all, and which shard it is of, as that was then.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.file_names import IMAGE_ENDINGS, cut_name, make_folder_names, own_stem
from core.files import DRAFT, sweep_drafts, write_file, write_text
from core.places import runs_folder
from core.reading import read_object, take
from core.shards.headers import find_ending
from core.shards.rows import Row

FOLDER = ".shards"  # among the runs
PLACES = np.dtype([("name", "<u8"), ("place", "<i8"), ("size", "<i8")])
_VERSION = 2
_SOURCE, _PLACES, _NAMES = ".source", ".npy", ".json"  # the endings of the three files
_MOST_OF_SOURCE = 100_000  # bytes
_MOST = 2_000_000_000  # bytes of the names of a shard's images
_EVERY = 256  # images between two words on how far it is

Watch = Callable[[int], None]  # is told how many images were found so far; what it raises ends the search


@dataclass(frozen=True)
class Stamp:
    """A shard as it lies on the disk: its path with links followed, its size in bytes and the time of its last change (ns)."""

    path: str
    size: int
    changed_ns: int

    @property
    def place(self) -> Path:
        """Return where its index lies, without the endings of its files: another where the shard has changed."""
        text = f"{_VERSION}\0{self.path}\0{self.size}\0{self.changed_ns}"
        return runs_folder() / FOLDER / hashlib.sha256(os.fsencode(text)).hexdigest()[:24]


@dataclass(frozen=True)
class Contents:
    """The images of a shard in its order.

    `members` has for each the place of its label in `labels`, -1 without one, and its path inside the shard: `<class>/<name>`.
    `refused` has those whose bytes cannot be had, with the reason. `classes` are those that labels which are numbers were
    read by.
    """

    labels: tuple[str, ...]
    members: tuple[tuple[int, str], ...]
    refused: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]


def stamp_shard(path: Path) -> Stamp:
    """Return a shard as it lies now; raises OSError where it does not."""
    known = path.stat()
    return Stamp(os.path.realpath(path), known.st_size, max(known.st_mtime_ns, known.st_ctime_ns))


def folder_of(label: str) -> str:
    """Return how a class is called in paths: by its label, where a folder may have that name on every system."""
    return make_folder_names([label])[label]


def read_index(stamp: Stamp) -> Contents | None:
    """Return what is kept of a shard; None where nothing is, or not of the shard as it is now."""
    try:
        values = read_object(_add(stamp.place, _NAMES), most=_MOST)
        return take(Contents, values) if _add(stamp.place, _PLACES).is_file() else None
    except (OSError, ValueError):
        return None


def make_index(
    stamp: Stamp, rows: Iterable[Row], classes: Sequence[str], watch: Watch | None = None
) -> Contents:
    """Read where a shard's images lie, and keep it; raises as its rows do, and OSError where it cannot be kept."""
    stem = Path(stamp.path).stem
    labels: dict[str, int] = {}
    members: list[tuple[int, str]] = []
    refused: list[tuple[str, str]] = []
    places: list[tuple[int, int, int]] = []
    taken: set[str] = set()
    for row in rows:
        path = _name(row, stem, taken)
        if row.refusal:
            refused.append((path, row.refusal))
        else:
            label = -1 if row.label is None else labels.setdefault(row.label, len(labels))
            members.append((label, path))
            places.append((digest_name(path), row.place, row.size))
        if watch is not None and row.number % _EVERY == 0:
            watch(len(members))
    found = Contents(tuple(labels), tuple(members), tuple(refused), tuple(classes))
    table = np.array(places, PLACES)
    table.sort(order="name")
    stamp.place.parent.mkdir(parents=True, exist_ok=True)
    write_text(
        _add(stamp.place, _SOURCE), json.dumps(asdict(stamp)) + "\n"
    )  # first: without it the others are swept
    write_file(_add(stamp.place, _PLACES), lambda file: np.save(file, table))
    write_text(_add(stamp.place, _NAMES), json.dumps(asdict(found), separators=(",", ":")) + "\n")
    return found


def sweep_indexes() -> None:
    """Remove the indexes of shards that are gone or have changed since, and what another version has left."""
    folder = runs_folder() / FOLDER
    sweep_drafts(folder)
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            if path.suffix != DRAFT and not _is_of_now(path.with_suffix(_SOURCE)):
                with suppress(OSError):  # another process does the same, or has it open on Windows
                    path.unlink()


def _is_of_now(source: Path) -> bool:
    """Tell whether the shard that an index is of lies where it did, unchanged; also where its disk does not answer."""
    try:
        stamp = take(Stamp, read_object(source, most=_MOST_OF_SOURCE))
        return stamp_shard(Path(stamp.path)) == stamp and stamp.place == source.with_suffix("")
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True


def read_places(stamp: Stamp) -> npt.NDArray[Any]:
    """Return a shard's table of places, sorted by the digests of names, which is read from the disk where it is looked into.

    Raises:
        OSError, ValueError: where there is none, or it is damaged.
    """
    found = np.load(_add(stamp.place, _PLACES), mmap_mode="r", allow_pickle=False)
    if found.dtype != PLACES or found.ndim != 1:
        raise ValueError("it is no table of places")
    values: npt.NDArray[Any] = found
    return values


def digest_name(path: str) -> int:
    """Return the number that an image's path inside its shard is looked up by."""
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "little")


def _add(place: Path, ending: str) -> Path:
    return place.with_name(place.name + ending)


def _name(row: Row, stem: str, taken: set[str]) -> str:
    """Return the path of an image inside its shard: by its own name where it has one that is free, else by its row."""
    folder = f"{folder_of(row.label)}/" if row.label and row.label.strip() else ""
    last = row.name.lower()
    ending = next((end for end in IMAGE_ENDINGS if last.endswith(end)), "") or find_ending(row.data[:32])
    own, numbered = own_stem(row.name), f"{cut_name(stem, 80)}-{row.number}"
    path = f"{folder}{own or numbered}{ending}"
    number = 1
    while path.casefold() in taken:
        path = f"{folder}{own or numbered}-{row.number}{f'-{number}' if number > 1 else ''}{ending}"
        number += 1
    taken.add(path.casefold())
    return path
