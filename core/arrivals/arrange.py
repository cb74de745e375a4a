"""Images and a table of their labels become a data folder: a link to each image in the folder of its class."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.arrivals.label_table import Columns, Labelled, match_rows
from core.arrivals.names import free_folder
from core.csv_table import read_table
from core.errors import DataError
from core.file_names import make_folder_names
from core.files import draft_folder, write_rows
from core.people.limits import demand_room
from core.people.owner import write_owner
from core.runs.run import default_root
from core.words import format_count

Progress = Callable[[int, int], bool]


@dataclass(frozen=True)
class Arranged:
    """A data folder made of a table of labels: its classes, its images by split, and how many had to be copied."""

    folder: Path
    classes: int
    counts: dict[str, int]
    copied: int

    def describe(self) -> str:
        """Say in a sentence what was made."""
        splits = ", ".join(f"{count:,} {split}" for split, count in self.counts.items() if count)
        copied = f" {format_count(self.copied, 'image')} had to be copied." if self.copied else ""
        return f"{format_count(self.classes, 'class')} ({splits}) are in {self.folder}.{copied}"


def arrange(
    images: Path,
    table: Path,
    columns: Columns,
    *,
    out: Path,
    skip_missing: bool = False,
    progress: Progress,
    owner: str = "",
) -> Arranged | None:
    """Make `out/<split>/<class>/…`, numbered where it is there already, of images and a table; None when told to end.

    The images are linked, or copied where the file system has no links, and the folder of images stays as it is. A
    label that no folder can be called by gets one that can, and is kept as the class' display name. Test images lie
    in `test/`, without their labels. `progress(images done, images in all)` is called now and then. The folder is that
    of the user `owner`, where named.

    Raises:
        DataError: naming the table's line and column of what cannot be used.
        LimitReached: when its owner has all that they may have on the disk.
        OSError: when the folder cannot be made.
    """
    rows = match_rows(read_table(table), columns, images, skip_missing=skip_missing)
    labelled = [row for row in rows if row.split != "test"]
    folders = make_folder_names([row.label for row in labelled])
    if len(folders) < 2:
        raise DataError(
            f"{table.name}, column {columns.label} has {format_count(len(folders), 'label')}, but at least 2 are needed. Choose the column of the classes."
        )
    if not any(row.split == "train" for row in rows):
        raise DataError(
            f"{table.name}, column {columns.split}: no row is marked train. Mark some, or choose no column for the split."
        )
    demand_room(owner, default_root())
    out.parent.mkdir(parents=True, exist_ok=True)
    target = free_folder(out.parent, out.name)
    with draft_folder(target) as draft:
        copied = _place_all(rows, folders, images, draft, progress)
        if copied is None:
            return None
        shown = [(folder, label) for label, folder in folders.items() if folder != label]
        if shown:
            write_rows(draft / "class_names.csv", ("label", "name"), shown)
        write_owner(draft, owner)
        draft.rename(target)
    counts = {split: sum(row.split == split for row in rows) for split in ("train", "val", "test")}
    return Arranged(target, len(folders), counts, copied)


def _place_all(
    rows: Sequence[Labelled], folders: dict[str, str], images: Path, draft: Path, progress: Progress
) -> int | None:
    """Link all images into their folders; return how many had to be copied, None when told to end."""
    copied, taken = 0, set[Path]()
    for done, row in enumerate(rows, start=1):
        folder = draft / row.split / ("" if row.split == "test" else folders[row.label])
        folder.mkdir(parents=True, exist_ok=True)
        place = _free_name(folder, PurePosixPath(row.path).name, taken)
        copied += _link(images.resolve() / row.path, place)
        if (done % 50 == 0 or done == len(rows)) and not progress(done, len(rows)):
            return None
    return copied


def _free_name(folder: Path, name: str, taken: set[Path]) -> Path:
    """Return a place for a file, numbered where an image of the same name from another folder has it."""
    place, number = folder / name, 1
    while (key := place.with_name(place.name.casefold())) in taken:
        number += 1
        place = folder / f"{PurePosixPath(name).stem}-{number}{PurePosixPath(name).suffix}"
    taken.add(key)
    return place


def _link(source: Path, place: Path) -> bool:
    """Put an image at a place; tell whether it had to be copied.

    A hard link outlives a move of the folder of images; across disks a symbolic one does, and where neither can be made a copy.
    """
    source = source.resolve()  # of a link, what it leads to
    for make in (os.link, os.symlink):
        try:
            make(source, place)
            return False
        except (OSError, NotImplementedError):
            continue
    shutil.copy2(source, place)
    return True
