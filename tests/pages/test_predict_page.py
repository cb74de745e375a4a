"""The Predict page without a browser: uploads, a hand-in, a labelled folder, and below which confidence it is not sure."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import psutil
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.confidence.threshold import read_threshold, write_threshold
from core.runs.run import Run
from core.runs.tasks import read_order
from tests.made_run import measure_confidence
from tests.pages.apps import Open, links, saves, set_state, words


def drop(app: AppTest, files: dict[str, bytes]) -> None:
    """Drop files on the page."""
    app.file_uploader(key="predict-files").set_value(
        [(name, content, "application/octet-stream") for name, content in files.items()]
    )
    app.run()


def test_predict_says_not_sure_below_the_threshold_and_names_its_best_guess(
    open_page: Open, run_with_model: Run, tiny_data: Path
) -> None:
    found = measure_confidence(run_with_model)
    write_threshold(run_with_model, 0.9, temperature=found.temperature, wanted=0.95)
    app = open_page("predict", run="first")
    shown = words(app)
    assert f"Confidences are calibrated, temperature {found.temperature:.2f}." in shown
    assert (
        "below a confidence of 90.0 %: chosen on Confidence so that 95.0 % of the answers are right." in shown
    )
    assert "On validation it answers" in shown
    drop(app, {"rose.png": (tiny_data / "test/1.png").read_bytes()})
    assert "Not sure. Best guess: " in words(app)
    app.number_input(key="answering-threshold-first").set_value(1.0).run()
    assert "Not sure. Best" not in words(app)
    assert "below a confidence of 1.0 %: the threshold was set by hand." in words(app)
    kept = read_threshold(run_with_model, temperature=found.temperature)
    assert kept is not None
    assert (kept.value, kept.wanted) == (0.01, None)
    app.toggle(key="answering-calibrated-first").set_value(False).run()
    assert "as the network gives them, not calibrated" in words(app)
    assert app.number_input(key="answering-threshold-first").value == 50
    assert not app.error


def test_where_no_threshold_was_chosen_an_answer_likelier_wrong_than_right_is_not_sure(
    open_page: Open, run_with_model: Run, tiny_data: Path
) -> None:
    app = open_page("predict", run="first")
    assert "below a confidence of 50.0 %: no threshold was chosen" in words(app)
    drop(app, {"rose.png": (tiny_data / "test/1.png").read_bytes()})
    assert "Not sure. Best guess: " in words(
        app
    )  # of three classes, an untrained network gives each about a third
    assert "**1 image predicted**, not sure of 1." in words(app)
    field = app.number_input(key="answering-threshold-first")
    field.set_value(None).run()
    assert "“Not sure below” is empty; give a number" in " ".join(toast.value for toast in app.toast)
    assert "below a confidence of 50.0 %: no threshold was chosen" in words(app)
    app.number_input(key="answering-threshold-first").set_value(0.0).run()
    assert "Every image is answered, however sure: the threshold was set to 0 by hand." in words(app)
    assert "**1 image predicted**, not sure of 0." in words(app)


# Images


def test_an_archive_becomes_a_table_least_sure_first_that_is_filtered_and_saved(
    open_page: Open, run_with_model: Run, tiny_data: Path
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted((tiny_data / "train").rglob("*.png")):
            archive.write(path, path.relative_to(tiny_data / "train"))
        archive.writestr("../out.png", b"x")
    app = open_page("predict", run="first")
    drop(app, {"photos.zip": buffer.getvalue()})
    shown = words(app)
    assert "**18 of 19 files predicted**, not sure of " in shown
    assert "leads out of its archive" in shown
    assert saves(app)[:2] == ["Save as CSV", "Save as Parquet"]
    (frame,) = (one.value for one in app.dataframe if "next likeliest" in one.value)
    assert len(frame) == 19
    confidences = list(frame["confidence"].dropna())
    assert confidences == sorted(confidences)
    assert frame[""].iloc[0].startswith("data:image/webp;base64,")
    app.selectbox(key="predict-shown").set_value("cannot be read").run()
    (frame,) = (one.value for one in app.dataframe if "next likeliest" in one.value)
    assert list(frame["image"]) == ["../out.png"]
    assert "1 image of 19" in words(app)
    app.selectbox(key="predict-shown").set_value("not sure").run()
    (frame,) = (one.value for one in app.dataframe if "next likeliest" in one.value)
    assert f"not sure of {len(frame)}." in words(app)
    assert not app.exception


def test_a_line_of_the_table_is_looked_at_with_its_heat_maps(
    open_page: Open, run_with_model: Run, tiny_data: Path
) -> None:
    images = sorted((tiny_data / "train").rglob("*.png"))
    app = open_page("predict", run="first")
    drop(app, {f"{path.parent.name}-{path.name}": path.read_bytes() for path in images})
    (frame,) = (one.value for one in app.dataframe if "next likeliest" in one.value)
    app.session_state["predict-table"] = {"selection": {"rows": [3], "columns": [], "cells": []}}
    app.run()
    shown = words(app)
    assert f'alt="{frame["image"].iloc[3]}"' in shown
    assert 'alt="Grad-CAM of ' in shown
    assert app.selectbox(key="detail-method").value == "Grad-CAM"
    assert "Can you trust this map?" in shown
    assert not app.exception


def test_a_photo_of_the_camera_is_predicted_as_a_dropped_one(open_page: Open, run_with_model: Run) -> None:
    photo = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(photo, "JPEG")
    app = open_page("predict", run="first")
    app.toggle(key="predict-camera-on").set_value(True).run()
    app.camera_input(key="predict-camera").upload("photo.jpg", photo.getvalue()).run()
    assert "**1 image predicted**" in words(app)
    assert 'alt="photo.jpg"' in words(app)


def test_too_many_files_are_told_in_words_and_the_page_stays(
    open_page: Open, run_with_model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.answers.arriving.MAX_FILES", 1)
    app = open_page("predict", run="first")
    drop(app, {"1.png": b"x", "2.png": b"y"})
    assert "more than 1 files" in words(app)
    assert app.button(key="predict-folder-start")


# The hand-in


def test_a_folder_is_predicted_watched_and_stopped_also_by_another_tab(
    open_page: Open, run_with_model: Run, tiny_data: Path, no_jobs: None
) -> None:
    app = open_page("predict", run="first")
    app.button(key="predict-folder-start").click().run()
    task = Run(run_with_model.folder / ".predict")
    assert read_order(task.folder) == (
        "predict",
        {
            "run": "first",
            "images": str(tiny_data / "test"),
            "temperature": 1.0,
            "threshold": 0.5,
            "extension": True,
            "labels": "",
        },
    )
    me = psutil.Process()
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=32, total=96, seconds_left=8.0)
    other = open_page("predict", run="first")
    (bar,) = other.get("progress")
    assert bar.proto.text == "32 of 96 images · about 8 s left"
    other.button(key="predict-folder-stop").click().run()
    assert task.stop_requested()
    for ended in ("stopped", "failed"):
        set_state(task, ended, message="why it ended")
        app = open_page("predict", run="first")
        assert "why it ended" in words(app)
        assert app.button(key="predict-folder-start")
        assert saves(app) == []
    app.text_input(key="predict-folder-first").set_value(str(tiny_data / "val" / "2")).run()
    assert "why it ended" not in words(app)  # that was of another folder


def test_a_predicted_folder_is_checked_before_it_is_offered(
    open_page: Open, run_with_model: Run, jobs_here: None
) -> None:
    app = open_page("predict", run="first")
    app.button(key="predict-folder-start").click().run()
    shown = words(open_page("predict", run="first"))
    assert "**prediction.csv is ready to hand in.**" in shown
    assert r"3 images are asked for, and each has exactly one line\." in shown
    assert r"The lines are in the order of the folder \(2 before 10\)\." in shown


def test_a_sample_that_was_uploaded_is_followed(
    open_page: Open, run_with_model: Run, jobs_here: None
) -> None:
    app = open_page("predict", run="first")
    app.file_uploader(key="predict-sample-first").upload(
        "sample.csv", b"Id,Kind\n3,rose\n1,rose\n", "text/csv"
    )
    app.run()
    assert "the columns Id and Kind" in words(app)
    app.button(key="predict-folder-start").click().run()
    app = open_page("predict", run="first")
    assert r"The lines are in the order of sample\.csv\." in words(app)
    assert r"1 file is not in sample\.csv" in words(app)
    lines = (run_with_model.folder / ".predict/result/prediction.csv").read_text().splitlines()
    assert lines[0] == "Id,Kind"
    assert [line.split(",")[0] for line in lines[1:]] == ["3", "1"]
    assert {line.split(",")[1] for line in lines[1:]} <= {"rose", "tulip", "iris"}


def test_a_sample_that_is_none_is_told_and_nothing_starts(open_page: Open, run_with_model: Run) -> None:
    app = open_page("predict", run="first")
    app.file_uploader(key="predict-sample-first").upload("sample.csv", b"Id\n3\n", "text/csv")
    app.run()
    assert "A sample submission needs two, separated by a comma" in words(app).replace("\\", "")
    assert app.button(key="predict-folder-start").disabled


def test_a_predicted_folder_is_offered_with_what_was_left_out_and_what_has_changed_since(
    open_page: Open, run_with_model: Run, tiny_data: Path, jobs_here: None
) -> None:
    write_threshold(run_with_model, 0.999, temperature=1.0)
    (tiny_data / "test/broken.png").write_bytes(b"no image")
    app = open_page("predict", run="first")
    assert "it is not known how far to trust them" in words(app)
    app.button(key="predict-folder-start").click().run()
    app = open_page("predict", run="first")  # as after a reload
    shown = words(app)
    assert r"**3 images predicted, 1 file left out\.**" in shown
    assert "Not sure of 3 of 3 images" in shown
    assert "**prediction.csv is not what was asked for.**" in shown
    assert saves(app) == ["Save prediction.csv anyway", "Save with confidences"]
    left_out, table = (frame.value for frame in app.dataframe)
    assert left_out["image_name"].tolist() == ["broken.png"]
    assert list(table.columns) == ["image_name", "pred_label", "confidence", "sure"]
    app.number_input(key="answering-threshold-first").set_value(0.0).run()
    assert "The threshold has changed since" in words(app)
    set_state(run_with_model, "finished", best_epoch=1)
    assert "The best model has changed since" in words(open_page("predict", run="first"))


@pytest.mark.parametrize("folder", ["/no/such/folder", "~nobody-of-this-name/pictures", "x" * 300])
def test_a_folder_that_is_not_there_is_told_before_the_work(
    open_page: Open, run_with_model: Run, folder: str
) -> None:
    app = open_page("predict", run="first")
    app.text_input(key="predict-folder-first").set_value(folder).run()
    assert "there is no such folder on this machine" in words(app)
    assert app.button(key="predict-folder-start").disabled


@pytest.mark.parametrize("part", ["predict", "labelled"])
def test_a_file_or_nothing_in_place_of_a_folder_is_told_and_the_button_stays(
    open_page: Open, run_with_model: Run, tiny_data: Path, part: str
) -> None:
    app = open_page("predict", run="first")
    button = {"predict": "predict-folder-start", "labelled": "judge-folder-start"}[part]
    for asked, told in (
        (str(tiny_data / "train/2/1.png"), "this is a file. Give its folder."),
        ("", "Give the path of a folder"),
    ):
        app.text_input(key=f"{part}-folder-first").set_value(asked).run()
        assert told in words(app).replace("\\", "")
        assert app.button(key=button).disabled


# A labelled folder


def test_a_labelled_folder_is_judged_and_opens_as_a_matrix_of_its_own(
    open_page: Open, run_with_model: Run, tiny_data: Path, jobs_here: None
) -> None:
    app = open_page("predict", run="first")
    app.text_input(key="labelled-folder-first").set_value(str(tiny_data / "train")).run()
    app.button(key="judge-folder-start").click().run()
    app = open_page("predict", run="first")
    assert " of 18 right, " in words(app)
    assert "was trained on 18 images of these" in words(app)
    assert "Its confusion matrix" in links(app)
    for page in ("confusion", "weak"):
        app = open_page(page, run="first", on="test")
        assert app.selectbox(key="judged-on").value == "test"
        assert not app.exception
        assert not app.error
    app = open_page("confusion", run="first", on="test")
    assert f"The labelled images of {tiny_data / 'train'}" in words(app).replace("\\", "")
    path = str(tiny_data / "train/2/1.png")
    app = open_page("weak", run="first", on="test", image=path, **{"class": "2"})
    assert "Only images of the run's own data are compared" in words(app)
    assert "Grad-CAM of" in words(app)


def test_a_folder_without_labels_is_told_in_words(
    open_page: Open, run_with_model: Run, jobs_here: None
) -> None:
    app = open_page("predict", run="first")
    app.button(key="judge-folder-start").click().run()
    shown = "\n".join(toast.value for toast in app.get("toast")) + words(app)
    assert "No image is labelled by a folder" in shown.replace("\\", "")


# Strangers


def test_an_image_unlike_any_training_image_is_told(
    open_page: Open, run_with_model: Run, tiny_data: Path, jobs_here: None
) -> None:
    stripes = Image.new("RGB", (32, 32), "black")
    for column in range(0, 32, 4):
        stripes.paste("white", (column, 0, column + 2, 32))
    content = io.BytesIO()
    stripes.save(content, "PNG")
    app = open_page("predict", run="first")
    app.button(key="strangers-start").click().run()
    app = open_page("predict", run="first")
    assert "What is near enough was chosen by 6 validation images, of which 95.0 % pass" in words(app)
    drop(app, {"known.png": (tiny_data / "val/2/1.png").read_bytes(), "stripes.png": content.getvalue()})
    shown = words(app)
    assert "**1** unlike anything it was trained on." in shown
    assert shown.count("Unlike anything it was trained on. Best guess: ") == 1


def test_an_archive_of_class_folders_is_judged_where_it_was_dropped(
    open_page: Open, run_with_model: Run, tiny_data: Path, jobs_here: None
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in (1, 2):
            archive.write(tiny_data / f"val/2/{number}.png", f"photos/rose/{number}.png")
        archive.write(tiny_data / "val/10/1.png", "photos/other/1.png")
    app = open_page("predict", run="first")
    drop(app, {"photos.zip": buffer.getvalue()})
    button = app.button(key="judge-dropped")
    assert button.label == "Judge on the 2 labelled images"
    button.click().run()
    shown = words(open_page("predict", run="first")).replace("\\", "")
    assert " of 2 right, " in shown
    assert "on the images dropped on Predict." in shown
    assert "1 file has no label that is a class of this run." in shown
