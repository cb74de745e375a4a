"""Judging on all training images, on the pages: offered, watched, and the whole analysis of its table."""

from __future__ import annotations

import json
import os

import psutil
import pytest

from core.cli.kinds import KINDS
from core.files import write_text
from core.model.out_of_sample import read_out_of_fold
from core.runs.run import FOLD, Run
from core.runs.tasks import read_order
from tests.pages.apps import Open, pictures, set_state, words


@pytest.fixture
def judged(run: Run) -> Run:
    """Return the run with a table of its training images, of which one of class 2 is taken for 10."""
    return judge(run, "2", "10", "35")


def judge(run: Run, *names: str) -> Run:
    """Give the run a table of the training images of these classes, of which one of class 2 is taken for 10."""
    table = run.predictions_path()
    head, *_ = table.read_text(encoding="utf-8").splitlines()
    columns = head.split(",")
    rows = [head]
    for name in names:
        for number in range(6):
            said = "10" if (name, number) == ("2", 3) else name
            values = {
                "path": f"train/{name}/{number}.png",
                "true": name,
                "predicted": said,
                "confidence": "0.9",
            }
            values |= {"true_confidence": "0.9" if said == name else "0.05", "loss": "0.1", "top1": said}
            rows.append(
                ",".join(
                    values.get(column, "0.01" if column.endswith("confidence") else "35")
                    for column in columns
                )
            )
    write_text(run.predictions_path(FOLD), "\n".join(rows) + "\n")
    about = {
        "judged": 6 * len(names),
        "right": 6 * len(names) - 1,
        "left_out": [name for name in ("2", "10", "35") if name not in names],
        "network": "resnet18",
        "weights": "imagenet",
        "whole": True,
    }
    write_text(run.folder / "out-of-fold.json", json.dumps(about))
    return run


@pytest.mark.parametrize("page", ["confusion", "weak"])
def test_it_is_offered_and_its_progress_shown(open_page: Open, run: Run, no_jobs: None, page: str) -> None:
    app = open_page(page, run="first")
    offer = app.button(key="judge-start")
    assert offer.label == "Judge on all 18 training images"
    assert "Instead of 6 validation images" in offer.help
    offer.click().run()
    task = Run(run.folder / ".judge")
    assert read_order(task.folder) == ("judge", {"run": "first"})
    assert "judge" in KINDS
    me = psutil.Process(os.getpid())
    set_state(task, "running", pid=me.pid, pid_created=me.create_time(), done=9, total=18, seconds_left=5.0)
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.text == "9 of 18 · about 5 s left"
    assert "judge-start" not in [button.key for button in app.button]


def test_the_matrix_and_the_images_are_of_the_training_images(open_page: Open, judged: Run) -> None:
    app = open_page("confusion", run="first")
    app.selectbox(key="judged-on").set_value(FOLD).run()
    assert app.query_params["on"] == FOLD
    assert "All training images, each judged by a model fitted without it: 17 of 18 right" in words(app)
    assert "5 heads on the features of resnet18" in words(app)
    assert "has seen these images and cannot judge them" in words(app)
    app.button(key="pair-0").click().run()
    assert pictures(app) == ["train/2/3.png"]


def test_a_class_is_ranked_by_its_training_images(open_page: Open, judged: Run) -> None:
    app = open_page("weak", run="first", on=FOLD)
    assert [metric.value for metric in app.metric][:2] == ["5 of 6", "44–97 %"]
    assert app.query_params["on"] == FOLD
    app.selectbox(key="judged-on").set_value("val").run()
    assert "on" not in app.query_params
    assert app.metric[0].value == "1 of 2"


@pytest.mark.parametrize("page", ["confusion", "weak"])
def test_a_class_that_cannot_be_judged_is_named_and_the_others_are_shown(
    open_page: Open, run: Run, page: str
) -> None:
    app = open_page(page, run=judge(run, "2", "10").id, on=FOLD)
    assert "Too few images to judge: 35 · iris." in words(app).replace("\\", "")
    assert "11 of 12" in words(app)
    assert not app.error


def test_a_class_without_a_judged_image_says_what_judging_it_takes(open_page: Open, run: Run) -> None:
    app = open_page("weak", run=judge(run, "2", "10").id, on=FOLD, **{"class": "35"})
    assert "Too few different training images of this class to judge it" in words(app)
    assert "val/" not in words(app)


def test_heat_maps_say_that_they_are_of_the_model_that_has_seen_the_image(
    open_page: Open, judged: Run
) -> None:
    for image in ({}, {"image": "train/2/3.png"}):
        app = open_page("weak", run="first", on=FOLD, **image)
        assert "Heat maps are of the run's best model, which was trained on these images." in words(app)


def test_a_table_whose_description_is_damaged_is_shown_without_it(open_page: Open, judged: Run) -> None:
    write_text(judged.folder / "out-of-fold.json", '{"judged": "many"}')
    assert read_out_of_fold(judged) is None
    app = open_page("confusion", run="first", on=FOLD)
    assert "17 of 18 right" in words(app)
    assert not app.error


def test_it_is_not_offered_while_the_run_trains(open_page: Open, run: Run) -> None:
    set_state(run, "running")
    assert "judge-start" not in [button.key for button in open_page("weak", run="first").button]
