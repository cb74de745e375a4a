"""The images of a data folder, and which of them a path in a table of another program means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.dataset.folders import read_display_names
from core.dataset.layout import IMAGE_ENDINGS, read_tree
from core.dataset.walk import walk_through
from core.errors import DataError
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
    _by_name: dict[str, list[str]] = field(repr=False)

    def find(self, text: str) -> str:
        """Return the path of the image that a cell means: absolute, a part of a path from its end, or a file's name.

        Its ending may be missing, and what lies before the data folder may be that of another machine.

        Raises:
            DataError: saying that there is none, or several, and what to do.
        """
        wanted = _split(text) or [text]
        found = [path for path in self._by_name.get(wanted[-1], ()) if _agree(wanted, _split(path))]
        if not found and not wanted[-1].casefold().endswith(IMAGE_ENDINGS):
            bare = self._by_name.get(_STEM + wanted[-1], ())
            found = [path for path in bare if _agree(wanted, _split(path.rpartition(".")[0]))]
        whole = [path for path in found if len(_split(path)) <= len(wanted)]
        longest = [path for path in whole if len(_split(path)) == max(len(_split(one)) for one in whole)]
        judged = [path for path in found if path in self.validation] if len(wanted) > 1 else []
        for some in (found, longest, judged):  # a path without its split is one of validation
            if len(some) == 1:
                return some[0]
        if not found:
            raise DataError(
                f"no image {text!r} lies in {self.root}. Correct the path, or give the folder that it is below (--data)."
            )
        raise DataError(f"{text!r} may be {found[0]} or {found[1]}. Give the path from the data folder on.")


_STEM = "\0"  # before a name without its ending, which no file's name has


def scan_images(root: Path) -> Images:
    """Find the images of a data folder, which has folders of classes, in splits or not, or holds only images.

    Raises:
        DataError: as `read_tree` does, and where there is no image.
    """
    tree = read_tree(root)
    if len(tree.layout.classes["train"]) < 2:
        return _make(root, (), {}, walk_through(root).files, {}, frozenset(), ())
    classes = tuple(tree.layout.classes["train"])
    labels = {path: name for (_, name), paths in tree.files.items() for path in paths if name in classes}
    labels |= {
        path: name for path in tree.test for name in PurePosixPath(path).parts[1:-1] if name in classes
    }
    validation = frozenset(
        path for (split, _), paths in tree.files.items() if split == "val" for path in paths
    )
    training = tuple(path for (split, _), paths in tree.files.items() if split == "train" for path in paths)
    names = read_display_names(root, classes)
    return _make(
        root,
        classes,
        names,
        [*labels, *(p for p in tree.test if p not in labels)],
        labels,
        validation,
        training,
    )


def _make(
    root: Path,
    classes: tuple[str, ...],
    display: dict[str, str],
    files: Sequence[str],
    labels: dict[str, str],
    validation: frozenset[str],
    training: tuple[str, ...],
) -> Images:
    by_name: dict[str, list[str]] = {}
    for path in files:
        name = _split(path)[-1]
        by_name.setdefault(name, []).append(path)
        if name.casefold().endswith(IMAGE_ENDINGS):
            by_name.setdefault(_STEM + name.rpartition(".")[0], []).append(path)
    if not files:
        raise DataError(f"{root}: holds no image. Give the folder of the images that were predicted.")
    return Images(root, classes, display, labels, validation, training, by_name)


def _split(text: str) -> list[str]:
    return [part for part in normalise(text).replace("\\", "/").split("/") if part not in ("", ".")]


def _agree(one: Sequence[str], other: Sequence[str]) -> bool:
    """Tell whether the shorter of two paths is how the longer one ends."""
    count = min(len(one), len(other))
    return list(one[-count:]) == list(other[-count:])
