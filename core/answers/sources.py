"""Which files are images to be asked about, and what a table calls each of them; no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from core.dataset.layout import find_shards_instead
from core.dataset.walk import MISNAMED, walk_through
from core.errors import RunError
from core.file_names import IMAGE_ENDINGS, natural_key
from core.shards.listing import list_members
from core.words import show_path


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Return the files named and those in the folders named, or in shards there, sorted as people count inside each folder.

    A file that cannot be opened, such as a link that leads nowhere, is among them: its prediction will say why.

    Raises:
        RunError: for a path that does not exist, a folder without files or one that cannot be looked into, and for a
            name that no table can hold.
    """
    found: list[Path] = []
    for path in paths:
        if show_path(path) != str(path):
            raise RunError(f"{show_path(path)} {MISNAMED}.")
        if path.is_dir():
            found += _list_folder(path)
        elif path.exists() or path.is_symlink():
            found.append(path)
        else:
            raise RunError(f"{path}: there is no such file or folder. Check the path.")
    return found


def _list_folder(folder: Path) -> list[Path]:
    inside = walk_through(folder)
    if refused := [*inside.closed, *(item for item in inside.odd if item.reason == MISNAMED)]:
        more = f" There are {len(refused) - 1} more like it." if len(refused) > 1 else ""
        raise RunError(f"{folder / refused[0].path} {refused[0].reason}.{more}")
    holds_images = any(path.lower().endswith(IMAGE_ENDINGS) for path in inside.files)
    if not holds_images and (found := _list_shards(folder)):
        return found
    files = [*inside.files, *(item.path for item in (*inside.odd, *inside.dead))]
    if not files:
        raise RunError(f"{folder} has no files. Give a folder of images.")
    return [folder / path for path in sorted(files, key=natural_key)]


def _list_shards(folder: Path) -> list[Path]:
    """Return the images inside the shards of a folder: those to test, or all where no shard is for that."""
    shards = find_shards_instead(folder)
    if shards is None:
        return []
    found = list_members(shards)
    every = [*found.unlabelled, *(path for paths in found.files.values() for path in paths)]
    return [folder / path for path in found.test or sorted(every, key=natural_key)]


def name_images(paths: Sequence[Path]) -> list[str]:
    """Return what a table calls each image: its file's name, with as many folders as tell it from others of that name."""
    names = {path: path.name for path in paths}
    for length in range(2, max((len(path.parts) for path in paths), default=0) + 1):
        counts = Counter(names.values())
        alike = [path for path, name in names.items() if counts[name] > 1]
        if not alike:
            break
        names |= {path: "/".join(path.parts[-length:]) for path in alike}
    return [names[path] for path in paths]
