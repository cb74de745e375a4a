"""A run judged on labelled images that are none of its data: whose labels count, what is left out, and the table of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.answers.judged import Judged, read_judged
from core.answers.labelled import find_labels, judge_folder
from core.answers.submission import take_sample
from core.csv_table import parse_table
from core.dataset.images import read_image
from core.errors import DataError, RunError
from core.model.predict import Predictor
from core.runs.run import TEST, Run
from core.verdicts.predictions import confusion_matrix, read_predictions

CLASSES = ("2", "10", "35")
NAMES = {"2": "rose", "10": "tulip", "35": "iris"}


@pytest.fixture
def labelled(tmp_path: Path, tiny_data: Path) -> Path:
    """Return a folder with two images of each class, by folder, by display name and in a deeper folder."""
    root = tmp_path / "elsewhere"
    for name, own in (("2", "2"), ("10", "tulip"), ("35", "iris/close")):
        (root / own).mkdir(parents=True)
        for number in (1, 2):
            shutil.copy(tiny_data / f"val/{name}/{number}.png", root / own / f"{number}.png")
    return root


def test_labels_are_the_folders_by_either_name_of_the_class(labelled: Path) -> None:
    paths = sorted(labelled.rglob("*.png"))
    found = find_labels(paths, labelled, CLASSES, NAMES)
    assert {path.relative_to(labelled).as_posix(): number for path, number in found.items()} == {
        "2/1.png": 0, "2/2.png": 0, "iris/close/1.png": 2, "iris/close/2.png": 2, "tulip/1.png": 1, "tulip/2.png": 1,
    }  # fmt: skip


def test_labels_of_a_table_count_where_there_is_one() -> None:
    folder = Path("/photos")
    paths = [folder / name for name in ("1.png", "2.png", "3.png")]
    table = take_sample(parse_table("labels.csv", b"file,class\n1,rose\n2,35\n9,2\n3,cactus\n"))
    found = find_labels(paths, folder, CLASSES, NAMES, table)
    assert {path.name: number for path, number in found.items()} == {"1.png": 0, "2.png": 2}


def test_a_name_that_two_classes_share_is_no_label() -> None:
    folder = Path("/photos")
    paths = [folder / "rose/1.png", folder / "35/1.png"]
    assert list(find_labels(paths, folder, CLASSES, {"2": "rose", "10": "rose"})) == [paths[1]]


def test_images_without_any_label_are_refused_with_what_to_do() -> None:
    with pytest.raises(
        DataError, match=r"No image is labelled by a folder in /photos .*'2', '10', '35'.*table with two"
    ):
        find_labels([Path("/photos/1.png")], Path("/photos"), CLASSES, NAMES)


def test_a_labelled_folder_becomes_a_table_of_its_own(run: Run, labelled: Path) -> None:
    (labelled / "2/broken.png").write_bytes(b"no image")
    (labelled / "cactus").mkdir()
    shutil.copy(labelled / "2/1.png", labelled / "cactus/1.png")
    calls: list[tuple[int, int]] = []
    judged = judge_folder(run, labelled, progress=lambda *call: bool(calls.append(call)) or True)
    assert judged is not None
    assert judged == read_judged(run)
    assert calls == [(7, 7)]
    assert (judged.count, judged.unlabelled, judged.unread, judged.known) == (6, 1, 1, 0)
    assert (
        judged.describe_left_out()
        == "1 file has no label that is a class of this run. 1 file cannot be read."
    )
    table = read_predictions(run.predictions_path(TEST))
    assert (table["true"] == table["predicted"]).sum() == judged.right
    assert confusion_matrix(table, CLASSES).sum() == 6
    predictor = Predictor.from_run(run)
    for row in table.itertuples():
        answer = predictor.predict([read_image(Path(row.path))])[0]
        assert (row.predicted, row.confidence) == (
            answer.classes[0],
            pytest.approx(answer.confidences[0], abs=1e-5),
        )


def test_images_that_the_model_was_trained_on_are_told(run: Run, tiny_data: Path) -> None:
    judged = judge_folder(run, tiny_data / "train")
    assert judged is not None
    assert (judged.count, judged.known) == (18, 18)
    assert "was trained on 18 images of these" in judged.describe_left_out()


def test_a_stop_leaves_no_table(run: Run, labelled: Path) -> None:
    assert judge_folder(run, labelled, progress=lambda *_: False) is None
    assert read_judged(run) is None
    assert not run.predictions_path(TEST).exists()


def test_what_was_judged_of_another_model_is_not_shown(run: Run, labelled: Path) -> None:
    judge_folder(run, labelled)
    assert isinstance(read_judged(run), Judged)
    run.write_status(replace(run.read_status(), best_epoch=1))
    assert read_judged(run) is None


@pytest.mark.parametrize("path", ["/photos/../etc/1.png", "../1.png", "\0"])
def test_a_table_of_whole_paths_still_leads_up_nowhere(run: Run, labelled: Path, path: str) -> None:
    judge_folder(run, labelled)
    table = run.predictions_path(TEST)
    table.write_text(table.read_text().replace(str(labelled / "2/1.png"), path, 1))
    with pytest.raises(RunError, match="has no path inside a data folder"):
        read_predictions(table)
    shutil.copy(table, run.predictions_path("held"))
    with pytest.raises(
        RunError, match="is not a predictions table"
    ):  # a table of the run's own data has none
        read_predictions(run.predictions_path("held"))
