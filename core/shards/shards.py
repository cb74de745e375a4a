"""Shards: files that hold the images of a data set inside, as Hugging Face `datasets` and WebDataset write them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.file_names import SPLIT_NAMES, is_system, natural_key
from core.words import format_bytes, format_count, show_path

# By ending, what one is called.
KINDS = {".parquet": "Parquet file", ".arrow": "Arrow file", ".tar": "tar archive"}
_LOOKED_AT = 2_000  # entries of a folder among which a shard must be; folders of images hold a million
_FOLDERS = 12  # subfolders of each that are looked into
FOLDERS_DEEP = 2  # so far below their folder shards may lie
_SPLITS = {word: split for split, words in SPLIT_NAMES.items() for word in words}
_WORD = re.compile(rf"(?:^|[-_. ])({'|'.join(sorted(_SPLITS, key=len, reverse=True))})(?=$|[-_. \d])")


@dataclass(frozen=True)
class Shard:
    """A file with images inside: where it lies below its folder, which split it is of, its size and its last change."""

    path: str
    split: str
    bytes: int
    mtime_ns: int

    @property
    def ending(self) -> str:
        """Return what its name ends in, one of KINDS."""
        return os.path.splitext(self.path)[1].lower()  # noqa: PTH122  its name alone, of a path as text

    @property
    def stem(self) -> str:
        """Return its name without ending and folders."""
        return self.path.rsplit("/", 1)[-1][: -len(self.ending)]


@dataclass(frozen=True)
class Shards:
    """The shards of a folder, all of one ending, sorted as people count."""

    root: Path
    files: tuple[Shard, ...]

    @property
    def bytes(self) -> int:
        """Return the size of all."""
        return sum(shard.bytes for shard in self.files)

    def describe(self) -> str:
        """Return how many there are and how large: '4 Parquet files (2.1 GB)'."""
        return f"{format_count(len(self.files), KINDS[self.files[0].ending])} ({format_bytes(self.bytes)})"


def find_shards(folder: Path) -> Shards | None:
    """Return the shards in a folder and in a few folders below it; None where there is none. It soon ends in any folder.

    Where there are several kinds, those are taken that hold most. A shard's split is the one that its name says, or a
    folder it lies in, as in `train-00000-of-00004.parquet` and `val/000.tar`; of no split it is for training.
    """
    found = list(_list_shards(folder, "", FOLDERS_DEEP))
    if not found:
        return None
    sizes = {ending: sum(one.bytes for one in found if one.ending == ending) for ending in KINDS}
    chosen = max(sizes, key=sizes.__getitem__)
    files = sorted((one for one in found if one.ending == chosen), key=lambda one: natural_key(one.path))
    return Shards(folder, tuple(files)) if files else None


def split_of(path: str) -> str:
    """Return the split that a shard's path names, its own name before its folders; that of training where it names none."""
    for part in reversed(path.lower().split("/")):
        if found := _WORD.search(part):
            return _SPLITS[found[1]]
    return "train"


def _list_shards(root: Path, folder: str, deeper: int) -> list[Shard]:
    found: list[Shard] = []
    folders: list[str] = []
    try:
        with os.scandir(root / folder) as entries:
            for number, entry in enumerate(entries):
                if number >= _LOOKED_AT and not found:
                    break
                path = f"{folder}/{entry.name}" if folder else entry.name
                if is_system(entry.name) or show_path(path) != path:
                    continue
                if entry.name.lower().endswith(tuple(KINDS)):
                    found += _take_entry(entry, path)
                elif len(folders) < _FOLDERS and _is_folder(entry):
                    folders.append(path)
    except OSError:  # locked, or gone meanwhile: nothing is known to be there
        return []
    for name in folders if deeper else ():
        found += _list_shards(root, name, deeper - 1)
    return found


def _take_entry(entry: os.DirEntry[str], path: str) -> list[Shard]:
    try:
        if not entry.is_file():
            return []
        known = entry.stat()
    except OSError:
        return []
    return [Shard(path, split_of(path), known.st_size, known.st_mtime_ns)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
