"""What names of files and folders say: an image, a split, what a system left; their order, and names that any system takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation"),
    "test": ("test", "testing"),
}
IMAGE_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib", ".avif", ".heic", ".heif", ".hif",
)  # fmt: skip
# What systems leave in folders of images. Names beginning with a dot (.DS_Store, ._photo.jpg, .ipynb_checkpoints) are
# left out too, and so are folders whose name begins with two underscores (__MACOSX).
_SYSTEM = frozenset(
    (
        "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "#recycle", "#snapshot", "@recycle", "$recycle.bin",
        "recycler", "system volume information", "lost+found", "network trash folder", "temporary items",
    )
)  # fmt: skip
_DIGITS = 1_000  # of a number in a name; of a few thousand Python makes none
_LONGEST = 200  # bytes of a name, of which file systems allow 255
# What Windows lets no name hold, and names it keeps for its devices.
_BARRED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts 2 before 10; names that count alike (2 and 02, a and A) keep one order."""
    parts = (part for part in re.split(r"(\d+)", name) if part)
    key = [
        (0, int(part), "") if part.isdecimal() and len(part) <= _DIGITS else (1, 0, part.casefold())
        for part in parts
    ]
    return [*key, (-1, 0, name)]


def is_system(name: str) -> bool:
    """Tell whether a file or folder of this name was left by a system and is no one's data."""
    return name.startswith(".") or name.casefold() in _SYSTEM


def is_litter(name: str) -> bool:
    """Tell whether a file was left by a system, by the name of it or of a folder it lies in; nobody means it as data."""
    parts = name.replace("\\", "/").split("/")
    return any(is_system(part) or part.startswith("__") for part in parts if part not in ("", ".", ".."))


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


def own_stem(name: str) -> str:
    """Return what an image's name elsewhere gives for the name of a file, without folders and ending; empty where it gives none."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].strip()
    ending = next((end for end in IMAGE_ENDINGS if last.lower().endswith(end)), "")
    stem = last[: len(last) - len(ending)]
    if not stem.strip(".") or is_litter(last) or not stem.isprintable():
        return ""
    return cut_name(make_folder_names([stem])[stem], 120)


def cut_name(text: str, most: int) -> str:
    """Return a text's beginning of so many bytes at most, so that with what is added it is a name for any file system."""
    return text.encode()[:most].decode(errors="ignore").rstrip(" .")
