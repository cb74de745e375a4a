"""Export: every image is in the archive under its classes, lost files are named, the list has every column."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd

from core.dataset.export import count_bytes, format_image_rows, pack_images

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
