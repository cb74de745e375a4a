"""From Parquet files to a trained run and its answers, as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from core.__main__ import main
from core.runs.run import find_run
from core.verdicts.predictions import read_predictions
from tests.arrivals.shard_files import make_flowers, make_rows, make_table, write_parquet
from tests.processes import call, train_words
from tests.same_runs import figures


def test_a_run_on_shards_is_bit_for_bit_that_on_the_folder_they_are_unpacked_to(
    runs_root: Path, tmp_path: Path
) -> None:
    source, made = make_flowers(tmp_path / "flowers"), tmp_path / "made"
    unpacked = call("unpack", source, made, root=runs_root)
    assert (unpacked.returncode, unpacked.stdout) == (0, f"18 images (< 1 MB) are in {made}.\n")
    assert main(train_words(made, "first", epochs=1)) == 0
    table = read_predictions(find_run("first", runs_root).predictions_path())
    assert sorted(table["path"]) == [
        "val/rose/photo_12.jpg", "val/rose/photo_14.jpg", "val/tulip/photo_13.jpg", "val/tulip/photo_15.jpg",
    ]  # fmt: skip
    with Image.open(made / str(table["path"][0])) as image:
        assert image.size == (8, 8)
    assert main(train_words(source, "in-place", epochs=1)) == 0
    first, second = find_run("first", runs_root), find_run("in-place", runs_root)
    assert figures(first) == figures(second)
    told = read_predictions(second.predictions_path())
    assert told["path"][0] == "validation-00000-of-00001.parquet/rose/photo_12.jpg"
    assert told.drop(columns="path").equals(table.drop(columns="path"))


def test_what_is_refused_is_listed_and_what_cannot_be_unpacked_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*make_rows(2), *((b"no image", None, 0) for _ in range(7))]
    write_parquet(tmp_path / "in/train.parquet", make_table(rows))
    assert main(["unpack", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert "1 of 1 MB" in shown.err
    assert "MB/s" not in shown.err
    lines = shown.out.splitlines()
    assert lines[0] == f"2 images (< 1 MB) are in {tmp_path / 'out'}. 7 files were refused."
    assert lines[1].startswith("  train.parquet, row 2 is not an image")
    assert lines[-1] == "  and 2 more"
    assert main(["unpack", str(tmp_path / "in"), str(tmp_path / "out"), "--label", "kind"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "'kind' is not a column of labels" in line
