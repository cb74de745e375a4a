"""The commands about data as their user meets them: output, JSON, the fix list, refusals."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from core.__main__ import main
from core.dataset.label_report import LabelReport, Overlap
from core.marks.marks import Mark, add_marks, list_path
from tests.made_run import make_run


def test_audit_prints_counts_and_each_finding_with_an_example(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(tiny_data / "train/2/1.png", tiny_data / "val/2/again.png")
    assert main(["audit", str(tiny_data)]) == 0
    text = capsys.readouterr().out
    assert f"{tiny_data}: 3 classes; files: 18 train, 7 val, 3 test" in text
    assert "serious  1 image is in more than one split" in text
    assert "train/2/1.png = val/2/again.png" in text


def test_audit_as_json_names_every_group(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tiny_data / "val")
    (tiny_data / "train/2/1.png").write_bytes(b"")
    assert main(["audit", str(tiny_data), "--json", "--val-fraction", "0.5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["val_made"]
    assert found["counts"]["val"] == {"2": 3, "10": 3, "35": 3}
    assert [(f["kind"], f["groups"]) for f in found["findings"]] == [("unreadable", [["train/2/1.png"]])]


def test_audit_names_a_folder_that_cannot_be_looked_into_and_why(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny_data / "train/fox").symlink_to("/nowhere/fox")  # as closed to root as to anyone
    assert main(["audit", str(tiny_data)]) == 0
    said = capsys.readouterr().out
    assert "serious  1 folder cannot be looked into\n" in said
    assert "such as train/fox is a link to /nowhere/fox, which does not exist" in said
    assert "readable image" not in said
    assert "no validation image" not in said


def test_audit_splits_as_a_run_that_holds_images_back(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(tiny_data), "--hold-back", "2"]) == 0
    assert "files: 12 train, 6 val, 6 held, 3 test" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [(["/no/such"], "/no/such: there is no such folder"), ([".", "--val-fraction", "2"], "val_fraction")],
)
def test_audit_refuses_in_one_line(
    runs_root: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert main(["audit", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


def test_audit_offers_the_folder_that_was_nearly_named(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slip = tiny_data.with_name(f"{tiny_data.name}x")
    assert main(["audit", str(slip)]) == 2
    assert f"Did you mean {tiny_data}?" in capsys.readouterr().err


def test_label_issues_writes_the_fix_list(
    runs_root: Path, tiny_data: Path, best_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(runs_root, tiny_data, precision="fp32", device="cpu", workers=0)
    assert main(["label-issues", "first"]) == 2
    assert "there is no best.pt yet" in capsys.readouterr().err
    shutil.copy(best_model, run.best_path)
    out = tiny_data / "fixes.csv"
    assert main(["label-issues", "latest", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == []
    assert said.startswith("The model gets only 16.7 % of these images right, so its doubts say nothing")
    assert said.endswith(f"{out}\n")
    out.write_text("mine", encoding="utf-8")
    assert main(["label-issues", "latest", "--out", str(out)]) == 2
    assert f"{out} already exists. Add --overwrite to replace it" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "mine"
    assert main(["label-issues", "latest", "--out", str(out), "--overwrite"]) == 0


def test_label_issues_of_training_images_need_a_network_that_has_not_seen_them(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(runs_root, tiny_data, weights="none")
    assert main(["label-issues", "first", "--split", "train"]) == 2
    assert "trained from scratch, so there is no network that has not seen" in capsys.readouterr().err


def test_classes_that_overlap_are_told_as_they_are_shown(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(runs_root, tiny_data)
    found = LabelReport("val", 6, 2, (), (Overlap("2", "10", 5, 20, 0.11, 0.47, 2),), (), 0.5)
    monkeypatch.setattr("core.model.label_issues.find_issues_of", lambda *_, **__: found)
    assert main(["label-issues", "first", "--out", str(tiny_data / "fixes.csv")]) == 0
    said = capsys.readouterr().out
    assert "2 · rose and 10 · tulip overlap: 5 of 20 images cross over" in said
    assert "The run's accuracy is 66.7 %, as measured when its best model was chosen. Here" in said
    assert "asked again in fp32, as Predict asks it, and 1 more image is wrong." in said


def test_marks_are_told_saved_and_written_into_a_corrected_copy(
    runs_root: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["marks", str(tiny_data)]) == 0
    assert capsys.readouterr().out == "No image is marked.\n"
    add_marks(list_path(tiny_data, runs_root), [Mark("train/2/1.png", "2", "drop")])
    out, copy = tmp_path / "marks.csv", tmp_path / "copy"
    assert main(["marks", str(tiny_data), "--out", str(out), "--copy", str(copy)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 image is marked: 1 to be left out.")
    assert "26 images, 0 with another label; 1 left out." in said
    assert out.read_text(encoding="utf-8").splitlines()[1].startswith("train/2/1.png,2,,,drop,drop")
    assert main(["marks", str(tiny_data), "--copy", str(copy)]) == 2
    assert "already exists" in capsys.readouterr().err
