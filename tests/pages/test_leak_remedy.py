"""Leaks told on the Data page and closed in one click, groups offered on the Train page, judges of training labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import streamlit as st

from core.dataset.audit import audit_data
from core.dataset.fixes import apply_fixes
from core.dataset.folders import scan_folders
from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run
from core.runs.tasks import read_order
from tests.made_run import make_run
from tests.pages.apps import Open, words


def test_leaks_into_a_folder_of_validation_are_left_out_of_training_in_one_click(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    assert "data-no-leaks" not in [button.key for button in open_page("data", run="first").button]
    shutil.copy(tiny_data / "train/2/1.png", tiny_data / "val/2/again.png")
    audit_data(tiny_data, runs_root, group_by="copies")
    app = open_page("data", run="first")
    said = words(app)
    assert "**1 of 7 validation images (14.3 %) has a copy in training" in said
    assert "Leaves 1 training image out (5.6 %), by a fix list. Validation stays as it is" in said
    app.button(key="data-no-leaks").click().run()
    fixes = Path(app.session_state["form-fixes"])
    folders = apply_fixes(scan_folders(tiny_data), fixes, named="list")
    assert folders.dropped == ("train/2/1.png",)
    assert "again without leaks between training and validation" in words(app)


def test_leaks_of_a_split_made_image_by_image_are_closed_by_a_new_split(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    shutil.rmtree(tiny_data / "val")
    plain = scan_folders(tiny_data)
    shutil.copy(tiny_data / plain.train[0].path, tiny_data / plain.val[0].path)
    audit_data(tiny_data, runs_root)
    create_run(TrainConfig(data=str(tiny_data), name="old", group_by="none"), runs_root)
    app = open_page("data", run="old")
    assert "Splits the images again, with those that look the same on one side." in words(app)
    app.button(key="data-no-leaks").click().run()
    assert (app.session_state["form-group_by"], app.session_state["form-fixes"]) == ("copies", "")


def test_names_that_seem_to_tell_groups_are_offered_where_images_are_split(
    open_page: Open, tiny_data: Path
) -> None:
    assert "keep-together" not in [button.key for button in open_page("train").button]
    shutil.rmtree(tiny_data / "val")
    for path in sorted((tiny_data / "train").rglob("*.png")):
        path.rename(path.with_stem(f"{path.parent.name}film{int(path.stem) % 2}_{path.stem}"))
    st.cache_data.clear()
    app = open_page("train")
    assert "such as “2film" in words(app)
    app.button(key="keep-together").click().run()
    assert app.session_state["form-group_by"] == "name"
    assert "18 in groups that stay on one side" in words(app)
    assert "keep-together" not in [button.key for button in app.button]


def test_a_table_of_groups_can_be_typed_and_one_that_is_not_there_is_told_beside_the_field(
    open_page: Open, tiny_data: Path, tmp_path: Path
) -> None:
    app = open_page("train")
    app.session_state["form-group_by"] = str(tmp_path / "films.csv")
    app.toggle(key="train-all").set_value(True).run()
    assert app.selectbox(key="form-group_by").options == [
        "copies",
        "name",
        "none",
        str(tmp_path / "films.csv"),
    ]
    assert "Give copies, name, none or the path of a CSV with the columns image and group" in words(app)
    assert app.button(key="train-start").disabled
    (tmp_path / "films.csv").write_text("image,group\ntrain/2/1.png,a\n", encoding="utf-8")
    app.run()
    assert not app.button(key="train-start").disabled


def test_training_labels_are_doubted_by_a_task_that_one_click_starts(
    open_page: Open, run_with_model: Run, no_jobs: None
) -> None:
    app = open_page("data", run="first", labels="train")
    assert "each training image is judged by a model that was fitted without it" in words(app)
    app.button(key="labels-search").click().run()
    order = {"run": "first", "split": "train"}
    assert read_order(run_with_model.folder / ".judge") == ("label-issues", order)


def test_a_run_from_scratch_has_no_judge_of_its_training_labels_and_one_is_offered(
    open_page: Open, runs_root: Path, tiny_data: Path, best_model: Path
) -> None:
    run = make_run(runs_root, tiny_data, weights="none")
    run.best_path.hardlink_to(best_model)
    app = open_page("data", run="first", labels="train")
    assert "first was trained from scratch" in words(app)
    app.button(key="labels-quick").click().run()
    assert (app.session_state["form-preset"], app.session_state["form-data"]) == ("quick", str(tiny_data))
