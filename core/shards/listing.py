"""All images in the shards of a folder, by split and class, as the images of folders are listed; their shards are indexed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from core.errors import DataError
from core.file_names import natural_key
from core.shards.index import Contents, Watch, folder_of, make_index, read_index, stamp_shard, sweep_indexes
from core.shards.shard_rows import open_shards
from core.shards.shards import Shard, Shards

_LOOKED_AT = 256  # images by which their number is estimated


@dataclass
class Members:
    """What shards hold, as paths relative to their folder: `<shard>/<class>/<name>`, sorted as people count.

    `files` are those of training and validation by split and class, `test` those of the test split, with a label or without. `display`
    has the labels of classes that paths call otherwise. `unlabelled` have no class; `refused` are images whose bytes cannot be
    had, with the reason, split and class.
    """

    files: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    test: list[str] = field(default_factory=list)
    display: dict[str, str] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)
    refused: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def splits(self) -> list[str]:
        """Return the splits that have images, in their order."""
        return [
            split
            for split in ("train", "val", "test")
            if (split == "test" and self.test) or any(key[0] == split for key in self.files)
        ]


def list_members(shards: Shards, watch: Watch | None = None) -> Members:
    """List the images of shards, which are indexed where they are new or have changed.

    Raises:
        DataError: where a shard is damaged, has other classes than one before it, or two labels would be called alike.
        OSError: where an index cannot be kept.
    """
    reader, found, count, is_new = open_shards(shards), Members(), 0, False
    labels: dict[str, str] = {}
    for shard in shards.files:
        stamp = stamp_shard(reader.root / shard.path)
        contents = read_index(stamp)
        if contents is None or contents.classes != reader.classes:
            is_new, rows = True, reader.iter_places(shard)
            contents = make_index(stamp, rows, reader.classes, _add_to(watch, count))
        _add_contents(found, shard, contents, labels)
        count += len(contents.members)
    if is_new:
        sweep_indexes()
    for paths in (*found.files.values(), found.test):
        paths.sort(key=natural_key)
    found.display = {folder: label for folder, label in labels.items() if folder != label}
    return found


def estimate_images(shards: Shards) -> int:
    """Return about how many images shards hold, by the beginning of the first; raises DataError where it is damaged."""
    reader, first = open_shards(shards), shards.files[0]
    rows = list(islice(reader.iter_places(first), _LOOKED_AT))
    if not rows:
        return 0
    return round(len(rows) / max(rows[-1].share, 1e-9) * shards.bytes / max(1, first.bytes))


def _add_to(watch: Watch | None, count: int) -> Watch | None:
    """Return what tells of the images of a shard, when so many were found before it."""
    return None if watch is None else lambda found: watch(count + found)


def _add_contents(found: Members, shard: Shard, contents: Contents, labels: dict[str, str]) -> None:
    names = [_name_class(label, labels, shard) for label in contents.labels]
    for number, inner in contents.members:
        path = f"{shard.path}/{inner}"
        if shard.split == "test":
            found.test.append(path)
        elif number < 0 or not names[number]:
            found.unlabelled.append(path)
        else:
            found.files.setdefault((shard.split, names[number]), []).append(path)
    for inner, reason in contents.refused:
        label = inner.rpartition("/")[0]
        found.refused.append((f"{shard.path}/{inner}", reason, shard.split, label))


def _name_class(label: str, labels: dict[str, str], shard: Shard) -> str:
    """Return how a class is called in paths, "" where its label is blank; raises DataError where another class is called so."""
    if not label.strip():
        return ""
    name = folder_of(label)
    if labels.setdefault(name, label) != label:
        raise DataError(
            f"{shard.path}: the labels {label!r} and {labels[name]!r} would be one class, called {name!r}. Unpack the files, which keeps "
            "them apart, or rename one of the two."
        )
    return name
