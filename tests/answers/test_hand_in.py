"""The file that is handed in: exactly as asked for, checked, made whole or not at all, and kept with what it is of."""

from __future__ import annotations

import csv
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from core.answers.hand_in import (
    HandIn,
    Written,
    hand_in_folder,
    predict_folder,
    read_hand_in,
    write_hand_in,
)
from core.answers.sources import find_images
from core.answers.submission import Form, Sample, plan_hand_in, take_sample
from core.csv_table import parse_table
from core.errors import RunError
from core.model.predict import Predictor
from core.runs.run import Run


def write(
    predictor: Predictor,
    paths: list[Path],
    out: Path | None,
    *,
    form: Form | None = None,
    sample: Sample | None = None,
    **options: object,
) -> Written | None:
    plan = plan_hand_in(
        find_images(paths), form or Form(), classes=predictor.classes, display=predictor.display,
        folder=paths[0] if len(paths) == 1 else None, sample=sample,
    )  # fmt: skip
    return write_hand_in(predictor, plan, out, **options)  # type: ignore[arg-type]


def test_the_hand_in_file_is_exactly_image_name_and_label(tiny_data: Path, predictor: Predictor) -> None:
    out = tiny_data.parent / "prediction.csv"
    written = write(predictor, [tiny_data / "test"], out)
    assert written is not None
    assert (written.bad, written.unsure) == ((), 0)
    assert all(finding.good for finding in written.findings)
    assert out.read_bytes() == b"image_name,pred_label\n1.png,2\n2.png,10\n3.png,35\n"


def test_names_without_endings_and_class_names_are_written_as_asked(
    tiny_data: Path, predictor: Predictor
) -> None:
    written = write(predictor, [tiny_data / "test"], None, form=Form(extension=False, labels="name"))
    assert written is not None
    assert written.text == "image_name,pred_label\n1,rose\n2,tulip\n3,iris\n"


def test_a_sample_is_followed_and_the_file_is_checked_against_it(
    tiny_data: Path, predictor: Predictor
) -> None:
    sample = take_sample(parse_table("sample.csv", b"Id,Name\n3,rose\n1,rose\n2,rose\n"))
    out = tiny_data.parent / "mine.csv"
    written = write(predictor, [tiny_data / "test"], out, sample=sample)
    assert written is not None
    assert out.read_text() == "Id,Name\n3,iris\n1,rose\n2,tulip\n"
    assert [finding.good for finding in written.findings] == [True] * 4


def test_details_tell_how_sure_the_model_is_and_the_hand_in_file_has_a_label_all_the_same(
    tiny_data: Path, predictor: Predictor
) -> None:
    Image.new("RGB", (32, 32), (90, 110, 85)).save(tiny_data / "test" / "2.png")
    out, details = tiny_data.parent / "prediction.csv", tiny_data.parent / "details.csv"
    found = write(predictor, [tiny_data / "test"], out, details=details, min_confidence=0.7)
    assert found is not None
    assert found.unsure == 1
    assert out.read_text() == "image_name,pred_label\n1.png,2\n2.png,10\n3.png,35\n"
    with details.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image_name"], row["pred_label"], row["sure"]) for row in rows] == [
        ("1.png", "2", "yes"),
        ("2.png", "10", "no"),
        ("3.png", "35", "yes"),
    ]
    assert [float(row["confidence"]) >= 0.7 for row in rows] == [True, False, True]
    hot = write(predictor, [tiny_data / "test"], out, temperature=20.0, min_confidence=0.7)
    assert hot is not None
    assert hot.unsure == 3


def test_the_two_files_cannot_be_one(tiny_data: Path, predictor: Predictor) -> None:
    out = tiny_data.parent / "prediction.csv"
    with pytest.raises(RunError, match=r"prediction\.csv is given for both .* Choose two different files"):
        write(predictor, [tiny_data / "test"], out, details=out)


def test_a_bad_file_is_reported_the_others_go_on_and_the_check_does_not_pass(
    tiny_data: Path, predictor: Predictor
) -> None:
    (tiny_data / "test" / "2.png").write_bytes(b"")
    (tiny_data / "test" / "4.jpg").write_text("dear diary")
    out = tiny_data.parent / "prediction.csv"
    written = write(predictor, [tiny_data / "test"], out, batch_size=2)
    assert written is not None
    assert [(Path(item.path).name, item.reason.split(" (")[0]) for item in written.bad] == [
        ("2.png", "is empty"),
        ("4.jpg", "is not an image of a supported kind"),
    ]
    assert out.read_text() == "image_name,pred_label\n1.png,2\n3.png,35\n"
    assert [f.words for f in written.findings if not f.good] == ["2 images have no line: 2.png, 4.jpg."]


def test_what_is_no_file_is_left_out_with_its_reason(tiny_data: Path, predictor: Predictor) -> None:
    (tiny_data / "test" / "2.png").unlink()
    (tiny_data / "test" / "2.png").symlink_to("/nowhere/2.png")
    os.mkfifo(tiny_data / "test" / "10.png")
    out = tiny_data.parent / "prediction.csv"
    for paths in ([tiny_data / "test"], [tiny_data / "test" / f"{n}.png" for n in (1, 2, 3, 10)]):
        written = write(predictor, paths, out)
        assert written is not None
        assert [(Path(item.path).name, item.reason) for item in written.bad] == [
            ("2.png", "is a link to /nowhere/2.png, which does not exist"),
            ("10.png", "is not a file but a pipe"),
        ]
        assert out.read_text() == "image_name,pred_label\n1.png,2\n3.png,35\n"


def test_batches_do_not_change_the_hand_in_file(tiny_data: Path, predictor: Predictor) -> None:
    texts = set()
    for batch_size in (1, 4, 100):
        written = write(predictor, [tiny_data / "val", tiny_data / "test"], None, batch_size=batch_size)
        assert written is not None
        texts.add(written.text)
    assert len(texts) == 1


def test_progress_is_told_to_the_last_image(tiny_data: Path, predictor: Predictor) -> None:
    calls: list[tuple[int, int]] = []

    def note(done: int, total: int) -> bool:
        calls.append((done, total))
        return len(calls) < 3

    out = tiny_data.parent / "p.csv"
    assert write(predictor, [tiny_data / "test"], out, batch_size=2, progress=note) is not None
    assert calls == [(2, 3), (3, 3)]
    out.unlink()
    assert write(predictor, [tiny_data / "test"], out, batch_size=2, progress=note) is None  # told to stop
    assert not out.exists()


def test_a_hand_in_file_that_cannot_be_written_is_told_before_the_work(
    tiny_data: Path, predictor: Predictor
) -> None:
    calls: list[tuple[int, int]] = []
    with pytest.raises(RunError, match=r"prediction\.csv cannot be written: there is no folder .*gone"):
        write(
            predictor, [tiny_data / "test"], tiny_data / "gone" / "prediction.csv",
            progress=lambda *call: not calls.append(call),
        )  # fmt: skip
    assert calls == []


def test_names_with_commas_and_of_any_script_survive(tiny_data: Path, predictor: Predictor) -> None:
    (tiny_data / "test" / "1.png").rename(tiny_data / "test" / 'Blüte, "花".png')
    out = tiny_data.parent / "prediction.csv"
    written = write(predictor, [tiny_data / "test" / 'Blüte, "花".png'], out)
    assert out.read_text(encoding="utf-8").splitlines()[1] == '"Blüte, ""花"".png",2'
    assert written is not None
    assert all(finding.good for finding in written.findings)


def test_a_name_that_begins_like_a_formula_is_text_in_the_details_and_as_it_is_in_the_hand_in_file(
    tiny_data: Path, predictor: Predictor
) -> None:
    (tiny_data / "test" / "1.png").rename(tiny_data / "test" / "=1+2.png")
    out, details = tiny_data.parent / "prediction.csv", tiny_data.parent / "details.csv"
    write(predictor, [tiny_data / "test" / "=1+2.png"], out, details=details)
    assert rows_of(out)[1][0] == "=1+2.png"  # which another program compares
    assert rows_of(details)[1][:2] == ["'=1+2.png", "2"]


# As a task, kept with a run


def predict(
    run: Run, images: Path, task: Path, *, going: bool = True, threshold: float = 0.0, **options: object
) -> HandIn | None:
    task.mkdir(exist_ok=True)
    return predict_folder(
        run, images, task, temperature=1.0, threshold=threshold, progress=lambda *_: going, **options
    )  # type: ignore[arg-type]


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
    assert not made.good
    assert (False, "1 image has no line: broken.jpg.") in made.findings
    ((name, reason),) = made.left_out
    assert (name, "is not an image" in reason) == ("broken.jpg", True)
    table, details = (rows_of(hand_in_folder(task) / f"prediction{end}.csv") for end in ("", "-details"))
    assert table[0] == ["image_name", "pred_label"]
    assert [row[0] for row in table[1:]] == ["1.png", "2.png", "3.png"]
    assert [row[:2] for row in details] == table
    assert {row[3] for row in details[1:]} == {"no"}


def test_a_folder_is_predicted_as_a_sample_has_it(run: Run, tiny_data: Path, tmp_path: Path) -> None:
    sample = take_sample(parse_table("sample.csv", b"id,label\n3,2\n1,2\n"))
    made = predict(run, tiny_data / "test", tmp_path / "task", sample=sample)
    assert made is not None
    assert (made.good, made.sample, made.count, made.extra) == (True, "sample.csv", 2, 1)
    assert [row[0] for row in rows_of(hand_in_folder(tmp_path / "task") / "prediction.csv")] == [
        "id",
        "3",
        "1",
    ]


def test_what_was_made_before_stays_until_all_is_done_and_nothing_half_is_left(
    run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    task = tmp_path / "task"
    before = predict(run, tiny_data / "test", task)
    assert predict(run, tiny_data / "val", task, going=False) is None
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="has no files"):
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
