"""Export: every image is in the archive under its classes, lost files are named, the list has every column."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from core.dataset.export import count_bytes, defuse, format_image_rows, pack_images

TABLE = pd.DataFrame(
    {
        "path": ["val/2/1.png", "val/2/2.png", "more/2/1.png", "val/2/lost.png"],
        "true": ["2"] * 4,
        "predicted": ["10", "2", "10", "10"],
        "loss": [1.5, 0.1, 2.0, 3.0],
    }
)


def make_files(root: Path) -> None:
    for number, path in enumerate(TABLE["path"][:3], start=1):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x" * number)


def test_images_lie_under_their_true_and_predicted_class_and_lost_ones_are_named(tmp_path: Path) -> None:
    make_files(tmp_path)
    seen: list[tuple[int, int]] = []
    packed = pack_images(tmp_path, TABLE, progress=lambda done, total: seen.append((done, total)))
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {
        "2/10/1.png": b"x",
        "2/2/2.png": b"xx",
        "2/10/1-2.png": b"xxx",  # of the same name in another folder
        "missing.txt": b"val/2/lost.png\n",
    }
    assert packed.missing == ("val/2/lost.png",)
    assert seen == [(4, 4)]


def test_the_size_is_known_before(tmp_path: Path) -> None:
    make_files(tmp_path)
    assert count_bytes(tmp_path, TABLE) == 6


def test_the_list_has_a_line_an_image_with_the_classes_as_they_are_shown() -> None:
    assert format_image_rows(TABLE.head(2), {"2": "2 · rose", "10": "10 · tulip"}.__getitem__) == (
        "path,true,predicted,true_label,predicted_label,loss\n"
        "val/2/1.png,2,10,2 · rose,10 · tulip,1.5\n"
        "val/2/2.png,2,2,2 · rose,2 · rose,0.1\n"
    )


@pytest.mark.parametrize("text", ["=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_name_that_a_spreadsheet_would_compute_is_a_text_in_the_list(text: str) -> None:
    assert defuse(text) == f"'{text}"
    table = pd.DataFrame(
        {"path": [f"val/{text}/0.png"], "true": [text], "predicted": ["b"], "confidence": [-0.5]}
    )
    line = format_image_rows(table, lambda name: name)
    assert f"'{text}" in line
    assert f",{text}" not in line
    assert ",-0.5" in line


@pytest.mark.parametrize("text", ["", "rose", "-1", "+3.5", "val/=x/0.png", "29"])
def test_other_names_and_numbers_stay_as_they_are(text: str) -> None:
    assert defuse(text) == text
