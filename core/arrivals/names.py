"""Names that come from elsewhere as names of files here: where each may lie, or why it may not, and classes as folders."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from core.dataset.walk import is_system
from core.recipe.class_names import normalise

DEEPEST = 8  # folders that a file may lie in
_LONGEST = 200  # bytes of a name, of which file systems allow 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# What Windows lets no name hold, and names it keeps for its devices.
_BARRED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def is_litter(name: str) -> bool:
    """Tell whether a file was left by a system, by the name of it or of a folder it lies in; nobody means it as data."""
    parts = name.replace("\\", "/").split("/")
    return any(is_system(part) or part.startswith("__") for part in parts if part not in ("", ".", ".."))


def leads_out(name: str) -> bool:
    """Tell whether a name, of this system or another, leads out of the folder or archive that it is in."""
    path = name.replace("\\", "/")
    return path.startswith("/") or re.match(r"[A-Za-z]:", path) is not None or ".." in path.split("/")


def find_place(name: str) -> tuple[str, str]:
    """Return where a file may lie below a folder, with slashes, and an empty text; or an empty text and why nowhere."""
    if _CONTROL.search(name):
        return "", "has a name with control characters"
    if leads_out(name):
        return "", "has a path that leads out of the folder"
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts:
        return "", "has no name"
    if len(parts) > DEEPEST + 1:
        return "", f"is nested more than {DEEPEST} folders deep"
    if any(len(part.encode(errors="surrogateescape")) > _LONGEST for part in parts):
        return "", f"has a name of more than {_LONGEST} bytes"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "", "has a name that is not UTF-8"
    return "/".join(normalise(part) for part in parts), ""


def find_common(paths: Iterable[str]) -> str:
    """Return the folder that all files lie in though it says nothing of them, with a slash; empty where there is none.

    Below it every file still lies in a folder, which is its class or its split.
    """
    common: tuple[str, ...] | None = None
    for path in paths:
        above = PurePosixPath(path).parts[:-2]
        if common is None:
            common = above
        else:
            same = [one == other for one, other in zip(common, above, strict=False)]
            common = common[: same.index(False) if False in same else len(same)]
        if not common:
            return ""
    return "/".join(common or ()) + "/" if common else ""


def make_folder_names(labels: Sequence[str]) -> dict[str, str]:
    """Return for each label, once each, the name of its folder: its own where a folder can have it on every system."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for label in dict.fromkeys(labels):
        name = _BARRED.sub("-", unicodedata.normalize("NFC", label)).strip().rstrip(".").lstrip(".")
        while len(name.encode()) > _LONGEST:
            name = name[:-1]
        if not name or _DEVICE.fullmatch(name) or name.startswith("__") or is_system(name):
            name = f"class-{name.strip('_')}".rstrip("-")
        base, number = name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name.casefold())
        found[label] = name
    return found


def free_folder(root: Path, name: str) -> Path:
    """Return a folder of this name below a root, numbered where there is one."""
    folder, number = root / name, 1
    while folder.exists():
        number += 1
        folder = root / f"{name}-{number}"
    return folder
