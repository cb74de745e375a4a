"""A bake-off with folds: its plan, its board, what a second start does, and what its runs say together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.__main__ import main
from core.errors import ConfigError, RunError
from core.runs import bakeoff
from core.runs.bakeoff import Crossing
from core.runs.run import Run, find_run
from core.stored.status import ON_HOLD
from core.verdicts.predictions import read_predictions
from core.verdicts.ranking import INCOMPLETE, UNFINISHED, UNLIKE, rank_board
from tests.made_run import make_fold
from tests.runs.test_bakeoff import launched, plan, set_state  # noqa: F401

THREE = Crossing(archs=("resnet18",), presets=("demo",), folds=3)


def test_a_plan_trains_every_combination_on_one_fold_before_the_next() -> None:
    configs = plan(choice=Crossing(archs=("resnet18", "resnet34"), presets=("demo",), seeds=(0, 7), folds=2))
    assert [(c.seed, c.fold, c.arch) for c in configs] == [
        (seed, fold, arch) for seed in (0, 7) for fold in ("1/2", "2/2") for arch in ("resnet18", "resnet34")
    ]
    assert configs[-1].name == "bake-resnet34-adamw-demo-7-2of2"
    assert len({bakeoff.row_of(config) for config in configs}) == 2


@pytest.mark.parametrize("count", [1, -1, 21])
def test_a_number_of_folds_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(ConfigError, match="folds: must be from 2 to 20, or 0 for none"):
        plan(choice=Crossing(folds=count))


def test_the_longest_name_of_a_fold_fits() -> None:
    choice = Crossing(("resnext101_32x8d",), ("ranger",), ("strong",), (2**31 - 1,), folds=20)
    assert max(len(config.name) for config in bakeoff.make_plan("x" * 30, "flowers", choice)) <= 80


def test_one_fold_that_fails_is_started_again_alone_and_one_that_is_gone_is_made(
    runs_root: Path,
    tiny_data: Path,
    launched: list[str],  # noqa: F811
) -> None:
    configs = plan(tiny_data, THREE)
    bakeoff.start(bakeoff.find_todo(configs, runs_root), runs_root)
    runs = [find_run(config.name, runs_root) for config in configs]
    set_state(runs[0], "finished")
    set_state(runs[1], "failed")
    shutil.rmtree(runs[2].folder)
    board = bakeoff.read_board("bake", runs_root)
    assert (board.count, board.places) == (3, [(0, 1), (0, 2), (0, 3)])
    assert board.plan_rest() == configs
    launched.clear()
    bakeoff.start(bakeoff.find_todo(board.plan_rest(), runs_root), runs_root)
    assert launched == [runs[1].id, runs[2].id]


def test_the_siblings_of_a_fold_are_known_by_their_names(runs_root: Path, tiny_data: Path) -> None:
    run = make_fold(runs_root, tiny_data, 2)
    names = [f"bake-resnet18-sgd-seed-0-{number}of3" for number in (1, 2, 3)]
    assert [one.id for one in bakeoff.list_siblings(run)] == names
    lone = make_fold(runs_root, tiny_data, 1, name="lone")
    with pytest.raises(RunError, match="lone is no fold of a bake-off"):
        bakeoff.list_siblings(lone)


def test_folds_are_ranked_together_on_all_training_images(runs_root: Path, tiny_data: Path) -> None:
    for number in (1, 2, 3):
        make_fold(runs_root, tiny_data, number, wrong=number - 1)
        make_fold(runs_root, tiny_data, number, wrong=0, optimizer="adamw")
    ranking = rank_board(
        bakeoff.read_board("bake", runs_root), lambda run: read_predictions(run.predictions_path())
    )
    assert {label: found.right.shape for label, found in ranking.sets.items()} == {
        "adamw": (1, 18),
        "sgd": (1, 18),
    }
    (folds,) = ranking.folds["sgd"]
    assert (folds.right, folds.counts) == ((6, 5, 4), (6, 6, 6))
    assert folds.describe() == (
        "15 of 18 right, 83.3 % (95 % interval 60.8–94.2 %), each image judged by the one of 3 networks that never saw it. "
        "The folds alone: 83.3 ± 16.7 %, from 66.7 to 100.0 %."
    )


def test_folds_of_which_one_has_not_finished_are_not_ranked(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [make_fold(runs_root, tiny_data, number) for number in (1, 2, 3)]
    set_state(runs[2], "stopped")
    board = bakeoff.read_board("bake", runs_root)
    ranking = rank_board(board, lambda run: read_predictions(run.predictions_path()))
    assert not ranking.sets
    assert ranking.left_out == {UNFINISHED: [runs[2].id], INCOMPLETE: [run.id for run in runs[:2]]}
    assert ranking.problem == "All folds of a training have to finish first. There is nothing to rank yet."


def test_folds_that_judged_the_same_images_are_not_ranked(runs_root: Path, tiny_data: Path) -> None:
    runs = [make_fold(runs_root, tiny_data, number) for number in (1, 2, 3)]
    shutil.copy(runs[0].predictions_path(), runs[1].predictions_path())
    ranking = rank_board(
        bakeoff.read_board("bake", runs_root), lambda run: read_predictions(run.predictions_path())
    )
    assert (ranking.sets, ranking.left_out) == ({}, {UNLIKE: [run.id for run in runs]})


def test_the_command_plans_folds_and_says_what_they_came_to(
    runs_root: Path,
    tiny_data: Path,
    launched: list[str],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["bake-off", "--data", str(tiny_data), "--presets", "demo", "--name", "b", "--folds", "3"]
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("b: 3 runs, 3 to start")
    assert "b-resnet18-adamw-demo-0-3of3" in said
    assert main(words) == 0
    assert launched == [f"b-resnet18-adamw-demo-0-{number}of3" for number in (1, 2, 3)]
    set_state(Run(runs_root / launched[1]), "queued", message=ON_HOLD)
    capsys.readouterr()
    assert main(words) == 0
    release = f"python -m weakspot queue {launched[1]} --release"
    assert f"{launched[1]} is on hold; release it: {release}" in capsys.readouterr().out
    assert main(["bake-off", "--data", str(tiny_data), "--folds", "1"]) == 2
    assert "folds: must be from 2 to 20" in capsys.readouterr().err
