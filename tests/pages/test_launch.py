"""What comes before a start, without a browser: images brought here, labels from a CSV, settings in and out of a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.recipe.config_text import write_settings
from core.recipe.presets import from_preset
from core.runs.run import Run
from dashboard.launch import last_form, settings_file
from tests.arrivals.sending import image_bytes, zip_bytes
from tests.pages.apps import Open, saves, set_state, title, words

RED = image_bytes("red")


@pytest.fixture(autouse=True)
def uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that images are brought into."""
    monkeypatch.setenv("WEAKSPOT_UPLOADS", str(tmp_path / "uploads"))
    return tmp_path / "uploads"


def test_a_folder_that_is_dropped_becomes_the_forms(open_page: Open, jobs_here: None, uploads: Path) -> None:
    app = open_page("train")
    files = [
        (f"photos/{name}/{number}.png", RED, "image/png") for name in ("cat", "dog") for number in range(3)
    ]
    app.file_uploader(key="arrivals-folder-0").set_value([*files, ("photos/notes.txt", b"x", "text/plain")])
    app.run()
    assert app.text_input(key="arrivals-name-folder-0").value == "photos"
    app.button(key="arrivals-send").click().run()
    assert app.text_input(key="form-data").value == str(uploads / "photos")
    assert "2 classes" in words(app)
    assert f"are in {uploads}" in words(app).replace("\\", "")
    (refused,) = [frame.value for frame in app.dataframe if "why" in frame.value.columns]
    assert refused.to_numpy().tolist() == [["photos/notes.txt", "is neither an image nor a table of labels"]]
    assert app.file_uploader(key="arrivals-folder-1").value == []


def test_a_zip_with_a_csv_asks_for_its_columns_and_makes_a_folder_of_classes(
    open_page: Open, jobs_here: None, uploads: Path
) -> None:
    labels = "id,breed\n" + "".join(f"i{n},{('pug', 'boxer')[n % 2]}\n" for n in range(6))
    archive = zip_bytes({"labels.csv": labels.encode(), **{f"images/i{n}.png": RED for n in range(6)}})
    app = open_page("train")
    before = app.text_input(key="form-data").value
    app.session_state["arrivals-way"] = "archive"
    app.run()
    app.file_uploader(key="arrivals-archive-0").set_value([("dogs.zip", archive, "application/zip")])
    app.run()
    app.button(key="arrivals-send").click().run()
    assert app.text_input(key="form-data").value == before
    assert app.text_input(key="arrivals-table").value == str(uploads / "dogs/labels.csv")
    assert [box.value for box in app.selectbox if box.label in ("Image", "Label")] == ["id", "breed"]
    app.button(key="arrivals-arrange").click().run()
    assert app.text_input(key="form-data").value == str(uploads / "labels")
    assert sorted(path.name for path in (uploads / "labels/train").iterdir()) == ["boxer", "pug"]


def test_what_is_sent_is_still_chosen_after_it_was_brought_in(
    open_page: Open, no_jobs: None, runs_root: Path
) -> None:
    app = open_page("train")
    app.button_group(key="arrivals-way").set_value("archive").run()
    app.file_uploader(key="arrivals-archive-0").set_value([("red.png", RED, "image/png")]).run()
    app.button(key="arrivals-send").click().run()
    assert not [group for group in app.button_group if group.key == "arrivals-way"]  # its progress is drawn
    set_state(Run(runs_root / ".arrivals"), "stopped")
    app.run()
    assert app.button_group(key="arrivals-way").value == "archive"


def test_start_leads_to_bringing_images_here(open_page: Open) -> None:
    app = open_page("")
    app.button(key="start-bring").click().run()
    assert title(app) == "Train"


def test_the_form_is_as_it_was_after_a_reload(open_page: Open, tiny_data: Path) -> None:
    app = open_page("train")
    app.button_group(key="train-preset").set_value("fast").run()
    app.number_input(key="form-epochs").set_value(3).run()
    app.text_input(key="form-name").set_value("mine").run()
    again = open_page("train")
    assert again.session_state["form-preset"] == "fast"
    assert again.number_input(key="form-epochs").value == 3
    assert again.text_input(key="form-name").value == ""


def test_the_folder_that_the_dashboard_is_opened_on_comes_first(
    open_page: Open, tmp_path: Path, tiny_data: Path, runs_root: Path
) -> None:
    last_form.last_path().write_text(from_preset("strong", data=str(tmp_path)).to_json())
    app = open_page("train")
    assert app.text_input(key="form-data").value == str(tiny_data)
    assert app.session_state["form-preset"] == "quick"
    last_form.last_path().write_text("{")
    assert title(open_page("train")) == "Train"


def test_what_goes_on_from_a_run_is_not_the_form_to_begin_with(
    open_page: Open, tiny_data: Path, runs_root: Path
) -> None:
    app = open_page("train")
    app.session_state["form-focus"] = ["2"]
    app.run()
    assert (
        not last_form.last_path().exists()
        or "2" not in json.loads(last_form.last_path().read_text())["focus"]
    )
    assert (
        "form-focus" not in open_page("train").session_state
        or not open_page("train").session_state["form-focus"]
    )


def test_settings_from_a_file_fill_the_form(open_page: Open, tiny_data: Path) -> None:
    app = open_page("train")
    config = from_preset("strong", data=str(tiny_data), name="first", epochs=5, lr=0.002)
    app.file_uploader(key="settings-file-0").set_value(
        ("strong.json", write_settings(config).encode(), "application/json")
    )
    app.run()
    app.button(key="settings-file-use").click().run()
    assert app.session_state["form-preset"] == "strong"
    assert app.number_input(key="form-epochs").value == 5
    assert app.session_state["form-lr"] == 0.002


def test_wrong_settings_in_a_file_are_named(open_page: Open) -> None:
    app = open_page("train")
    app.file_uploader(key="settings-file-0").set_value(("a.yaml", b"epoch: 3\nlr: fast\n", "text/yaml"))
    app.run()
    assert [error.value for error in app.error] == ["**epoch** unknown field; did you mean epochs?"]
    assert "settings-file-use" not in [button.key for button in app.button]


def test_a_runs_settings_are_saved_for_another(open_page: Open, run: Run, tiny_data: Path) -> None:
    app = open_page("live", run="first")
    assert "Save the settings (JSON)" in saves(app)
    text = write_settings(run.read_config())
    assert json.loads(text)["name"] == ""
    read = settings_file.read_settings("first.json", text.encode(), "elsewhere")
    assert read == replace(run.read_config(), name="")
