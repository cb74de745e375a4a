"""The images of a data folder, and which of them a path in a table of another program means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.dataset.folders import read_display_names
from core.dataset.layout import read_tree
from core.dataset.walk import walk_through
from core.errors import DataError
from core.file_names import IMAGE_ENDINGS
from core.recipe.class_names import normalise


@dataclass(frozen=True)
class Images:
    """The images of a data folder: `labels` gives the class of each that lies in the folder of one, by its path.

    `classes` are those that have a folder, sorted as people count; empty where there are only images. `validation` and
    `training` are the paths of the splits of these names.
    """

    root: Path
    classes: tuple[str, ...]
    display: dict[str, str]
    labels: dict[str, str]
    validation: frozenset[str]
    training: tuple[str, ...]
    _whole: dict[str, list[str]] = field(repr=False)  # by composed path, with its ending and without
    _by_stem: dict[str, list[str]] = field(repr=False)  # composed paths by file name without ending

    def find(self, text: str) -> tuple[str, bool]:
        """Return the path of the image that a cell means: absolute, a part of a path from its end, or a file's name.

        Its ending may be missing, and what lies before the data folder may be that of another machine. Where a path
        names no split and several splits have such an image, that of validation is meant; then True comes with it.

        Raises:
            DataError: saying that there is none, or several, and what to do.
        """
        wanted = "/".join(_split(text))
        found = self._list_meant(wanted)
        judged = [path for path in found if path in self.validation] if "/" in wanted else []
        if len(found) == 1:
            return found[0], False
        if len(judged) == 1:
            return judged[0], True
        if not found:
            raise DataError(
                f"there is no image {text!r} in {self.root}. Correct the path, or give the folder that contains it (--data)."
            )
        raise DataError(
            f"{text!r} could be {found[0]} or {found[1]}. Give the path relative to the data folder."
        )

    def _list_meant(self, wanted: str) -> list[str]:
        """Return the paths that are what is wanted, or else end with it, or else the longest that it ends with."""
        if wanted in self._whole:
            return self._whole[wanted]
        bare, end = _drop_ending(wanted), f"/{wanted}"
        near = self._by_stem.get(bare.rpartition("/")[2], [])
        ended = bare != wanted
        longer = [form for form in near if (form if ended else _drop_ending(form)).endswith(end)]
        if longer:
            return [path for form in longer for path in self._whole[form]]
        rest = wanted
        while "/" in rest:
            rest = rest.partition("/")[2]
            if rest in self._whole:
                return self._whole[rest]
        return []


def scan_images(root: Path) -> Images:
    """Find the images of a data folder, which has folders of classes, in splits or not, or holds only images.

    Raises:
        DataError: as `read_tree` does, and where there is no image.
    """
    tree = read_tree(root)
    if len(tree.layout.classes["train"]) < 2:
        return Images(root, (), {}, {}, frozenset(), (), *_index(root, walk_through(root).files))
    classes = tuple(tree.layout.classes["train"])
    labels = {path: name for (_, name), paths in tree.files.items() for path in paths if name in classes}
    labels |= {
        path: name for path in tree.test for name in PurePosixPath(path).parts[1:-1] if name in classes
    }
    files = list(dict.fromkeys((*labels, *tree.test)))
    training, validation = (
        tuple(path for (split, _), paths in tree.files.items() if split == wanted for path in paths)
        for wanted in ("train", "val")
    )
    names = {**tree.display, **read_display_names(root, classes)}
    return Images(root, classes, names, labels, frozenset(validation), training, *_index(root, files))


def _index(root: Path, files: Sequence[str]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return what `Images` finds paths by: `_whole` and `_by_stem`."""
    if not files:
        raise DataError(f"{root} has no images. Give the folder of the images that were predicted.")
    whole: dict[str, list[str]] = {}
    by_stem: dict[str, list[str]] = {}
    for path in files:
        form = "/".join(_split(path))
        bare = _drop_ending(form)
        for name in dict.fromkeys((form, bare)):
            whole.setdefault(name, []).append(path)
        by_stem.setdefault(bare.rpartition("/")[2], []).append(form)
    return whole, by_stem


def _split(text: str) -> list[str]:
    return [part for part in normalise(text).replace("\\", "/").split("/") if part not in ("", ".")]


def _drop_ending(path: str) -> str:
    stem, _, ending = path.rpartition(".")
    return stem if f".{ending}".casefold() in IMAGE_ENDINGS else path
