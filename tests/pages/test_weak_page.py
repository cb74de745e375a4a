"""The Weak classes page without a browser: a class in words and figures, and one of its errors in detail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.files import write_text
from core.runs.run import Run, find_run
from core.runs.tasks import read_task
from dashboard.explorer.neighbours import task_folder
from tests.pages.apps import ERROR, Open, pictures, set_state, title, words
from tests.processes import wait_until


def test_a_link_opens_a_class(open_page: Open, run: Run, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    app = open_page("weak", run="first", **{"class": "35"})
    assert app.selectbox(key="weak-class").value == "35"
    assert "Grad-CAM of val/35/1.png for 2" in pictures(app)
    assert "Grad-CAM of val/35/1.png for 35" in pictures(app)


def test_an_unknown_class_shows_the_weakest(open_page: Open, run: Run, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    app = open_page("weak", run="first", **{"class": "no such"})
    assert title(app) == "Weak classes"
    assert app.selectbox(key="weak-class").value == "10"


def test_a_run_that_was_taken_apart_still_shows_its_weak_classes(open_page: Open, run: Run) -> None:
    app = open_page("weak", run="first")  # it has no model, so there are no heat maps
    assert title(app) == "Weak classes"
    assert "has no model" in words(app)
    assert app.dataframe  # all classes need none


def test_a_class_without_validation_images_is_not_praised(
    open_page: Open, run: Run, best_model: Path
) -> None:
    run.best_path.hardlink_to(best_model)
    lines = run.predictions_path().read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(run.predictions_path(), "".join(line for line in lines if not line.startswith("val/35")))
    run.write_status(replace(run.read_status(), val_count=4))
    app = open_page("weak", run="first", **{"class": "35"})
    assert title(app) == "Weak classes"
    assert not app.success
    assert "No image that was judged shows this class" in words(app)
    assert "1 class has no validation image and is not judged." in words(app)
    assert "stronger class" not in words(app)
    assert "Wrong images of" not in words(app)


def test_a_class_is_described_in_words_and_figures(open_page: Open, run: Run, best_model: Path) -> None:
    run.best_path.hardlink_to(best_model)
    app = open_page("weak", run="first", **{"class": "35"})
    assert "1 of 2 right: the true recall may be anywhere between 9 and 91 %" in words(app).replace("\\", "")
    assert "Two images cannot show more" in words(app)
    assert "Every class has 6 training images" in words(app)
    averages, classes = (frame.value for frame in app.dataframe)
    assert averages["recall"].tolist() == pytest.approx([400 / 6] * 2)
    assert classes.set_index("class").loc["2 · rose", "mistaken for it"] == "10 · tulip"


def test_a_weak_class_leads_to_a_form_that_specialises_on_it_and_its_rival(
    open_page: Open, run: Run, best_model: Path
) -> None:
    run.best_path.hardlink_to(best_model)
    app = open_page("weak", run="first", **{"class": "35"})
    assert app.multiselect(key="specialise-first-35").value == ["35", "2"]
    app.button(key="specialise-whole").click().run()
    assert not app.exception
    assert app.session_state["form-focus"] == ["35", "2"]
    assert app.session_state["form-pairs"] == [("35", "2")]
    assert app.session_state["form-weights-run"] == "first"
    assert app.session_state["form-lr"] == pytest.approx(0.0001)
    assert not app.session_state["form-head_only"]


@pytest.fixture
def open_error(open_page: Open, run: Run, best_model: Path) -> Open:
    """Return a function that opens the error of class 35 in detail."""
    run.best_path.hardlink_to(best_model)
    return lambda **query: open_page("weak", run="first", **{"class": "35", "image": ERROR, **query})


def test_a_link_opens_an_error_with_what_speaks_for_it(open_error: Open) -> None:
    app = open_error()
    assert sorted(pictures(app), reverse=True) == [
        ERROR,
        f"Grad-CAM of {ERROR} for 2 rather than 35",
        f"Grad-CAM of {ERROR} for 2",
    ]
    assert "Likeliest classes" in words(app)
    assert "✓ 35 · iris" in words(app)
    assert "trust this map" in words(app) or "speaks for" in words(app)
    assert not app.error


def test_class_method_and_layer_are_chosen_and_stand_in_the_address(open_error: Open) -> None:
    app = open_error()
    app.selectbox(key="detail-for").set_value("10")
    app.selectbox(key="detail-method").set_value("LayerCAM")
    app.selectbox(key="detail-stage").set_value("2").run()
    assert f"LayerCAM of {ERROR} for 10" in pictures(app)
    assert app.query_params["method"] == "LayerCAM"
    again = open_error(**{"for": "10", "method": "LayerCAM", "stage": "2"})
    assert again.selectbox(key="detail-stage").value == "2"
    assert pictures(again) == pictures(app)


def test_a_method_that_looks_at_no_class_says_so(open_error: Open) -> None:
    app = open_error(method="EigenCAM")
    assert sorted(pictures(app), reverse=True) == [ERROR, f"EigenCAM of {ERROR} for 2"]
    assert "EigenCAM does not depend on a class" in words(app)
    assert app.selectbox(key="detail-for").disabled


def test_nonsense_in_the_address_of_an_error_is_left_aside(open_error: Open) -> None:
    app = open_error(method="none", stage="9", **{"for": "no such"})
    assert f"Grad-CAM of {ERROR} for 2" in pictures(app)
    app = open_error(image="val/no/such.png")
    assert "Wrong images of" in words(app)


def test_an_error_whose_file_is_lost_still_tells_what_was_answered(open_error: Open, tiny_data: Path) -> None:
    (tiny_data / ERROR).unlink()
    app = open_error()
    assert "The file is gone or cannot be read any more." in words(app)
    assert "✓ 35 · iris" in words(app)
    assert not app.error


def test_the_strength_of_the_overlay_is_kept_in_the_address(open_error: Open) -> None:
    app = open_error(strength="20")
    assert app.slider(key="detail-strength").value == 20
    app.slider(key="detail-strength").set_value(90).run()
    assert app.query_params["strength"] == "90"


def test_the_way_leads_from_an_error_back_to_its_class(open_error: Open) -> None:
    app = open_error()
    app.button(key="detail-back").click().run()
    assert "image" not in app.query_params
    assert app.selectbox(key="weak-class").value == "35"


def test_the_nearest_training_images_are_found_once_for_all_errors(open_error: Open, runs_root: Path) -> None:
    app = open_error()
    app.button(key="find-similar").click().run()
    folder = task_folder(find_run("first", runs_root))
    wait_until(lambda: read_task(folder).state == "finished", "the images are compared")
    app = open_error()
    shown = [name for name in pictures(app) if name.startswith("train/")]
    assert [name.split("/")[1] for name in shown] == ["2"] * 5 + ["35"] * 5
    assert "Nearest of all is" in words(app)
    again = open_error(image="val/10/2.png")
    assert not [button for button in again.button if button.key == "find-similar"]
    assert [name.split("/")[1] for name in pictures(again) if name.startswith("train/")] == ["2"] * 5 + [
        "10"
    ] * 5


def test_the_page_begins_with_which_classes_are_surely_weak(open_page: Open, run: Run) -> None:
    app = open_page("weak", run="first")
    assert "None of 3 classes is clearly below the 66.7 % of all images" in words(app)
    assert "cannot be told from bad luck" in words(app)
    rows = run.predictions_path().read_text(encoding="utf-8").splitlines()
    wrong = next(row for row in rows if row.startswith("val/35/1.png"))
    right = [row for row in rows[1:] if row != wrong]
    more = [f"{number}{row}" for number in range(6) for row in right] + [
        f"{number}{wrong}" for number in range(20)
    ]
    write_text(run.predictions_path(), "\n".join([*rows, *more]) + "\n")
    app = open_page("weak", run="first")
    assert "**1 of 3 classes is clearly below the" in words(app)
    assert "35 · iris (7 of 28)" in words(app)


@pytest.mark.parametrize("name", ["weak", "confusion"])
def test_a_table_that_was_written_again_says_what_the_run_s_accuracy_is(
    open_page: Open, run: Run, name: str
) -> None:
    assert "The run's accuracy is" not in words(open_page(name, run="first"))
    set_state(run, "finished", best_val_acc=0.5)
    told = words(open_page(name, run="first"))
    assert "The run's accuracy is 50.0 %, as measured when its best model was chosen." in told
    assert "Its table of predictions was written again since, and 1 more image is right." in told
