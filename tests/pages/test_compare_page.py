"""The Compare page without a browser: two or many runs, seeds as a set, what was won and lost, a report of several."""

from __future__ import annotations

import shutil
from base64 import b64decode
from pathlib import Path
from typing import Any

from core.marks.marks import Mark, add_marks, list_path
from core.runs.run import Run
from core.runs.seen import Seen, write_seen
from core.runs.tasks import read_order
from core.words import format_accuracy
from dashboard.panels.report_panel import report_folder
from tests.made_run import TRUE, make_member, make_run, measure_confidence
from tests.pages.apps import ERROR, Open, charts_of, pictures, saves, set_state, title, words


def test_compared_runs_are_told_apart_by_what_differs(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="second", lr=0.5, focus=["2", "35"], pairs=[["2", "10"]])
    app = open_page("compare", runs="first,second")
    assert title(app) == "Compare"
    assert app.multiselect(key="compare-runs").value == ["first", "second"]
    results, settings = (table.value for table in app.dataframe)
    assert results["run"].tolist() == ["first", "second"]
    assert results["images/s"].tolist() == ["–", "–"]  # no speed was measured
    assert settings[["setting", "first", "second"]].to_numpy().tolist() == [
        ["Learning rate", "0.001", "0.5"],
        ["Classes to specialise on", "–", "2 · rose, 35 · iris"],
        ["Look-alikes to tell apart", "–", "2 · rose and 10 · tulip"],
    ]


def test_runs_are_compared_once_more_without_images_marked_as_wrong(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="second", lr=0.5, guessed=TRUE)
    assert "that you marked to be" not in words(open_page("compare", runs="first,second"))
    path = list_path(tiny_data, runs_root)
    add_marks(
        path,
        [
            Mark(ERROR, "35", "relabel", "2"),
            Mark("val/2/1.png", "2", "unsure"),
            Mark("train/2/1.png", "2", "drop"),
        ],
    )
    told = words(open_page("compare", runs="first,second"))
    first, again = told.split("**Without the 1 image that you marked to be relabelled:**")
    assert "of 6 images" in first
    assert "of 5 images" in again
    add_marks(path, [Mark(ERROR, "35", "drop")])
    told = words(open_page("compare", runs="first,second"))
    assert "**Without the 1 image that you marked to be left out:**" in told


def test_the_newest_two_with_results_on_the_same_images_are_compared(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="second", lr=0.5)
    other = make_run(runs_root, tiny_data, name="other", val_fraction=0.5)
    table = other.predictions_path().read_text(encoding="utf-8")
    other.predictions_path().write_text(table.replace("val/", "test/"), encoding="utf-8")
    make_early(runs_root, tiny_data, "early")
    assert open_page("compare").multiselect(key="compare-runs").value == ["second", "first"]
    beside = open_page("compare", run="first").multiselect(key="compare-runs").value
    assert beside == ["first", "second"]
    shutil.rmtree(run.folder)
    assert open_page("compare").multiselect(key="compare-runs").value == ["other", "second"]


def test_runs_that_failed_before_their_first_epoch_are_not_awaited(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    for name in ("early", "second"):
        make_early(runs_root, tiny_data, name)
    told = words(open_page("compare", runs="early,second")).replace("\\", "")
    why = "early has no predictions: it failed before its first epoch. Its Live page says why."
    assert f"early: not compared. {why}" in told
    assert "once trained to its end" not in told
    assert "None. These runs have the same settings." in told
    assert "chance" not in told
    assert "it failed before its first epoch" in words(open_page("runs"))
    told = words(open_page("data", run="early")).replace("\\", "")
    assert "early has no model: it failed before its first epoch. Its Live page says why." in told


def make_early(runs_root: Path, tiny_data: Path, name: str) -> Run:
    """Make a run that failed before its first epoch, when it had read its data."""
    made = make_run(runs_root, tiny_data, name=name, state="failed")
    made.predictions_path().unlink()
    made.metrics_path.unlink()
    set_state(made, "failed", epoch=0, best_epoch=0, best_val_acc=0.0)
    return made


def test_a_curve_begins_with_the_initial_model_where_that_is_the_best(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    second = make_run(runs_root, tiny_data, name="second", lr=0.5)
    set_state(second, "finished", best_epoch=0, best_val_acc=0.75)
    curves = charts_of(open_page("compare", runs="first,second"))["compare-curves"]["data"]
    assert [len(b64decode(curve["y"]["bdata"])) // 8 for curve in curves] == [2, 3]


def test_repeats_and_unfinished_runs_are_named_and_are_no_seeds(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="again")
    make_run(runs_root, tiny_data, name="early", seed=1, state="stopped")
    app = open_page("compare", runs="first,again,early")
    told = words(app)
    assert "There is nothing to test: only one model is left." in told
    assert "again repeats the seed of first, so it is left out" in told
    assert "early has not finished, so it is left out" in told
    assert "compare-seeds-0" not in charts_of(app)


def test_runs_whose_settings_cannot_be_read_are_not_called_the_same(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data, name="second", lr=0.5)
    (run.folder / "config.json").write_text("{")
    app = open_page("compare", runs="first,second")
    assert title(app) == "Compare"
    (warning,) = app.warning
    assert r"config\.json cannot be used" in warning.value
    assert "have the same settings" not in words(app)


def test_a_specialised_run_beside_its_parent_shows_what_was_won_and_lost(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    special = make_run(runs_root, tiny_data, name="second", focus=["35"], weights="run:first")
    table = special.predictions_path().read_text(encoding="utf-8")
    line = next(line for line in table.splitlines() if line.startswith("val/35/1.png"))
    assert line.split(",")[1:3] == ["35", "2"]
    won = line.replace(",35,2,", ",35,35,", 1)
    special.predictions_path().write_text(table.replace(line, won), encoding="utf-8")
    app = open_page("compare", runs="second,first")
    assert title(app) == "Compare"
    changes = app.dataframe[1].value
    assert changes[["class", "won", "lost"]].to_numpy().tolist() == [["35 · iris", 1, 0]]
    assert "Images won: 1" in words(app)
    assert pictures(app) == ["val/35/1.png"]
    assert "On the chosen classes (35 · iris): No evidence of a difference" in words(app)
    assert "The gain on the chosen classes **may be chance**" in words(app)
    assert "Judged on validation." in words(app)
    assert changes["change (points)"].tolist() == [50.0]


def test_a_specialised_run_is_held_against_a_control_trained_after_it(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    make_run(
        runs_root, tiny_data, name="special", focus=["35"], pairs=[["35", "2"]], weights="run:first", lr=0.004
    )
    app = open_page("compare", runs="special,first")
    app.button(key="changes-control").click().run()
    assert title(app) == "Train"
    asked = [app.session_state[f"form-{field}"] for field in ("focus", "pairs", "lr", "name")]
    assert asked == [[], [], 0.004, "special-control"]
    make_run(runs_root, tiny_data, name="control", weights="run:first", lr=0.004)
    app = open_page("compare", runs="special,control")
    assert "What changed from control to special" in [heading.value for heading in app.header]
    assert "On the chosen classes (35 · iris)" in words(app)


def make_changed(runs_root: Path, tiny_data: Path, **changes: Any) -> Run:
    """Make a run that tells val/35/1.png right, which `first` does not."""
    second = make_run(runs_root, tiny_data, name="second", **changes)
    table = second.predictions_path().read_text(encoding="utf-8")
    line = next(line for line in table.splitlines() if line.startswith("val/35/1.png"))
    second.predictions_path().write_text(
        table.replace(line, line.replace(",35,2,", ",35,35,", 1)), encoding="utf-8"
    )
    return second


def test_an_image_won_opens_with_the_heat_maps_of_both_models(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, best_model: Path
) -> None:
    second = make_changed(runs_root, tiny_data)
    query = {"runs": "first,second", "image": ERROR}
    text = words(open_page("compare", **query))
    assert "2 · rose, 86.0 % sure: wrong" in text
    assert text.count("It no longer has a model, so there is no heat map.") == 2
    for one in (run, second):
        one.best_path.hardlink_to(best_model)
    app = open_page("compare", **query)
    assert not app.exception
    shown = pictures(app)
    assert f"Grad-CAM of {ERROR} for 2 by first" in shown
    assert f"Grad-CAM of {ERROR} for 35 by second" in shown


def test_what_one_of_two_models_saw_is_looked_at_in_detail(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, best_model: Path
) -> None:
    make_changed(runs_root, tiny_data)
    run.best_path.hardlink_to(best_model)
    app = open_page("compare", runs="first,second", image=ERROR)
    app.segmented_control(key="changes-model").set_value("Before").run()
    assert f"Grad-CAM of {ERROR} for 2 rather than 35" in pictures(app)
    app.segmented_control(key="changes-model").set_value("After").run()
    assert "second has no model, so there are no heat maps." in words(app)


def test_two_runs_are_judged_on_what_both_held_back(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path
) -> None:
    second = make_changed(runs_root, tiny_data, fixes=str(run.folder / "label-fixes-train.csv"))
    for one in (run, second):
        shutil.copy(run.predictions_path(), one.predictions_path("held"))
    app = open_page("compare", runs="first,second")
    assert app.segmented_control(key="changes-on").value == "held"
    told = words(app)
    assert told.count("Judged on images held back from both") == 2  # the headline and what changed
    assert "first and second are right and wrong on the same 6 images" in told
    assert (
        "On all classes after the fix list label\\-fixes\\-train\\.csv: before and after are right"
        in words(app)
    )
    assert told.count("so the figures are unbiased.") == 2
    write_seen(second, Seen(unknown=("the file x_1.pt",)))
    app.segmented_control(key="changes-on").set_value("val").run()
    assert (
        words(app).count("second came from the file x\\_1\\.pt, and what that model had seen is not known")
        == 2
    )
    assert app.query_params["on"] == "val"
    assert "the images held back settle it" in words(app)
    assert "Images won: 1" in words(app)
    second.predictions_path("held").write_text("damaged", encoding="utf-8")
    assert "Judged on validation." in words(open_page("compare", runs="first,second"))


def test_compared_seeds_are_a_set_with_mean_and_spread(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    names = []
    for seed in (0, 1):
        names += [
            make_member(runs_root, tiny_data, optimizer="sgd", seed=seed).id,
            make_member(runs_root, tiny_data, guessed=TRUE, optimizer="adamw", seed=seed).id,
        ]
    app = open_page("compare", runs=",".join(names))
    assert title(app) == "Compare"
    text = words(app).replace("\\", "")
    assert "sgd, 2 seeds: 66.7 ± 0.0 % of 2 seeds" in text
    assert "between sgd, 2 seeds and adamw, 2 seeds: +33.3 points for adamw, 2 seeds" in text
    assert "permutation test" in text
    assert "compare-seeds-0" in charts_of(app)
    assert app.dataframe[-1].value["setting"].tolist() == ["Optimizer", "Seed"]


def test_many_compared_runs_are_tested_against_the_best(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    names = [make_run(runs_root, tiny_data, name=f"r{n}", lr=0.1 + n / 10).id for n in range(7)]
    best = make_run(runs_root, tiny_data, name="best", lr=0.01, guessed=TRUE).id
    app = open_page("compare", runs=",".join([*names, best]))
    text = words(app)
    assert text.count("- No evidence of a difference between") == 7
    assert "The best is tested against each of the others." in text
    assert "p is corrected for all 28 pairs" in text


def test_curves_are_smoothed_and_drawn_by_time(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    for name in ("first", "second"):
        make_run(runs_root, tiny_data, name=name)
    app = open_page("compare", runs="first,second")
    app.slider(key="compare-smoothing").set_value(0.5).run()
    app.segmented_control(key="compare-by").set_value("time").run()
    figure = charts_of(app)["compare-curves"]
    assert figure["layout"]["xaxis"]["title"]["text"] == "time trained (min)"
    assert len(figure["data"]) == 4


def test_what_changed_is_shown_between_two_of_many(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    make_run(runs_root, tiny_data, name="first")
    make_run(runs_root, tiny_data, name="second", lr=0.5)
    make_run(runs_root, tiny_data, name="third", lr=0.1, guessed=TRUE)
    app = open_page("compare", runs="first,second,third")
    assert [app.selectbox(key=f"compare-{end}").value for end in ("from", "to")] == ["first", "third"]
    assert "compare-changes" in charts_of(app)
    changes = app.dataframe[1].value
    assert changes["right: third"].tolist()[0] == "100.0 % (34.2–100.0 %)"
    app.selectbox(key="compare-to").set_value("second").run()
    assert "Both are right and wrong on the same images." in words(app)


def test_the_calibration_error_is_shown_of_the_runs_that_have_it(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    runs = [make_run(runs_root, tiny_data, name=name) for name in ("first", "second")]
    ece = measure_confidence(runs[0]).after.ece
    app = open_page("compare", runs="first,second")
    expected = [format_accuracy(ece.value, ece.low, ece.high), "–"]
    assert app.dataframe[0].value["calibration error"].tolist() == expected


def test_a_report_of_several_runs_is_made_on_compare_and_can_be_stopped(
    open_page: Open, run: Run, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    second = make_run(runs_root, tiny_data, name="second", lr=0.5)
    app = open_page("compare", runs="second,first")
    app.button(key="report-second+first").click().run()
    folder = report_folder([second, run])
    assert read_order(folder) == ("report", {"runs": ["second", "first"]})
    assert folder != report_folder([second])
    assert app.button(key="report-second+first-stop").label == "Stop"
    set_state(Run(folder), "failed", message="second has no predictions table.")
    app.run()
    assert "second has no predictions table." in "".join(error.value for error in app.error).replace("\\", "")
    set_state(Run(folder), "stopped")
    app.run()
    assert "Stopped. Nothing new was made." in words(app)
    assert saves(app) == []
