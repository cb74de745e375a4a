"""The Bake-off page without a browser: from its form to its ranking."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.recipe.presets import from_preset
from core.runs.bakeoff import name_run
from core.runs.run import create_run, iter_runs
from tests.made_run import TRUE, make_member
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
    assert results["run"].tolist()[0].startswith("bake-resnet18-adamw")
    assert results["macro recall"].tolist()[2] == "66.7 % (30.0–90.3 %)"


def test_a_link_to_a_bake_off_that_is_gone_says_so(open_page: Open, runs_root: Path, tiny_data: Path) -> None:
    make_member(runs_root, tiny_data)
    app = open_page("bake-off", group="cake")
    (warning,) = app.warning
    assert "There is no bake-off cake" in warning.value
