"""The choice of a folder on Train and Start, without a browser: from folder to folder, and into the form."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.builtin import STARTED_IN, builtin_folder
from tests.pages.apps import Open, title, words


@pytest.fixture
def started_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the dashboard was started, with a data set one folder down."""
    place = (tmp_path / "my photos").resolve()
    for name in ("birds/train/owl", "birds/train/wren"):
        (place / name).mkdir(parents=True)
    monkeypatch.setenv(STARTED_IN, str(place))
    return place


def press(app: AppTest, words: str) -> AppTest:
    """Press the button whose label holds these words."""
    (button,) = [one for one in app.button if words in one.label]
    return button.click().run()


def is_open(app: AppTest) -> bool:
    return any(button.key == "browse-use" for button in app.button)


def test_a_folder_is_found_and_taken_into_the_form(open_page: Open, started_in: Path) -> None:
    app = open_page("train")
    app.button_group(key="train-preset").set_value("fast").run()
    app.button(key="browse").click().run()
    press(app, "my photos")
    press(app, "birds")
    assert "In this folder: data set, 2 classes." in words(app)
    press(app, "my photos /")
    assert "data set, 2 classes" in "".join(button.label for button in app.button)
    press(app, "birds")
    press(app, "Use this folder")
    assert not is_open(app)
    assert app.text_input(key="form-data").value == str(started_in / "birds")
    assert app.session_state["form-preset"] == "fast"  # what was set stays
    assert title(app) == "Train"


def test_a_recipe_for_the_built_in_data_does_not_stay_with_ones_own(
    open_page: Open, started_in: Path
) -> None:
    app = open_page("train")
    app.button(key="use-digits").click().run()
    assert app.session_state["form-preset"] == "demo"
    app.button(key="browse").click().run()
    assert Path(app.session_state["browse-at"]) == Path(builtin_folder("digits"))
    press(app, "my photos")
    press(app, "Use this folder")
    assert app.session_state["form-preset"] == "quick"


def test_what_is_typed_and_lies_elsewhere_is_not_looked_into(
    open_page: Open, started_in: Path, tiny_data: Path
) -> None:
    app = open_page("train")
    app.text_input(key="form-data").set_value(str(started_in.parent)).run()
    app.button(key="browse").click().run()
    assert Path(app.session_state["browse-at"]) == tiny_data.resolve()  # what the dashboard was opened on


def test_start_leads_to_the_choice_of_a_folder(open_page: Open, started_in: Path) -> None:
    app = open_page()
    app.button(key="start-browse").click().run()
    assert title(app) == "Train"
    assert is_open(app)
