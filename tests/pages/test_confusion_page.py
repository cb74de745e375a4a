"""The Confusion page without a browser: links to cells, blocks, epochs and images open what they name."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.files import write_text
from core.runs.run import Run
from dashboard.state.selection import pack_names
from tests.made_run import make_run
from tests.pages.apps import Open, charts_of, component_data, pictures, set_state, title, words


def test_a_link_opens_exactly_the_images_of_its_cell(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="10", pred="2")
    assert pictures(app) == ["val/10/2.png"]
    assert app.selectbox(key="confusion-true").value == "10"
    assert app.selectbox(key="confusion-pred").value == "2"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"true": "35"}, {"val/35/1.png", "val/35/2.png"}),
        ({"pred": "35"}, {"val/35/2.png"}),
        ({"true": "2", "pred": "2"}, {"val/2/1.png", "val/2/2.png"}),
        ({"true": "2", "pred": "35"}, set()),
        ({}, set()),
    ],
)
def test_a_link_may_name_a_row_a_column_or_an_empty_cell(
    open_page: Open, run: Run, query: dict[str, str], shown: set[str]
) -> None:
    assert set(pictures(open_page("confusion", run="first", **query))) == shown


def test_an_unknown_class_in_a_link_is_ignored(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="no such", pred="2")
    assert title(app) == "Confusion"
    assert app.selectbox(key="confusion-true").value == ""
    assert len(pictures(app)) == 4


def test_the_boxes_write_the_cell_into_the_address(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", page="2")
    app.button_group(key="confusion-beside").set_value("Images").run()
    app.selectbox(key="confusion-true").set_value("35").run()
    assert app.query_params == {"run": "first", "true": "35"}
    assert set(pictures(app)) == {"val/35/1.png", "val/35/2.png"}


def test_a_confused_pair_selects_its_cell(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first")
    app.button(key="pair-0").click().run()
    assert app.query_params == {"run": "first", "true": "10", "pred": "2"}
    assert pictures(app) == ["val/10/2.png"]


def test_a_lost_image_leaves_the_others(open_page: Open, run: Run, tiny_data: Path) -> None:
    (tiny_data / "val" / "35" / "1.png").unlink()
    app = open_page("confusion", run="first", true="35")
    assert pictures(app) == ["val/35/2.png"]
    assert "The file is gone or cannot be read any more." in words(app)


def block_of(*names: str) -> str:
    return pack_names(names, ["2", "10", "35"])


def test_a_link_opens_the_images_of_a_block_of_errors(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", block=block_of("2", "10"), only="wrong")
    assert pictures(app) == ["val/10/2.png"]
    assert "2 · rose, 10 · tulip among each other, errors only" in words(app).replace("\\", "")
    app.selectbox(key="confusion-wrong").set_value(False).run()
    assert app.query_params == {"run": "first", "block": block_of("2", "10")}
    assert len(pictures(app)) == 4


def test_images_are_sorted_by_confidence_or_loss_and_so_they_stay(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="10")
    assert pictures(app) == ["val/10/2.png", "val/10/1.png"]  # confidences 0.82 and 0.78
    app = open_page("confusion", run="first", true="35")
    before = pictures(app)
    app.selectbox(key="browse-sort").set_value("loss").run()
    assert pictures(app) == ["val/35/1.png", "val/35/2.png"] != before


def test_the_matrix_of_an_epoch_shows_the_images_of_that_epoch(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", epoch="1", true="10", pred="2")
    assert set(pictures(app)) == {"val/10/1.png", "val/10/2.png"}
    assert "Epoch 1 on validation: 3 of 6 right" in words(app)
    app.selectbox(key="confusion-epoch").set_value("").run()
    assert pictures(app) == ["val/10/2.png"]
    assert app.query_params == {"run": "first", "true": "10", "pred": "2"}


def test_a_difference_tells_what_came_in_and_what_left(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", against="epoch:1", true="35", pred="2")
    assert pictures(app) == ["val/35/1.png"]
    assert "1 image changed, 1 came in" in words(app)
    assert "before 10 · tulip" in words(app)
    app = open_page("confusion", run="first", against="epoch:1", true="10", pred="2")
    assert pictures(app) == ["val/10/1.png"]
    assert "1 image changed, 1 left" in words(app)
    app = open_page("confusion", run="first", against="epoch:1", true="35", pred="35")
    assert "no image came in or left" in words(app)


def test_a_difference_of_two_runs_on_other_images_is_refused_with_the_reason(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    other = make_run(runs_root, tiny_data, name="second")
    assert not open_page("confusion", run="first", against="run:second").warning
    lines = other.predictions_path().read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(other.predictions_path(), "".join(lines[:-1]))
    other.write_status(replace(other.read_status(), val_count=5))
    app = open_page("confusion", run="first", against="run:second")
    assert title(app) == "Confusion"
    (warning,) = app.warning
    assert "different images (6 and 5, with 5 in common)." in warning.value.replace("\\", "")
    assert "Confusion matrix" in component_data(app)[0]  # instead, with the choice to compare with another


def test_a_run_of_an_older_version_has_its_best_model_only(open_page: Open, run: Run) -> None:
    shutil.rmtree(run.epoch_path(1).parent)
    app = open_page("confusion", run="first", epoch="1")
    assert "Best model on validation: 4 of 6 right" in words(app)
    assert not app.error


def test_a_damaged_table_of_an_epoch_is_told_and_another_can_be_chosen(open_page: Open, run: Run) -> None:
    whole = run.epoch_path(1).read_bytes()
    run.epoch_path(1).write_bytes(whole[: len(whole) // 2])
    app = open_page("confusion", run="first", epoch="1")
    assert "is not a predictions table" in words(app)
    assert app.selectbox(key="confusion-epoch").value == "1"


def test_a_block_of_confused_classes_is_listed_and_selects_its_errors(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", epoch="1")
    app.button_group(key="confusion-beside").set_value("Blocks").run()
    (block,) = [button for button in app.button if (button.key or "").startswith("block-")]
    assert "· 2" in block.label
    block.click().run()
    assert app.query_params["only"] == "wrong"
    assert app.selectbox(key="confusion-order").value == "similarity"
    assert set(pictures(app)) == {"val/10/1.png", "val/10/2.png"}


def test_how_the_matrix_is_drawn_is_chosen_and_a_class_of_another_run_is_forgotten(
    open_page: Open, run: Run
) -> None:
    app = open_page("confusion", run="first")
    for key, value in (("order", "recall"), ("values", "row"), ("find", "35")):
        app.selectbox(key=f"confusion-{key}").set_value(value)
    app.toggle(key="confusion-log").set_value(True).run()
    figure = charts_of(app)["confusion-matrix"]
    assert figure["data"][0]["y"] == ["10 · tulip", "35 · iris", "2 · rose"]
    assert "share of row" in figure["data"][0]["colorbar"]["title"]["text"]
    assert len(json.loads(component_data(app)[0])["shapes"]) == 2  # the bands of the class that is looked for
    assert not app.error


def test_the_address_holds_how_the_matrix_is_looked_at(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first")
    app.selectbox(key="confusion-order").set_value("recall").run()
    app.selectbox(key="confusion-values").set_value("column").run()
    app.selectbox(key="confusion-find").set_value("35").run()
    app.toggle(key="confusion-diagonal").set_value(False).run()
    app.number_input(key="confusion-least").set_value(2).run()
    app.button(key="pair-0").click().run()
    app.selectbox(key="browse-sort").set_value("loss").run()
    asked = {
        "order": "recall", "colour": "column", "find": "35", "right": "no", "least": "2", "sort": "loss",
        "true": "10", "pred": "2", "run": "first",
    }  # fmt: skip
    assert app.query_params == asked
    again = open_page("confusion", **asked)
    for key, value in (
        ("order", "recall"),
        ("values", "column"),
        ("find", "35"),
        ("least", 2),
        ("diagonal", False),
    ):
        widgets = (*again.selectbox, *again.number_input, *again.toggle)
        assert next(one.value for one in widgets if one.key == f"confusion-{key}") == value
    again.selectbox(key="confusion-order").set_value("name").run()
    assert "order" not in again.query_params


@pytest.mark.parametrize(
    "nonsense", [{"order": "x"}, {"colour": "x"}, {"find": "x"}, {"least": "x"}, {"log": "x"}, {"sort": "x"}]
)
def test_nonsense_in_the_address_is_as_if_it_were_not_there(
    open_page: Open, run: Run, nonsense: dict[str, str]
) -> None:
    app = open_page("confusion", run="first", true="10", **nonsense)
    assert not app.error
    assert app.selectbox(key="confusion-order").value == "name"


def test_an_image_is_opened_by_a_link_with_its_likeliest_classes(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="35", image="val/35/1.png")
    assert "**35 · iris** taken for **2 · rose**" in words(app).replace("\\", "")
    assert "Likeliest classes" in words(app)
    assert app.button(key="browse-next").disabled
    app.button(key="browse-previous").click().run()
    assert app.query_params["image"] == "val/35/2.png"


def test_an_opened_image_has_its_heat_maps_and_says_where_there_are_none(
    open_page: Open, run: Run, best_model: Path
) -> None:
    opened = {"run": "first", "true": "35", "image": "val/35/1.png"}
    app = open_page("confusion", **opened)
    assert "first has no model, so there are no heat maps" in words(app)
    run.best_path.hardlink_to(best_model)
    app = open_page("confusion", **opened)
    for what in ("2", "2 rather than 35"):
        assert f'alt="Grad-CAM of val/35/1.png for {what}"' in words(app)
    assert "Can you trust this map?" in words(app)
    assert app.subheader[-1].value == "The nearest training images"
    app.selectbox(key="detail-method").set_value("LayerCAM").run()
    assert 'alt="LayerCAM of val/35/1.png for 2"' in words(app)
    (step,) = (
        one for one in app.button if one.key in ("browse-next", "browse-previous") and not one.disabled
    )
    step.click().run()
    assert app.query_params["image"] == "val/35/2.png"


def test_a_cell_that_is_selected_already_shows_its_images_again(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", true="10", pred="2")
    app.button_group(key="confusion-beside").set_value("Confused pairs").run()
    assert pictures(app) == []
    app.button(key="pair-0").click().run()
    assert pictures(app) == ["val/10/2.png"]


def test_the_matrix_is_enlarged_and_the_link_keeps_it(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first")
    app.button(key="confusion-wide").click().run()
    assert app.query_params["wide"] == "1"
    app.button(key="pair-0").click().run()
    assert app.query_params == {"run": "first", "wide": "1", "true": "10", "pred": "2"}
    app.button(key="confusion-close").click().run()
    assert app.query_params == {"run": "first", "wide": "1"}


def test_while_a_run_trains_the_page_names_its_epoch_and_offers_a_better_one(
    open_page: Open, run: Run
) -> None:
    set_state(run, "running", best_epoch=1)
    assert "Epoch 1 on validation: 3 of 6 right" in words(open_page("confusion", run="first"))
    # A better epoch, and a click that draws the matrix and its images alone.
    set_state(run, "running", best_epoch=2)
    part = AppTest.from_function(draw_newer, args=(str(run.folder),), default_timeout=60).run()
    assert not part.exception, part.exception
    assert "Epoch 2 is better than epoch 1, which is shown." in words(part)
    assert part.button(key="confusion-newer").label == "Show it"


def draw_newer(folder: str) -> None:
    from pathlib import Path

    from core.runs.run import Run
    from dashboard.explorer.matrices import TableSource
    from dashboard.explorer.sources import offer_newer

    offer_newer(TableSource(Run(Path(folder)), 1))


def test_the_images_are_packed_when_asked_and_lost_ones_are_named(
    open_page: Open, run: Run, tiny_data: Path
) -> None:
    (tiny_data / "val" / "35" / "1.png").unlink()
    app = open_page("confusion", run="first", true="35")
    assert "browse-archive" not in app.session_state
    app.button(key="browse-pack").click().run()
    packed = app.session_state["browse-archive"][1]
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert archive.namelist() == ["35/35/2.png", "missing.txt"]
    assert "1 file is gone or cannot be read: val/35/1.png" in words(app).replace("\\", "")


def test_a_block_of_the_matrix_leads_to_a_form_that_tells_its_look_alikes_apart(
    open_page: Open, run: Run, best_model: Path
) -> None:
    app = open_page("confusion", run="first", block=block_of("2", "10"))
    assert app.button(key="specialise-head").disabled  # there is no model to start from
    run.best_path.hardlink_to(best_model)
    app.run().button(key="specialise-head").click().run()
    assert not app.exception
    asked = {
        name: app.session_state[f"form-{name}"] for name in ("focus", "pairs", "weights-run", "head_only")
    }
    assert asked == {
        "focus": ["10", "2"], "pairs": [("10", "2")], "weights-run": "first", "head_only": True
    }  # fmt: skip
    right = open_page("confusion", run="first", true="2", pred="2")
    assert not [button for button in right.button if str(button.key).startswith("specialise")]


def view_of(app: AppTest) -> object:
    """Return what the matrix is zoomed to."""
    found = [json.loads(data) for data in component_data(app)]
    (matrix,) = [chart for chart in found if chart.get("key") == "confusion-matrix"]
    return matrix["view"]


def test_a_link_opens_the_zoom_which_goes_with_another_order(open_page: Open, run: Run) -> None:
    app = open_page("confusion", run="first", order="recall", zoom="-0.5_1.5_0.5_2.5")
    assert view_of(app) == {"x": [-0.5, 1.5], "y": [2.5, 0.5]}
    app.selectbox(key="confusion-order").set_value("name").run()
    assert app.query_params == {"run": "first"}
    assert view_of(app) is None


@pytest.mark.parametrize("nonsense", ["x", "1_2", "nan_1_2_3", "3_1_0_2", "0_1_0_1e9"])
def test_a_zoom_that_is_none_is_left_aside(open_page: Open, run: Run, nonsense: str) -> None:
    app = open_page("confusion", run="first", zoom=nonsense)
    assert not app.error
    assert view_of(app) is None
