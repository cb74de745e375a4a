"""A corrected copy of a data set: a new folder in which the labels are as they were marked; the original stays as it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.dataset.folders import ImageFolders
from core.errors import DataError, describe_cause
from core.files import draft_folder, write_bytes
from core.marks.marks import Mark
from core.people.limits import demand_room
from core.people.owner import keep_made, write_owner
from core.shards.members import find_member, open_image
from core.words import format_count

NAMES = ("class_names.csv", "cat_to_name.json")


@dataclass(frozen=True)
class Corrected:
    """A copy that was made in `folder`: how many images it holds, and how many of its labels differ."""

    folder: Path
    images: int
    relabelled: int
    dropped: int

    def describe(self) -> str:
        """Return what was written."""
        return (
            f"{self.folder}: {format_count(self.images, 'image')}, {self.relabelled:,} with another label; "
            f"{self.dropped:,} left out."
        )


def write_corrected(
    folders: ImageFolders,
    marks: Mapping[str, Mark],
    target: Path,
    *,
    link: bool = False,
    progress: Callable[[int, int], bool] | None = None,
    owner: str = "",
    runs: Path = Path(),
) -> Corrected | None:
    """Write a data set anew as `target/<split>/<class>/<file>`, with marked labels corrected and marked images left out.

    With `link` the images are hard links where the disk allows them: they take no space, but who edits one in place
    edits the original; else copies. Splits stay what they are: one that is made for a training is not written.
    `progress(done, total)` is called for each image; returning False ends it, None comes back and nothing is left. The
    folder is that of the user `owner`, where named, and counts for their limit beside the folder `runs` of all runs.

    Raises:
        DataError: when the folder is there already, lies inside the original, or cannot be written.
        LimitReached: when it is more than its owner may have on the disk.
    """
    target = target.expanduser().absolute()
    if target.exists():
        raise DataError(f"{target} already exists. Choose a new folder: nothing is ever overwritten.")
    if target.resolve().is_relative_to(folders.root.resolve()):
        raise DataError(f"{target} is inside the data set itself. Choose a folder outside it.")
    jobs = list(_list_jobs(folders, marks))
    kept = [(path, place) for path, place in jobs if place]
    try:
        if owner:
            demand_room(owner, runs, adding=0 if link else _measure(folders.root, kept))
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(target) as draft:
            for number, (path, place) in enumerate(kept):
                if progress and not progress(number, len(kept)):
                    return None
                _put(folders.root / path, draft / place, link=link)
            for name in NAMES:
                if (folders.root / name).is_file():
                    shutil.copy2(folders.root / name, draft / name)
            if owner:
                write_owner(draft, owner)
                keep_made(target, runs)
            draft.rename(target)
    except OSError as error:
        raise DataError(f"{target} cannot be written ({describe_cause(error)}).") from None
    moved = sum(marks[path].action == "relabel" for path, _ in kept if path in marks)
    return Corrected(target, len(kept), moved, len(jobs) - len(kept))


def _list_jobs(folders: ImageFolders, marks: Mapping[str, Mark]) -> Iterator[tuple[str, str]]:
    """Yield each image's path and its place in the copy, "" where it is left out."""
    train = (*folders.train, *folders.held, *(folders.val if folders.val_made else ()))
    splits = {"train": train, "val": () if folders.val_made else folders.val}
    taken: set[str] = set()
    moved: list[tuple[str, str]] = []  # their names give way to those of images that stay
    for split, samples in splits.items():
        for sample in sorted(samples, key=lambda sample: sample.path):
            mark, label = marks.get(sample.path), folders.classes[sample.target]
            if mark is not None and mark.action == "drop":
                yield sample.path, ""
            elif mark is not None and mark.action == "relabel" and mark.to in folders.classes:
                moved.append((sample.path, f"{split}/{mark.to}"))
            else:
                yield sample.path, _find_place(f"{split}/{label}", sample.path, taken)
    for path, folder in moved:
        yield path, _find_place(folder, path, taken)
    for path in folders.test:
        yield path, _find_place("test", path, taken)


def _find_place(folder: str, path: str, taken: set[str]) -> str:
    """Return a place of its own for an image: two of the same name can come together in a class."""
    name = PurePosixPath(path)
    place, number = f"{folder}/{name.name}", 1
    while place.casefold() in taken:
        number += 1
        place = f"{folder}/{name.stem}-{number}{name.suffix}"
    taken.add(place.casefold())
    return place


def _measure(root: Path, kept: list[tuple[str, str]]) -> int:
    """Return the bytes of the images that are copied; of one inside a shard, those that it takes there."""
    total = 0
    for path, _ in kept:
        if find_member(root / path) is None:
            total += (root / path).stat().st_size
        else:
            with open_image(root / path) as file:
                total += file.seek(0, os.SEEK_END)
    return total


def _put(source: Path, place: Path, *, link: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if link:
        try:
            os.link(source.resolve(), place)
            return
        except OSError:
            pass  # another disk, or one without links
    if find_member(source) is None:
        shutil.copy2(source, place)
        return
    with open_image(source) as file:
        write_bytes(place, file.read())
