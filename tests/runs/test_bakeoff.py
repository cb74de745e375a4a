"""Bake-offs: the plan, what a second start does, the board from run folders alone, the time it takes, the ranking."""

from __future__ import annotations

import dataclasses
import math
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.__main__ import main
from core.errors import ConfigError, RunError
from core.recipe.config import TrainConfig
from core.runs import bakeoff, jobs
from core.runs.bakeoff import Crossing
from core.runs.estimate import describe_lack, estimate_time, measure_speed
from core.runs.run import Run, find_run, iter_runs
from core.verdicts.predictions import read_predictions
from core.verdicts.ranking import UNFINISHED, UNREADABLE, rank_board
from core.verdicts.seeds import seeds_needed
from tests.made_run import TRUE, make_member, make_run

TWO = Crossing(archs=("resnet18",), optimizers=("sgd", "adamw"), presets=("demo",), seeds=(0, 1))


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let no job process start: a run that is launched stays queued, as if this process were its job."""
    names: list[str] = []

    def pretend(run: Run) -> None:
        me = psutil.Process()
        names.append(run.id)
        run.write_status(
            replace(run.read_status(), state="queued", message="", pid=me.pid, pid_created=me.create_time())
        )

    monkeypatch.setattr(jobs, "launch", pretend)
    return names


def plan(data: Path | str = "flowers", choice: Crossing = TWO, **changes: object) -> list[TrainConfig]:
    return bakeoff.make_plan("bake", str(data), choice, **changes)


def set_state(run: Run, state: str, **values: object) -> None:
    run.write_status(dataclasses.replace(run.read_status(), state=state, **values))


# The plan


def test_a_plan_crosses_all_and_trains_each_combination_before_the_next_seed() -> None:
    configs = plan()
    assert [config.name for config in configs] == [
        "bake-resnet18-sgd-demo-0",
        "bake-resnet18-adamw-demo-0",
        "bake-resnet18-sgd-demo-1",
        "bake-resnet18-adamw-demo-1",
    ]
    assert {(config.group, config.preset, config.arch) for config in configs} == {
        ("bake", "demo", "resnet18")
    }
    assert configs[2] == replace(configs[0], seed=1, name=configs[2].name)


def test_what_is_not_chosen_is_the_presets() -> None:
    configs = plan(choice=Crossing(presets=("seed", "small")))
    assert [(c.arch, c.optimizer, c.lr) for c in configs] == [
        ("resnext50_32x4d", "sgd", 0.001),
        ("tf_efficientnet_lite0", "adamw", 0.001),
    ]


def test_an_optimizer_has_a_rate_that_suits_it_unless_one_is_given() -> None:
    assert bakeoff.usual_rate("seed", "sgd") == 0.001
    assert bakeoff.usual_rate("seed", "adamw") == 0.0001
    assert bakeoff.usual_rate("seed", "ranger") == 0.0002
    assert bakeoff.usual_rate("demo", "sgd") == 0.02  # what the digits were learnt with too
    assert [config.lr for config in plan(rates={"sgd": 0.5})[:2]] == [0.5, 0.002]


def test_settings_of_all_runs_are_changed_and_another_size_keeps_the_proportion_of_the_crop() -> None:
    (config,) = plan(choice=Crossing(), image_size=112, epochs=2)
    assert (config.image_size, config.resize_size, config.epochs) == (112, 128, 2)
    (config,) = plan(choice=Crossing(), image_size=112, resize_size=120)
    assert config.resize_size == 120


@pytest.mark.parametrize(
    ("name", "choice", "field"),
    [
        ("bake", Crossing(presets=()), "presets"),
        ("bake", Crossing(seeds=()), "seeds"),
        ("bake", Crossing(archs=("vgg",)), "arch"),
        ("", Crossing(), "group"),
        ("x" * 31, Crossing(), "group"),
        ("a b", Crossing(), "group"),
    ],
)
def test_a_wrong_choice_is_refused_by_its_field(name: str, choice: Crossing, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bakeoff.make_plan(name, "flowers", choice)
    assert field in caught.value.problems


def test_the_longest_names_fit() -> None:
    choice = Crossing(
        archs=("resnext101_32x8d",), optimizers=("ranger",), presets=("strong",), seeds=(2**31 - 1,)
    )
    (config,) = bakeoff.make_plan("x" * bakeoff.NAME_LENGTH, "flowers", choice)
    assert len(config.name) <= 80


@pytest.mark.parametrize(("question", "several"), [("network", 2), ("optimizer", 3)])
def test_a_question_takes_as_many_seeds_as_make_an_answer_possible(question: str, several: int) -> None:
    choice = bakeoff.QUESTIONS[question].choice
    assert len(choice.seeds) == seeds_needed(math.comb(several, 2))
    assert max(len(choice.archs), len(choice.optimizers)) == several


# Starting, and starting again


def test_a_second_start_goes_on_with_what_is_missing_or_ended_early(
    runs_root: Path, tiny_data: Path, launched: list[str]
) -> None:
    configs = plan(tiny_data)
    names = [config.name for config in configs]
    assert [run.id for run in bakeoff.start(bakeoff.find_todo(configs, runs_root), runs_root)] == names
    assert bakeoff.start(bakeoff.find_todo(configs, runs_root), runs_root) == []
    runs = [find_run(name, runs_root) for name in names]
    set_state(runs[0], "finished")
    set_state(runs[1], "failed")
    runs[1].request_stop()
    shutil.rmtree(runs[2].folder)
    launched.clear()
    todo = bakeoff.find_todo(configs, runs_root)
    assert [c.name for c in todo.new] == [names[2]]
    assert [run.id for run in todo.again] == [names[1]]
    assert [run.id for run in todo.kept] == [names[0], names[3]]
    bakeoff.start(todo, runs_root)
    assert launched == [names[1], names[2]]
    assert not runs[1].stop_requested()
    assert len(list(iter_runs(runs_root))) == 4


def test_more_seeds_are_added_to_what_is_there(runs_root: Path, tiny_data: Path, launched: list[str]) -> None:
    bakeoff.start(bakeoff.find_todo(plan(tiny_data), runs_root), runs_root)
    more = plan(tiny_data, replace(TWO, seeds=(0, 1, 2)))
    assert [config.seed for config in bakeoff.find_todo(more, runs_root).new] == [2, 2]


def test_a_run_of_a_planned_name_with_other_settings_is_refused(
    runs_root: Path, tiny_data: Path, launched: list[str]
) -> None:
    bakeoff.start(bakeoff.find_todo(plan(tiny_data), runs_root), runs_root)
    with pytest.raises(RunError, match="epochs 4 in place of 9"):
        bakeoff.find_todo(plan(tiny_data, epochs=9), runs_root)


# The board


def test_the_board_is_read_from_the_run_folders_alone(runs_root: Path, tiny_data: Path) -> None:
    for optimizer in ("sgd", "adamw"):
        for seed in (0, 1):
            make_member(runs_root, tiny_data, optimizer=optimizer, seed=seed)
    make_run(runs_root, tiny_data, name="other")
    assert bakeoff.list_bakeoffs(runs_root) == ["bake"]
    board = bakeoff.read_board("bake", runs_root)
    assert {label: list(row) for label, row in board.rows.items()} == {
        "sgd": [(0, 0), (1, 0)],
        "adamw": [(0, 0), (1, 0)],
    }
    assert (board.seeds, board.share, board.is_active) == ([0, 1], 1.0, False)
    with pytest.raises(RunError, match=r"no bake-off 'cake' .* Bake-offs: bake"):
        bakeoff.read_board("cake", runs_root)


def test_the_board_knows_its_empty_places_and_how_much_is_done(
    runs_root: Path, tiny_data: Path, launched: list[str]
) -> None:
    bakeoff.start(bakeoff.find_todo(plan(tiny_data), runs_root), runs_root)
    set_state(find_run("bake-resnet18-sgd-demo-0", runs_root), "finished")
    set_state(find_run("bake-resnet18-adamw-demo-0", runs_root), "running", done=10, total=40)
    shutil.rmtree(runs_root / "bake-resnet18-adamw-demo-1")
    board = bakeoff.read_board("bake", runs_root)
    assert board.is_active
    assert board.share == pytest.approx((1 + 0.25) / 4)
    assert board.plan_rest() == plan(tiny_data)


def test_a_run_that_only_carries_the_group_is_no_member(
    runs_root: Path, tiny_data: Path, launched: list[str]
) -> None:
    bakeoff.start(bakeoff.find_todo(plan(tiny_data), runs_root), runs_root)
    make_run(runs_root, tiny_data, name="", group="bake", arch="resnet18")
    make_run(runs_root, tiny_data, name="stray", group="cake")
    board = bakeoff.read_board("bake", runs_root)
    assert sorted(member.run.id for member in board.members) == sorted(c.name for c in plan(tiny_data))
    assert not bakeoff.find_todo(board.plan_rest(), runs_root).new
    assert bakeoff.list_bakeoffs(runs_root) == ["bake"]


def test_a_member_that_is_trained_longer_leaves_the_rest_of_the_plan_as_it_is(
    runs_root: Path, tiny_data: Path, launched: list[str]
) -> None:
    bakeoff.start(bakeoff.find_todo(plan(tiny_data), runs_root), runs_root)
    longer = find_run("bake-resnet18-sgd-demo-0", runs_root)
    longer.write_config(replace(longer.read_config(), epochs=9))
    rest = bakeoff.read_board("bake", runs_root).plan_rest()
    assert sorted(config.name for config in rest) == sorted(config.name for config in plan(tiny_data))
    assert len(bakeoff.find_todo(rest, runs_root).kept) == 4


def test_all_are_stopped_those_that_wait_first(runs_root: Path, tiny_data: Path, launched: list[str]) -> None:
    bakeoff.start(bakeoff.find_todo(plan(tiny_data), runs_root), runs_root)
    set_state(find_run("bake-resnet18-sgd-demo-0", runs_root), "running")
    set_state(find_run("bake-resnet18-sgd-demo-1", runs_root), "finished")
    asked = bakeoff.stop_all(bakeoff.read_board("bake", runs_root))
    assert len(asked) == 3
    assert asked[-1].id == "bake-resnet18-sgd-demo-0"
    assert all(run.stop_requested() for run in asked)


# Time


def test_the_time_is_estimated_from_a_comparable_run(runs_root: Path, tiny_data: Path) -> None:
    run = make_run(runs_root, tiny_data)
    speed = measure_speed(run)
    assert speed is not None
    assert (speed.train, speed.val) == (9.0, 2.0)
    base = replace(run.read_config(), epochs=10)
    other = replace(base, arch="resnet34")
    found = estimate_time([base, replace(base, optimizer="adamw"), other], runs_root, train=90, val=20)
    assert (found.seconds, found.known, found.unknown) == (pytest.approx(2 * 10 * (90 / 9 + 20 / 2)), 2, 1)
    heads = [replace(base, head_only=True)]
    assert estimate_time(heads, runs_root, train=90, val=20).known == 0
    assert "the head alone takes little" in describe_lack(heads)
    set_state(run, "finished", host="elsewhere")
    assert estimate_time([base], runs_root, train=90, val=20).known == 0


# The ranking


def test_finished_runs_are_ranked_and_others_left_out_by_name(runs_root: Path, tiny_data: Path) -> None:
    for seed in (0, 1):
        make_member(runs_root, tiny_data, optimizer="sgd", seed=seed)
        make_member(runs_root, tiny_data, guessed=TRUE, optimizer="adamw", seed=seed)
    stopped = make_member(runs_root, tiny_data, optimizer="adamw", seed=2)
    set_state(stopped, "stopped")
    ranking = rank_board(
        bakeoff.read_board("bake", runs_root), lambda run: read_predictions(run.predictions_path())
    )
    assert list(ranking.sets) == ["adamw", "sgd"]
    assert ranking.left_out == {UNFINISHED: [stopped.id]}
    assert ranking.sets["adamw"].mean == 1.0
    assert len(ranking.sets["adamw"].right) == 2


def test_runs_on_different_images_are_not_ranked(runs_root: Path, tiny_data: Path) -> None:
    make_member(runs_root, tiny_data, optimizer="sgd")
    other = make_member(runs_root, tiny_data, optimizer="adamw")
    lines = other.predictions_path().read_text(encoding="utf-8").splitlines(keepends=True)
    other.predictions_path().write_text("".join(lines[:-1]), encoding="utf-8")
    board = bakeoff.read_board("bake", runs_root)
    ranking = rank_board(board, lambda run: read_predictions(run.predictions_path()))
    assert ranking.left_out == {UNREADABLE: [other.id]}  # it has fewer than the run was judged on
    set_state(other, "finished", val_count=5)
    ranking = rank_board(
        bakeoff.read_board("bake", runs_root), lambda run: read_predictions(run.predictions_path())
    )
    assert ranking.sets == {}
    assert "validated on different images" in ranking.problem


# The command


def test_a_dry_run_shows_the_plan_and_starts_nothing(
    runs_root: Path, tiny_data: Path, launched: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "bake-off",
        "--data",
        str(tiny_data),
        "--question",
        "optimizer",
        "--presets",
        "demo",
        "--seeds",
        "0,1,2",
    ]
    assert main([*words, "--rates", "ranger=0.003", "--epochs", "1", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny-optimizer: 9 runs, 9 to start")
    assert "tiny-optimizer-resnet18-ranger-demo-2  learning rate 0.003, 1 epoch\n" in said
    assert "no smaller p than 0.3 can come out of 3 pairs" in said
    assert "There is no estimate of the time yet: no comparable run has trained a whole network here." in said
    assert launched == []
    assert list(iter_runs(runs_root)) == []


def test_a_bake_off_is_queued_stopped_gone_on_with_and_ranked(
    runs_root: Path, tiny_data: Path, launched: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "bake-off",
        "--data",
        str(tiny_data),
        "--archs",
        "resnet18,resnet34",
        "--presets",
        "demo",
        "--name",
        "b",
    ]
    assert main(words) == 0
    assert (
        "2 queued; one trains at a time. Stop all: python -m weakspot stop --group b"
        in capsys.readouterr().out
    )
    assert main(["stop", "--group", "b"]) == 0
    assert capsys.readouterr().out.count("stop asked for") == 2
    runs = [find_run(f"b-{arch}-adamw-demo-0", runs_root) for arch in ("resnet18", "resnet34")]
    for run in runs:
        set_state(run, "stopped")
    launched.clear()
    assert main(words) == 0
    assert launched == [run.id for run in runs]
    made = make_run(runs_root, tiny_data, name="made")
    for run in runs:
        set_state(run, "finished")
        shutil.copy(made.predictions_path(), run.predictions_path())
    capsys.readouterr()
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "1. resnet18: 66.7 % of 1 seed\n2. resnet34: 66.7 % of 1 seed" in said
    assert "are right and wrong on the same 6 images" in said
    assert "McNemar's exact test" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--archs", "vgg"], "unknown network 'vgg'; did you mean"),
        (["--seeds", "one"], "not a list of whole numbers"),
        (["--rates", "adamw"], "not of the form adamw=0.0002"),
        (["--rates", "adam=1"], "'adam' is not one of sgd"),
        (["--seeds", "-3"], "seed: must be from 0"),
    ],
)
def test_the_command_refuses_in_one_line(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    try:
        code = main(["bake-off", "--data", str(tiny_data), *words])
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
