"""A folder of Parquet files on Train and Data: it is used as it is, or unpacked, and the page goes on with what is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.runs.run import Run
from core.runs.tasks import read_order
from tests.arrivals.shard_files import make_flowers, make_rows, make_table, write_parquet
from tests.pages.apps import Open, set_state, words

TOLD = "This folder holds 4 Parquet files"


@pytest.fixture
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEAKSPOT_UPLOADS", str(tmp_path / "uploads"))
    return tmp_path / "uploads"


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    return make_flowers(tmp_path / "flowers" / "data")


def has_button(app: AppTest, key: str) -> bool:
    return any(button.key == key for button in app.button)


def test_train_takes_shards_as_they_are_or_unpacks_them_and_goes_on_with_the_folder(
    open_page: Open, flowers: Path, uploads: Path, jobs_here: None
) -> None:
    app = open_page("train")
    assert not has_button(app, "unpack")
    app.text_input(key="form-data").set_value(str(flowers)).run()
    assert TOLD in words(app).replace("\\", "")
    assert "Train on the shards as they are" in words(app)
    assert "2 classes · 12 training, 4 validation and 2 test images" in words(app)
    assert not app.button(key="train-start").disabled
    app.button(key="unpack").click().run()
    assert app.session_state["form-data"] == str(uploads / "flowers")
    assert "2 classes · 12 training, 4 validation and 2 test images" in words(app)
    assert "18 images" in words(app)
    assert not app.button(key="train-start").disabled
    assert not has_button(app, "unpack")
    app.text_input(key="form-data").set_value(str(flowers)).run()
    assert "18 images" not in words(app)


def test_data_unpacks_and_shows_the_folder(
    open_page: Open, flowers: Path, uploads: Path, jobs_here: None
) -> None:
    rows = [*make_rows(3)]
    rows[1] = (b"no image", None, 1)
    write_parquet(flowers / "train-00000-of-00002.parquet", make_table(rows))
    app = open_page("data", folder=str(flowers))
    assert has_button(app, "data-scan")
    app.button(key="unpack").click().run()
    assert app.text_input(key="data-folder").value == str(uploads / "flowers")
    assert has_button(app, "data-scan")
    assert "1 file was refused" in words(app)
    assert "train-00000-of-00002.parquet, row 1" in str(app.dataframe[0].value)


def test_while_it_is_unpacked_both_pages_show_how_far_it_is_and_a_stop_says_what_is_kept(
    open_page: Open, flowers: Path, uploads: Path, runs_root: Path, no_jobs: None
) -> None:
    app = open_page("train")
    app.text_input(key="form-data").set_value(str(flowers)).run()
    app.button(key="unpack").click().run()
    task = Run(runs_root / ".arrivals")
    assert read_order(task.folder)[0] == "unpack"
    set_state(task, "running", done=300, total=2100, seconds_left=180.0)
    for page in (app.run(), open_page("data", folder=str(flowers))):
        (bar,) = page.get("progress")
        assert bar.proto.text == "300 of 2,100 MB · about 3 min 00 s left"
    set_state(task, "stopped", message="Stopped; what is unpacked is kept.")
    assert "what is unpacked is kept" in words(app.run()).replace("\\", "")
    assert not app.button(key="unpack").disabled
