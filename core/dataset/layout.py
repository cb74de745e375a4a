"""How a data folder is laid out: where its splits and classes lie, all files in them, and what lies elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

from core.dataset.images import BadImage, find_obstacle
from core.dataset.walk import Found, Watch, look_into, name_some, walk_through
from core.errors import DataError
from core.file_names import IMAGE_ENDINGS, SPLIT_NAMES, natural_key
from core.recipe.class_names import normalise
from core.shards.listing import list_members
from core.shards.shards import Shards, find_shards
from core.words import show_path

# Beside class folders these may as well be classes: then they are a split only where they hold folders.
_AMBIGUOUS = ("dev", "eval", "evaluation")
_DEEPEST = 3  # folders below the one given that are looked into for the data set, to name it


@dataclass(frozen=True)
class Fault:
    """What is not taken, and why: a file of a split, a folder that cannot be looked into, or what is of no split.

    A stray, which lies in no class folder or in a folder of no split, has neither split nor label.
    """

    kind: Literal["file", "folder", "stray"]
    path: str
    reason: str
    split: str = ""
    label: str = ""

    @property
    def item(self) -> BadImage:
        """Return its path and the reason."""
        return BadImage(self.path, self.reason)


@dataclass(frozen=True)
class Layout:
    """Where everything lies in a data folder, relative to it: each split's folder, and by split each class's.

    `train` lies in "", the root itself, where there is no folder for it. Classes are named as composed, their folders
    as they lie, and come sorted as people count.
    """

    root: Path
    splits: Mapping[str, str]
    classes: Mapping[str, Mapping[str, str]]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Tree:
    """All files of a data set by split and class, sorted as people count, its test files, and what is not taken.

    `display` has what shards call classes whose name a path cannot have.
    """

    layout: Layout
    files: Mapping[tuple[str, str], tuple[str, ...]]
    test: tuple[str, ...]
    faults: tuple[Fault, ...]
    display: Mapping[str, str] = field(default_factory=dict)


def read_tree(root: Path, watch: Watch | None = None) -> Tree:
    """Find all files of a data set; files below subfolders of a class are the class's.

    Where shards lie in place of the class folders, the images inside them are its files.

    `watch` is told now and then how many files were found so far; what it raises ends the search.

    Raises:
        DataError: as `read_layout` does.
    """
    layout = _read_folders(root)
    if _has_few(layout) and (shards := find_shards(root)):
        return _read_shards(shards, watch)
    layout = layout or read_layout(root)  # which says what is wrong
    files: dict[tuple[str, str], tuple[str, ...]] = {}
    faults, count = list(layout.faults), 0
    for split, classes in layout.classes.items():
        for name, folder in classes.items():
            found = walk_through(root, folder, _add_to(watch, count))
            files[split, name] = tuple(found.files)
            count += len(found.files)
            faults += _list_faults(found, split, name)
    found = (
        walk_through(root, layout.splits["test"], _add_to(watch, count))
        if "test" in layout.splits
        else Found()
    )
    faults += _list_faults(found, "test", "")
    faults.sort(key=lambda fault: natural_key(fault.path))
    return Tree(layout, files, tuple(found.files), tuple(faults))


def find_shards_instead(root: Path) -> Shards | None:
    """Return the shards of a data folder that has them in place of class folders; None for any other."""
    return find_shards(root) if _has_few(_read_folders(root)) else None


def _has_few(layout: Layout | None) -> bool:
    return layout is None or len(layout.classes["train"]) < 2


def _read_folders(root: Path) -> Layout | None:
    try:
        return read_layout(root)
    except DataError:
        return None


def _read_shards(shards: Shards, watch: Watch | None) -> Tree:
    """Return the images inside shards as the files of a data set; raises DataError as `list_members` does."""
    found = list_members(shards, watch)
    classes: dict[str, dict[str, str]] = {"train": {}}
    for split, name in sorted(found.files, key=lambda key: natural_key(key[1])):
        classes.setdefault(split, {})[name] = ""
    faults = [Fault("stray", path, "has no label") for path in found.unlabelled]
    faults += [Fault("file", path, reason, split, label) for path, reason, split, label in found.refused]
    faults.sort(key=lambda fault: natural_key(fault.path))
    layout = Layout(shards.root, {"train": "", **dict.fromkeys(found.splits, "")}, classes, tuple(faults))
    files = {key: tuple(paths) for key, paths in found.files.items()}
    return Tree(layout, files, tuple(found.test), tuple(faults), found.display)


def _add_to(watch: Watch | None, count: int) -> Watch | None:
    """Return what tells of the files of a part, when so many were found before it."""
    return None if watch is None else lambda found: watch(count + found)


def read_layout(root: Path) -> Layout:
    """Find the folders of the splits and of the classes of training and validation, without looking at their images.

    Raises:
        DataError: naming the folder that is missing, cannot be told from another or is a link that leads nowhere, or
            the one to give instead.
    """
    refuse_unreadable(root)
    inside = _look_into_split(root, "")
    _refuse_dead_splits(root, inside)
    candidates = _find_candidates(root, inside)
    for split, names in candidates.items():
        if len(names) > 1:
            raise DataError(
                f"{root}: {name_some(names)} could each be the {split} split. Keep one of them, and rename or move the rest."
            )
    splits = {split: names[0] for split, names in candidates.items()}
    faults: list[Fault] = []
    if "train" in splits:
        faults += _list_strays(root, inside, leave_out=set(splits.values()))
    else:
        splits["train"] = ""
        inside.folders = [name for name in inside.folders if name not in splits.values()]
        _refuse_deeper(root, inside.folders)
    classes: dict[str, dict[str, str]] = {}
    for split in ("train", "val"):
        if split in splits:
            found = _look_into_split(root, splits[split]) if splits[split] else inside
            classes[split] = _name_classes(root / splits[split], found.folders)
            faults += _judge_split(found, split, splits[split])
    return Layout(root, splits, classes, tuple(faults))


def find_split(root: Path, split: str) -> Path | None:
    """Return the folder of a split where there is one of its own, whatever else may be wrong with the data."""
    names = _find_candidates(root, look_into(root)).get(split)
    return root / names[0] if names else None


def refuse_unreadable(root: Path) -> None:
    """Raise DataError where there is no folder of this name, or its name cannot be written down."""
    if show_path(root) != str(root):
        raise DataError(f"{show_path(root)}: the path has bytes that are not UTF-8. Rename the folder.")
    if not _is_folder(root):
        why = find_obstacle(root)
        if not why:
            raise DataError(f"{root} is a file, not a folder. Give the folder of the images.")
        raise DataError(
            f"{root} {why}." if "link" in why or "denied" in why else f"{root}: there is no such folder."
        )


def _look_into_split(root: Path, folder: str) -> Found:
    found = look_into(root, folder)
    if found.closed and found.closed[0].path == (folder or str(root)):
        raise DataError(f"{root / folder} {found.closed[0].reason}.")
    return found


def _find_candidates(root: Path, inside: Found) -> dict[str, list[str]]:
    """Return for each split the folders that are called like it, sorted."""
    found: dict[str, list[str]] = {}
    for name in sorted(inside.folders, key=natural_key):
        if split := _split_of(name):
            found.setdefault(split, []).append(name)
    if "train" not in found:
        kept = [
            name
            for name in found.pop("val", [])
            if name.casefold() not in _AMBIGUOUS or look_into(root, name).folders
        ]
        found |= {"val": kept} if kept else {}
    return found


def _split_of(name: str) -> str:
    return next((split for split, names in SPLIT_NAMES.items() if name.casefold() in names), "")


def _refuse_dead_splits(root: Path, inside: Found) -> None:
    """Refuse a split that is there by name but is no folder: its images would be missed and another split made."""
    no_folders = [BadImage(name, "is a file, not a folder") for name in inside.files]
    for item in (*inside.dead, *inside.odd, *inside.closed, *no_folders):
        if _split_of(item.path):
            raise DataError(
                f"{root / item.path} {item.reason}. Put the {_split_of(item.path)} split there, or remove it."
            )


def _refuse_deeper(root: Path, folders: Iterable[str]) -> None:
    """Refuse a folder that holds data sets instead of classes, and name the one to give.

    A class may have a folder of trains, so a folder called like the split of training is not enough.

    Raises:
        DataError: as told.
    """
    folders = sorted(folders, key=natural_key)
    deeper = [name for name in folders if has_split(root / name, "train")]
    for name in deeper:
        train = find_split(root / name, "train")
        if train and look_into(train).folders:
            raise DataError(f"{root}: the data set is one folder deeper, in {name}. Give {root / name}.")
    apart = [name for name in deeper if has_split(root / name, "val") or has_split(root / name, "test")]
    if apart or deeper == folders != []:
        raise DataError(
            f"{root / deeper[0]} holds training images of its own. Expected train/<class>/*, not <class>/train/*."
        )


def has_split(folder: Path, split: str) -> bool:
    """Tell whether a folder has one for a split, without listing the thousands of images it may hold."""
    names = SPLIT_NAMES[split]
    return any(_is_folder(folder / form(name)) for name in names for form in (str, str.capitalize, str.upper))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # in a folder that is locked
        return False


def find_deeper(folder: Path, depth: int = _DEEPEST) -> Path | None:
    """Return a folder below this one that has a training split, or several folders, at most so many folders down."""
    for name in sorted(look_into(folder).folders, key=natural_key):
        if has_split(folder / name, "train") or len(look_into(folder, name).folders) > 1:
            return folder / name
        if depth > 1 and (found := find_deeper(folder / name, depth - 1)):
            return found
    return None


def _name_classes(split_root: Path, folders: Iterable[str]) -> dict[str, str]:
    """Return the class folders by the composed names of the classes, sorted.

    Raises:
        DataError: naming two folders that are one class.
    """
    found: dict[str, str] = {}
    for folder in folders:
        name = normalise(folder.rsplit("/", 1)[-1])
        if name in found:
            both = " and ".join(sorted(ascii(path.rsplit("/", 1)[-1]) for path in (found[name], folder)))
            raise DataError(
                f"{split_root}: two folders are called {name!r}, written as {both}. They are one class: merge them."
            )
        found[name] = folder
    return {name: found[name] for name in sorted(found, key=natural_key)}


def _judge_split(found: Found, split: str, folder: str) -> Iterator[Fault]:
    """Yield what lies beside a split's class folders: class folders that are none, and images without a class."""
    where = f"is not in a class folder of {folder}/" if folder else "is not in a class folder"
    for path in found.files:
        if path.lower().endswith(IMAGE_ENDINGS):
            yield Fault("stray", path, where)
    for item in found.odd:
        yield Fault("stray", item.path, item.reason)
    for item in (*found.dead, *found.closed):
        if item.path.lower().endswith(IMAGE_ENDINGS):
            yield Fault("stray", item.path, item.reason)
        elif not _split_of(item.path):
            label = normalise(item.path.rsplit("/", 1)[-1])
            yield Fault("folder", item.path, item.reason, split, label)


def _list_strays(root: Path, inside: Found, leave_out: set[str]) -> Iterator[Fault]:
    """Yield images that lie beside the folder of training, and folders of them; other files are no one's concern."""
    for path in inside.files:
        if path.lower().endswith(IMAGE_ENDINGS):
            yield Fault("stray", path, "is not in a class folder")
    for name in inside.folders:
        if name not in leave_out and _holds_images(root, name):
            yield Fault("stray", name, "is a folder of images that is not named like a split")
    for item in (*inside.dead, *inside.closed):
        yield Fault("stray", item.path, item.reason)


def _holds_images(root: Path, folder: str) -> bool:
    """Tell whether images lie in a folder or in one of its subfolders, as they would in a split."""
    inside = look_into(root, folder)
    places = chain([inside], (look_into(root, name) for name in inside.folders[:20]))
    return any(path.lower().endswith(IMAGE_ENDINGS) for place in places for path in place.files)


def _list_faults(found: Found, split: str, label: str) -> Iterator[Fault]:
    for item in (*found.odd, *found.dead):
        yield Fault("file", item.path, item.reason, split, label)
    for item in found.closed:
        yield Fault("folder", item.path, item.reason, split, label)
