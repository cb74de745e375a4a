"""Folders to choose one from, a level at a time: only below certain roots, and fast however much lies in them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import DataError
from core.file_names import IMAGE_ENDINGS, SPLIT_NAMES, is_system, natural_key
from core.places import real_path
from core.words import format_count, show_path

LOOKED_AT = 20_000  # entries of a folder; a hundred thousand on a slow disk would be waited for
PEEKED_AT = 1_000  # entries of each of its subfolders
SHOWN = 60  # subfolders
PATIENCE = 0.5  # seconds for the contents of subfolders; those after it are listed without


@dataclass(frozen=True)
class Contents:
    """What lies directly in a folder: `classes` are the folders in its training folder, where it has one.

    `more` says that there is more than was looked at.
    """

    folders: int
    images: int
    classes: int
    more: bool

    def describe(self) -> str:
        """Return it in words: 'data set, 81 classes', '34 images'."""
        beyond = "more than " if self.more else ""
        if self.classes:
            return f"data set, {beyond}{format_count(self.classes, 'class')}"
        counts = ((self.folders, "folder"), (self.images, "image"))
        found = [format_count(count, noun) for count, noun in counts if count]
        return beyond + (" and ".join(found) if found else "no folders or images")


@dataclass(frozen=True)
class Subfolder:
    """A folder to go into, links followed; `contents` None where looking would have taken too long."""

    name: str
    path: Path
    contents: Contents | None


@dataclass(frozen=True)
class Listing:
    """A folder, links followed, and the subfolders that are shown, sorted as people count.

    `trail` leads to it from its root. `hidden` counts further subfolders that match, `outside` links that lead out of
    the roots.
    """

    path: Path
    trail: tuple[Path, ...]
    contents: Contents
    folders: tuple[Subfolder, ...]
    hidden: int
    outside: int


def find_roots(folders: Iterable[str | Path]) -> tuple[Path, ...]:
    """Return those of some folders that are there, links followed, each once."""
    found = dict.fromkeys(real_path(folder) for folder in folders if str(folder))
    return tuple(folder for folder in found if _is_folder(folder))


def is_below(path: Path, roots: Sequence[Path]) -> bool:
    """Tell whether a path, links followed, is a root or lies below one."""
    real = real_path(path)
    return any(real.is_relative_to(root) for root in roots)


def list_folder(path: Path, roots: Sequence[Path], words: str = "") -> Listing:
    """List a folder; of its subfolders those whose names hold `words`.

    Raises:
        DataError: when it lies below no root, is none or cannot be opened.
    """
    place = real_path(path)
    if not is_below(place, roots):
        raise DataError(
            f"{show_path(path)} is outside the folders that can be browsed. Type its path instead."
        )
    try:
        contents, entries = _look(place, LOOKED_AT)
    except OSError as error:
        raise DataError(
            f"{show_path(place)} cannot be opened ({error.strerror}). Choose another folder."
        ) from None
    inside: list[tuple[str, Path]] = []
    outside = 0
    for name, is_link in entries:
        target = real_path(place / name) if is_link else place / name
        if is_link and not is_below(target, roots):
            outside += 1
        elif words.casefold() in name.casefold():
            inside.append((name, target))
    inside.sort(key=lambda item: natural_key(item[0]))
    end = time.monotonic() + PATIENCE
    folders = tuple(
        Subfolder(name, target, _peek(target) if time.monotonic() < end else None)
        for name, target in inside[:SHOWN]
    )
    contents = _count_classes(place, contents, [name for name, _ in entries])
    return Listing(place, _find_trail(place, roots), contents, folders, len(inside) - len(folders), outside)


def _find_trail(place: Path, roots: Sequence[Path]) -> tuple[Path, ...]:
    """Return the folders from the outermost root that holds a place down to it."""
    above = (place, *place.parents)
    longest = max(number for number, folder in enumerate(above) if folder in roots)
    return tuple(reversed(above[: longest + 1]))


def _look(folder: Path, most: int) -> tuple[Contents, list[tuple[str, bool]]]:
    """Return what lies in a folder, and its subfolders by name, each with whether it is a link."""
    folders: list[tuple[str, bool]] = []
    images, more = 0, False
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number >= most:
                more = True
                break
            if is_system(entry.name) or show_path(entry.name) != entry.name:
                continue
            if entry.name.lower().endswith(IMAGE_ENDINGS):
                images += 1
            elif _leads_to_folder(entry):
                folders.append((entry.name, entry.is_symlink()))
    return Contents(len(folders), images, 0, more), folders


def _peek(folder: Path) -> Contents | None:
    """Return what lies in a folder, as far as that is soon known; None where it cannot be opened."""
    try:
        found, folders = _look(folder, PEEKED_AT)
    except OSError:
        return None
    return _count_classes(folder, found, [name for name, _ in folders])


def _count_classes(folder: Path, found: Contents, folders: Sequence[str]) -> Contents:
    """Return what was found in a folder, with the number of folders in its training folder where it has one."""
    train = next((name for name in folders if name.casefold() in SPLIT_NAMES["train"]), "")
    if not train:
        return found
    try:
        classes, _ = _look(folder / train, PEEKED_AT)
    except OSError:
        return found
    return replace(found, classes=classes.folders, more=found.more or classes.more)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
