"""Fix lists in training: what they change and what they never change, what is kept of them, and which are refused."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from core.dataset.contents import read_fingerprint
from core.dataset.fixes import KEPT, apply_fixes, describe_fixes
from core.dataset.folders import scan_folders
from core.dataset.label_report import HEAD
from core.errors import DataError, RunError
from core.files import write_rows
from core.job.job import TrainingJob
from core.recipe.config import TrainConfig
from core.runs import jobs
from core.runs.run import Run, create_run, iter_runs
from core.runs.run_data import recorded_folders, reopen_data, scan_config
from tests.dataset.pictures import make_folders
from tests.processes import tiny_config

DROP = ("train/2/1.png", "2", "35", "0.1", "drop")
RELABEL = ("train/2/2.png", "2", "35", "0.2", "relabel")
KEEP = ("val/35/1.png", "35", "2", "0.3", "keep")


def write_list(path: Path, *rows: tuple[str, ...]) -> Path:
    write_rows(path, HEAD, rows)
    return path


@pytest.fixture
def fixes(tmp_path: Path) -> Path:
    return write_list(tmp_path / "fixes.csv", DROP, RELABEL, KEEP)


def test_images_are_dropped_and_relabelled_and_all_others_stay(tiny_data: Path, fixes: Path) -> None:
    before = scan_folders(tiny_data, hold_back=1)
    after = apply_fixes(before, fixes, named="fixes.csv")
    labels = {sample.path: after.classes[sample.target] for sample in after.train}
    assert DROP[0] not in labels
    assert labels[RELABEL[0]] == "35"
    assert len(labels) == len(before.train) - 1
    assert (after.val, after.held) == (before.val, before.held)
    assert describe_fixes(after) == "1 left out, 1 relabelled"
    assert describe_fixes(before) == ""


def test_a_change_of_labels_alone_changes_the_fingerprint(tiny_data: Path, tmp_path: Path) -> None:
    before = scan_folders(tiny_data)
    after = apply_fixes(before, write_list(tmp_path / "fixes.csv", RELABEL), named="fixes.csv")
    assert before.files == after.files
    # It is what the features are kept under.
    assert read_fingerprint(before, tmp_path) != read_fingerprint(after, tmp_path)


def test_a_suggestion_may_name_a_class_in_another_form_of_unicode(tmp_path: Path) -> None:
    make_folders(tmp_path, {"caf\u00e9": 3, "tea": 3})
    path = write_list(tmp_path / "fixes.csv", ("train/tea/0.png", "tea", "cafe\u0301", "", "relabel"))
    make_folders(tmp_path, {"tea": 1}, "val")
    after = apply_fixes(scan_folders(tmp_path), path, named="fixes.csv")
    assert [sample.target for sample in after.train] == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("train/2/9.png", "2", "", "", "drop"),
            r"line 3: train/2/9\.png is not a training image of this data",
        ),
        (
            ("val/35/1.png", "35", "2", "", "relabel"),
            r"line 3: val/35/1\.png is a validation image\. Those are never changed",
        ),
        (
            ("train/2/3.png", "2", "7", "", "relabel"),
            r"line 3: '7' is not a class of this data\. Its classes are 2, 10",
        ),
        (DROP, r"line 3: train/2/1\.png is named more than once"),
        (("train/2/3.png", "2", "", "", "burn"), "line 3: action must be one of keep, relabel, drop"),
    ],
)
def test_a_row_that_cannot_be_followed_is_named(
    tiny_data: Path, tmp_path: Path, row: tuple[str, ...], message: str
) -> None:
    path = write_list(tmp_path / "list.csv", DROP, row)
    with pytest.raises(DataError, match=rf"^fixes: mine\.csv, {message}"):
        apply_fixes(scan_folders(tiny_data), path, named="mine.csv")


def test_an_image_that_is_held_back_is_never_changed(tiny_data: Path, tmp_path: Path) -> None:
    folders = scan_folders(tiny_data, hold_back=1)
    path = write_list(tmp_path / "fixes.csv", (folders.held[0].path, "2", "", "", "drop"))
    with pytest.raises(DataError, match="is an image held back"):
        apply_fixes(folders, path, named="fixes.csv")


def test_a_class_keeps_one_image_at_least(tiny_data: Path, tmp_path: Path) -> None:
    rows = [(f"train/10/{number}.png", "10", "2", "", "drop") for number in range(1, 7)]
    with pytest.raises(DataError, match=r"fixes\.csv leaves no training image in class '10'"):
        apply_fixes(scan_folders(tiny_data), write_list(tmp_path / "fixes.csv", *rows), named="fixes.csv")


def test_a_list_that_is_not_there_or_none_is_refused_before_a_run_is_made(
    tiny_data: Path, tmp_path: Path, runs_root: Path
) -> None:
    gone = tiny_config(tiny_data, "run", fixes=str(tmp_path / "gone.csv"))
    with pytest.raises(RunError, match=r"gone\.csv cannot be copied \(No such file"):
        jobs.prepare(gone, runs_root)
    assert not list(iter_runs(runs_root))
    with pytest.raises(DataError, match=r"fixes: .*gone\.csv cannot be read \(No such file"):
        scan_config(gone)
    (tmp_path / "gone.csv").write_text("image,label\n", encoding="utf-8")
    with pytest.raises(DataError, match="the first line must be path,given,suggested,score,action"):
        scan_config(gone)


def train(run: Run) -> str:
    console = io.StringIO()
    status = TrainingJob(run, console).execute()
    assert status.state in ("finished", "stopped"), status.message
    return console.getvalue()


def test_a_training_keeps_the_list_it_began_with_and_goes_on_without_it(
    tiny_data: Path, fixes: Path, runs_root: Path
) -> None:
    run = jobs.prepare(tiny_config(tiny_data, "run", epochs=1, fixes=str(fixes)), runs_root)
    shutil.copy(fixes, fixes.with_name("copy.csv"))
    fixes.unlink()  # while the run waits for its turn
    assert f"Fix list {fixes}: of the training images 1 left out, 1 relabelled" in train(run)
    assert (run.folder / KEPT).read_bytes() == fixes.with_name("copy.csv").read_bytes()
    record = run.read_json("data.json")
    assert (record["dropped"], record["relabelled"]) == ([DROP[0]], [RELABEL[0]])
    assert [RELABEL[0], "35"] in record["train"]
    assert recorded_folders(run) == reopen_data(run, lambda *_: True)
    jobs.reopen(run, 2)
    assert "Resumed at epoch 2" in train(run)


def test_two_runs_are_judged_on_the_same_images_where_validation_is_split_off(
    tiny_data: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tiny_data / "val")
    plain = scan_config(TrainConfig(data=str(tiny_data)))
    taken = plain.train[0]
    path = write_list(tmp_path / "fixes.csv", (taken.path, "2", "10", "", "relabel"))
    assert scan_config(TrainConfig(data=str(tiny_data), fixes=str(path))).val == plain.val


def test_a_run_that_nothing_prepared_keeps_its_list_when_it_begins(
    tiny_data: Path, fixes: Path, runs_root: Path
) -> None:
    run = create_run(tiny_config(tiny_data, "run", epochs=1, fixes=str(fixes)), runs_root)
    train(run)
    assert (run.folder / KEPT).exists()
