"""Kinds of images on the Weak classes page: searched for, told in words, their images, and a user's own columns."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from core.files import write_text
from core.runs.run import FOLD, Run
from core.runs.tasks import read_order
from core.slices.report import read_report, report_path
from core.slices.search import search_run
from tests.pages.apps import Open, pictures, set_state, title, words
from tests.slices.planted import plant_dark


@pytest.fixture
def judged(run: Run, tiny_data: Path) -> Run:
    """Return the run judged on 80 images, half of them dark, of which most are wrong."""
    plant_dark(run, tiny_data)
    return run


def plain(text: str) -> str:
    return text.replace("\\", "")


def buttons(app: object) -> list[str]:
    return [button.key for button in app.button]  # type: ignore[attr-defined]


def test_a_weak_kind_is_found_told_and_its_images_shown_wrong_ones_first(
    open_page: Open, judged: Run, jobs_here: None
) -> None:
    app = open_page("weak", run="first")
    assert "Is the model worse on dark, blurred, small or oddly shaped images" in words(app)
    app.button(key="kinds-search").click().run()
    said = plain(words(app))
    assert " out as weak: " in said
    assert "1. The darkest images (brightness up to " in said
    assert "worse than the other images of the same classes" in said
    assert "exact form of Mantel and Haenszel's test" in said
    assert app.button(key="kinds-search").label == "Look again"
    assert not pictures(app)
    found = read_report(report_path(judged.folder, "val")).weak[0]
    opener = app.button(key="kinds-open-1")
    assert opener.label == f"Show its {found.images} images"
    opener.click().run()
    assert app.query_params["kind"] == "1"
    shown = [name for name in pictures(app) if name.startswith("shop/")]
    assert set(shown) <= set(found.paths)
    assert all(int(name.split("/")[2].split(".")[0]) < 18 for name in shown[: found.images - found.right])
    assert not app.error
    app.button(key="kinds-open-1").click().run()
    assert "kind" not in app.query_params
    assert not pictures(app)


def test_an_image_of_the_kind_that_is_shown_opens_over_the_page(open_page: Open, judged: Run) -> None:
    search_run(judged, "val")
    path = read_report(report_path(judged.folder, "val")).weak[0].paths[0]
    app = open_page("weak", run="first", kind="1", image=path)
    assert title(app) == "Weak classes"
    assert "Confidence in the true class" in plain(words(app))
    assert "kinds-search" in buttons(app)
    app = open_page("weak", run="first", image=path)
    assert "kinds-search" not in buttons(app)  # the image alone, in detail


def test_where_nothing_stands_out_the_page_says_what_could_have_been_seen(
    open_page: Open, run: Run, tiny_data: Path
) -> None:
    plant_dark(run, tiny_data, wrong=1)
    search_run(run, "val")
    said = plain(words(open_page("weak", run="first")))
    assert "**No kind of image stands out: " in said
    assert "would probably have gone unseen" in said


def test_a_search_is_watched_and_goes_on_without_the_page(
    open_page: Open, judged: Run, no_jobs: None
) -> None:
    app = open_page("weak", run="first")
    app.button(key="kinds-search").click().run()
    task = Run(judged.folder / ".slices-val")
    assert read_order(task.folder) == ("slices", {"run": "first", "split": "val", "columns": ""})
    me = psutil.Process()
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=40, total=80, seconds_left=3.0)
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.text == "40 of 80 images · about 3 s left"
    assert "kinds-search" not in buttons(app)
    set_state(task, "failed", message="why it ended")
    assert "why it ended" in plain(words(app.run()))


def test_columns_of_ones_own_are_checked_told_and_searched(
    open_page: Open, judged: Run, no_jobs: None
) -> None:
    app = open_page("weak", run="first")
    assert "shop/2/0.png" in plain(words(app))
    uploader = app.file_uploader(key="kinds-columns-first-val")
    uploader.upload("mine.csv", b"path,shop\nshop/2/0.png\n", "text/csv")
    app.run()
    (told,) = [plain(error.value) for error in app.error]
    assert (
        told
        == "mine.csv, line 2 has 1 cell, but the first line names 2 columns. Put double quotes around a cell that contains the separator."
    )
    assert app.button(key="kinds-search").disabled
    app = open_page("weak", run="first")
    text = "path,shop,age\nshop/2/0.png,ICA,3\nshop/10/0.png,Coop,\n"
    app.file_uploader(key="kinds-columns-first-val").upload("mine.csv", text.encode(), "text/csv")
    app.run()
    assert "shop, age: 2 of 80 judged images have a row." in plain(words(app))
    app.button(key="kinds-search").click().run()
    kind, order = read_order(judged.folder / ".slices-val")
    assert kind == "slices"
    assert Path(order["columns"]).read_text(encoding="utf-8") == text


def test_the_images_that_tell_most_are_searched_unless_others_are_chosen(
    open_page: Open, judged: Run, tiny_data: Path
) -> None:
    assert "With so few images only large differences show" in words(open_page("weak", run="first"))
    plant_dark(judged, tiny_data, split=FOLD, wrong=1)
    for split in ("val", FOLD):
        search_run(judged, split)
    app = open_page("weak", run="first")
    assert "No kind of image stands out" in plain(words(app))
    assert "With so few images only large differences show" not in words(app)
    app = open_page("weak", run="first", kinds="val")
    assert " out as weak: " in plain(words(app))
    assert "No kind of image stands out" not in plain(words(app))


def test_what_was_found_in_other_answers_is_told_as_old(
    open_page: Open, judged: Run, tiny_data: Path
) -> None:
    search_run(judged, "val")
    assert "judged anew" not in words(open_page("weak", run="first"))
    plant_dark(judged, tiny_data, wrong=3)
    assert "The images have been judged again since this search" in words(open_page("weak", run="first"))


def test_a_damaged_report_is_told_and_a_search_offered(open_page: Open, judged: Run) -> None:
    write_text(report_path(judged.folder, "val"), json.dumps({"version": 1}))
    app = open_page("weak", run="first")
    assert "Look for weak kinds again" in plain(words(app))
    assert not app.button(key="kinds-search").disabled


def test_heat_maps_of_training_images_say_whose_they_are(
    open_page: Open, judged: Run, tiny_data: Path
) -> None:
    plant_dark(judged, tiny_data, split=FOLD)
    search_run(judged, FOLD)
    app = open_page("weak", run="first", kind="1")
    assert "Heat maps are of the run's best model, which was trained on these images." in words(app)
    assert "Judge them again" in plain(words(app))
