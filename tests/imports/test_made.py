"""A run made of a table: what its folder holds, what the commands say of it, and that what fails leaves nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.__main__ import main
from core.confidence.kept import read_calibration
from core.errors import RunError
from core.imports.made import make_run
from core.model.calibration import calibrate_run
from core.report.page import write_report
from core.runs import jobs
from core.runs.imported import Origin, load_log_probs, read_origin
from core.runs.run import Run, find_run, iter_runs
from core.runs.run_data import recorded_folders
from core.runs.seen import name_unknown
from core.training.checkpoint import load_best
from core.verdicts.judged_on import load_pair
from core.verdicts.predictions import list_guesses, read_predictions
from tests.imports.tables import PATHS, PLAIN, PREDICTED, SURE, WHOLE, import_run, understand
from tests.made_run import make_run as make_trained


def test_a_run_of_a_table_has_finished_with_its_accuracy(runs_root: Path, tiny_data: Path) -> None:
    run = import_run(runs_root, tiny_data)
    status = find_run("elsewhere", runs_root).read_status()
    assert (status.state, status.val_count) == ("finished", 6)
    assert status.best_val_acc == pytest.approx(4 / 6)
    assert read_origin(run) == Origin("table.csv", "none", understand(PLAIN, tiny_data).notes)
    assert name_unknown(run) == "the model behind table.csv"


def test_its_data_is_that_of_the_folder_with_the_table_as_validation(
    runs_root: Path, tiny_data: Path
) -> None:
    folders = recorded_folders(import_run(runs_root, tiny_data))
    assert [sample.path for sample in folders.val] == list(PATHS)
    assert len(folders.train) == 18
    assert folders.display["2"] == "rose"


def test_training_images_of_the_table_are_no_longer_training_images(runs_root: Path, tiny_data: Path) -> None:
    run = import_run(runs_root, tiny_data, "path,pred\ntrain/2/1.png,10\ntrain/2/2.png,2\n")
    assert len(recorded_folders(run).train) == 16


def test_its_predictions_are_compared_with_those_of_a_run_that_was_trained_here(
    runs_root: Path, tiny_data: Path
) -> None:
    runs = [make_trained(runs_root, tiny_data), import_run(runs_root, tiny_data)]
    first, second = (lambda _, run=run: read_predictions(run.predictions_path()) for run in runs)
    pair = load_pair(first, second)
    assert list(pair.first["predicted"]) == list(pair.second["predicted"]) == list(PREDICTED)


def test_what_a_table_does_not_say_is_no_number(runs_root: Path, tiny_data: Path) -> None:
    table = read_predictions(import_run(runs_root, tiny_data).predictions_path())
    assert table[["confidence", "true_confidence", "loss"]].isna().all(axis=None)
    table = read_predictions(import_run(runs_root, tiny_data, SURE, name="sure").predictions_path())
    right = table["true"] == table["predicted"]
    assert table["confidence"].notna().all()
    assert (table["true_confidence"].notna() == right).all()
    assert table["loss"].isna().all()


def test_probabilities_give_the_likeliest_classes_and_the_loss(runs_root: Path, tiny_data: Path) -> None:
    run = import_run(runs_root, tiny_data, WHOLE)
    table = read_predictions(run.predictions_path())
    assert list_guesses(table.iloc[3]) == [("2", 0.8), ("10", 0.1), ("35", 0.1)]
    assert table["loss"].iloc[0] == pytest.approx(0.223144)  # -ln 0.8
    assert load_log_probs(run).shape == (6, 3)


def test_confidences_are_measured_from_the_table(runs_root: Path, tiny_data: Path) -> None:
    run = import_run(runs_root, tiny_data, WHOLE)
    calibrate_run(run)
    found = read_calibration(run)
    assert found is not None
    assert found.answers.raw.tolist() == pytest.approx([0.8] * 6)
    assert found.overconfidence == pytest.approx(0.8 - 4 / 6)
    top = calibrate_run(import_run(runs_root, tiny_data, SURE, name="sure"))
    assert top is not None
    assert top.temperature == 1
    assert "takes those of all classes" in top.note


def test_one_image_is_enough_to_be_measured(runs_root: Path, tiny_data: Path) -> None:
    one = "".join(line + "\n" for line in SURE.splitlines()[:2])
    found = calibrate_run(import_run(runs_root, tiny_data, one))
    assert found is not None
    assert found.answers.raw.tolist() == [0.9]


def test_without_confidences_nothing_is_measured(runs_root: Path, tiny_data: Path) -> None:
    with pytest.raises(RunError, match=r"table\.csv has no confidences"):
        calibrate_run(import_run(runs_root, tiny_data))


def test_what_needs_a_model_or_a_training_is_refused_in_words(runs_root: Path, tiny_data: Path) -> None:
    run = import_run(runs_root, tiny_data)
    with pytest.raises(
        RunError, match=r"was imported from table\.csv, so there is no training to go on with"
    ):
        jobs.resume(run, epochs=5)
    with pytest.raises(RunError, match="so there is no model"):
        load_best(run)


def test_a_name_that_is_taken_leaves_the_run_that_has_it(runs_root: Path, tiny_data: Path) -> None:
    before = read_origin(import_run(runs_root, tiny_data))
    with pytest.raises(RunError, match="already exists"):
        import_run(runs_root, tiny_data, SURE)
    assert read_origin(find_run("elsewhere", runs_root)) == before


def test_a_run_without_a_name_is_called_like_the_table(runs_root: Path, tiny_data: Path) -> None:
    reading = understand(PLAIN, tiny_data)
    assert [make_run(reading, runs_root).id for _ in range(2)] == ["table", "table-2"]


def test_what_fails_half_way_leaves_no_run(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "predictions_path", fail)
    with pytest.raises(OSError, match="No space"):
        import_run(runs_root, tiny_data)
    assert list(runs_root.iterdir()) == []


def test_the_command_tells_what_it_took_and_how_good_it_is(
    runs_root: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "keras.csv"
    table.write_text(SURE)
    assert main(["import", str(table), "--data", str(tiny_data)]) == 0
    out = capsys.readouterr().out
    assert "predicted class from 'predicted', confidence from 'confidence'" in out
    assert "keras: 4 of 6 right, 66.7 %" in out
    assert main(["runs"]) == 0
    assert "imported from keras.csv" in capsys.readouterr().out


def test_the_command_refuses_a_bad_table_in_one_line(
    runs_root: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(PLAIN.replace("val/2/2.png", "val/2/9.png"))
    assert main(["import", str(table), "--data", str(tiny_data)]) == 2
    assert capsys.readouterr().err.startswith(
        "error: bad.csv, line 3, column 'path': there is no image 'val/2/9.png'"
    )
    assert list(iter_runs(runs_root)) == []


def test_a_column_can_be_given_on_the_command_line(
    runs_root: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "own.csv"
    table.write_text(PLAIN.replace("predicted", "guess"))
    command = [
        "import",
        str(table),
        "--data",
        str(tiny_data),
        "--predicted-column",
        "guess",
        "--name",
        "mine",
    ]
    assert main(command) == 0
    assert "mine: 4 of 6 right" in capsys.readouterr().out


@pytest.mark.parametrize("text", [PLAIN, SURE, WHOLE], ids=["no confidences", "of the first", "of all"])
def test_a_report_tells_of_the_predictions_alone(
    runs_root: Path, tiny_data: Path, tmp_path: Path, text: str
) -> None:
    page = write_report([import_run(runs_root, tiny_data, text)], tmp_path / "report")
    assert page is not None
    said = page.read_text(encoding="utf-8")
    assert "6 predictions imported from table.csv, 3 classes" in said
    assert "4 of 6 right, 66.7 %" in said
    assert "What the model behind these predictions has seen is not known" in said
    assert "Wilson" in said
    for word in ("Hyper-parameters", "Best epoch", "Training time", "resnext50", "nan", "Grad-CAM"):
        assert word not in re.sub(r"data:image/[^\"]*", "", said)


def test_a_report_does_not_compare_what_was_imported(
    runs_root: Path, tiny_data: Path, tmp_path: Path
) -> None:
    runs = [make_trained(runs_root, tiny_data), import_run(runs_root, tiny_data)]
    with pytest.raises(RunError, match=r"elsewhere was imported from table\.csv, and a report compares how"):
        write_report(runs, tmp_path / "report")


def test_images_without_folders_of_classes_are_reported_too(
    runs_root: Path, tiny_data: Path, tmp_path: Path
) -> None:
    flat, text = tmp_path / "flat", PLAIN
    flat.mkdir()
    for path in PATHS:
        (tiny_data / path).rename(flat / path.replace("/", "-"))
        text = text.replace(path, path.replace("/", "-"))
    page = write_report([import_run(runs_root, flat, text)], tmp_path / "report")
    assert page is not None
    assert "Other training images" in page.read_text(encoding="utf-8")
