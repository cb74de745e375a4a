"""Tables with a row an image: CSV and Parquet say the same, one stands in the place of the other, damage is told."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import RunError
from core.image_table import MANY, Names, drop_table, find_table, read_table, write_table
from core.runs.run import Run
from core.verdicts.predictions import read_predictions

if TYPE_CHECKING:
    from core.image_table import Columns

CLASSES = ("007", "true", "a, b", 'q"q', "naïve")


def columns(rows: int) -> Columns:
    rng = np.random.default_rng(0)
    true, guess = rng.integers(0, len(CLASSES), (2, rows))
    return {
        "path": [f"val/{number}.png" for number in range(rows)],
        "true": Names(true, CLASSES),
        "predicted": Names(guess, CLASSES),
        "confidence": rng.random(rows).astype(np.float32),
        "true_confidence": rng.random(rows),
        "loss": -np.log(rng.random(rows)),
        "top1": Names(guess, CLASSES),
        "top1_confidence": rng.random(rows).astype(np.float32),
    }


def test_a_small_table_is_csv_and_one_of_very_many_images_parquet(tmp_path: Path) -> None:
    write_table(tmp_path / "predictions-val.csv", columns(10))
    write_table(tmp_path / "predictions-held.csv", columns(MANY))
    write_table(tmp_path / "val-001.csv.gz", columns(10))
    write_table(tmp_path / "val-002.csv.gz", columns(MANY))
    names = {"predictions-val.csv", "predictions-held.parquet", "val-001.csv.gz", "val-002.parquet"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_both_forms_are_read_as_the_same_table(tmp_path: Path) -> None:
    many = columns(MANY)
    write_table(tmp_path / "predictions-val.csv", many)
    few = {name: Names(c.codes[:50], c.names) if isinstance(c, Names) else c[:50] for name, c in many.items()}
    write_table(tmp_path / "few.csv", few)
    whole = read_predictions(tmp_path / "predictions-val.parquet")
    pd.testing.assert_frame_equal(whole.head(50), read_predictions(tmp_path / "few.csv"))
    assert len(whole) == MANY


def test_one_form_takes_the_place_of_the_other(tmp_path: Path) -> None:
    path = tmp_path / "predictions-test.csv"
    write_table(path, columns(10))
    write_table(find_table(path), columns(MANY))
    assert [one.name for one in tmp_path.iterdir()] == ["predictions-test.parquet"]
    write_table(find_table(path), columns(10))
    assert [one.name for one in tmp_path.iterdir()] == ["predictions-test.csv"]
    drop_table(path)
    assert not list(tmp_path.iterdir())
    assert find_table(path) == path


def test_of_two_forms_that_a_crash_left_the_newer_one_counts(tmp_path: Path) -> None:
    old, new = tmp_path / "predictions-val.csv", tmp_path / "predictions-val.parquet"
    for path, age in ((old, 60), (new, 30)):
        path.touch()
        os.utime(path, (time.time() - age, time.time() - age))
    run = Run(tmp_path)
    assert run.predictions_path() == new
    os.utime(old)
    assert run.predictions_path() == old
    run.drop_predictions("val")
    assert not run.predictions_path().exists()


def test_epochs_in_either_form_are_listed_once_and_dropped(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.epoch_path(1).parent.mkdir()
    for name in ("val-001.csv.gz", "val-002.parquet", "val-003.csv.gz", "val-003.parquet"):
        (tmp_path / "predictions" / name).touch()
    assert run.list_epochs() == [1, 2, 3]
    assert run.epoch_path(2).suffix == ".parquet"
    run.keep_epochs(1)
    assert [path.name for path in run.epoch_path(1).parent.iterdir()] == ["val-001.csv.gz"]


def write_odd(path: Path, /, **changes: object) -> None:
    values: dict[str, object] = {
        "path": ["val/1.png"], "true": ["a"], "predicted": ["a"], "confidence": [0.5], "true_confidence": [0.5],
        "loss": [0.7],
    }  # fmt: skip
    pq.write_table(pa.table(values | changes), path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"path": ["../1.png"]}, "no path inside a data folder"),
        ({"path": [None]}, "the column path has rows without a value"),
        ({"true": [7]}, "the column true holds numbers"),
        ({"true": [["a"]]}, "the column true holds list"),
        ({"confidence": [1.5]}, "confidence in line 2 is 1.5"),
        ({"loss": ["low"]}, "is not a predictions table"),
        ({"true": pa.array([b"\xff"]).cast(pa.string(), safe=False)}, "is not a predictions table"),
    ],
)
def test_a_parquet_table_that_no_training_wrote_is_told(tmp_path: Path, changes: dict, told: str) -> None:
    write_odd(tmp_path / "predictions-val.parquet", **changes)
    with pytest.raises(RunError, match=told):
        read_predictions(tmp_path / "predictions-val.parquet")


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_parquet_table_that_is_cut_off_is_told_with_its_path(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "predictions-val.parquet"
    write_odd(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(RunError, match=r"predictions-val\.parquet is not a predictions table"):
        read_predictions(path)


def test_a_file_with_a_wrong_byte_anywhere_is_read_or_told(tmp_path: Path) -> None:
    path = tmp_path / "predictions-val.parquet"
    write_odd(path, note=["x" * 40])
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x5A]) + whole[place + 1 :])
        with suppress(RunError):  # told in words; any other exception is a fault
            assert len(read_predictions(path)) == 1


@pytest.mark.parametrize("kind", ["names", "texts"])
def test_few_bytes_that_stand_for_endless_texts_are_refused(tmp_path: Path, kind: str) -> None:
    path, rows = tmp_path / "predictions-val.parquet", 300_000
    codes = pa.array(np.zeros(rows, dtype=np.int32))
    long = pa.DictionaryArray.from_arrays(codes, pa.array(["x" * 10_000]))
    write_odd(
        path, path=pa.DictionaryArray.from_arrays(codes, pa.array(["val/1.png"])), true=long, predicted=long,
        **{name: np.zeros(rows) for name in ("confidence", "true_confidence", "loss")},
    )  # fmt: skip
    if kind == "texts":  # the same file without the word of its writer that they are names
        pq.write_table(pq.read_table(path), path, store_schema=False)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(
        RunError, match="with the column true its texts come to more than 1,000,000,000 bytes"
    ):
        read_predictions(path)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"column_encoding": {"note": "DELTA_BYTE_ARRAY"}},
            r"packed in a way that is not read \(DELTA_BYTE_ARRAY\)",
        ),
        ({"compression": "zstd"}, "unpacks to more than 5,000,000 bytes"),
    ],
)
def test_texts_that_take_no_room_packed_are_refused_before_they_are_unpacked(
    tmp_path: Path, options: dict, told: str
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"note": ["x" * 1000] * 10_000}), path, use_dictionary=False, **options)
    with pytest.raises(ValueError, match=told):
        read_table(path, most=5_000_000)


@pytest.mark.scale
def test_a_million_predictions_are_read_in_two_seconds(tmp_path: Path) -> None:
    write_table(tmp_path / "predictions-val.csv", columns(1_000_000))
    start = time.perf_counter()
    assert len(read_predictions(tmp_path / "predictions-val.parquet")) == 1_000_000
    assert time.perf_counter() - start < 4  # two on a machine that does nothing else
