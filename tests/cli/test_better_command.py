"""Better predictions as their user meets them: the table, the verdict, the hand-in file, refusals."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import torch

from core.__main__ import main
from core.confidence.threshold import write_threshold
from core.runs.run import Run
from core.training.checkpoint import load_checkpoint, save_checkpoint
from tests.made_run import make_run, measure_confidence


@pytest.fixture
def runs(runs_root: Path, tiny_data: Path, best_model: Path) -> list[Run]:
    """Return two runs whose networks differ in their heads alone."""
    made = [
        make_run(runs_root, tiny_data, name=name, precision="fp32", device="cpu", workers=0, weights="none")
        for name in ("first", "second")
    ]
    shutil.copy(best_model, made[0].best_path)
    values = load_checkpoint(best_model)
    values["model"]["fc.weight"] = values["model"]["fc.weight"].roll(1, 0)
    save_checkpoint(made[1].best_path, values)
    return made


def predict(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> tuple[list[float], str]:
    """Return the confidences and what was printed."""
    out, details = data / "hand-in.csv", data / "details.csv"
    paths = [str(data / "test"), "--out", str(out), "--details", str(details), "--overwrite"]
    assert main(["predict", "first", *paths, *words]) == 0
    assert out.read_text().startswith("image_name,pred_label\n1.png,")
    with details.open(newline="") as file:
        return [float(row["confidence"]) for row in csv.DictReader(file)], capsys.readouterr().out


def test_better_says_the_verdict_first_then_what_judged_and_each_way_with_its_cost(
    runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["better", "first", "second"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("No way is clearly better than first, plain.")
    assert "Judged on 6 validation images of first." in said
    for way in ("first, plain", "first, flip", "first, crops", "second, plain", "2 runs averaged, flip"):
        assert f"\n{way}" in said
    assert "How was this tested? By McNemar's exact test" in said
    assert "threshold were measured for a run's plain predictions" in said
    assert "did not begin from the same trained weights" in said


def test_better_of_one_run_measures_its_views_and_speaks_of_no_soup(
    runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["better", "first"]) == 0
    said = capsys.readouterr().out
    assert "first, crops" in said
    assert "soup" not in said
    assert "corrected for all 2 ways" in said


def test_runs_of_other_classes_are_refused_in_words(
    runs: list[Run], tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = load_checkpoint(runs[1].best_path)
    save_checkpoint(runs[1].best_path, {**values, "classes": ["2", "10", "36"]})
    assert main(["better", "first", "second"]) == 2
    assert main(["predict", "first", str(tiny_data / "test"), "--with", "second"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == ["error: first and second do not know the same classes: only first knows '35'. Their answers cannot be averaged."] * 2  # fmt: skip


def test_predict_with_views_and_runs_averages_and_says_what_the_threshold_is_of(
    runs: list[Run], tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, said = predict(capsys, tiny_data)
    assert "plain predictions" not in said
    for words in (["--tta", "flip"], ["--tta", "crops"], ["--with", "second"]):
        found, said = predict(capsys, tiny_data, *words)
        assert found != plain
        assert "threshold were measured for a run's plain predictions" in said
    temperature = measure_confidence(runs[0]).temperature
    write_threshold(runs[0], 0.999, temperature=temperature)
    said = predict(capsys, tiny_data, "--with", "second", "--tta", "flip")[1]
    assert f"calibrated, temperature {temperature:.2f}, 1.00" in said
    assert "3 of 3 not sure, below a confidence of 0.999" in said


def test_predict_with_a_soup_is_one_network_without_a_temperature(
    runs: list[Run], tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure_confidence(runs[0])
    found, said = predict(capsys, tiny_data, "--with", "second", "--soup", "--raw")
    again, said = predict(capsys, tiny_data, "--with", "second", "--soup")
    assert found == again
    assert "calibrated" not in said
    assert "A soup's confidences were not measured" in said
    assert main(["predict", "first", str(tiny_data / "test"), "--soup"]) == 2
    assert "A soup needs at least two runs" in capsys.readouterr().err


def test_better_tells_how_to_predict_with_the_soup_it_found(
    runs: list[Run], best_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = load_checkpoint(best_model)
    values["model"]["fc.bias"] = values["model"]["fc.bias"] + torch.tensor([9.0, 0.0, 0.0])
    for run in runs:  # both call everything class 2
        save_checkpoint(run.best_path, values)
    assert main(["better", "first", "second"]) == 0
    said = capsys.readouterr().out
    assert "\nsoup of first + second" in said
    assert "predict first PATHS --with second --soup\n" in said
    assert "soup first second --all\n" in said
    assert "The soup was chosen on these very images" in said
    assert main(["soup", "second", "first", "--name", "broth"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("broth: A soup: the average of the weights of ")
    assert "val accuracy 2 of 6 right, 33.3 %" in said
    assert main(["evaluate", "broth"]) == 0

    assert main(["soup", "first"]) == 2
    assert "A soup needs at least two runs" in capsys.readouterr().err
