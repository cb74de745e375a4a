"""Stop, pause, kill, resume and extend: whatever happens to a run, it ends as if nothing had happened."""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.confidence.kept import calibration_path
from core.errors import RunError
from core.recipe.config import TrainConfig
from core.runs import jobs
from core.runs.run import Run, create_run
from core.training.checkpoint import load_checkpoint, save_checkpoint
from tests.forks import Start, fork_server
from tests.processes import TINY, call, finish, make_images, start, train_words, wait_until
from tests.same_runs import assert_same_run, figures

pytestmark = pytest.mark.slow(40)
PATIENCE = 400  # seconds: a machine may be busy
EPOCHS = 2  # of three steps
SAVED_ALWAYS = {"save_minutes": 0.0}
COMBINED = {
    "optimizer": "ranger", "lr": 0.01, "head_lr_factor": 3.0, "weight_decay": 0.01, "clip_norm": 1.0,
    "schedule": "cosine", "warmup_epochs": 1, "freeze_epochs": 1, "image_size": 48, "resize_size": 48,
    "progressive_from": 32, "label_smoothing": 0.1, "mixup": 0.2, "cutmix": 1.0, "ema": 0.9, "patience": 3,
    "workers": 1,
}  # fmt: skip
RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "mixing": {
        "optimizer": "ranger", "schedule": "onecycle", "lr": 0.01,
        "mixup": 0.4, "cutmix": 1.0, "ema": 0.9, "label_smoothing": 0.1,
    },
    "focus": {
        "optimizer": "adamw", "freeze_epochs": 1, "head_lr_factor": 10.0,
        "focus": ("35",), "focus_factor": 1.5, "class_balance": True, "focal": 2.0,
        "image_size": 48, "resize_size": 48, "progressive_from": 32,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for this module's data and runs, emptied at the end: checkpoints are large."""
    folder = tmp_path_factory.mktemp("exactness")
    make_images(folder / "data")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def launch() -> Iterator[Start]:
    with fork_server() as begin:
        yield begin


def make_run(place: Path, name: str, **changes: Any) -> Run:
    values = {"data": str(place / "data"), "name": name, **TINY, "epochs": EPOCHS, **changes}
    return create_run(TrainConfig.from_dict(values), place / "runs")


def train_on(run: Run, launch: Start, epochs: int | None = None) -> None:
    process = launch(run, epochs)
    process.join(PATIENCE)
    assert run.read_status().state == "finished", run.read_status().message


def kill_at(run: Run, launch: Start, step: int, delay: float = 0) -> None:
    """Train, kill with -9 when the step's row is written, or some seconds later."""
    process = launch(run)
    trained = f"{run.id} has trained {step} steps"
    wait_until(lambda: steps_of(run) >= step or not process.is_alive(), trained, PATIENCE)
    time.sleep(delay)
    assert process.is_alive()
    process.kill()
    process.join()
    assert jobs.live_status(run).state == "crashed"


def steps_of(run: Run) -> int:
    return sum(row["kind"] == "step" for row in run.read_metrics()[0])


@pytest.fixture(scope="module")
def undisturbed(place: Path, launch: Start) -> Callable[[str], Run]:
    """Give a run of a recipe that nothing disturbs, made when it is first asked for."""
    made: dict[str, Run] = {}

    def give(recipe: str) -> Run:
        if recipe not in made:
            made[recipe] = make_run(place, recipe, **RECIPES[recipe])
            train_on(made[recipe], launch)
        return made[recipe]

    return give


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_killed_at_several_steps_ends_bit_for_bit_as_one_that_was_not(
    place: Path, launch: Start, undisturbed: Callable[[str], Run], recipe: str, chance: random.Random
) -> None:
    killed = make_run(place, f"{recipe}-killed", **SAVED_ALWAYS, **RECIPES[recipe])
    for step in (chance.randint(1, 2), chance.randint(3, 5)):
        kill_at(killed, launch, step, chance.uniform(0, 0.15))
    train_on(killed, launch)
    assert_same_run(killed, undisturbed(recipe))
    shutil.rmtree(killed.folder)


def test_a_run_that_is_saved_at_epochs_ends_only_goes_back_to_the_last_of_them(
    place: Path, launch: Start, undisturbed: Callable[[str], Run]
) -> None:
    killed = make_run(place, "seldom")
    kill_at(killed, launch, 4)
    train_on(killed, launch)
    assert any(re.fullmatch(r"Resumed at epoch 2, batch 1", line) for line in killed.read_log(400))
    assert_same_run(killed, undisturbed("plain"))


def test_the_command_line_resumes_a_killed_run_exactly(place: Path, launch: Start) -> None:
    """All that can be combined, with a process that loads the images, by the real commands."""
    root = place / "runs"
    whole = make_run(place, "whole", **COMBINED)
    train_on(whole, launch)
    options = {"epochs": EPOCHS, **COMBINED, **SAVED_ALWAYS}
    process = start(*train_words(place / "data", "by-command", **options), root=root)
    killed = Run(root / "by-command")
    wait_until(lambda: steps_of(killed) >= 4, "four steps are trained", PATIENCE)
    process.kill()
    finish(process)
    done = call("resume", killed.id, root=root)
    assert done.returncode == 0, done.stderr
    assert_same_run(killed, whole)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    place: Path, launch: Start, undisturbed: Callable[[str], Run]
) -> None:
    again = make_run(place, "again")
    other = make_run(place, "other-seed", seed=1, epochs=1)
    train_on(again, launch)
    train_on(other, launch)
    assert_same_run(again, undisturbed("plain"))
    assert figures(other)[0] != figures(again)[0]


def test_a_paused_run_says_so_frees_the_machine_and_goes_on_exactly(
    place: Path, launch: Start, undisturbed: Callable[[str], Run]
) -> None:
    run = make_run(place, "paused")
    process = launch(run)
    wait_until(lambda: steps_of(run) >= 2, "two steps are trained", PATIENCE)
    jobs.pause(run)
    process.join(PATIENCE)
    status = run.read_status()
    assert (status.state, process.exitcode) == ("paused", 0)
    assert re.match(r"Paused in epoch [12] as asked\. Everything is saved", status.message)
    assert not run.pause_requested()
    # As earlier versions wrote it, with the states of generators that no training draws from.
    save_checkpoint(
        run.last_path, {**load_checkpoint(run.last_path), "rng": {"torch": torch.get_rng_state()}}
    )
    train_on(run, launch)
    assert_same_run(run, undisturbed("plain"))


def test_the_command_line_pauses_a_run(place: Path, launch: Start) -> None:
    run = make_run(place, "paused-by-command", epochs=200)
    process = launch(run)
    wait_until(lambda: steps_of(run) >= 1, "a step is trained", PATIENCE)
    done = call("pause", run.id, root=place / "runs")
    assert (done.returncode, "pause asked for" in done.stdout) == (0, True)
    process.join(PATIENCE)
    assert run.read_status().state == "paused"
    again = call("pause", run.id, root=place / "runs")
    assert (again.returncode, "is not running: it is paused" in again.stderr) == (2, True)


def test_a_finished_run_is_extended_and_is_the_same_as_a_longer_one_where_the_schedule_has_no_end(
    place: Path, launch: Start, undisturbed: Callable[[str], Run]
) -> None:
    run = make_run(place, "extended", epochs=1)
    train_on(run, launch)
    with pytest.raises(
        RunError, match=r"has finished\. .* how many epochs it should reach in total \(it did 1\)"
    ):
        jobs.reopen(run)
    with pytest.raises(RunError, match="already done 1 epoch"):
        jobs.reopen(run, 1)
    train_on(run, launch, EPOCHS)
    assert run.read_config().epochs == run.read_status().epochs == EPOCHS
    assert_same_run(run, undisturbed("plain"))


def test_the_command_line_extends_a_finished_run_whose_rate_rises_again(place: Path, launch: Start) -> None:
    run = make_run(place, "extended-by-command", schedule="cosine", epochs=2)
    train_on(run, launch)
    done = call("resume", run.id, "--epochs=3", root=place / "runs")
    assert done.returncode == 0, done.stderr
    rates = [row["lr"] for row in run.read_metrics()[0] if row["kind"] == "step"]
    assert len(rates) == 9
    assert rates[5] < rates[6] < rates[0]
    assert rates[6:] == sorted(rates[6:], reverse=True)


def test_patience_ends_a_run_early_and_begins_anew_when_it_is_extended(place: Path, launch: Start) -> None:
    run = make_run(place, "impatient", epochs=30, patience=1, lr=1e-8)
    train_on(run, launch)
    status = run.read_status()
    assert status.epoch == status.best_epoch + 1
    assert "Ended early: validation did not get better for 1 epoch." in status.message
    train_on(run, launch, 30)
    assert run.read_status().epoch >= status.epoch + 1


@pytest.fixture
def begun(place: Path, launch: Start, tmp_path: Path) -> Iterator[Run]:
    """A run of one epoch on data of its own, ready to be extended."""
    data = tmp_path / "data"
    shutil.copytree(place / "data", data)
    run = make_run(place, "begun", data=str(data), epochs=1)
    train_on(run, launch)
    yield run
    shutil.rmtree(run.folder)


def test_a_run_is_not_resumed_on_other_data_and_the_differences_are_named(begun: Run, launch: Start) -> None:
    data = Path(begun.read_config().data)
    (data / "train/2/0.png").unlink()
    (data / "train/10/0.png").write_bytes(b"another picture")
    for new in ("7.png", "8.png"):
        shutil.copy(data / "train/35/1.png", data / "train/35" / new)
    (data / "train/4").mkdir()
    shutil.copy(data / "train/35/1.png", data / "train/4/1.png")
    before = begun.last_path.read_bytes()
    launch(begun, 2).join(PATIENCE)
    status = begun.read_status()
    assert status.state == "failed"
    for difference in (
        "class '4' added",
        "3 files added (first train/4/1.png)",
        "1 file gone (train/2/0.png)",
        "1 file of another size (train/10/0.png)",
    ):
        assert difference in status.message
    assert begun.last_path.read_bytes() == before


def test_a_run_is_not_resumed_without_one_of_its_classes(begun: Run, launch: Start) -> None:
    data = Path(begun.read_config().data)
    for split in ("train", "val"):
        shutil.rmtree(data / split / "35")
    launch(begun, 2).join(PATIENCE)
    assert "class '35' gone" in begun.read_status().message


def test_what_was_resolved_is_stored_with_the_run(undisturbed: Callable[[str], Run]) -> None:
    environment = undisturbed("plain").read_json("environment.json")
    assert (environment["compute"], environment["precision"]) == ("cpu, fp32, channels_last", "fp32")
    assert (environment["workers"], environment["threads"]) == (0, 1)
    assert {"device", "python", "torch", "torchvision", "pytorch_optimizer", "numpy"} <= set(environment)
    assert len(environment["data_fingerprint"]) == 16


def test_a_time_limit_ends_a_run_after_an_epoch_and_no_longer_counts_when_it_is_extended(
    place: Path, launch: Start
) -> None:
    run = make_run(place, "hurried", epochs=30, max_minutes=0.001)
    train_on(run, launch)
    status = run.read_status()
    assert (status.state, status.epoch) == ("finished", 1), status.message
    assert "another epoch would have passed the time limit of 1 s" in status.message
    train_on(run, launch, 3)
    assert run.read_status().epoch == 3


def test_a_run_killed_after_it_saved_its_best_model_knows_it_when_it_goes_on(
    place: Path, launch: Start
) -> None:
    """The status is written after the checkpoint: a kill between them leaves it one epoch behind."""
    run = make_run(place, "behind")
    train_on(run, launch)
    told, measured = run.read_status(), calibration_path(run).read_bytes()
    calibration_path(run).unlink()
    behind = {"best_epoch": 0, "best_val_acc": 0.0, "epoch": 1}
    run.write_status(replace(told, state="running", **behind))  # its job is gone
    train_on(run, launch)
    now = run.read_status()
    assert (now.best_epoch, now.best_val_acc, now.epoch) == (told.best_epoch, told.best_val_acc, EPOCHS)
    assert calibration_path(run).read_bytes() == measured
