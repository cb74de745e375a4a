"""What is to be taken away: images and their predictions as CSV and as one archive, a folder as an archive."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from core.dataset.kept import stamp_file
from core.shards.members import open_image

MISSING = "missing.txt"
_MOST = 1_000_000_000  # bytes of an image
UNLABELLED = "unlabelled"  # in place of the true class of an image that has none
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


@dataclass(frozen=True)
class Archive:
    """A zip archive's bytes, and the paths of the images that could not be put into it."""

    data: bytes
    missing: tuple[str, ...]


def format_image_rows(table: pd.DataFrame, label: Callable[[str], str]) -> str:
    """Return rows of a predictions table as CSV, one image a line, with all their columns.

    After the folder names of the true and the predicted class comes what `label` calls them: `true_label`,
    `predicted_label`. No text is a formula to the program that opens it.
    """
    named = table.copy()
    for column in ("predicted", "true"):
        place = named.columns.get_loc("predicted") + 1
        named.insert(place, f"{column}_label", [label(name) for name in table[column]])
    return format_table(named)


def format_table(table: pd.DataFrame) -> str:
    """Return a table as CSV in which no text and no name of a column is a formula to the program that opens it."""
    safe = table.rename(columns=_defuse_any)
    for place in range(safe.shape[1]):
        column = safe.iloc[:, place]
        if pd.api.types.is_numeric_dtype(column):
            continue
        # Of a million texts hardly any is one, and to look at each alone takes seconds.
        if column.dtype == "str" and not column.str.startswith(_FORMULA).any():
            continue
        safe.isetitem(place, column.map(_defuse_any))
    return str(safe.to_csv(index=False, lineterminator="\n"))


def _defuse_any(value: object) -> object:
    return defuse(value) if isinstance(value, str) else value


def defuse(text: str) -> str:
    """Return a text that a spreadsheet takes for text: one that begins like a formula gets an apostrophe; numbers stay.

    Source: OWASP, "CSV Injection".
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def count_bytes(root: Path, table: pd.DataFrame) -> int:
    """Return the bytes that the images of a predictions table take up under the data folder; lost ones take none."""
    total = 0
    for path in table["path"]:
        try:
            total += stamp_file(root, path)[0]
        except OSError:
            continue
    return total


def pack_images(
    root: Path, table: pd.DataFrame, *, progress: Callable[[int, int], object] | None = None
) -> Archive:
    """Return the images of a predictions table as a zip archive: <true>/<predicted>/<file>, as they are on disk.

    Those without a true class come as unlabelled/<predicted>/<file>.
    Files that cannot be read are named in the archive's `missing.txt`. `progress(done, total)` is called now and
    then; what it raises ends the packing.
    """
    buffer, missing, taken = io.BytesIO(), [], set[str]()
    images = list(zip(table["path"], table["true"], table["predicted"], strict=True))
    # Pictures are compressed already.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for done, (path, true, predicted) in enumerate(images, start=1):
            name = _free_name(f"{true or UNLABELLED}/{predicted}/{PurePosixPath(path).name}", taken)
            try:
                archive.writestr(name, _read(root, path))
            except (OSError, ValueError):
                missing.append(path)
            if progress is not None and (done % 50 == 0 or done == len(images)):
                progress(done, len(images))
        if missing:
            archive.writestr(MISSING, "".join(f"{path}\n" for path in missing))
    return Archive(buffer.getvalue(), tuple(missing))


def pack_folder(folder: Path) -> bytes:
    """Return the files of a folder, with its subfolders, as a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def _read(root: Path, path: str) -> bytes:
    """Return an image's bytes; raises ValueError where they are too many, and OSError as `open_image`."""
    with open_image(root / path) as file:
        data = file.read(_MOST + 1)
    if len(data) > _MOST:
        raise ValueError(f"it has more than {_MOST:,} bytes")
    return data


def _free_name(name: str, taken: set[str]) -> str:
    """Return the name, numbered where a file of the same name from another folder has it."""
    place, number = PurePosixPath(name), 1
    while name in taken:
        number += 1
        name = str(place.with_stem(f"{place.stem}-{number}"))
    taken.add(name)
    return name
