"""The one way to read NumPy's arrays that anyone may have written: of a size that fits, and nothing that could run."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.reading import open_plain

Arrays = dict[str, npt.NDArray[Any]]
# What zipfile and numpy raise on a damaged archive beside ValueError. OSError is of a place before the file's beginning,
# MemoryError of a shape that nobody has room for.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, KeyError, RuntimeError, MemoryError,
)  # fmt: skip


def read_arrays(path: Path, *, most: int) -> Arrays:
    """Return the arrays of an .npz file by name, where they come to so many bytes at most.

    Raises:
        ValueError: saying that the file is damaged, or holds more than that; no more is unpacked.
        OSError: as `open_plain`.
    """
    with open_plain(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                if sum(entry.file_size for entry in entries) > most:
                    raise ValueError(f"it unpacks to more than {most:,} bytes")
                return {entry.filename.removesuffix(".npy"): _read(archive, entry) for entry in entries}
        except _DAMAGED as error:
            raise ValueError(f"it is damaged ({error})") from None


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(entry) as packed:
        # An entry may hold more than it says.
        data = io.BytesIO(packed.read(entry.file_size))
    found: npt.NDArray[Any] = np.lib.format.read_array(data, allow_pickle=False)
    return found
