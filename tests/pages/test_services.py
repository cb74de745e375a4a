"""Services: only new figures are read, what changed on disk is read again, lost and broken files are told."""

from __future__ import annotations

import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import streamlit as st
from PIL import Image

from core.confidence.kept import keep_calibration
from core.errors import DataError, RunError
from core.files import write_text
from core.recipe.config import TrainConfig
from core.runs.figures import EPOCH_COLUMNS, STEP_COLUMNS
from core.runs.run import Run
from core.stored.status import Status
from dashboard.guard import NotYet
from dashboard.state import data_folder, services
from tests.made_run import append_epoch, make_run, measure_confidence


@pytest.fixture(autouse=True)
def forget() -> None:
    """Begin each test with empty caches."""
    st.cache_data.clear()
    st.cache_resource.clear()


def steps_read(run: Run) -> list[int]:
    return services.read_metrics(run)[1]["step"].tolist()


def epochs_read(run: Run) -> list[int]:
    return services.read_metrics(run)[0]["epoch"].tolist()


def open_webp(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["WEBP"])


# Figures


def test_figures_come_as_a_table_of_epochs_and_one_of_steps(run: Run) -> None:
    epochs, steps = services.read_metrics(run)
    assert epochs["epoch"].tolist() == [1, 2]
    assert epochs["step"].tolist() == [3, 6]
    assert epochs["train_loss"].tolist() == [2.0, 1.0]
    assert steps["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert steps["lr"].tolist() == [0.001] * 6


def test_a_run_without_figures_gives_empty_tables_with_their_columns(runs_root: Path) -> None:
    epochs, steps = services.read_metrics(Run(runs_root / "none"))
    assert (len(epochs), list(epochs)) == (0, EPOCH_COLUMNS)
    assert (len(steps), list(steps)) == (0, STEP_COLUMNS)


def test_only_the_lines_that_are_new_are_read(run: Run) -> None:
    assert epochs_read(run) == [1, 2]
    known = run.metrics_path.stat().st_size
    with run.metrics_path.open("r+b") as file:  # what was read before is never looked at again
        file.write(b"x" * (known - 1))
    append_epoch(run, 3)
    assert epochs_read(run) == [1, 2, 3]
    assert steps_read(run) == list(range(1, 10))


def test_half_a_line_waits_for_its_end(run: Run) -> None:
    whole = run.metrics_path.read_bytes()
    run.metrics_path.write_bytes(whole[:-20])
    assert epochs_read(run) == [1]
    with run.metrics_path.open("ab") as file:
        file.write(whole[-20:])
    assert epochs_read(run) == [1, 2]


def test_figures_that_a_resume_wrote_anew_are_read_from_the_start(run: Run) -> None:
    assert epochs_read(run) == [1, 2]
    run.keep_metrics(step=4, epoch=1)
    assert steps_read(run) == [1, 2, 3, 4]
    append_epoch(run, 3)
    assert epochs_read(run) == [1, 3]


def test_figures_that_were_cut_in_place_are_read_from_the_start(run: Run) -> None:
    assert epochs_read(run) == [1, 2]
    lines = run.metrics_path.read_bytes().splitlines(keepends=True)
    with run.metrics_path.open("r+b") as file:
        file.truncate(sum(map(len, lines[:4])))
    assert epochs_read(run) == [1]
    assert steps_read(run) == [1, 2, 3]


def test_a_new_run_under_the_name_of_a_deleted_one_has_its_own_figures(
    run: Run, runs_root: Path, tiny_data: Path
) -> None:
    assert len(epochs_read(run)) == 2
    run.metrics_path.unlink()
    assert epochs_read(run) == []
    append_epoch(run, 1)
    assert epochs_read(run) == [1]


def test_runs_do_not_mix(run: Run, runs_root: Path, tiny_data: Path) -> None:
    other = make_run(runs_root, tiny_data, name="second")
    append_epoch(other, 3)
    assert (epochs_read(run), epochs_read(other)) == ([1, 2], [1, 2, 3])


def test_the_figures_of_the_runs_looked_at_last_are_kept_and_no_others(runs_root: Path) -> None:
    runs = [Run(runs_root / f"run{number}") for number in range(services.METRICS_KEPT + 3)]
    for run in runs:
        run.folder.mkdir()
        append_epoch(run, 1)
        assert epochs_read(run) == [1]
    first, *_, last = runs
    for run in (first, last):
        before = run.metrics_path.read_bytes()
        with run.metrics_path.open("r+b") as file:  # what is kept is not read again
            file.write(b"x" * (len(before) - 1))
        append_epoch(run, 2)
    assert epochs_read(last) == [1, 2]
    assert epochs_read(first) == [2]


# Data and predictions


def test_a_class_is_shown_by_its_folder_and_its_name(run: Run) -> None:
    data = services.read_data(run)
    assert data.classes == ["2", "10", "35"]
    assert data.labels == ["2 · rose", "10 · tulip", "35 · iris"]


def test_a_class_without_a_name_is_shown_by_its_folder() -> None:
    data = services.RunData(Path(), ["a", "b"], {"a": "a"}, False, {}, {})
    assert data.labels == ["a", "b"]


def test_the_training_images_of_each_class_are_known(run: Run) -> None:
    data = services.read_data(run)
    assert data.train_counts == {"2": 6, "10": 6, "35": 6}
    assert data.train_paths["10"] == [f"train/10/{n}.png" for n in range(1, 7)]
    assert all((data.root / path).is_file() for paths in data.train_paths.values() for path in paths)


def test_what_is_still_to_come_names_the_run(runs_root: Path) -> None:
    run, me = Run(runs_root / "young"), psutil.Process()
    run.folder.mkdir()
    run.write_status(Status(pid=me.pid, pid_created=me.create_time()))
    for read, what in (
        (services.read_data, "has not read its data yet"),
        (services.read_predictions, "has no predictions yet"),
        (services.load_predictor, "has no model yet"),
    ):
        with pytest.raises(NotYet, match=f"young {what}") as caught:
            read(run)
        assert caught.value.run == run


def test_a_damaged_record_is_named(run: Run) -> None:
    write_text(run.folder / "data.json", "{")
    with pytest.raises(RunError, match=r"first: data\.json is damaged"):
        services.read_data(run)


def test_a_better_epochs_predictions_replace_those_before(run: Run) -> None:
    assert len(services.read_predictions(run)) == 6
    lines = run.predictions_path().read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(run.predictions_path(), "".join(lines[:4]))
    run.write_status(replace(run.read_status(), val_count=3))
    assert len(services.read_predictions(run)) == 3


def test_a_better_epochs_model_replaces_the_one_before(run_with_model: Run) -> None:
    before = services.load_predictor(run_with_model)
    assert services.load_predictor(run_with_model) is before
    os.utime(run_with_model.best_path)
    assert services.load_predictor(run_with_model) is not before


def test_a_model_is_placed_anew_when_its_confidences_are_measured_in_another_precision(
    run_with_model: Run,
) -> None:
    assert not services.load_predictor(run_with_model).compute.bf16
    found = measure_confidence(run_with_model)
    keep_calibration(run_with_model, replace(found, precision="bf16"))
    assert services.load_predictor(run_with_model).compute.bf16


def test_predictions_are_read_once(run: Run) -> None:
    assert services.read_predictions(run) is services.read_predictions(run)


# Pictures


def test_a_thumbnail_keeps_the_shape_and_fits_its_side(tmp_path: Path) -> None:
    Image.new("RGB", (400, 200), "red").save(tmp_path / "wide.png")
    content = services.thumbnail(tmp_path / "wide.png", 100)
    assert content is not None
    assert open_webp(content).size == (100, 50)


@pytest.mark.parametrize("content", [None, b"", b"no image"], ids=["lost", "empty", "broken"])
def test_a_file_that_is_no_image_has_no_thumbnail(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "1.png"
    if content is not None:
        path.write_bytes(content)
    assert services.thumbnail(path) is None


def test_a_file_that_came_back_has_its_thumbnail_again(tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    assert services.thumbnail(path) is None
    Image.new("RGB", (20, 20), "red").save(path)
    assert services.thumbnail(path) is not None


def test_an_upload_is_explained(run_with_model: Run, tiny_data: Path) -> None:
    stamp = run_with_model.best_path.stat().st_mtime_ns
    content = (tiny_data / "test" / "1.png").read_bytes()
    picture, seen = services.look_at_upload(run_with_model.folder, stamp, content)
    assert (open_webp(picture).size, seen.shape) == ((32, 32), (32, 32, 3))
    heat = services.explain_upload(run_with_model.folder, stamp, seen, "35")
    assert open_webp(heat).size == (192, 192)


# What a data folder holds


def test_a_data_folder_is_counted(tiny_data: Path) -> None:
    summary = data_folder.summarise_data(TrainConfig(data=str(tiny_data)))
    assert str(summary) == "3 classes · 18 training, 6 validation and 3 test images"
    assert summary.problem == ""


def test_what_no_run_takes_is_counted_with_the_data_and_links_to_nowhere_are_its_problem(
    tiny_data: Path,
) -> None:
    (tiny_data / "train/astray.png").write_bytes((tiny_data / "test/1.png").read_bytes())
    (tiny_data / "train/2/9.png").symlink_to("/nowhere/9.png")
    assert (
        "train/2/9.png is a link to /nowhere"
        in data_folder.summarise_data(TrainConfig(data=str(tiny_data))).problem
    )
    summary = data_folder.summarise_data(TrainConfig(data=str(tiny_data), bad_images="skip"))
    assert str(summary).endswith("and 3 test images · 2 not taken, as a scan on Data tells")


def test_validation_that_is_split_off_is_told(tiny_data: Path) -> None:
    shutil.rmtree(tiny_data / "val")
    summary = data_folder.summarise_data(TrainConfig(data=str(tiny_data), val_fraction=0.34))
    assert str(summary) == "3 classes · 12 training, 6 validation (split off training) and 3 test images"


@pytest.mark.parametrize("folder", ["/no/such/folder", "~nobody-of-this-name/pictures", "x" * 300])
def test_a_data_folder_that_cannot_be_used_is_a_problem_in_words(folder: str) -> None:
    assert data_folder.summarise_data(TrainConfig(data=folder)).problem


def test_a_data_folder_in_the_home_folder_is_found(tiny_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tiny_data.parent))
    assert data_folder.summarise_data(TrainConfig(data="~/tiny")).classes == 3


def test_sixteen_training_images_are_shown_as_the_network_gets_them(tiny_data: Path) -> None:
    config = TrainConfig(data=str(tiny_data), image_size=64, resize_size=64)
    found = services.augmented_images(config)
    assert len(found) == 16
    assert {name for name, _ in found} == {"rose", "tulip", "iris"}
    assert {open_webp(content).size for _, content in found} == {(192, 192)}
    assert services.augmented_images(replace(config, rotation=90.0)) != found


def test_the_preview_leaves_out_what_training_skips_and_names_what_it_refuses(tiny_data: Path) -> None:
    config = TrainConfig(data=str(tiny_data), image_size=64, resize_size=64)
    (tiny_data / "train/2/1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"^train/2/1\.png is empty .* Repair or replace it"):
        services.augmented_images(config)
    assert len(services.augmented_images(replace(config, bad_images="skip"))) == 15


def test_the_preview_of_data_that_cannot_be_used_says_why() -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        services.augmented_images(TrainConfig(data="/no/such/folder"))
