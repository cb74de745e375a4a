"""The Data page without a browser: a scan and its findings, doubtful labels and their fix list."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from core.cli.kinds import KINDS
from core.dataset.audit import audit_data, audit_folder
from core.dataset.folders import scan_folders
from core.dataset.label_report import (
    HEAD,
    LabelIssue,
    LabelReport,
    Overlap,
    WeakClass,
    fixes_path,
    report_path,
    write_label_report,
)
from core.files import write_rows
from core.marks.marks import Mark, add_marks, list_path, read_marks
from core.runs.run import Run
from core.runs.tasks import read_order
from dashboard.views.data import describe_balance
from tests.made_run import make_run
from tests.pages.apps import Open, pictures, set_state, title, words


def scan_tiny(tiny_data: Path, runs_root: Path) -> None:
    assert audit_data(tiny_data, runs_root) is not None


def test_a_finding_opens_its_images_and_a_link_reopens_them(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    assert "Not scanned yet" in words(open_page("data"))
    shutil.copy(tiny_data / "train/2/1.png", tiny_data / "val/2/again.png")
    scan_tiny(tiny_data, runs_root)
    app = open_page("data")
    assert "files: 18 training, 7 validation, 3 test" in words(app)
    assert pictures(app) == []
    app.button(key="finding-leak").click().run()
    assert pictures(app) == ["train/2/1.png", "val/2/again.png"]
    assert "1 in training as 2 · rose, 1 in validation as 2 · rose" in words(app)
    assert app.query_params["finding"] == "leak"
    assert pictures(open_page("data", run="first", finding="leak")) == ["train/2/1.png", "val/2/again.png"]
    assert pictures(open_page("data", run="first", finding="nonsense")) == []


def test_what_no_run_takes_is_shown_with_the_reason(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    shutil.copy(tiny_data / "test/1.png", tiny_data / "train/astray.png")
    (tiny_data / "test/9.png").symlink_to("/nowhere/9.png")
    scan_tiny(tiny_data, runs_root)
    app = open_page("data", run="first", finding="stray")
    assert "1 image or folder is outside the classes and splits" in words(app)
    assert pictures(app) == ["train/astray.png"]
    assert "is not in a class folder of train/" in words(app)
    app.button(key="finding-unreadable").click().run()
    assert "is a link to /nowhere/9.png, which does not exist" in words(app)


def test_sound_data_is_told_and_a_damaged_audit_too(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    scan_tiny(tiny_data, runs_root)
    assert "No problems were found in 27 files." in words(open_page("data"))
    (audit_folder(tiny_data, runs_root) / "audit.json").write_text("{")
    assert "Scan the data again" in words(open_page("data"))


def test_images_of_the_run_that_are_gone_are_a_finding(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    scan_tiny(tiny_data, runs_root)
    shutil.copytree(tiny_data, elsewhere := tiny_data.with_name("elsewhere"))
    for path in ("train/2/1.png", "val/2/1.png"):
        (tiny_data / path).unlink()
    scan_tiny(tiny_data, runs_root)
    app = open_page("data", run="first", finding="gone")
    text = words(app)
    assert "2 of this run's images are no longer there" in text
    assert "Put them back as they were, or train anew." in text
    assert "No problems were found" not in text
    assert "train/2/1.png" in text
    assert "val/2/1.png" in text
    assert "files: 17 training, 5 validation, 3 test" in text
    scan_tiny(elsewhere, runs_root)
    assert "no longer there" not in words(open_page("data", run="first", folder=str(elsewhere)))


def test_a_scan_older_than_the_run_misses_none_of_its_images(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    (tiny_data / "train/2/1.png").rename(aside := tiny_data.with_name("aside.png"))
    scan_tiny(tiny_data, runs_root)
    aside.rename(tiny_data / "train/2/1.png")
    (run.folder / "data.json").touch()
    assert "no longer there" not in words(open_page("data", run="first"))


def test_the_data_of_a_run_that_held_images_back_is_split_as_the_run_did(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, hold_back=1)
    held = scan_folders(tiny_data, hold_back=1).held[0].path
    shutil.copy(tiny_data / held, tiny_data / "val/2/again.png")
    audit_data(tiny_data, runs_root, hold_back=1, group_by="copies")
    app = open_page("data", run="first", finding="leak")
    text = words(app)
    assert "files: 15 training, 7 validation, 3 held back, 3 test." in text
    assert "1 held back as 2 · rose" in text
    assert pictures(app) == [held, "val/2/again.png"]


def test_a_scan_is_started_watched_and_its_end_told(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_page("data")
    app.button(key="data-scan").click().run()
    folder = audit_folder(tiny_data, runs_root)
    split = {"val_fraction": 0.15, "hold_back": 0, "group_by": "copies"}
    assert read_order(folder) == ("audit", {"data": str(tiny_data), **split})
    me = psutil.Process()
    task = Run(folder)
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=20, total=27, seconds_left=3.0)
    app = open_page("data")
    (bar,) = app.get("progress")
    assert bar.proto.text == "20 of 27 files · about 3 s left"
    app.button(key="data-scan-stop").click().run()
    assert task.stop_requested()
    for ended, told in (("stopped", "what was done is kept"), ("failed", "why it failed"), ("crashed", "")):
        set_state(task, ended, message=told)
        app = open_page("data")
        assert told in words(app)
        assert not app.button(key="data-scan").disabled


def test_another_folder_is_looked_at_and_left_again(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, tmp_path: Path
) -> None:
    app = open_page("data")
    app.text_input(key="data-folder").set_value(str(tmp_path / "nowhere")).run()
    assert "there is no such folder" in words(app)
    assert app.query_params["folder"] == str(tmp_path / "nowhere")
    app.button(key="data-back").click().run()
    assert app.text_input(key="data-folder").value == str(tiny_data)
    assert "folder" not in app.query_params


def test_doubtful_labels_are_shown_and_marked_together_after_a_question(
    open_page: Open, run: Run, best_model: Path, tiny_data: Path
) -> None:
    assert "has no model yet" in words(open_page("data"))
    run.best_path.hardlink_to(best_model)
    assert "Look for wrong labels" in [button.label for button in open_page("data").button]
    issues = (
        LabelIssue("val/2/1.png", "2", "10", 0.01, 0.9),
        LabelIssue("val/35/2.png", "35", "2", 0.2, 0.7),
    )
    report = LabelReport(
        "val", 6, 2, issues, (Overlap("2", "10", 5, 20, 0.11, 0.47, 2),), (WeakClass("35", 3, 9, 0.12, 0.65),)
    )
    write_label_report(report_path(run.folder, "val"), report)
    app = open_page("data")
    text = words(app)
    assert "**2 of 6 labels** (33.3 %)" in text
    assert pictures(app) == ["val/2/1.png", "val/35/2.png"]
    assert "2 · rose → 10 · tulip?" in text
    assert "1.0 % sure of 2 · rose, 90.0 % of 10 · tulip" in text
    assert "5 of 20 images cross over, 25.0 % (11.0–47.0 %); about 2 of them by a wrong label" in text
    assert "3 of 9 images right, 33.3 % (12.0–65.0 %)" in text
    assert "Nothing is marked yet" in text
    app.button(key="labels-bulk").click().run()
    assert "**2 labels of 2 kinds would change** in your marks, none on disk" in words(app)
    app.button(key="labels-all-relabel").click().run()
    app = open_page("data")
    assert "2 images are marked: 2 to be relabelled." in words(app)
    assert "2 marks are on images that first did not train on" in words(app)
    assert app.button(key="marked-train").disabled
    known = read_marks(list_path(tiny_data, run.folder.parent)).marks
    assert [(mark.path, mark.action, mark.to, mark.run) for mark in known.values()] == [
        ("val/2/1.png", "relabel", "10", "first"),
        ("val/35/2.png", "relabel", "2", "first"),
    ]
    set_state(run, "finished", best_epoch=1)
    assert "Look again" in words(open_page("data"))


def test_a_run_is_trained_once_more_without_the_errors_in_its_labels(
    open_page: Open, run: Run, best_model: Path, tiny_data: Path
) -> None:
    run.best_path.hardlink_to(best_model)
    add_marks(
        list_path(tiny_data, run.folder.parent),
        [
            Mark("train/2/1.png", "2", "drop"),
            Mark("train/2/2.png", "2", "drop"),
            Mark("val/2/1.png", "2", "drop"),
        ],
    )
    app = open_page("data")
    assert "3 images are marked: 3 to be left out." in words(app)
    app.button(key="marked-train").click().run()
    assert title(app) == "Train"
    assert app.session_state["form-fixes"] == str((run.folder / "label-fixes.csv").resolve())
    assert app.session_state["form-epochs"] == 2
    assert app.session_state["form-name"] == ""
    assert "16 training, 6 validation and 3 test images · by the fix list 2 left out" in words(app)


def test_what_was_decided_in_an_older_version_is_marked(open_page: Open, run: Run, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    rows = [("train/2/1.png", "2", "35", "0.1", "drop"), ("train/2/2.png", "2", "35", "0.1", "keep")]
    write_rows(fixes_path(run.folder, "train"), HEAD, rows)
    assert "1 image is marked: 1 to be left out." in words(open_page("data"))
    assert "1 image is marked: 1 to be left out." in words(open_page("data"))


def test_marked_images_are_shown_by_kind_the_last_one_first(
    open_page: Open, run: Run, tiny_data: Path
) -> None:
    path = list_path(tiny_data, run.folder.parent)
    add_marks(path, [Mark("train/2/1.png", "2", "drop"), Mark("train/2/2.png", "2", tags=("blurred",))])
    add_marks(path, [Mark("train/10/1.png", "10", "unsure")])
    assert pictures(open_page("data")) == ["train/10/1.png", "train/2/2.png", "train/2/1.png"]
    assert pictures(open_page("data", run="first", marked="drop")) == ["train/2/1.png"]
    assert pictures(open_page("data", run="first", marked="tag")) == ["train/2/2.png"]


def test_a_corrected_copy_is_written_by_a_task(
    open_page: Open, run: Run, tiny_data: Path, tmp_path: Path, runs_root: Path
) -> None:
    add_marks(list_path(tiny_data, runs_root), [Mark("train/2/1.png", "2", "relabel", "35")])
    app = open_page("data")
    assert app.text_input(key="marked-target").value == str(tmp_path / "tiny-corrected")
    app.button(key="marked-write").click().run()
    kind, parameters = read_order(run.folder / ".corrected")
    told = KINDS[kind](run.folder / ".corrected", lambda *_: True, **parameters)
    assert told is not None
    assert "27 images, 1 with another label; 0 left out." in told
    assert (tmp_path / "tiny-corrected/train/35/1-2.png").exists()


def test_the_balance_of_classes_is_told_with_those_that_have_none() -> None:
    assert describe_balance({"a": 3, "b": 3}, {}) == "Every class has 3 training images."
    told = describe_balance({"a": 30, "b": 3, "c": 0}, {"b": "bee"})
    assert told == "From 3 training images (b · bee) to 30 (a): 10.0 times as many. 1 class has none."
    assert describe_balance({"a": 0}, {}) == "Training has no images."


@pytest.mark.parametrize(
    ("accuracy", "said", "bulk"),
    [(0.05, "its doubts say nothing", False), (0.5, "worth a look", False), (0.9, "probably wrong", True)],
)
def test_how_far_a_model_may_doubt_labels_depends_on_how_good_it_is(
    open_page: Open, run_with_model: Run, accuracy: float, said: str, bulk: bool
) -> None:
    issues = () if accuracy < 0.3 else (LabelIssue("train/2/1.png", "2", "10", 0.1, 0.8),)
    report = LabelReport("train", 18, 2, issues, (), (), accuracy, True)
    write_label_report(report_path(run_with_model.folder, "train"), report)
    app = open_page("data", run="first", labels="train")
    assert said in words(app)
    assert ("labels-bulk" in [button.key for button in app.button]) == bulk


def test_what_the_model_asked_again_answers_does_not_contradict_other_pages(
    open_page: Open, run_with_model: Run
) -> None:
    """The table of Weak classes is of the training's precision; there no class may be surely weak."""
    issues = tuple(LabelIssue(f"val/2/{number}.png", "2", "10", 0.1, 0.8) for number in (1, 2))
    weak = (WeakClass("35", 0, 3, 0.0, 0.56),)
    report = LabelReport("val", 6, 2, issues, (), weak, 0.5)
    write_label_report(report_path(run_with_model.folder, "val"), report)
    shown = words(open_page("data", run="first"))
    assert "The run's accuracy is 66.7 %" in shown
    assert "1 more image is wrong" in shown
    assert "weak for another reason" not in shown
    assert "no more than 1 label can be listed, the likeliest (5.0 % of 6, rounded up)" in shown


def test_of_a_run_whose_settings_cannot_be_read_that_is_told_and_no_other_choice_asked_for(
    open_page: Open, run: Run
) -> None:
    (run.folder / "config.json").write_text("{[")
    shown = words(open_page("data", run="first")).replace("\\", "")
    assert "The settings of first cannot be read, so it is not known which images are its own." in shown
    assert "No run is known to be of these images." in shown
    assert "in the sidebar" not in shown
