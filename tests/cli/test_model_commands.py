"""The commands that ask a run's model as their user meets them: what is printed, the files, refusals."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from core.__main__ import main
from core.cli.models.model import _describe_choice
from core.confidence.kept import read_calibration
from core.confidence.threshold import write_threshold
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from core.verdicts.selective import ThresholdEffect
from tests.made_run import make_run, measure_confidence
from tests.processes import wait_until


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a run with a model of random weights."""
    run = make_run(runs_root, tiny_data, precision="fp32", device="cpu", workers=0)
    shutil.copy(best_model, run.best_path)
    return run


def confidences(path: Path) -> list[float]:
    with path.open(newline="") as file:
        return [float(row["confidence"]) for row in csv.DictReader(file)]


def test_calibrate_prints_figures_with_intervals_and_keeps_them(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", "first"]) == 0
    said = capsys.readouterr().out
    assert "of 6 right" in said
    assert "temperature 1.000: only" in said
    for name in ("ECE", "Brier", "loss", "AURC", "90 % right wanted", "99 % right wanted"):
        assert f"\n{name}" in said
    assert said.endswith(f"{run.folder / 'calibration.json'}\n")
    assert read_calibration(run) is not None


@pytest.mark.parametrize(
    ("answered", "right", "told"),
    [
        (36, 34, "36 of 36 images answered; 34 of 36 right, 94.4 % (95 % interval 81.9–98.5 %): not reached"),
        (20, 20, "20 of 36 images answered; 20 of 20 right, 100.0 % (95 % interval 83.9–100.0 %): reached"),
        (0, 0, "none is answered"),
    ],
)
def test_a_threshold_says_whether_it_reaches_what_was_wanted(answered: int, right: int, told: str) -> None:
    said = _describe_choice(ThresholdEffect(0.395, 36, answered, right), 0.99)
    assert said == (
        f"answer from a confidence of 0.395 on. On images that had no part in choosing this, {told}"
    )


def test_calibrate_as_a_task_ends_with_the_temperature(run: Run) -> None:
    launch_task(run.folder / ".calibrate", "calibrate", run="first")
    wait_until(lambda: read_task(run.folder / ".calibrate").state not in ACTIVE, "it has measured")
    status = read_task(run.folder / ".calibrate")
    assert (status.state, status.done) == ("finished", 6)
    assert status.message.startswith("temperature 1.000")


def test_calibrate_says_what_is_missing(
    run: Run, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_data.rename(tiny_data.with_name("elsewhere"))
    assert main(["calibrate", "first"]) == 2
    run.best_path.unlink()
    assert main(["calibrate", "first"]) == 2
    gone, none = capsys.readouterr().err.splitlines()
    assert f"its data folder {tiny_data} is no longer there" in gone
    assert "there is no best.pt yet" in none


def test_predict_uses_temperature_and_threshold_of_the_run_and_can_be_told_not_to(
    run: Run, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, details = tiny_data / "hand-in.csv", tiny_data / "details.csv"
    words = ["predict", "first", str(tiny_data / "test"), "--out", str(out), "--details", str(details)]
    words.append("--overwrite")
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "3 of 3 not sure, below a confidence of 0.500 (no threshold was chosen)"
    assert said[1:-1] == [
        "ok: The columns are image_name and pred_label.",
        "ok: 3 images are asked for, and each has exactly one line.",
        "ok: Every label is one of the model's 3 classes, written as the name of the class's folder.",
        "ok: The lines are in the order of the folder (2 before 10).",
    ]
    assert said[-1] == f"{out}: 3 images predicted, 0 left out"
    raw, labels = confidences(details), out.read_text()

    found = measure_confidence(run)
    write_threshold(run, 0.999, temperature=found.temperature)
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"confidences are calibrated, temperature {found.temperature:.2f}",
        "3 of 3 not sure, below a confidence of 0.999",
    ]
    assert all(one < other for one, other in zip(confidences(details), raw, strict=True))
    assert out.read_text() == labels

    assert main([*words, "--raw"]) == 0  # the threshold was of calibrated confidences
    assert "below a confidence of 0.500 (no threshold was chosen)" in capsys.readouterr().out
    assert confidences(details) == raw
    assert main([*words, "--raw", "--min-confidence", "0.1"]) == 0
    assert "0 of 3 not sure, below a confidence of 0.100" in capsys.readouterr().out


@pytest.mark.parametrize("share", ["1.1", "-1", "nan", "much"])
def test_a_confidence_is_a_share(runs_root: Path, capsys: pytest.CaptureFixture[str], share: str) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "first", "x.png", f"--min-confidence={share}"])
    assert f"must be a number from 0 to 1, got '{share}'" in capsys.readouterr().err


def test_predict_follows_a_sample_and_writes_to_standard_output(
    run: Run, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = tiny_data / "sample.csv"
    sample.write_text("Id,Kind\n3,rose\n1,rose\n")
    assert main(["predict", "first", str(tiny_data / "test"), "--sample", str(sample), "--out", "-"]) == 0
    out, err = capsys.readouterr()
    head, *rows = [line.split(",") for line in out.splitlines()]
    assert head == ["Id", "Kind"]
    assert [name for name, _ in rows] == ["3", "1"]
    assert {label for _, label in rows} <= {"rose", "tulip", "iris"}
    assert "ok: The lines are in the order of sample.csv." in err
    assert "1 file not in the sample, left out" in err


def test_predict_ends_with_an_error_code_where_the_check_does_not_pass(
    run: Run, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample, out = tmp_path / "sample.csv", tmp_path / "prediction.csv"
    sample.write_text("Id,Kind\n1.png,2\n77.png,2\n")
    words = ["predict", "first", str(tiny_data / "test"), "--sample", str(sample), "--out", str(out)]
    assert main(words) == 2
    assert "WRONG: 1 image has no line: 77.png." in capsys.readouterr().out
    assert out.read_text().startswith("Id,Kind\n1.png,")
    sample.write_text("Id\n")
    assert main([*words, "--overwrite"]) == 2
    assert "sample.csv has no rows" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--details"])
def test_predict_replaces_no_file_unasked(
    run: Run, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    folder = tmp_path / "hand-in"
    folder.mkdir()
    places = {"--out": folder / "prediction.csv", "--details": folder / "details.csv"}
    places[option].write_text("mine")
    words = [word for name, place in places.items() for word in (name, str(place))]
    words = ["predict", "first", str(tiny_data / "test"), *words]
    assert main(words) == 2
    assert f"{places[option]} already exists. Add --overwrite" in capsys.readouterr().err
    assert [path.read_text() for path in folder.iterdir()] == ["mine"]
    assert main([*words, "--overwrite"]) == 0
    assert all(place.read_text().startswith("image_name,") for place in places.values())


def test_evaluate_judges_a_labelled_folder(
    run: Run, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "first", "--folder", str(tiny_data / "val")]) == 0
    assert " of 6 right, " in capsys.readouterr().out
    table = tiny_data / "labels.csv"
    table.write_text("image,label\n1.png,rose\n2.png,10\n")
    assert main(["evaluate", "first", "--folder", str(tiny_data / "test"), "--labels", str(table)]) == 0
    said = capsys.readouterr().out
    assert " of 2 right, " in said
    assert "1 file has no label that is a class of this run." in said


def test_strangers_are_learned_and_measured_against_a_folder(
    run: Run, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["strangers", "first", "--against", str(tiny_data / "test")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("95.0 % of 6 validation images are not strangers")
    assert "of 3 strangers recognised" in said[1]
    assert said[2] == str(run.folder / "strangers.pt")
