"""The Map page without a browser: offered, made, looked at by a link, and what of it is shown as images."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from core.landscape.make import make_map
from core.landscape.table import read_table, table_path
from core.marks.marks import Mark, add_marks, list_path
from core.runs.run import Run
from core.runs.tasks import read_order
from dashboard.state.area import pack_area
from tests.conftest import make_tiny_data
from tests.made_run import make_run
from tests.pages.apps import Open, charts_of, component_data, links, pictures, set_state, words

STRANGER = "train/2/1.png"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, best_model: Path) -> Path:
    """Return the folder of a run with a map, made once: a training image of class 2 is one of class 10."""
    folder = tmp_path_factory.mktemp("mapped")
    data = make_tiny_data(folder / "tiny")
    plant_stranger(data)
    run = make_run(folder / "runs", data, precision="fp32", device="cpu", workers=0)
    run.best_path.hardlink_to(best_model)
    make_map(run)
    return run.folder


@pytest.fixture
def mapped(run_with_model: Run, tiny_data: Path, made: Path) -> Run:
    """Return a run with that map."""
    plant_stranger(tiny_data)
    for name in ("map.csv.gz", "map.json"):
        shutil.copy(made / name, run_with_model.folder)
    return run_with_model


def plant_stranger(data: Path) -> None:
    (data / STRANGER).write_bytes((data / "train/10/2.png").read_bytes())


def points(app: AppTest) -> dict[str, list[str]]:
    """Return what the points of the map say on hover, by the name of their colour."""
    traces = charts_of(app)["map-points"]["data"]
    return {trace["name"]: trace["text"] for trace in traces if "text" in trace}


def area_around(run: Run, *paths: str) -> str:
    """Return an area that has exactly these images of a map, each in a box of its own joined by lines without width."""
    table = read_table(run).set_index("path")
    x, y = table.loc[list(paths), "x"], table.loc[list(paths), "y"]
    edge = 0.004
    return pack_area(
        [x.min() - edge, x.max() + edge, x.max() + edge, x.min() - edge],
        [y.min() - edge, y.min() - edge, y.max() + edge, y.max() + edge],
    )


def test_the_first_visit_explains_a_map_and_has_one_button(
    open_page: Open, run_with_model: Run, jobs_here: None
) -> None:
    app = open_page("map", run="first")
    assert "those its network finds alike lie beside each other" in words(app)
    assert [button.label for button in app.button] == ["Make the map"]
    app.button(key="map-start").click().run()
    assert sorted(points(app)) == ["10 · tulip", "2 · rose", "35 · iris", "all others"]
    assert sum(map(len, points(app).values())) == 27
    assert "Draw around points with the mouse" in words(app)
    assert not app.error


def test_its_making_is_watched(open_page: Open, run_with_model: Run, no_jobs: None) -> None:
    app = open_page("map", run="first")
    app.button(key="map-start").click().run()
    task = Run(run_with_model.folder / ".map")
    assert read_order(task.folder) == ("map", {"run": "first"})
    me = psutil.Process(os.getpid())
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=30, total=48, seconds_left=5.0)
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.text == "30 of 48 · about 5 s left"


def test_a_map_of_an_earlier_model_is_made_anew(open_page: Open, mapped: Run) -> None:
    mapped.write_status(replace(mapped.read_status(), best_epoch=5))
    app = open_page("map", run="first")
    assert "The run has a better one now" in words(app)
    assert app.button(key="map-start").label == "Make the map"
    assert charts_of(app) == {}


def test_a_damaged_map_is_told_and_can_be_made_anew(open_page: Open, mapped: Run) -> None:
    table_path(mapped).write_bytes(b"no table")
    app = open_page("map", run="first")
    assert "Make the map again" in words(app)
    assert app.button(key="map-start").label == "Make the map"


def test_hover_says_name_answer_and_part_of_the_data(open_page: Open, mapped: Run) -> None:
    said = points(open_page("map", run="first"))["35 · iris"]
    assert "1.png<br>35 · iris → 2 · rose<br>Validation" in said


@pytest.mark.parametrize(
    ("colour", "names"),
    [
        ("right", {"right", "wrong", "no label"}),
        ("split", {"Training", "Validation", "Test"}),
        ("confidence", {"images"}),
        ("nonsense", {"2 · rose", "10 · tulip", "35 · iris", "all others"}),
    ],
)
def test_a_link_says_what_is_coloured(open_page: Open, mapped: Run, colour: str, names: set[str]) -> None:
    app = open_page("map", run="first", by=colour)
    assert set(points(app)) == names
    assert not app.error


def test_marked_images_are_coloured_by_what_was_said_of_them(open_page: Open, mapped: Run) -> None:
    path = list_path(Path(mapped.read_config().data), mapped.folder.parent)
    add_marks(
        path,
        [
            Mark("train/2/1.png", "2", action="drop"),
            Mark("train/2/2.png", "2", action="right", tags=("blurred",)),
        ],
    )
    found = points(open_page("map", run="first", by="marks"))
    assert {name: len(text) for name, text in found.items() if name != "not marked"} == {
        "left out": 1, "#blurred": 1,
    }  # fmt: skip
    assert "not marked" in found


def test_choices_are_written_to_the_address_and_leave_the_others_faint(open_page: Open, mapped: Run) -> None:
    app = open_page("map", run="first")
    app.selectbox(key="map-by").set_value("right").run()
    app.selectbox(key="map-split").set_value("val").run()
    app.toggle(key="map-only").set_value(True).run()
    assert app.query_params == {"run": "first", "by": "right", "split": "val", "only": "wrong"}
    assert {name: len(text) for name, text in points(app).items()} == {"wrong": 2}
    assert set(pictures(app)) == {"val/10/2.png", "val/35/1.png"}
    app.selectbox(key="map-class").set_value("10").run()
    assert pictures(app) == ["val/10/2.png"]
    assert "**1 image**, 1 of them wrong" in words(app)


def test_a_link_opens_the_images_of_an_area_and_outlines_it(open_page: Open, mapped: Run) -> None:
    table = read_table(mapped)
    chosen = table["path"].iloc[:3]
    area = area_around(mapped, *chosen)
    app = open_page("map", run="first", area=area)
    assert set(chosen) <= set(pictures(app))
    shapes = json.loads(component_data(app)[0])["shapes"]
    assert [shape["type"] for shape in shapes] == ["path"]
    app.button(key="map-clear").click().run()
    assert app.query_params == {"run": "first"}
    assert pictures(app) == []


def test_an_area_without_points_says_so(open_page: Open, mapped: Run) -> None:
    app = open_page("map", run="first", area=pack_area([-0.09, -0.08, -0.08], [-0.09, -0.09, -0.08]))
    assert "**No images** there." in words(app)


def test_images_are_searched_by_their_file_name(open_page: Open, mapped: Run) -> None:
    app = open_page("map", run="first")
    app.text_input(key="map-name").set_value(" VAL/35 ").run()
    assert app.query_params["name"] == "VAL/35"
    assert set(pictures(app)) == {"val/35/1.png", "val/35/2.png"}


def test_training_images_unlike_their_class_are_listed_with_what_they_are_like(
    open_page: Open, mapped: Run
) -> None:
    app = open_page("map", run="first")
    app.button_group(key="map-side").set_value("Unlike their class").run()
    assert app.query_params["side"] == "unlike"
    assert pictures(app)[0] == STRANGER
    said = words(app).replace("\\", "")
    assert "times as far as usual" in said
    assert "nearest to one of 10 · tulip" in said
    assert "unlike" in said
    app = open_page("map", run="first", side="unlike", **{"class": "35"})
    assert STRANGER not in pictures(app)


def test_those_unlike_their_class_follow_the_area_that_is_drawn(open_page: Open, mapped: Run) -> None:
    app = open_page("map", run="first", side="unlike", area=area_around(mapped, STRANGER))
    assert STRANGER in pictures(app)
    assert "In the area drawn: " in words(app)
    elsewhere = pack_area([-0.09, -0.08, -0.08], [-0.09, -0.09, -0.08])
    app = open_page("map", run="first", side="unlike", area=elsewhere)
    assert pictures(app) == []
    assert "In the area drawn: no training image stands far from its class" in words(app)
    app.button(key="map-clear").click().run()
    assert pictures(app)[0] == STRANGER


def test_an_image_leads_to_those_most_like_it_whatever_their_class(
    open_page: Open, mapped: Run, made: Path
) -> None:
    shutil.copytree(made.parent / ".features", mapped.folder.parent / ".features")
    app = open_page("map", run="first", image=STRANGER)
    assert "More like this" in links(app)
    app = open_page("map", run="first", side="like", like=STRANGER)
    asked, first, *others = pictures(app)
    assert (asked, first) == (STRANGER, "train/10/2.png")  # the file that it is a copy of
    assert STRANGER not in others
    assert any(path.startswith("val/") for path in others)
    assert "The nearest has a cosine similarity of 1.000" in words(app)
    for name in ("map.csv.gz", "map.json"):
        (mapped.folder / name).unlink()
    app = open_page("map", run="first", side="like", like=STRANGER)  # no map is needed for it
    assert pictures(app)[:2] == [STRANGER, "train/10/2.png"]
    app = open_page("map", run="first", side="like", like="../secret.png")
    assert "is not a training or validation image of this run" in words(app)
    assert pictures(app) == []


def test_one_image_opens_large_wherever_it_was_clicked(open_page: Open, mapped: Run) -> None:
    for more in ({}, {"side": "unlike"}, {"class": "2"}):
        app = open_page("map", run="first", image=STRANGER, **more)
        assert "Likeliest classes" in words(app)
        assert "The nearest training images" in words(app)
        assert not app.error
        assert not app.exception
    app = open_page("map", run="first", image="no/such.png")
    assert "Likeliest classes" not in words(app)
    assert not app.error


def test_of_many_classes_the_weakest_have_a_colour_and_all_others_are_grey(
    open_page: Open, mapped: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dashboard.mapping.look.COLOURED", 2
    )  # of three classes, of which 10 and 35 have an error
    found = points(open_page("map", run="first"))
    assert {name: len(text) for name, text in found.items()} == {
        "10 · tulip": 8,
        "35 · iris": 8,
        "all others": 11,
    }
    found = points(open_page("map", run="first", **{"class": "2"}))
    assert "2 · rose" in found


@pytest.mark.parametrize(
    ("page", "query"),
    [("weak", {"class": "35"}), ("confusion", {"true": "35", "pred": "2"}), ("confusion", {"true": "35"})],
)
def test_weak_classes_and_confusions_lead_to_the_map(
    open_page: Open, mapped: Run, page: str, query: dict[str, str]
) -> None:
    app = open_page(page, run="first", **query)
    assert "Show on the map" in links(app)


def test_a_test_image_is_shown_without_a_label(open_page: Open, mapped: Run) -> None:
    app = open_page("map", run="first", split="test", image="test/1.png")
    assert "no label" in words(app)
    assert "it has no label" in words(app)
    assert "0 of them wrong. All are of no label (3)" in words(app)
    assert not app.error
    assert not app.exception


def test_a_block_of_classes_has_no_one_place_on_the_map(open_page: Open, mapped: Run) -> None:
    assert "Show on the map" not in links(open_page("confusion", run="first"))
