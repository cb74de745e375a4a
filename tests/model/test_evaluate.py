"""Evaluation: a run's best model and the data it recorded give the table that all analysis reads."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from core.dataset.contents import read_fingerprint
from core.dataset.folders import ImageFolders, Sample, drop_bad_images, scan_folders
from core.dataset.images import BadImage
from core.errors import DataError, RunError
from core.model.evaluate import evaluate_run, write_predictions
from core.networks.build import build_model
from core.networks.table import IMAGENET
from core.recipe.config import TrainConfig
from core.report.matrix import tabulate_matrix
from core.runs.run import Run, create_run
from core.runs.run_data import record_data, recorded_folders, split_samples
from core.training.checkpoint import best_values, save_checkpoint
from core.training.engine import Outcome
from core.verdicts.class_report import report_classes
from core.verdicts.predictions import confusion_matrix, read_predictions

HEAD = ["path", "true", "predicted", "confidence", "true_confidence", "loss"]


def record(run: Run, folders: ImageFolders) -> None:
    record_data(run, folders, run.read_config())


@pytest.fixture(scope="module")
def best_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the checkpoint of a ResNet18 with random weights, made once for all tests, which only read it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("made") / "best.pt"
    model = build_model("resnet18", 3)
    values = best_values(
        model,
        arch="resnet18",
        inputs=IMAGENET,
        classes=("2", "10", "35"),
        display={},
        image_size=32,
        resize_size=32,
    )
    save_checkpoint(path, values)
    return path


@pytest.fixture
def run(tiny_data: Path, runs_root: Path, best_model: Path) -> Run:
    """Return a run on the tiny data with a best model, as training leaves it."""
    config = TrainConfig(
        data=str(tiny_data), name="first", arch="resnet18", image_size=32, resize_size=32,
        batch_size=4, workers=0, device="cpu", precision="fp32",
    )  # fmt: skip
    run = create_run(config, runs_root)
    record(run, scan_folders(tiny_data))
    run.best_path.hardlink_to(best_model)
    return run


@pytest.mark.parametrize(("split", "count"), [("val", 6), ("train", 18)])
def test_a_split_gives_a_table_of_one_row_an_image(run: Run, split: str, count: int) -> None:
    outcome = evaluate_run(run, split)
    assert outcome is not None
    table = read_predictions(run.predictions_path(split))
    assert len(table) == count
    assert table["path"].tolist() == [s.path for s in split_samples(recorded_folders(run), split)]
    assert table["true"].tolist() == [path.split("/")[1] for path in table["path"]]
    assert outcome.accuracy == (table["true"] == table["predicted"]).mean()


def test_the_table_has_a_column_for_each_guess_and_its_confidence(run: Run) -> None:
    evaluate_run(run)
    table = read_predictions(run.predictions_path())
    guesses = [name for n in (1, 2, 3) for name in (f"top{n}", f"top{n}_confidence")]
    assert list(table.columns) == HEAD + guesses
    assert table["predicted"].equals(table["top1"].rename("predicted"))
    assert (table["confidence"] == table["top1_confidence"]).all()
    assert all({row.top1, row.top2, row.top3} == {"2", "10", "35"} for row in table.itertuples())
    total = table[["top1_confidence", "top2_confidence", "top3_confidence"]].sum(axis=1)
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_the_loss_is_that_of_the_true_class(run: Run) -> None:
    evaluate_run(run)
    table = read_predictions(run.predictions_path())
    np.testing.assert_allclose(table["loss"], -np.log(table["true_confidence"]), atol=1e-3)
    right = table[table["true"] == table["predicted"]]
    assert (right["confidence"] == right["true_confidence"]).all()


def test_an_evaluation_that_is_ended_early_leaves_the_earlier_table(run: Run) -> None:
    run.predictions_path().write_text("earlier")
    calls: list[tuple[int, int]] = []
    assert evaluate_run(run, progress=lambda *call: calls.append(call) or False) is None
    assert calls == [(4, 6)]
    assert run.predictions_path().read_text() == "earlier"


def test_an_unknown_split_is_refused(run: Run) -> None:
    with pytest.raises(ValueError, match="split must be train, val, held, got 'test'"):
        evaluate_run(run, "test")


def test_a_file_that_is_gone_is_named(run: Run, tiny_data: Path) -> None:
    (tiny_data / "val" / "10" / "1.png").unlink()
    with pytest.raises(DataError, match=r"val/10/1\.png cannot be opened"):
        evaluate_run(run)


def test_the_recorded_data_is_that_of_the_run(run: Run, tiny_data: Path) -> None:
    folders = scan_folders(tiny_data)
    found = recorded_folders(run)
    assert (found.root, found.classes, found.display) == (folders.root, folders.classes, folders.display)
    assert (found.train, found.val, found.val_made) == (folders.train, folders.val, False)


def test_files_that_came_later_do_not_change_the_recorded_data(run: Run, tiny_data: Path) -> None:
    before = recorded_folders(run)
    shutil.copytree(tiny_data / "val" / "2", tiny_data / "train" / "1")
    shutil.copy(tiny_data / "test" / "1.png", tiny_data / "train" / "2" / "99.png")
    assert recorded_folders(run) == before


def test_a_split_that_was_made_and_the_files_skipped_are_remembered(run: Run, tiny_data: Path) -> None:
    shutil.rmtree(tiny_data / "val")
    folders = scan_folders(tiny_data, val_fraction=0.3)
    bad = [BadImage(folders.train[0].path, "is empty (0 bytes)")]
    folders = drop_bad_images(folders, bad, policy="skip")
    record(run, folders)
    found = recorded_folders(run)
    assert found.val_made
    assert (found.train, found.val, found.skipped) == (folders.train, folders.val, tuple(bad))


def test_the_record_tells_what_the_pages_show(run: Run, tiny_data: Path) -> None:
    described = run.read_json("data.json")
    assert described["classes"] == ["2", "10", "35"]
    assert described["test_count"] == 3
    assert described["train"][0] == ["train/2/1.png", "2"]
    assert described["fingerprint"] == read_fingerprint(scan_folders(tiny_data), run.folder.parent)
    assert described["val_fraction"] is None


def test_a_run_that_never_read_its_data_has_no_record(run: Run) -> None:
    (run.folder / "data.json").unlink()
    with pytest.raises(RunError, match="first: the run ended before it had read its data"):
        evaluate_run(run)


def test_a_data_folder_that_is_gone_is_named_with_what_to_do(run: Run, tiny_data: Path) -> None:
    tiny_data.rename(tiny_data.with_name("moved"))
    with pytest.raises(RunError, match=r"data folder .*tiny is no longer there\. Put it back"):
        evaluate_run(run)


ODD = ("true", "false", "predicted", "path", "index", "NA", "null", "nan", "1e5", "007", "=1+1", "a, b", 'q"q', "x:y", " in", "out ")  # fmt: skip


def test_classes_may_be_called_anything(tmp_path: Path) -> None:
    count = len(ODD)
    order = (np.arange(count)[:, None] + [1, 0]) % count  # each is taken for the next
    figures = np.full(count, 0.5, dtype=np.float32)
    outcome = Outcome(order, np.tile(figures[:, None], 2), figures, figures, np.arange(count))
    samples = [Sample(f"val/{name}/1.png", target) for target, name in enumerate(ODD)]
    write_predictions(tmp_path / "table.csv", samples, outcome, ODD)
    table = read_predictions(tmp_path / "table.csv")
    assert tuple(table["true"]) == ODD
    assert tuple(table["predicted"]) == (*ODD[1:], ODD[0])
    counts = confusion_matrix(table, ODD)
    assert (counts == np.roll(np.eye(count), 1, axis=1)).all()
    classes = report_classes(table, ODD, dict.fromkeys(ODD, 3)).set_index("class")
    assert classes.loc["true", ["confused_with", "mistaken_for_it", "train"]].tolist() == ["false", "out ", 3]
    tabulate_matrix(counts, ODD).to_csv(tmp_path / "matrix.csv", index=False)
    with (tmp_path / "matrix.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["true class"] for row in rows] == list(ODD)
    assert [[int(row[name]) for name in ODD] for row in rows] == counts.tolist()
    assert tabulate_matrix(counts[1:, 1:], ODD[1:]).columns[0] == "true"


def test_of_many_classes_five_guesses_are_written(tmp_path: Path) -> None:
    classes = tuple(str(number) for number in range(9))
    outcome = Outcome(
        top_index=np.array([[8, 1, 2, 3, 4]]),
        top_prob=np.array([[0.5, 0.2, 0.1, 0.05, 0.05]], dtype=np.float32),
        true_prob=np.array([0.2], dtype=np.float32),
        loss=np.array([1.609438], dtype=np.float32),
        target=np.array([1]),
    )
    write_predictions(tmp_path / "table.csv", [Sample("val/1/ä, b.png", 1)], outcome, classes)
    lines = (tmp_path / "table.csv").read_bytes().decode().split("\n")
    assert lines[1:] == [
        '"val/1/ä, b.png",1,8,0.500000,0.200000,1.609438,'
        "8,0.500000,1,0.200000,2,0.100000,3,0.050000,4,0.050000",
        "",
    ]
    assert len(pd.read_csv(tmp_path / "table.csv").columns) == len(HEAD) + 10
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
