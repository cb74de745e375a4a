"""A corrected copy of a data set: new labels in a new folder, the original untouched, nothing half written."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from core.dataset.folders import scan_folders
from core.errors import DataError
from core.marks.corrected import write_corrected
from core.marks.marks import Mark

MARKS = {
    mark.path: mark
    for mark in (
        Mark("train/2/1.png", "2", "relabel", "35"),
        Mark("train/2/2.png", "2", "drop"),
        Mark("train/2/3.png", "2", "unsure"),
        Mark("val/10/1.png", "10", "relabel", "2"),
    )
}


def digest(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("link", [False, True])
def test_labels_are_as_they_were_marked_and_the_original_stays(
    tiny_data: Path, tmp_path: Path, link: bool
) -> None:
    before = digest(tiny_data)
    made = write_corrected(scan_folders(tiny_data), MARKS, tmp_path / "new", link=link)
    assert made is not None
    assert made.describe().endswith("new: 26 images, 2 with another label; 1 left out.")
    after = digest(tmp_path / "new")
    assert digest(tiny_data) == before
    # Class 35 has a 1.png of its own.
    assert after["train/35/1-2.png"] == before["train/2/1.png"]
    assert after["train/35/1.png"] == before["train/35/1.png"]
    assert after["val/2/1-2.png"] == before["val/10/1.png"]
    assert after["train/2/3.png"] == before["train/2/3.png"]
    assert not {"train/2/1.png", "train/2/2.png", "val/10/1.png"} & set(after)
    assert {name for name in after if name.startswith("test/")} == {
        name for name in before if name.startswith("test/")
    }
    assert scan_folders(tmp_path / "new").display == scan_folders(tiny_data).display


def test_a_split_that_trainings_make_for_themselves_is_not_written(tiny_data: Path, tmp_path: Path) -> None:
    shutil.rmtree(tiny_data / "val")
    made = write_corrected(scan_folders(tiny_data, hold_back=1), {}, tmp_path / "new")
    assert made is not None
    assert digest(tmp_path / "new") == digest(tiny_data)


def test_nothing_is_written_over_or_into_the_original(tiny_data: Path, tmp_path: Path) -> None:
    folders = scan_folders(tiny_data)
    with pytest.raises(DataError, match="already exists"):
        write_corrected(folders, {}, tmp_path)
    with pytest.raises(DataError, match="is inside the data set"):
        write_corrected(folders, {}, tiny_data / "new")


def test_one_that_is_stopped_or_fails_leaves_nothing(tiny_data: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    stop_at_five = write_corrected(
        scan_folders(tiny_data), {}, tmp_path / "new", progress=lambda done, _: done < 5
    )
    assert stop_at_five is None
    folders = scan_folders(tiny_data)
    (tiny_data / "train/2/6.png").unlink()
    with pytest.raises(DataError, match="cannot be written"):
        write_corrected(folders, {}, tmp_path / "new")
    assert set(tmp_path.iterdir()) == before
