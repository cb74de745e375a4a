"""Arrays from elsewhere: read whole, or refused in words before they fill the memory."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.arrays import read_arrays
from tests.arrivals.sending import damaged_zip


def save(path: Path, **arrays: object) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    rows = np.array([(1, 2.5)], dtype=[("a", np.int64), ("b", np.float64)])
    found = read_arrays(save(tmp_path / "a.npz", table=table, rows=rows, version=3), most=10_000)
    assert (found["table"] == table).all()
    assert (found["rows"] == rows).all()
    assert int(found["version"]) == 3


def test_what_unpacks_to_more_than_it_may_is_not_unpacked(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", zeros=np.zeros(10_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match="unpacks to more than 1,000,000 bytes"):
        read_arrays(path, most=1_000_000)


def test_a_shape_that_is_a_lie_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header.getvalue() + b"\0" * 8)
    with pytest.raises(ValueError):  # noqa: PT011  numpy's own words, or that there is no room
        read_arrays(path, most=10_000)


def test_nothing_that_could_run_and_nothing_damaged_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        read_arrays(path, most=10_000)
    whole = save(path, a=np.arange(1000)).read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="damaged"):
            read_arrays(path, most=10_000)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_is_told_however_an_archive_is_packed(tmp_path: Path, packing: int) -> None:
    (tmp_path / "a.npz").write_bytes(damaged_zip("a.npy", "b.npy", packing))
    with pytest.raises(ValueError, match="damaged"):
        read_arrays(tmp_path / "a.npz", most=100_000)


def test_a_place_before_the_beginning_is_damage_and_no_fault_of_the_disk(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", a=np.arange(9))
    data = path.read_bytes()
    at = data.index(b"PK\1\2") + 42  # where the entry begins
    path.write_bytes(data[:at] + b"\0\0\0\x80" + data[at + 4 :] + b"\0" * 20)
    with pytest.raises(ValueError):  # noqa: PT011  zipfile's own words
        read_arrays(path, most=10_000)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    with pytest.raises(OSError, match="a pipe"):
        read_arrays(tmp_path / "a.npz", most=10)
