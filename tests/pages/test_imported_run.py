"""A run imported from a table on every page, and the form that imports one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.imports.made import make_run as make_imported
from core.model.calibration import calibrate_run
from core.report.page import write_report
from core.runs.imported import ORIGIN_FILE, Origin, read_origin
from core.runs.run import Run, find_run, iter_runs
from dashboard.components.import_form import FIELDS, name_fields
from tests.imports.models import make_weights, open_tiny
from tests.imports.tables import PATHS, PLAIN, SURE, WHOLE, import_run, understand
from tests.made_run import make_run
from tests.pages.apps import ERROR, PAGES, Open, charts_of, links, pictures, title, words

ROOT = Path(__file__).resolve().parents[2]
BETTER = PLAIN.replace("10/2.png,10,2", "10/2.png,10,10")  # right on one image more
KNOWING = ("confusion", "weak", "confidence", "compare")  # pages that show confidences where there are some


@pytest.mark.parametrize(
    ("name", "text"),
    [*((name, PLAIN) for name in PAGES), *((name, text) for name in KNOWING for text in (SURE, WHOLE))],
)
def test_every_page_is_drawn_for_an_imported_run(
    open_page: Open, runs_root: Path, tiny_data: Path, name: str, text: str
) -> None:
    make_run(runs_root, tiny_data)
    import_run(runs_root, tiny_data, text)
    app = open_page(name, run="elsewhere")
    assert title(app) == PAGES[name]
    assert not app.error
    assert not app.warning
    assert "nan" not in words(app)
    assert "epoch 0" not in words(app)


@pytest.mark.parametrize("name", ["live", "confusion", "weak", "confidence", "data", "predict"])
def test_what_it_was_imported_from_stands_on_its_pages(
    open_page: Open, runs_root: Path, tiny_data: Path, name: str
) -> None:
    import_run(runs_root, tiny_data)
    assert ">Run <b>elsewhere</b>, imported from table.csv<" in words(open_page(name, run="elsewhere"))


def test_live_says_that_there_is_no_training_to_see_and_how_the_table_was_taken(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    import_run(runs_root, tiny_data, PLAIN.replace("val/2/", "2/"))
    app = open_page("live", run="elsewhere")
    assert "There is no training to see" in words(app)
    assert "2 paths of 6 could mean images in several splits" in words(app)
    assert "Confusion" in links(app)
    assert not charts_of(app)


def test_predict_says_that_there_is_no_model(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    import_run(runs_root, tiny_data)
    assert "so there is no model" in words(open_page("predict", run="elsewhere"))


def test_weak_classes_shows_the_errors_without_heat_maps(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    import_run(runs_root, tiny_data)
    app = open_page("weak", **{"run": "elsewhere", "class": "35"})
    assert ERROR in pictures(app)
    assert not any("Grad-CAM" in name for name in pictures(app))
    assert "so there are no heat maps" in words(app)
    assert "Top 5" not in words(app)
    assert "val/35/1.png" in words(open_page("weak", run="elsewhere", image=ERROR))


def test_confusion_opens_an_image_without_confidences(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    import_run(runs_root, tiny_data)
    app = open_page("confusion", run="elsewhere", true="35", pred="2", image=ERROR)
    assert not app.error
    assert "Confidence in the true class: not known" in words(app)
    assert "Loss" not in words(app)


def test_confusion_says_that_it_is_of_a_table_and_offers_no_epochs(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data)
    import_run(runs_root, tiny_data, BETTER)
    app = open_page("confusion", run="elsewhere")
    assert "Predictions imported from table.csv: 5 of 6 right" in words(app).replace("\\", "")
    assert "Best model" not in words(app)
    assert [box.label for box in app.selectbox if box.label in ("Matrix of", "Difference from")] == [
        "Difference from"
    ]
    app = open_page("confusion", run="elsewhere", against="run:first")
    assert "1 image is predicted as another class than by first (best model)" in words(app).replace("\\", "")


def test_confidence_says_that_the_table_has_none(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    import_run(runs_root, tiny_data)
    assert r"table\.csv has no confidences" in words(open_page("confidence", run="elsewhere"))


@pytest.mark.parametrize("text", [SURE, WHOLE], ids=["of the first", "of all"])
def test_confidence_is_drawn_from_the_table(
    open_page: Open, runs_root: Path, tiny_data: Path, text: str, jobs_here: None
) -> None:
    import_run(runs_root, tiny_data, text)
    app = open_page("confidence", run="elsewhere")
    assert "Compares the table's confidences with what was right" in words(app)
    app.button(key="confidence-measure").click().run()
    assert not app.error
    assert "confidence-reliability" in charts_of(app)
    assert "nan" not in words(app)
    assert "Predict" not in words(app)
    assert ("Temperature" in [metric.label for metric in app.metric]) is (text == WHOLE)
    assert ("change" in app.table[0].value) is (text == WHOLE)


def test_compare_holds_it_against_a_run_that_was_trained_here(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data)
    import_run(runs_root, tiny_data, BETTER)
    app = open_page("compare", runs="first,elsewhere")
    assert not app.error
    assert "what that model had seen is not known" in words(app).replace("\\", "")
    assert "The best epoch of a run that was trained here was chosen on these very images" in words(app)
    assert "compare-curves" in charts_of(app)
    results = app.dataframe[0].value
    assert "that is not known of elsewhere" in words(app)
    assert not any(button.label == "Report" for button in app.button)
    assert list(results["state"]) == ["finished", "imported from table.csv"]
    assert results["accuracy"].iloc[1].startswith("83.3 %")


def test_two_imported_runs_are_tested_on_the_same_images(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    import_run(runs_root, tiny_data)
    import_run(runs_root, tiny_data, BETTER, name="other")
    app = open_page("compare", runs="elsewhere,other")
    assert not app.error
    assert "No evidence of a difference between elsewhere and other: +16.7 points for other" in words(app)
    assert "Judged on the images that were imported." in words(app)
    assert "best epoch of a run" not in words(app)
    assert "Settings that differ" not in words(app)
    assert "compare-curves" not in charts_of(app)
    assert "What changed from elsewhere to other" in words(app)
    assert "not known of elsewhere, other. Leave out what was imported" in words(app)
    assert not any(button.label == "Report" for button in app.button)


def test_a_damaged_mark_is_told_in_words(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    run = import_run(runs_root, tiny_data)
    (run.folder / ORIGIN_FILE).write_text("{")
    for name in ("runs", "confusion", "weak"):
        assert "could not be drawn" not in words(open_page(name, run="elsewhere"))
    assert "imported.json is damaged" in words(open_page("live", run="elsewhere")).replace("\\", "")


def upload(app: AppTest, text: str, folder: Path, name: str = "table.csv") -> AppTest:
    app.file_uploader(key="import-file").set_value((name, text.encode(), "text/csv")).run()
    return app.text_input(key="import-data").set_value(str(folder)).run()


def test_the_form_makes_a_run_of_a_table(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    app = upload(open_page("runs"), SURE, tiny_data)
    boxes = {box.label: box.value for box in app.selectbox}
    assert boxes["Path"] == "path"
    assert boxes["True class"] == "true"
    assert boxes["Predicted class"] == "predicted"
    assert boxes["Confidence"] == "confidence"
    assert len(app.dataframe[0].value) == 5
    app.button(key="import-start").click().run()
    assert not app.error
    run = find_run("table", runs_root)
    assert read_origin(run) == Origin("table.csv", "top", understand(SURE, tiny_data).notes)
    assert "confidence from 'confidence'" in words(app)
    assert "is imported" in words(app)
    assert "**table**" in words(app)
    assert r"imported from table\.csv" in words(app)


def test_the_form_takes_columns_of_other_names(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    app = upload(open_page("runs"), PLAIN.replace("predicted", "guess"), tiny_data)
    (box,) = (box for box in app.selectbox if box.label == "Predicted class")
    assert box.value == ""
    app.button(key="import-start").click().run()
    assert "no column is named like a prediction" in app.error[0].value.replace("\\", "")
    assert list(iter_runs(runs_root)) == []
    next(box for box in app.selectbox if box.label == "Predicted class").set_value("guess").run()
    app.button(key="import-start").click().run()
    assert [run.id for run in iter_runs(runs_root)] == ["table"]


def name_weights(app: AppTest, weights: Path, **typed: str) -> AppTest:
    app.text_input(key="import-weights").set_value(str(weights)).run()
    for name, value in typed.items():
        app.text_input(key=f"import-{name}").set_value(value)
    return app


def test_the_form_takes_the_weights_of_the_model_for_heat_maps(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    app = upload(open_page("runs"), PLAIN, tiny_data)
    name_weights(app, make_weights(tiny_data), size="32", resize="32")
    app.button(key="import-start").click().run()
    assert app.error[0].value.startswith("Choose the network that the weights belong to")
    app.selectbox(key="import-arch").set_value("resnet18").run()
    app.button(key="import-start").click().run()
    assert not app.error
    assert find_run("table", runs_root).best_path.exists()
    assert "agrees with the table on 6 of the 6 images" in words(app).replace("\\", "")
    assert f"Grad-CAM of {ERROR} for 2" in pictures(open_page("weak", **{"run": "table", "class": "35"}))


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"size": "big"}, "Image size: give one number, or nothing. 'big' is not that."),
        ({"mean": "0.5, 0.5"}, "Mean of red, green, blue: give three numbers"),
    ],
)
def test_the_form_tells_what_is_wrong_with_the_weights(
    open_page: Open, runs_root: Path, tiny_data: Path, typed: dict[str, str], told: str
) -> None:
    app = upload(open_page("runs"), PLAIN, tiny_data)
    name_weights(app, tiny_data / "no.pt", **typed)
    app.selectbox(key="import-arch").set_value("resnet18").run()
    app.button(key="import-start").click().run()
    assert told in app.error[0].value.replace("\\", "")
    assert list(iter_runs(runs_root)) == []


def test_the_form_tells_what_is_wrong_with_a_table(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    app = upload(open_page("runs"), PLAIN.replace(PATHS[1], "val/2/9.png"), tiny_data)
    app.button(key="import-start").click().run()
    assert "line 3, column 'path': there is no image 'val/2/9.png'" in app.error[0].value.replace("\\", "")
    app = upload(open_page("runs"), "PK\x03\x04", tiny_data, "table.xlsx")
    assert "is an Excel workbook" in words(app)
    assert not app.error


@pytest.mark.parametrize("name", ["confusion", "weak", "data", "confidence"])
def test_pages_are_drawn_of_images_in_no_folders_of_classes(
    open_page: Open, runs_root: Path, tiny_data: Path, tmp_path: Path, name: str
) -> None:
    flat, text = tmp_path / "flat", SURE
    flat.mkdir()
    for path in PATHS:
        (tiny_data / path).rename(flat / path.replace("/", "-"))
        text = text.replace(path, path.replace("/", "-"))
    import_run(runs_root, flat, text)
    app = open_page(name, run="elsewhere")
    assert title(app) == PAGES[name]
    assert not app.error
    assert "nan" not in words(app)


def test_what_was_measured_is_shown_at_once(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    calibrate_run(import_run(runs_root, tiny_data, WHOLE))
    assert "The confidences are those of the table" in words(open_page("confidence", run="elsewhere"))


@pytest.fixture
def with_model(runs_root: Path, tiny_data: Path) -> Run:
    """Return a run of a table and of the model that made it."""
    model = open_tiny(make_weights(tiny_data), tiny_data)
    return make_imported(understand(PLAIN, tiny_data), runs_root, name="elsewhere", model=model)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn_for_an_imported_run_with_its_model(
    open_page: Open, with_model: Run, name: str
) -> None:
    app = open_page(name, run="elsewhere")
    assert title(app) == PAGES[name]
    assert not app.error
    assert "no model" not in words(app)
    assert "epoch 0" not in words(app)


def test_with_its_model_there_are_heat_maps_and_similar_training_images(
    open_page: Open, with_model: Run, jobs_here: None
) -> None:
    app = open_page("weak", **{"run": "elsewhere", "class": "35"})
    assert f"Grad-CAM of {ERROR} for 2" in pictures(app)
    app = open_page("confusion", run="elsewhere", true="35", pred="2", image=ERROR)
    app.button(key="find-similar").click().run()
    assert not app.error
    assert "The network finds it" in words(app)
    assert any(name.startswith("train/35/") for name in pictures(app))


def test_with_its_model_confidence_is_measured_and_images_are_predicted(
    open_page: Open, with_model: Run, tiny_data: Path, jobs_here: None
) -> None:
    app = open_page("confidence", run="elsewhere")
    app.button(key="confidence-measure").click().run()
    assert not app.error
    assert "as on Predict" in words(app)
    assert "chose the best epoch" not in words(app)
    app = open_page("predict", run="elsewhere")
    app.file_uploader(key="predict-files").upload(
        "1.png", (tiny_data / ERROR).read_bytes(), "image/png"
    ).run()
    assert not app.error
    assert "rose" in words(app)


def test_a_report_of_an_imported_run_with_its_model_has_heat_maps(with_model: Run, tmp_path: Path) -> None:
    page = write_report([with_model], tmp_path / "report")
    assert page is not None
    said = page.read_text(encoding="utf-8")
    assert "Colour over an image is where the network found evidence" in said
    assert "Heat maps are left out" not in said


def test_every_option_that_an_error_of_an_import_names_is_a_field_of_the_form() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "core/imports").glob("*.py"))
    named = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", sources))
    assert len(named) >= 7
    assert named <= FIELDS.keys()
    said = name_fields("Say which column has the true class (--true-column).")
    assert said == "Say which column has the true class (True class)."
