"""The Live page without a browser: the newest epoch, how the run ended, stop and resume."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.files import write_text
from core.recipe.presets import from_preset
from core.runs import jobs
from core.runs.run import Run, create_run
from core.trackers.fault import write_fault
from dashboard.views import live
from tests.made_run import make_run
from tests.pages.apps import Open, charts_of, set_state, title, words


def test_live_shows_the_newest_epoch_and_how_each_class_came_there(open_page: Open, run: Run) -> None:
    app = open_page("live", run="first")
    assert "Matrix of epoch 2, the latest" in words(app)
    assert "The best model is that of epoch" not in words(app)  # it is the latest
    recall = charts_of(app)["live-recall"]["data"][0]
    assert recall["x"] == ["1", "2"]
    assert recall["y"] == ["10 · tulip", "35 · iris", "2 · rose"]
    assert charts_of(app)["live-matrix"]["layout"]["title"]["text"] == "Confusion matrix"


def test_the_lines_of_a_log_are_wrapped(open_page: Open, run: Run) -> None:
    run.log_path.write_text("Resumed with 2 processes in place of 1. " * 20, encoding="utf-8")
    set_state(run, "failed", message="No.")
    for page in ("live", "runs"):
        logs = [code.proto for code in open_page(page, run="first").code if "Resumed with" in code.value]
        assert [log.wrap_lines for log in logs] == [True]


def test_live_says_whose_matrix_it_shows_where_an_earlier_epoch_is_the_best(
    open_page: Open, run: Run
) -> None:
    run.write_status(replace(run.read_status(), best_epoch=1))
    assert "The best model is that of epoch 1; its matrix is on the page Confusion." in words(
        open_page("live", run="first")
    )


def test_a_head_fitted_at_once_has_a_sentence_in_place_of_curves(open_page: Open, run: Run) -> None:
    lines = run.metrics_path.read_text(encoding="utf-8").splitlines()
    write_text(run.metrics_path, next(line for line in lines if json.loads(line)["kind"] == "epoch") + "\n")
    app = open_page("live", run="first")
    assert not {"live-loss", "live-accuracy"} & set(charts_of(app))
    assert "It is right on 50.0 % of the training images and on 60.0 % of the validation images." in words(
        app
    )
    assert not app.error


def test_live_of_an_older_version_shows_the_best_model(open_page: Open, run: Run) -> None:
    shutil.rmtree(run.epoch_path(1).parent)
    rows = [{**row, "val_correct": None} for row in run.read_metrics()[0]]
    write_text(run.metrics_path, "".join(json.dumps(row) + "\n" for row in rows))
    app = open_page("live", run="first")
    assert "Matrix of the best model" in words(app)
    assert {"live-matrix"} == {key for key in charts_of(app) if key not in ("live-loss", "live-accuracy")}
    assert not app.error


def test_a_run_that_failed_early_says_what_to_do(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    failed = create_run(from_preset("demo", data=str(tiny_data), name="early"), runs_root)
    set_state(failed, "failed", message="There are no images.")
    shown = words(open_page("confusion", run="early")).replace("\\", "")
    assert "early has no predictions: it failed before its first epoch." in shown
    assert "There are no images" in shown


def test_a_run_whose_initial_model_is_the_best_shows_it_before_the_first_epoch(
    open_page: Open, run: Run
) -> None:
    run.write_status(replace(run.read_status(), best_epoch=0, best_val_acc=0.75))
    app = open_page("live", run="first")
    assert app.metric[1].label == "Best validation accuracy, of the initial model"
    validation, star = charts_of(app)["live-accuracy"]["data"][2:]
    assert validation["x"] == [0, 1, 2]
    assert star["name"] == "best: the initial model, 75.0 %"
    assert len(charts_of(app)["live-loss"]["data"]) == 3  # its loss is not known
    assert "The best model is the initial one; its matrix is on the page Confusion." in words(app)


def test_a_tracker_that_got_nothing_is_told_once_with_why_and_what_to_do(open_page: Open, run: Run) -> None:
    write_fault(run, "mlflow", "MLflow is not installed. Install it: pip install mlflow-skinny")
    app = open_page("live", run="first")
    (told,) = [str(one.value) for one in app.warning if "MLflow" in str(one.value)]
    assert "pip install mlflow" in told
    assert "track first" in told
    (run.folder / "tracker-fault.json").write_text('{"kind": "unheard of", "why": ""}', encoding="utf-8")
    assert not [one for one in open_page("live", run="first").warning if "figures" in str(one.value)]


def test_stop_on_the_live_page_asks_the_run_to_stop(open_page: Open, run: Run, no_jobs: None) -> None:
    set_state(run, "stopped")
    jobs.resume(run)
    app = open_page("live", run="first")
    app.button(key="live-stop").click().run()
    assert title(app) == "Live"
    assert run.stop_requested()
    assert not app.error
    assert app.button(key="live-end")


def test_resume_on_the_live_page_shows_the_run_at_work(open_page: Open, run: Run, no_jobs: None) -> None:
    set_state(run, "stopped")
    app = open_page("live", run="first")
    app.button(key="live-resume").click().run()
    assert title(app) == "Live"
    assert not app.error
    assert app.button(key="live-stop")


@pytest.mark.parametrize(
    "changes", [{"weights": "run:first", "focus": ["35"]}, {"fixes": "label-fixes-train.csv"}]
)
def test_a_run_made_better_leads_to_what_was_before(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, changes: dict[str, Any]
) -> None:
    if "fixes" in changes:
        changes = {"fixes": str(run.folder / changes["fixes"])}
    make_run(runs_root, tiny_data, name="second", **changes)
    links = [link.proto.label for link in open_page("live", run="second").get("page_link")]
    assert "Before and after" in links
    links = [link.proto.label for link in open_page("live", run="first").get("page_link")]
    assert "Before and after" not in links


def test_the_speed_of_a_quick_run_is_grouped_as_other_large_numbers_are(open_page: Open, run: Run) -> None:
    set_state(run, "finished", images_per_second=3139.4)
    figures = {metric.label: metric.value for metric in open_page("live", run="first").metric}
    assert figures["Speed"] == "3,139 images/s"


def test_a_run_that_would_fail_alike_is_changed_and_not_resumed(open_page: Open, run: Run) -> None:
    for hopeless in (False, True):
        set_state(run, "failed", message="The loss became nan.", hopeless=hopeless)
        keys = {button.key for button in open_page("live", run="first").button}
        assert "live-again" in keys
        assert ("live-resume" in keys) is not hopeless
        assert ("resume-first" in {button.key for button in open_page("runs").button}) is not hopeless


def test_where_the_run_is_deleted_meanwhile_the_whole_page_is_drawn_anew(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DrawnAnew(Exception):
        pass

    def rerun() -> None:
        raise DrawnAnew

    monkeypatch.setattr("streamlit.rerun", rerun)
    with pytest.raises(DrawnAnew):
        live.draw(Run(run.folder.with_name("gone")), True, 0, "epoch")
