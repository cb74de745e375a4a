"""The Bake-off page without a browser: from its form to its ranking."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.model.out_of_sample import keep_pool, pool_folds
from core.recipe.presets import from_preset
from core.runs.bakeoff import name_run
from core.runs.run import FOLD, create_run, iter_runs
from tests.made_run import TRUE, make_fold, make_member
from tests.pages.apps import Open, charts_of, set_state, title, words


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
    values = from_preset("fast", data=str(tiny_data), group="bake", epochs=3)
    create_run(replace(values, name=name_run(values)), runs_root)
    app = open_page("bake-off", group="-")
    app.text_input(key="bake-name").set_value("bake").run()
    (error,) = app.error
    assert "epochs 3 in place of 8" in error.value.replace("\\", "")


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
    assert results["run"].tolist()[0].endswith("mw-seed-0")  # cut where names are alike
    assert results["macro recall"].tolist()[2] == "66.7 % (30.0–90.3 %)"


def test_a_link_to_a_bake_off_that_is_gone_says_so(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    make_member(runs_root, tiny_data)
    app = open_page("bake-off", group="cake")
    (warning,) = app.warning
    assert "There is no bake-off cake" in warning.value


def test_the_form_plans_folds(open_page: Open, runs_root: Path, tiny_data: Path, no_jobs: None) -> None:
    app = open_page("bake-off")
    app.text_input(key="bake-data").set_value(str(tiny_data)).run()
    app.selectbox(key="bake-folds").set_value(3).run()
    assert "The plan: 3 runs, 1 combination × 3 folds" in words(app)
    assert "The 3 folds of the one combination are judged together" in words(app)
    assert app.dataframe[0].value["runs"].tolist() == [3]
    app.button(key="bake-start").click().run()
    assert sorted(run.read_config().fold for run in iter_runs(runs_root)) == ["1/3", "2/3", "3/3"]


def test_finished_folds_are_told_together_with_what_to_do_next(
    open_page: Open, runs_root: Path, tiny_data: Path
) -> None:
    runs = [make_fold(runs_root, tiny_data, number, wrong=1) for number in (1, 2, 3)]
    app = open_page("bake-off", group="bake")
    text = words(app)
    assert "All folds together" in text
    assert "resnet18, 3 folds**: 15 of 18 right, 83.3 % (95 % interval 60.8–94.2 %)" in text
    assert "<th scope='col'>fold 2</th>" in text
    assert "Not pooled yet" in text
    app.button(key=f"bake-predict-{runs[0].id}").click().run()
    others = app.session_state[f"ways-others-{runs[0].id}"]
    assert others == [run.id for run in runs[1:]]
    assert "bake-compare" not in [button.key for button in app.button]
    app = open_page("weak", run=runs[0].id)
    assert app.button(key="judge-start").label == "Judge on all 3 folds"
    for run in runs:
        keep_pool(run, pool_folds(run))
    app = open_page("weak", run=runs[1].id, on=FOLD)
    assert "3 networks (resnet18), each trained on the other folds" in words(app).replace("\\", "")
    assert "trained on all but its own fold of these images" in words(app)
    assert "Not pooled yet" not in words(open_page("bake-off", group="bake"))


def test_labels_of_a_fold_trained_from_scratch_can_be_doubted(
    open_page: Open, runs_root: Path, tiny_data: Path, best_model: Path
) -> None:
    for number in (1, 2, 3):
        run = make_fold(runs_root, tiny_data, number, weights="none")
        shutil.copy(best_model, run.best_path)
    app = open_page("data", run=run.id, labels="train")
    assert "judged by the network of the fold that left it out" in words(app)
    assert app.button(key="labels-search").label == "Look for wrong labels"
