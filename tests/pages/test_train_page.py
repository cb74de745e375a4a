"""The Train page without a browser: the form starts the run it describes, or says what holds it back."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from core.runs.rate_curve import RateCurve, write_curve
from core.runs.run import Run, find_run
from core.runs.tasks import read_order
from core.trial.forecast import FORECAST, Forecast, Part, write_forecast
from tests.pages.apps import Open, pictures, set_state, title, words


def open_report(open_page: Open) -> AppTest:
    """Open the form with the report's recipe, which holds most settings."""
    app = open_page("train")
    assert app.session_state["form-preset"] == "quick"
    app.button_group(key="train-preset").set_value("seed").run()
    app.toggle(key="train-all").set_value(True).run()
    return app


def test_the_form_starts_the_run_it_describes(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_report(open_page)
    app.text_input(key="form-name").set_value("mine")
    app.number_input(key="form-epochs").set_value(3)
    app.selectbox(key="form-weights-kind").set_value("none").run()
    assert "--name mine" in words(app)
    app.button(key="train-start").click().run()
    assert title(app) == "Live"
    expected = from_preset("seed", data=str(tiny_data), name="mine", epochs=3, weights="none")
    assert find_run("mine", runs_root).read_config() == expected


def test_a_wrong_form_names_the_field_and_holds_the_start_back(open_page: Open) -> None:
    app = open_page("train")
    app.text_input(key="form-data").set_value("/no/such/folder").run()
    assert title(app) == "Train"
    assert app.button(key="train-start").disabled
    assert "correct **Folder of images**" in words(app)


def test_a_learning_rate_that_was_found_belongs_to_its_settings(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    app = open_report(open_page)
    app.button(key="train-find-rate").click().run()
    (folder,) = (runs_root / ".rates").iterdir()
    kind, parameters = read_order(folder)
    assert kind == "find-rate"
    assert TrainConfig.from_dict(parameters["config"]) == from_preset("seed", data=str(tiny_data))
    task = Run(folder)
    me = psutil.Process()
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=30, total=100, seconds_left=7.0)
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.text == "30 of 100 · about 7 s left"
    app.selectbox(key="form-optimizer").set_value("adamw").run()
    assert task.stop_requested()  # nobody waits for it any more
    write_curve(task.folder / "curve.json", RateCurve((1e-4, 1e-3, 1e-2), (2.3, 1.9, 2.8), 0.0123))
    set_state(task, "finished")
    assert not [button for button in app.button if button.key == "train-use-rate"]
    app.selectbox(key="form-optimizer").set_value("sgd").run()
    app.button(key="train-use-rate").click().run()
    assert app.number_input(key="form-lr").value == 0.012
    assert app.button(key="train-use-rate").label == "Use 0.012"
    assert title(app) == "Train"


def test_the_preview_does_not_promise_augmentation_that_the_head_does_not_see(open_page: Open) -> None:
    app = open_report(open_page)
    assert len(pictures(app)) == 16
    app.toggle(key="form-head_only").set_value(True).run()
    assert title(app) == "Train"
    assert pictures(app) == []
    assert "there is no augmentation to show" in words(app)
    app.number_input(key="form-feature_views").set_value(2).run()
    assert len(pictures(app)) == 16


def labels(app: AppTest) -> list[str]:
    return [widget.label for widget in (*app.text_input, *app.number_input, *app.selectbox, *app.toggle)]


def test_few_settings_are_asked_of_everyone_and_all_others_are_found_by_a_word(open_page: Open) -> None:
    app = open_page("train")
    app.button_group(key="train-preset").set_value("fast").run()
    asked = [
        "Folder of images",
        "Name of the run",
        "Epochs",
        "Time limit (minutes)",
        "Hold back (images a class)",
        "Network",
    ]
    assert sorted(labels(app)) == sorted([*asked, "All settings"])
    app.toggle(key="train-all").set_value(True).run()
    assert len(labels(app)) > 25
    app.text_input(key="train-search").set_value("learning rate").run()
    assert {"Learning rate", "Schedule"} <= set(labels(app))
    assert "Rotation (degrees)" not in labels(app)
    app.text_input(key="train-search").set_value("nonsuch").run()
    assert "No setting contains “nonsuch”" in app.info[0].value


def test_what_is_no_longer_as_in_the_recipe_is_named(open_page: Open) -> None:
    app = open_page("train")
    app.button_group(key="train-preset").set_value("fast").run()
    assert "changed" not in words(app)
    app.number_input(key="form-epochs").set_value(3).run()
    assert "changed: Epochs]" in words(app)
    app.button_group(key="train-preset").set_value("strong").run()
    assert "changed" not in words(app)


def test_a_problem_of_a_setting_that_is_not_shown_is_told_at_the_start(open_page: Open) -> None:
    app = open_page("train")
    app.session_state["form-resize_size"] = 32
    app.run()
    assert app.button(key="train-start").disabled
    assert "**Validation resize (px)** must be at least image" in words(app)


def test_a_form_that_was_filled_in_says_what_it_is_ready_for_and_what_differs(
    open_page: Open, run: Run
) -> None:
    app = open_page("live", run="first")
    app.button(key="live-again").click().run()
    assert title(app) == "Train"
    assert "**Ready to train again with the settings of first." in app.success[0].value
    assert "Different from" not in words(app)
    app._page_hash = calc_hash("train")  # an AppTest does not stay where a page sent it
    app.number_input(key="form-epochs").set_value(7).run()
    assert "Different from first: Epochs" in words(app)
    assert "→ 7" in words(app)
    app.button_group(key="train-preset").set_value("fast").run()
    assert not app.success


def test_a_folder_that_is_nearly_right_is_put_right_with_one_click(open_page: Open, tiny_data: Path) -> None:
    app = open_page("train")
    assert "use-remedy" not in [button.key for button in app.button]
    app.text_input(key="form-data").set_value(f'"{tiny_data}/trian"').run()
    assert app.button(key="train-start").disabled
    app.button(key="use-remedy").click().run()
    assert app.text_input(key="form-data").value == str(tiny_data)
    assert not app.button(key="train-start").disabled
    assert "use-remedy" not in [button.key for button in app.button]


def test_time_and_memory_are_estimated_once_for_the_settings_that_matter(
    open_page: Open, runs_root: Path, no_jobs: None
) -> None:
    app = open_report(open_page)
    app.button(key="train-estimate").click().run()
    (folder,) = (runs_root / ".trials").iterdir()
    assert read_order(folder)[0] == "estimate"
    task, me = Run(folder), psutil.Process()
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=3, total=15)
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.text.startswith("3 of 15 seconds")
    parts = (Part("checking the images", 60.0, 20.0), Part("training", 25 * 60.0, 200.0))
    write_forecast(folder / FORECAST, Forecast(parts, 25, 1_900_000_000, 6_000_000_000))
    set_state(task, "finished")
    app.run()
    assert "About 26 min (±15 %), 1.9 GB of memory." in words(app)
    app.number_input(key="form-lr").set_value(0.05).run()
    assert "About 26 min" in words(app)
    app.number_input(key="form-max_minutes").set_value(10.0).run()
    assert "The time limit of 10 min ends it after about 9 of 25 epochs." in words(app)
    app.button(key="train-fit-epochs").click().run()
    assert app.number_input(key="form-epochs").value == 9
    assert "About 10 min" in words(app)
    assert "time limit of" not in words(app)
    app.number_input(key="form-batch_size").set_value(8).run()
    assert "of memory" not in words(app)
    assert app.button(key="train-estimate").label == "Estimate time and memory"


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("hold_back", -3, "must be from 0 to 10,000, got -3"),
        ("batch_size", 1e12, "must be from 1 to 4,096, got 1,000,000,000,000"),
        ("batch_size", 2.7, "must be a whole number, got 2.7"),
    ],
)
def test_a_number_that_cannot_be_is_told_at_its_field_as_it_was_typed_and_holds_the_start_back(
    open_page: Open, field: str, typed: float, told: str
) -> None:
    app = open_page("train")
    app.toggle(key="train-all").set_value(True).run()
    app.number_input(key=f"form-{field}").set_value(typed).run()
    assert words(app).replace("\\", "").count(told) == 1
    assert app.button(key="train-start").disabled
    app.text_input(key="train-search").set_value("seed").run()
    assert words(app).replace("\\", "").count(told) == 1  # below the start, where its field is not shown
