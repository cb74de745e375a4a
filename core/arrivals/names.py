"""Names that come from elsewhere as names of files here: where each may lie, or why it may not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from core.recipe.class_names import normalise

DEEPEST = 8  # folders that a file may lie in
_LONGEST = 200  # bytes of a name, of which file systems allow 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


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


def free_folder(root: Path, name: str) -> Path:
    """Return a folder of this name below a root, numbered where there is one."""
    folder, number = root / name, 1
    while folder.exists():
        number += 1
        folder = root / f"{name}-{number}"
    return folder
