"""What was sent becomes a folder of images: each file checked before it lies there, and what is refused told with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.arrivals.archive import UNREADABLE, Item, describe_unreadable
from core.arrivals.headers import read_kind
from core.arrivals.names import find_common, find_place, free_folder
from core.arrivals.sources import ARCHIVE, open_sent
from core.dataset.images import BadImage
from core.errors import DataError
from core.file_names import IMAGE_ENDINGS, is_litter
from core.files import draft_folder, write_text
from core.people.limits import demand_room
from core.people.owner import write_owner
from core.runs.run import default_root, make_slug
from core.shards.rows import MOST_OF_ONE
from core.words import format_bytes, format_count

MOST_FILES = 300_000
MOST_BYTES = 50 * 10**9  # of all files together, unpacked
TABLE_ENDINGS = (".csv", ".tsv")
_NOTES = ("class_names.csv", "cat_to_name.json")  # what training reads beside images
_SPARE = 500 * 10**6  # bytes that the disk is to keep
_BLOCK = 1 << 20
ARRIVAL = "arrival.json"  # in the folder of the task that brought it in
_LISTED = 500  # refusals that are kept one by one

Progress = Callable[[int, int], bool]


@dataclass(frozen=True)
class Arrival:
    """A folder that images were brought into: how many and how large, its tables of labels, and what was refused and why."""

    folder: str
    images: int
    bytes: int
    tables: tuple[str, ...] = ()
    refused: tuple[BadImage, ...] = ()
    refused_count: int = 0

    def describe(self) -> str:
        """Say in a sentence or two what has become of all that was sent."""
        refused = ""
        if self.refused_count:
            refused = f" {format_count(self.refused_count, 'file', 'was' if self.refused_count == 1 else 'were')} refused."
        return f"{format_count(self.images, 'image')} ({format_bytes(self.bytes)}) are in {self.folder}.{refused}"


def bring_in(sent: Path, name: str, root: Path, progress: Progress, *, owner: str = "") -> Arrival | None:
    """Make a folder of what was sent, under a root and by this name or a numbered one; None when `progress` said to end.

    Images are taken by their ending and their header, and tables of labels and of class names. Everything else is refused.
    `progress(files done, files in all)` is called after each file. The folder is that of the user `owner`, where named.

    Raises:
        DataError: when it is more than may come, more than the disk holds, a damaged archive, or no image at all.
        LimitReached: when it is more than its owner may have on the disk.
    """
    root.mkdir(parents=True, exist_ok=True)
    target = free_folder(root, make_slug(name))
    with open_sent(sent) as items, draft_folder(target) as draft:
        meant = [item for item in items if not is_litter(item.name)]
        _refuse_too_much(meant, root)
        demand_room(owner, default_root(), adding=sum(item.size for item in meant))
        found = _take_all(meant, draft, progress)
        if found is None:
            return None
        if not found.images:
            raise DataError(f"None of the files sent is a usable image. {_describe_first(found.refused)}")
        write_owner(draft, owner)
        draft.rename(target)
    return replace(found, folder=str(target))


def write_arrival(path: Path, arrival: Arrival) -> None:
    """Write what was brought in, whole or not at all."""
    write_text(path, json.dumps(asdict(arrival), indent=2) + "\n")


def read_arrival(path: Path) -> Arrival | None:
    """Read what was brought in; None where there is nothing that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        refused = tuple(BadImage(**item) for item in values["refused"])
        return Arrival(**{**values, "refused": refused, "tables": tuple(values["tables"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refuse_too_much(items: Sequence[Item], root: Path) -> None:
    size = sum(item.size for item in items)
    if len(items) > MOST_FILES:
        raise DataError(
            f"That is {len(items):,} files, and at most {MOST_FILES:,} can be brought in at once. Bring in fewer, or give the "
            "path of a folder on this machine instead."
        )
    if size > MOST_BYTES:
        raise DataError(
            f"That is {format_bytes(size)} unpacked, and at most {format_bytes(MOST_BYTES)} can be brought in at once. Give the "
            "path of a folder on this machine instead."
        )
    free = shutil.disk_usage(root).free
    if size + _SPARE > free:
        raise DataError(
            f"That is {format_bytes(size)} unpacked, but only {format_bytes(free)} are free on the disk of {root}. Free some space, "
            "or bring in less."
        )


def _take_all(items: Sequence[Item], draft: Path, progress: Progress) -> Arrival | None:
    places = [find_place(item.name) for item in items]
    common = find_common(place for place, _ in places if place.lower().endswith(IMAGE_ENDINGS))
    images = size = refused_count = 0
    tables: list[str] = []
    refused: list[BadImage] = []
    taken: set[str] = set()
    for done, (item, (place, why)) in enumerate(zip(items, places, strict=True), start=1):
        place = place.removeprefix(common)
        why = why or item.refusal or _judge_name(place, taken) or _take(item, draft / place)
        if why:
            refused_count += 1
            refused += [BadImage(item.name, why)] if len(refused) < _LISTED else []
        else:
            taken.add(place.casefold())
            size += (draft / place).stat().st_size
            is_image = place.lower().endswith(IMAGE_ENDINGS)
            images += is_image
            tables += [place] if place.lower().endswith(TABLE_ENDINGS) and place not in _NOTES else []
        if not progress(done, len(items)):
            return None
    return Arrival("", images, size, tuple(tables), tuple(refused), refused_count)


def _judge_name(place: str, taken: set[str]) -> str:
    """Say why no file may lie at a place; empty where one may."""
    if place.casefold() in taken:
        return "was sent twice under this name"
    if place.lower().endswith(ARCHIVE):
        return "is an archive inside an archive; unpack it first"
    known = place.lower().endswith((*IMAGE_ENDINGS, *TABLE_ENDINGS)) or place in _NOTES
    return "" if known else "is neither an image nor a table of labels"


def _take(item: Item, path: Path) -> str:
    """Copy a file into the draft; return why it was refused, in which case nothing of it stays, or an empty text."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with item.open() as source, path.open("xb") as file:
            written = 0
            while block := source.read(_BLOCK):
                written += len(block)
                if written > MOST_OF_ONE or written > item.size:
                    break
                file.write(block)
        if written > min(MOST_OF_ONE, item.size):
            why = f"has more than {format_bytes(min(MOST_OF_ONE, item.size))}"
        else:
            why = _judge_header(path) if path.name.lower().endswith(IMAGE_ENDINGS) else ""
    except UNREADABLE as error:
        why = describe_unreadable(error)
    except (FileExistsError, NotADirectoryError):
        return "was sent under this name as a folder and as a file"
    except OSError as error:
        if error.errno is not None:  # the system's: a full disk
            raise
        why = describe_unreadable(error)
    if why:
        path.unlink(missing_ok=True)
    return why


def _judge_header(path: Path) -> str:
    with path.open("rb") as file:
        return read_kind(file)[1]


def _describe_first(refused: Sequence[BadImage]) -> str:
    return f"{refused[0].path} {refused[0].reason}." if refused else "Send a folder, a zip archive or images."
