"""The folder that was probably meant where the one given cannot be used, or is a part of the data set only."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.dataset.layout import has_split, read_layout
from core.errors import DataError
from core.file_names import IMAGE_ENDINGS, is_system
from core.places import expand_home

_QUOTES = "\"'“”‘’„«»`"
_UPWARDS = 3  # folders above the one given that are looked at


def find_remedy(given: str) -> Path | None:
    """Return another folder to offer for what was given as the data set's; None where it is right or nothing is near.

    Understood are quotes around it, `file://`, a path copied from Windows into its Linux, a file in the folder, a folder
    of the data set in place of the whole, one that holds the data set, and names with a slip.
    """
    folder = expand_home(_tidy(given))
    try:
        found = next(filter(is_data, _list_candidates(folder)), None)
    except (OSError, ValueError):  # of a name that no file can have
        return None
    return found if str(found) != (given.rstrip("/") or given) else None


def _tidy(given: str) -> str:
    """Return a path without what copying it brought along."""
    text = given.strip().strip(_QUOTES).strip()
    if text.lower().startswith("file:"):
        text = unquote(urlsplit(text).path)
    if drive := re.fullmatch(r"([A-Za-z]):[\\/](.*)", text):
        seen = Path("/mnt", drive[1].lower(), *re.split(r"[\\/]+", drive[2]))
        text = str(seen) if seen.exists() else text
    return text


def _list_candidates(folder: Path) -> Iterator[Path]:
    """Yield what may be meant, the likeliest first."""
    there = folder if _is_there(folder) else _find_near(folder)
    # A class or a split of a data set, or a file in it: the whole has splits, of which this lies in one.
    place = there or folder
    yield from (
        above for above in place.parents[:_UPWARDS] if place.is_absolute() and has_split(above, "train")
    )
    if there is not None:
        yield there
        yield from _look_deeper(there)


def _look_deeper(folder: Path) -> Iterator[Path]:
    try:
        inside = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return
    yield from (path for path in inside[:50] if has_split(path, "train"))


def _find_near(folder: Path) -> Path | None:
    """Return the path with each name that is not there replaced by the nearest one that is, in any letters."""
    there = Path(folder.anchor)
    for name in folder.parts[1 if folder.anchor else 0 :]:
        if not _is_there(there / name):
            try:
                names = {path.name.casefold(): path.name for path in there.iterdir() if path.is_dir()}
            except OSError:
                return None
            found = difflib.get_close_matches(name.casefold(), names, n=1, cutoff=0.75)
            if not found:
                return None
            name = names[found[0]]
        there /= name
    return there


def is_data(folder: Path) -> bool:
    """Tell whether a folder can be trained on: the first of its classes that hold anything hold images."""
    try:
        classes = read_layout(folder).classes["train"]
        return len(classes) > 1 and any(_has_image(folder / classes[name]) for name in list(classes)[:3])
    except (DataError, OSError):
        return False


def _has_image(folder: Path) -> bool:
    """Tell whether a folder holds an image, without listing the million that it may hold."""
    with os.scandir(folder) as entries:
        return any(
            entry.name.lower().endswith(IMAGE_ENDINGS) and not is_system(entry.name) for entry in entries
        )


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except (OSError, ValueError):  # too long, locked, or with a NUL
        return False
