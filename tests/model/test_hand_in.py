"""A folder of images into the files that are handed in: made whole or not at all, and kept with what they are of."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from core.errors import RunError
from core.model.hand_in import HandIn, hand_in_folder, predict_folder, read_hand_in
from core.runs.run import Run
from tests.made_run import make_run


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a run with a model of random weights."""
    run = make_run(runs_root, tiny_data)
    run.best_path.hardlink_to(best_model)
    return run


def predict(
    run: Run, images: Path, task: Path, *, going: bool = True, threshold: float = 0.0
) -> HandIn | None:
    task.mkdir(exist_ok=True)
    return predict_folder(run, images, task, temperature=1.0, threshold=threshold, progress=lambda *_: going)


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_a_folder_is_predicted_into_both_files_and_a_record(
    run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    (tiny_data / "test/deeper").mkdir()
    (tiny_data / "test/deeper/broken.jpg").write_bytes(b"no image")
    task = tmp_path / "task"
    made = predict(run, tiny_data / "test", task, threshold=0.999)
    assert made is not None
    assert made == read_hand_in(task)
    assert made.describe() == "3 images predicted, 1 file left out."
    assert (made.images, made.epoch, made.unsure) == (str(tiny_data / "test"), 2, 3)
    ((name, reason),) = made.left_out
    assert (name, "is no image" in reason) == ("deeper/broken.jpg", True)
    table, details = (rows_of(hand_in_folder(task) / f"prediction{end}.csv") for end in ("", "-details"))
    assert table[0] == ["image_name", "pred_label"]
    assert [row[0] for row in table[1:]] == ["1.png", "2.png", "3.png"]
    assert [row[:2] for row in details] == table
    assert {row[3] for row in details[1:]} == {"no"}


def test_what_was_made_before_stays_until_all_is_done_and_nothing_half_is_left(
    run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    task = tmp_path / "task"
    before = predict(run, tiny_data / "test", task)
    assert predict(run, tiny_data / "val", task, going=False) is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="the folder has no files"):
        predict(run, tmp_path / "empty", task)
    assert read_hand_in(task) == before
    assert [path.name for path in task.iterdir()] == ["result"]
    after = predict(run, tiny_data / "val", task)
    assert after is not None
    assert (after.count, read_hand_in(task)) == (6, after)
    assert [path.name for path in task.iterdir()] == ["result"]


def test_before_the_first_there_is_none_and_a_damaged_one_is_told(
    run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    task = tmp_path / "task"
    assert read_hand_in(task) is None
    predict(run, tiny_data / "test", task)
    (hand_in_folder(task) / "hand-in.json").write_text("[]")
    with pytest.raises(RunError, match="Predict the folder again"):
        read_hand_in(task)
    shutil.rmtree(hand_in_folder(task))
    assert read_hand_in(task) is None
