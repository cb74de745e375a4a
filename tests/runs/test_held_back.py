"""Images held back: which they are, that they neither train nor choose a model, and what they are judged by."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path

import pytest

from core.dataset.contents import read_fingerprint
from core.dataset.folders import BadImage, drop_bad_images, scan_folders
from core.errors import DataError, RunError
from core.job.job import TrainingJob
from core.model.evaluate import evaluate_run
from core.runs.run import Run, create_run
from core.runs.run_data import recorded_folders
from tests.processes import make_images, tiny_config


def paths(samples: object) -> set[str]:
    return {sample.path for sample in samples}  # type: ignore[attr-defined]


def test_they_are_as_many_of_each_class_and_the_same_whatever_the_split(tmp_path: Path) -> None:
    data = make_images(tmp_path, val=0)
    first, other = (scan_folders(data, val_fraction=share, hold_back=2) for share in (0.2, 0.5))
    assert [sum(s.target == c for s in first.held) for c in range(3)] == [2, 2, 2]
    assert first.held == other.held
    assert len(first.val) < len(other.val)
    assert not paths(first.held) & (paths(first.train) | paths(first.val))
    assert len(first.files) == 18


def test_more_of_them_include_the_fewer(tmp_path: Path) -> None:
    data = make_images(tmp_path)
    assert paths(scan_folders(data, hold_back=1).held) < paths(scan_folders(data, hold_back=4).held)


def test_which_they_are_counts_in_the_fingerprint(tmp_path: Path) -> None:
    data = make_images(tmp_path)
    without, with_them = (scan_folders(data, hold_back=count) for count in (0, 1))
    assert without.held == ()
    assert read_fingerprint(without, tmp_path) != read_fingerprint(with_them, tmp_path)


def test_a_class_keeps_one_at_least(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hold_back: class '2' has 6 training images, .* at most 5 of each"):
        scan_folders(make_images(tmp_path), hold_back=6)


def test_one_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    folders = scan_folders(make_images(tmp_path), hold_back=2)
    bad = [BadImage(folders.held[0].path, "is cut off")]
    assert drop_bad_images(folders, bad, policy="skip").held == folders.held[1:]


def train(folder: Path, name: str, **changes: object) -> Run:
    data = folder / "data"
    if not data.exists():
        make_images(data)
    run = create_run(tiny_config(data, name, **changes), folder / "runs")
    TrainingJob(run, io.StringIO()).execute()
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the runs `base`, which held 2 of each class back, and `all`, which held none."""
    root = tmp_path_factory.mktemp("held")
    assert train(root, "base", hold_back=2).read_status().state == "finished"
    assert train(root, "all", epochs=1).read_status().state == "finished"
    return root


def find(folder: Path, name: str) -> Run:
    return Run(folder / "runs" / name)


def test_the_best_model_is_judged_on_them_at_the_end(folder: Path) -> None:
    run = find(folder, "base")
    with run.predictions_path("held").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    record = run.read_json("data.json")
    assert [[row["path"], row["true"]] for row in rows] == record["held"]
    assert len(rows) == 6
    assert len(record["train"]) == 12
    assert recorded_folders(run).held == scan_folders(folder / "data", hold_back=2).held
    assert not find(folder, "all").predictions_path("held").exists()


def test_a_run_that_starts_from_one_that_held_them_back_too_may_use_them(folder: Path) -> None:
    run = train(folder, "further", hold_back=1, weights="run:base", epochs=1)
    assert run.read_status().state == "finished", run.read_status().message
    assert len(run.read_json("data.json")["held"]) == 3


def test_one_that_starts_from_a_model_which_has_seen_them_is_refused(folder: Path) -> None:
    status = train(folder, "seen", hold_back=1, weights="run:all", epochs=1).read_status()
    assert status.state == "failed"
    assert (
        "the run all, which this one starts from, was trained on or chosen by 3 of the 3 images to hold back"
        in status.message
    )


def test_one_that_would_validate_on_what_its_initial_model_was_trained_on_is_refused(tmp_path: Path) -> None:
    make_images(tmp_path / "data", val=0)
    assert train(tmp_path, "base", epochs=1, val_fraction=0.2).read_status().state == "finished"
    again = {"weights": "run:base", "epochs": 1}
    assert train(tmp_path, "same", val_fraction=0.2, **again).read_status().state == "finished"
    message = train(tmp_path, "more", val_fraction=0.5, **again).read_status().message
    assert re.match(
        r"val_fraction: the run base.* trained on .* of the 9 validation images, .* \(first train/", message
    )
    assert message.endswith(
        "Split the data as that run did: val_fraction 0.2, hold_back 0 and group_by copies."
    )


def refused(folder: Path, name: str, **changes: object) -> str:
    """Return why a run that would hold back one image of each class is refused, before it trains."""
    status = train(folder, name, hold_back=1, epochs=1, **changes).read_status()
    assert status.state == "failed"
    return status.message


def test_one_that_has_seen_them_under_another_path_is_refused_too(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "data" / "train", tmp_path / "data" / "train")
    shutil.copytree(folder / "data" / "val", tmp_path / "data" / "val")
    assert "chosen by 3 of the 3 images" in refused(
        tmp_path, "copy", weights=str(find(folder, "all").best_path)
    )


def test_one_that_comes_from_a_model_which_has_seen_them_is_refused_also_when_that_is_gone(
    folder: Path, tmp_path: Path
) -> None:
    make_images(tmp_path / "data", seed=1)
    runs = tmp_path / "runs"
    shutil.copytree(find(folder, "all").folder, runs / "all")
    assert train(tmp_path, "between", weights="run:all", epochs=1).read_status().state == "finished"
    shutil.rmtree(runs / "all")
    shutil.copytree(folder / "data", tmp_path / "other")
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    (tmp_path / "other").rename(tmp_path / "data")
    assert "chosen by 3 of the 3 images" in refused(tmp_path, "by-name", weights="run:between")
    model = tmp_path / "taken-away.pt"
    (runs / "between" / "best.pt").rename(model)
    shutil.rmtree(runs / "between")
    assert "chosen by 3 of the 3 images" in refused(tmp_path, "by-file", weights=str(model))


def test_a_run_without_them_has_no_such_split(folder: Path) -> None:
    with pytest.raises(RunError, match="held no images back"):
        evaluate_run(find(folder, "all"), "held")
