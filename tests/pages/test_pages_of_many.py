"""The pages about many runs without a browser: Bake-off from its form to its ranking, and Compare."""

# ruff: noqa: F401, F811  # fixtures are imported, and are parameters too
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.recipe.presets import from_preset
from core.runs.bakeoff import name_run
from core.runs.run import Run, create_run, iter_runs
from core.words import format_accuracy
from tests.made_run import TRUE, make_member, make_run, measure_confidence
from tests.pages.test_app import Open, charts_of, no_jobs, open_page, title, words  # fixtures among them


def set_state(run: Run, state: str, **values: object) -> None:
    run.write_status(replace(run.read_status(), state=state, **values))


# Bake-off


def test_a_question_fills_the_form_and_its_plan_is_queued(
    open_page: Open, runs_root: Path, no_jobs: None
) -> None:
    app = open_page("bake-off")
    app.button(key="bake-question-optimizer").click().run()
    assert title(app) == "Bake-off"
    assert app.pills(key="bake-optimizers").value == ["sgd", "adamw", "ranger"]
    assert app.text_input(key="bake-name").value == "tiny-optimizer"
    assert "The plan: 15 runs, 3 combinations × 5 seeds" in words(app)
    app.pills(key="bake-presets").set_value(["demo"]).run()
    app.text_input(key="bake-seeds").set_value("0, 1").run()
    app.number_input(key="bake-epochs").set_value(1).run()
    (plan,) = app.dataframe
    assert plan.value["learning rate"].tolist() == [0.02, 0.002, 0.004]
    assert plan.value["epochs"].tolist() == [1, 1, 1]
    assert "no smaller p than 1 can come out of 3 pairs" in words(app)
    assert app.button(key="bake-start").label == "Start 6 runs"
    app.button(key="bake-start").click().run()
    assert title(app) == "Bake-off"
    assert app.query_params["group"] == "tiny-optimizer"
    assert len(list(iter_runs(runs_root))) == 6
    assert words(app).count("waits") == 6
    assert not app.error


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("bake-seeds", "one", "give whole numbers separated by commas, got 'one'"),
        ("bake-name", "", r"Name of the bake-off\*\*: a bake\\-off's name has 1 to 30 characters"),
        ("bake-data", "/no/such", r"Folder of images\*\*: /no/such: there is no such folder"),
    ],
)
def test_what_is_wrong_with_the_form_is_told_at_its_field(
    open_page: Open, key: str, value: str, told: str
) -> None:
    app = open_page("bake-off")
    app.text_input(key=key).set_value(value).run()
    assert title(app) == "Bake-off"
    assert told.replace("\\", "") in words(app).replace("\\", "")
    assert not [button for button in app.button if button.key == "bake-start"]


def test_a_name_with_other_settings_cannot_be_started(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    values = from_preset("seed", data=str(tiny_data), group="bake", epochs=3)
    create_run(replace(values, name=name_run(values)), runs_root)
    app = open_page("bake-off", group="-")
    app.text_input(key="bake-name").set_value("bake").run()
    (error,) = app.error
    assert "epochs 3 in place of 25" in error.value.replace("\\", "")


def test_the_board_shows_every_state_and_stops_all(
    open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None
) -> None:
    make_member(runs_root, tiny_data, seed=0)
    failed = make_member(runs_root, tiny_data, seed=1)
    set_state(failed, "failed", message="Out of <memory>.")
    app = open_page("bake-off", group="bake")
    text = words(app)
    assert "1 of 2 runs finished" in app.get("progress")[0].proto.text
    assert "<b>66.7 %</b> <span class='ws-bounds'>(30.0–90.3 %)</span>" in text
    assert "Out of &lt;memory&gt;." in text
    app.button(key="bake-go-on").click().run()
    assert title(app) == "Bake-off"
    assert failed.read_status().state == "queued"
    app.button(key="bake-stop").click().run()
    assert failed.stop_requested()
    assert app.button(key="bake-stop").disabled


def test_a_finished_bake_off_ends_in_its_ranking_with_verdicts(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    for seed in (0, 1):
        make_member(runs_root, tiny_data, optimizer="sgd", seed=seed)
        make_member(runs_root, tiny_data, guessed=TRUE, optimizer="adamw", seed=seed)
    app = open_page("bake-off", group="bake")
    text = words(app)
    assert "1. **adamw**: 100.0 ± 0.0 % of 2 seeds\n2. **sgd**: 66.7 ± 0.0 % of 2 seeds" in text
    assert "No evidence of a difference between sgd and adamw" in text
    assert "With 2 + 2 seeds no smaller p than 0.33 can come out" in text
    assert list(charts_of(app)) == ["bake-ranking"]
    results = app.dataframe[0].value
    assert results["run"].tolist()[0].startswith("bake-resnet18-adamw")
    assert results["macro recall"].tolist()[2] == "66.7 % (30.0–90.3 %)"


def test_a_link_to_a_bake_off_that_is_gone_says_so(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    make_member(runs_root, tiny_data)
    app = open_page("bake-off", group="cake")
    (warning,) = app.warning
    assert "There is no bake-off cake" in warning.value


# Compare


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
