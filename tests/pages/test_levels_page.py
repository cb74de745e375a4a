"""The matrix of very many classes on its page, without a browser: parts are opened, kept in the address and left again."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.image_table import Names, write_table
from core.runs.run import Run
from core.verdicts.predictions import read_predictions
from dashboard.state.part import is_part, read_steps
from tests.large_run import make_large_run
from tests.pages.apps import Open, charts_of, component_data, pictures, title, words

CLASSES = 2_000  # 45 groups of 45
FIRST, LAST = "class-00000", "class-00044"


@pytest.fixture
def large(runs_root: Path, tiny_data: Path) -> Run:
    return make_large_run(runs_root, tiny_data, CLASSES)


def matrix_of(app: AppTest) -> dict[str, Any]:
    return dict(charts_of(app)["confusion-matrix"]["data"][0])


def filled(app: AppTest) -> int:
    row = matrix_of(app)["cells"]["row"]
    return len(np.frombuffer(base64.b64decode(row["bdata"]), dtype=row["dtype"]))


def way(app: AppTest) -> list[str]:
    return [button.label for button in app.button if (button.key or "").startswith("matrix-way-")]


def shapes_of(app: AppTest) -> list[dict[str, Any]]:
    found = [json.loads(data) for data in component_data(app)]
    (chart,) = [chart for chart in found if chart.get("key") == "confusion-matrix"]
    return list(chart["shapes"])


def test_first_all_classes_are_there_as_groups_of_neighbours(open_page: Open, large: Run) -> None:
    app = open_page("confusion", run="large")
    assert title(app) == "Confusion"
    assert len(matrix_of(app)["y"]) == 45
    assert matrix_of(app)["y"][0] == "class-00000, class-00001, class-00002 … class-00044 (45 classes)"
    assert "All 2,000 classes" in words(app)
    assert "Groups of 45 neighbouring classes." in words(app)
    assert way(app) == []
    assert len(json.dumps(component_data(app))) < 2_000_000


def test_a_part_in_the_address_shows_its_single_classes_and_the_way_back(open_page: Open, large: Run) -> None:
    app = open_page("confusion", run="large", part="0-0")
    assert matrix_of(app)["y"][0] == FIRST
    assert len(matrix_of(app)["x"]) == 45
    assert f"{FIRST}–{LAST}" in words(app).replace("\\", "")
    assert (
        filled(app) == 45 + 44
    )  # right answers, and each class taken for the next but for the last of a group
    (back,) = [button for button in app.button if button.key == "matrix-way-0"]
    back.click().run()
    assert app.query_params["part"] == "all"
    assert len(matrix_of(app)["y"]) == 45
    assert way(app) == []


def pairs(app: AppTest, key: str) -> list[str]:
    return [
        re.sub(r"[*\\]", "", button.label)
        for button in app.button
        if re.fullmatch(rf"{key}-\d+", button.key or "")
    ]


def test_beside_a_part_its_own_confusions_come_first(open_page: Open, large: Run) -> None:
    assert pairs(open_page("confusion", run="large"), "pair")[0].startswith(
        "class-00000 taken for class-00001"
    )
    app = open_page("confusion", run="large", part="1-0")
    assert "Within the part shown, confused most:" in words(app)
    assert pairs(app, "pair") == ["class-00047 taken for class-00040 · 1"]
    assert pairs(app, "pair-of-all")[0].startswith("class-00000 taken for class-00001")
    assert [box.label for box in app.expander] == ["Of all 2,000 classes"]
    app.button_group(key="confusion-beside").set_value("Blocks").run()
    assert len(pairs(app, "block")) == 1  # the one that lies on the border of the two groups
    assert len(pairs(app, "block-of-all")) == 12


def test_a_part_without_confusions_says_so(open_page: Open, large: Run) -> None:
    app = open_page("confusion", run="large", part="5-0")
    assert "No two classes of the part shown are confused." in words(app)
    assert len(pairs(app, "pair-of-all")) == 12


def test_a_part_of_two_groups_is_called_by_both(open_page: Open, large: Run) -> None:
    app = open_page("confusion", run="large", part="1-0")
    assert f"class-00045–class-00089 × {FIRST}–{LAST}" in words(app).replace("\\", "")
    assert matrix_of(app)["y"][0] == "class-00045"
    assert matrix_of(app)["x"][0] == FIRST
    assert filled(app) == 1  # 47 is taken for 40


@pytest.mark.parametrize("nonsense", ["x", "0", "45-0", "0-0_0-0", "0-0_", "99999-1", "-1-0", "²-0"])
def test_a_text_that_names_no_part_is_told_from_one_that_does(nonsense: str) -> None:
    steps = read_steps(nonsense)
    assert steps is None or not is_part(CLASSES, steps)
    assert is_part(CLASSES, read_steps("44-3") or ())


@pytest.mark.parametrize("nonsense", ["x", "45-0"])
def test_a_part_that_is_none_is_left_aside_and_told(open_page: Open, large: Run, nonsense: str) -> None:
    app = open_page("confusion", run="large", part=nonsense)
    assert not app.error
    assert "All 2,000 classes" in words(app)
    assert way(app) == []
    (told,) = app.warning
    assert told.value == (
        "The address asks for a part of the matrix, which does not exist. All classes are shown."
    )


def test_a_class_that_is_looked_for_opens_its_part_and_is_marked(open_page: Open, large: Run) -> None:
    app = open_page("confusion", run="large", find="class-00100")
    assert matrix_of(app)["y"][0] == "class-00090"
    assert len(shapes_of(app)) == 2
    app.button(key="matrix-way-0").click().run()
    assert len(matrix_of(app)["y"]) == 45
    assert matrix_of(app)["y"][0] != "class-00090"


def test_a_cell_in_the_address_has_its_images_and_its_group_is_outlined(open_page: Open, large: Run) -> None:
    app = open_page("confusion", run="large", true=FIRST, pred="class-00001")
    assert pictures(app) == [f"val/{FIRST}/0.png"]
    (shape,) = shapes_of(app)
    assert (shape["x0"], shape["y0"]) == pytest.approx((-0.5, -0.5), abs=0.01)


@pytest.mark.parametrize("order", ["recall", "support", "similarity"])
def test_every_order_has_its_groups_and_another_order_closes_the_part(
    open_page: Open, large: Run, order: str
) -> None:
    app = open_page("confusion", run="large", part="0-0")
    app.selectbox(key="confusion-order").set_value(order).run()
    assert app.query_params == {"run": "large", "order": order}
    assert len(matrix_of(app)["y"]) == 45


def test_a_difference_has_levels_too(open_page: Open, large: Run, runs_root: Path) -> None:
    other = runs_root / "other"
    shutil.copytree(large.folder, other)
    table = read_predictions(large.predictions_path())
    classes = sorted(set(table["true"]))
    codes = {name: code for code, name in enumerate(classes)}
    true = np.array([codes[name] for name in table["true"]])
    write_table(
        Run(other).predictions_path(),
        {
            "path": list(table["path"]),
            "true": Names(true, classes),
            "predicted": Names(true, classes),
            **{name: table[name].to_numpy() for name in ("confidence", "true_confidence", "loss")},
        },
    )
    app = open_page("confusion", run="large", against="run:other")
    chart = charts_of(app)["confusion-matrix"]
    assert chart["layout"]["title"]["text"] == "Difference of the confusion matrices"
    assert (
        filled(app) == 45 + 2 * 39
    )  # errors within each group, and over the borders that divide eight classes
    app = open_page("confusion", run="large", against="run:other", part="0-0")
    assert filled(app) == 45 + 44  # errors that came, and right answers that left


def test_live_shows_the_classes_with_most_errors(open_page: Open, large: Run) -> None:
    assert title(open_page("live", run="large")) == "Live"


def test_weak_classes_of_very_many_come_a_page_at_a_time(open_page: Open, large: Run) -> None:
    app = open_page("weak", run="large")
    assert app.multiselect(key=f"specialise-large-{app.text_input(key='weak-class').value}").options == [
        "class-00000", "class-00001",
    ]  # fmt: skip
    _, table = (frame.value for frame in app.dataframe)
    assert (len(table), table["class"].iloc[0]) == (200, "class-00000")
    assert "1,000 of 2,000 classes are drawn" in words(app)
    assert (
        sum(map(len, component_data(app))) < 200_000
    )  # a quarter of a megabyte each, were all names among them
    app.number_input(key="weak-table-page").set_value(10).run()
    _, table = (frame.value for frame in app.dataframe)
    assert len(table) == 200
    app.selectbox(key="weak-sorted").select("Recall").run()
    app.number_input(key="weak-table-page").set_value(1).run()
    _, table = (frame.value for frame in app.dataframe)
    assert table["recall"].iloc[0] == table["recall"].max()


def test_galleries_of_very_many_classes_know_those_of_their_images(open_page: Open, large: Run) -> None:
    app = open_page("confusion", run="large", true="class-00000")
    galleries = [json.loads(data) for data in component_data(app)]
    told = [gallery for gallery in galleries if "items" in gallery]
    assert told
    assert all(gallery["asks"] and len(gallery["labels"]) < 20 and not gallery["order"] for gallery in told)
