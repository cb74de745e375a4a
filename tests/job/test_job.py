"""The training job: what it leaves in its folder, how it stops, goes on and fails.

A run takes seconds, so most tests look at one of a few runs that are made once.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.errors import RunError
from core.runs import jobs
from core.runs.journal import Journal
from core.runs.run import Run
from core.stored.status import Status
from core.words import format_share
from tests.made_run import make_run
from tests.processes import call, call_here, finish, make_images, start, train_words, wait_until

pytestmark = pytest.mark.slow(25)
Call = subprocess.CompletedProcess[str]
# At these the weights explode within an epoch or two.
EXPLODING = {"lr": 10, "momentum": 0.99, "weight_decay": 1.0, "epochs": 20}


@dataclass(frozen=True)
class Made:
    """A run that was made for these tests, and the command that made it."""

    run: Run
    done: Call


@dataclass(frozen=True)
class Interrupted:
    """What was seen of a run that was stopped, resumed, killed and resumed again."""

    run: Run
    stopped: Call
    after_stop: Status
    steps_at_stop: int
    after_kill: Status
    log_after_kill: list[str]
    resumed: Call


@dataclass(frozen=True)
class Offline:
    """A run that asked for pretrained weights where there are none, and was resumed when an image was gone."""

    run: Run
    done: Call
    status: Status
    resumed: Call


def train_plain(folder: Path) -> Made:
    """Train a run that nothing disturbs, as a user does."""
    data = make_images(folder / "data")
    return Made(Run(folder / "run"), call(*train_words(data, "run"), root=folder))


def train_interrupted(folder: Path) -> Interrupted:
    """Train the same run as `plain`, but disturb it in every way, and load its images in a process."""
    data, run = make_images(folder / "data"), Run(folder / "run")

    first = start(*train_words(data, run.id, workers=1), root=folder)
    wait_until((run.folder / "environment.json").exists, "the job is about to train")
    run.request_stop()
    stopped = finish(first)
    after_stop, steps_at_stop = run.read_status(), len(rows(run, "step"))

    second = start("resume", run.id, root=folder)
    wait_until(lambda: len(rows(run, "step")) > steps_at_stop, "the resumed job has trained a step")
    second.kill()
    finish(second)
    after_kill, log_after_kill = jobs.live_status(run), run.read_log()

    resumed = call("resume", run.id, root=folder)
    return Interrupted(run, stopped, after_stop, steps_at_stop, after_kill, log_after_kill, resumed)


def train_exploded(folder: Path) -> Made:
    """Train, with another seed than `plain`, until the loss is not a number."""
    return train_in(folder, make_images(folder / "data"), seed=1, **EXPLODING)


def train_mended(folder: Path) -> Made:
    """Train without broken files and without a validation folder, one image left over for the last batch."""
    data = make_images(folder / "data", val=0)
    (data / "train/2/broken.png").write_bytes(b"no image")
    (data / "train/35/empty.jpg").touch()
    return train_in(folder, data, bad_images="skip", epochs=1, batch_size=5)


def train_refused(folder: Path) -> Made:
    """Try to train with a file that is cut off."""
    data = make_images(folder / "data")
    (data / "val/10/broken.png").write_bytes((data / "val/10/0.png").read_bytes()[:400])
    return train_in(folder, data)


def train_offline(folder: Path) -> Offline:
    """Try to train from pretrained weights, and again without one of the images."""
    data, run = make_images(folder / "data"), Run(folder / "run")
    env = {"TORCH_HOME": str(folder / "no-weights"), "https_proxy": "http://127.0.0.1:9"}
    done = call(*train_words(data, run.id, weights="imagenet"), root=folder, env=env)
    status = run.read_status()
    (data / "train/35/3.png").unlink()
    return Offline(run, done, status, call_here("resume", run.id, root=folder))


def train_in(folder: Path, data: Path, **changes: Any) -> Made:
    return Made(Run(folder / "run"), call_here(*train_words(data, "run", **changes), root=folder))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the runs of this module, emptied at the end: checkpoints are large."""
    folder = tmp_path_factory.mktemp("train")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def plain(place: Path) -> Made:
    return train_plain(place / "plain")


@pytest.fixture(scope="module")
def interrupted(place: Path) -> Interrupted:
    return train_interrupted(place / "interrupted")


@pytest.fixture(scope="module")
def exploded(place: Path) -> Made:
    return train_exploded(place / "exploded")


@pytest.fixture(scope="module")
def mended(place: Path) -> Made:
    return train_mended(place / "mended")


@pytest.fixture(scope="module")
def refused(place: Path) -> Made:
    return train_refused(place / "refused")


@pytest.fixture(scope="module")
def offline(place: Path) -> Offline:
    return train_offline(place / "offline")


def rows(run: Run, kind: str) -> list[dict[str, Any]]:
    return [row for row in run.read_metrics()[0] if row["kind"] == kind]


def figures(run: Run) -> list[dict[str, Any]]:
    """All rows of figures without the times, which differ from run to run."""
    clocks = ("seconds", "val_seconds", "images_per_second")
    return [{key: row[key] for key in row if key not in clocks} for row in run.read_metrics()[0]]


def errors(done: Call) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", done.stderr) if line.startswith("error: ")]


def assert_told_in_one_line(status: Status, done: Call, run: Run) -> str:
    """Check that a failure is told once, in one line, without a traceback; return what was told."""
    assert done.returncode == 2
    assert status.state == "failed"
    assert errors(done) == [f"error: {status.message}"]
    assert done.stderr.count(status.message) == 1
    assert f"error: {status.message}" in run.read_log(400)
    assert "Traceback" not in done.stderr
    return status.message


def test_a_run_finishes_and_says_so(plain: Made) -> None:
    assert plain.done.returncode == 0, plain.done.stderr
    assert plain.done.stdout == "run\n"
    status = plain.run.read_status()
    assert (status.state, status.epoch, status.epochs) == ("finished", 2, 2)
    assert (status.done, status.total, status.val_count) == (6, 6, 6)
    assert status.created <= status.started <= status.ended
    assert f"{format_share(status.best_val_acc)} at epoch {status.best_epoch}" in status.message


def test_the_log_reads_like_the_consoles_of_the_field(plain: Made) -> None:
    log = "\n".join(plain.run.read_log(400))
    bar = r"100%\|#+\| 3/3 \[\d\d:\d\d<00:00, +[\d.]+(it/s|s/it), loss=\d+\.\d{4}\]"
    figures = r"\d+\.\d{4} Acc: [01]\.\d{4}"
    first, second = (
        rf"Epoch {n}/2\n{bar}\ntrain Loss: {figures}\nval Loss: {figures}" for n in (1, 2)
    )  # fmt: skip
    assert re.search(rf"{first}\nModel saved at epoch 1\n{second}", log), log


def test_the_terminal_shows_what_the_log_keeps(plain: Made) -> None:
    # Reading text turns a bar's carriage returns into line ends, in both.
    assert plain.done.stderr == plain.run.log_path.read_text(encoding="utf-8")


def test_every_step_and_every_epoch_has_a_row_of_figures(plain: Made) -> None:
    steps, epochs = rows(plain.run, "step"), rows(plain.run, "epoch")
    assert [row["step"] for row in steps] == [1, 2, 3, 4, 5, 6]
    assert [row["epoch"] for row in steps] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2], abs=1e-4)
    assert {row["lr"] for row in steps} == {0.001}
    assert [(row["epoch"], row["step"]) for row in epochs] == [(1, 3), (2, 6)]
    for row in epochs:
        own = [step for step in steps if row["epoch"] - 1 < step["epoch"] <= row["epoch"]]
        assert row["train_loss"] == pytest.approx(sum(s["loss"] for s in own) / 3, abs=1e-5)
        assert row["train_acc"] == pytest.approx(sum(s["acc"] for s in own) / 3, abs=1e-4)
        assert row["val_acc"] == pytest.approx(sum(row["val_correct"]) / 6, abs=1e-6)
        assert len(row["val_correct"]) == 3
        assert row["seconds"] > 0 < row["val_seconds"]
        assert row["images_per_second"] == pytest.approx(18 / row["seconds"], rel=0.01)


def test_the_predictions_table_is_what_the_best_model_says_when_it_is_asked_again(plain: Made) -> None:
    from core.model.evaluate import evaluate_run
    from core.verdicts.predictions import read_predictions

    written = read_predictions(plain.run.predictions_path())
    evaluate_run(plain.run)
    again = read_predictions(plain.run.predictions_path())
    numbers = [name for name in written if name == "loss" or name.endswith("confidence")]
    names = [name for name in written if name not in numbers]
    assert names == ["path", "true", "predicted", "top1", "top2", "top3"]
    assert written[names].equals(again[names])
    assert (written[numbers] - again[numbers]).abs().to_numpy().max() < 1e-4
    assert list(written["path"]) == [f"val/{label}/{n}.png" for label in ("2", "10", "35") for n in (0, 1)]
    assert list(written["true"]) == ["2", "2", "10", "10", "35", "35"]


def test_the_best_epoch_is_the_first_of_the_highest_validation_accuracy(
    plain: Made, interrupted: Interrupted
) -> None:
    from core.training.checkpoint import load_checkpoint

    for run in (plain.run, interrupted.run):
        accuracies = [row["val_acc"] for row in rows(run, "epoch")]
        best = accuracies.index(max(accuracies)) + 1
        status, saved = run.read_status(), load_checkpoint(run.best_path)
        assert status.best_epoch == saved["epoch"] == best
        assert status.best_val_acc == saved["val_acc"] == pytest.approx(max(accuracies), abs=1e-6)
        higher = [acc > max(accuracies[:i], default=-1) for i, acc in enumerate(accuracies)]
        assert [row["best"] for row in rows(run, "epoch")] == higher
        saves = [line for line in run.read_log(400) if line.startswith("Model saved")]
        assert saves == [f"Model saved at epoch {i}" for i, better in enumerate(higher, start=1) if better]


def test_the_split_and_the_classes_are_on_record(plain: Made) -> None:
    record = plain.run.read_json("data.json")
    assert record["root"] == str(plain.run.folder.parent / "data")
    assert record["classes"] == ["2", "10", "35"]
    assert [len(record["train"]), len(record["val"])] == [18, 6]
    assert ["train/10/0.png", "10"] in record["train"]
    assert ["val/35/1.png", "35"] in record["val"]
    assert record["val_made"] is False
    assert re.fullmatch("[0-9a-f]{16}", record["fingerprint"])


def test_a_validation_split_off_training_is_on_record_too(mended: Made) -> None:
    record = mended.run.read_json("data.json")
    assert (record["val_made"], record["val_fraction"]) == (True, 0.15)
    train, val = ({path for path, _ in record[split]} for split in ("train", "val"))
    assert val
    assert not train & val
    assert len(train | val) == 18


def test_what_it_was_computed_on_is_on_record(plain: Made) -> None:
    environment = plain.run.read_json("environment.json")
    assert environment["compute"] == "cpu, fp32, channels_last"
    assert (environment["threads"], environment["workers"]) == (1, 0)
    assert {"python", "torch", "torchvision", "device"} <= set(environment)
    assert environment["data_fingerprint"] == plain.run.read_json("data.json")["fingerprint"]


def test_another_seed_begins_with_other_figures(plain: Made, exploded: Made) -> None:
    """Their data are the same, and their other settings count from the second step on only."""
    one, other = (rows(run, "step")[0] for run in (plain.run, exploded.run))
    assert (one["step"], one["epoch"]) == (other["step"], other["epoch"])
    assert one["loss"] != other["loss"]


def test_a_stop_ends_the_run_after_its_step_and_says_that_it_is_saved(interrupted: Interrupted) -> None:
    status = interrupted.after_stop
    assert interrupted.stopped.returncode == 1
    assert not errors(interrupted.stopped)
    assert interrupted.steps_at_stop == 1
    assert status.state == "stopped"
    assert status.message == "Stopped in epoch 1 as asked. Everything is saved; resume goes on from here."
    assert interrupted.stopped.stderr.endswith(status.message + "\n")
    assert status.ended > 0


def test_a_killed_run_shows_as_crashed_with_its_log(interrupted: Interrupted) -> None:
    assert interrupted.after_kill.state == "crashed"
    assert "killed" in interrupted.after_kill.message
    assert "Epoch 1/2" in interrupted.log_after_kill


def test_a_run_that_was_stopped_killed_and_resumed_has_the_figures_of_one_that_was_not(
    interrupted: Interrupted, plain: Made
) -> None:
    """Nor does it matter that one loads the images in a process of their own and the other does not."""
    assert interrupted.resumed.returncode == 0, interrupted.resumed.stderr
    assert interrupted.run.read_status().state == "finished"
    assert figures(interrupted.run) == figures(plain.run)
    assert interrupted.run.list_epochs() == plain.run.list_epochs() == [1, 2]
    for path in (plain.run.predictions_path(), plain.run.epoch_path(1), plain.run.epoch_path(2)):
        same = interrupted.run.folder / path.relative_to(plain.run.folder)
        assert same.read_bytes() == path.read_bytes()


def test_every_epoch_leaves_its_table_and_that_of_the_best_is_the_best_models(plain: Made) -> None:
    best = gzip.decompress(plain.run.epoch_path(plain.run.read_status().best_epoch).read_bytes())
    assert best == plain.run.predictions_path().read_bytes()


def test_the_log_tells_where_a_run_went_on(interrupted: Interrupted) -> None:
    resumed = [line for line in interrupted.run.read_log(400) if line.startswith("Resumed")]
    assert resumed == ["Resumed at epoch 1, batch 2"] * 2


def test_a_loss_that_is_no_number_ends_the_run_with_advice(exploded: Made) -> None:
    message = assert_told_in_one_line(exploded.run.read_status(), exploded.done, exploded.run)
    assert re.search(r"loss became (nan|inf)", message)
    assert "Lower the learning rate (lr, now 10)" in message


def test_no_row_of_figures_holds_what_json_cannot(exploded: Made) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in metrics.jsonl")

    for line in exploded.run.metrics_path.read_text(encoding="utf-8").splitlines():
        json.loads(line, parse_constant=refuse)


def test_a_broken_image_is_refused_with_its_name_before_any_training(refused: Made) -> None:
    message = assert_told_in_one_line(refused.run.read_status(), refused.done, refused.run)
    assert "val/10/broken.png is cut off or damaged" in message
    assert "1 of 25 files" in message
    assert "--bad-images skip" in message
    assert not refused.run.last_path.exists()


def test_broken_images_are_skipped_when_asked_with_their_names_in_the_log(mended: Made) -> None:
    assert mended.done.returncode == 0, mended.done.stderr
    log = mended.run.read_log(100)
    assert any(line.startswith("Skipped train/2/broken.png: is not an image") for line in log)
    assert "Skipped train/35/empty.jpg: is empty (0 bytes)" in log
    skipped = mended.run.read_json("data.json")["skipped"]
    assert [path for path, _ in skipped] == ["train/2/broken.png", "train/35/empty.jpg"]


def test_an_image_left_over_for_the_last_batch_is_no_obstacle(mended: Made) -> None:
    """At 32 pixels the last stage's map is 1×1, of which batch normalisation needs more than one image."""
    assert mended.done.returncode == 0, mended.done.stderr
    assert len(mended.run.read_json("data.json")["train"]) == 16  # by fives
    assert rows(mended.run, "epoch")[0]["step"] == len(rows(mended.run, "step")) == 3


def test_pretrained_weights_without_a_network_fail_at_once_and_name_the_other_choices(
    offline: Offline,
) -> None:
    message = assert_told_in_one_line(offline.status, offline.done, offline.run)
    assert offline.status.ended - offline.status.started < 20
    assert message.startswith("The weights of resnet18 are not on this machine")
    for choice in ("a file", "run:<id>", "none"):
        assert choice in message


def test_an_image_that_is_gone_when_a_run_goes_on_is_named(offline: Offline) -> None:
    message = assert_told_in_one_line(offline.run.read_status(), offline.resumed, offline.run)
    assert "train/35/3.png" in message
    assert "gone" in message


def test_an_image_that_broke_meanwhile_is_named_by_the_process_that_loads_it(
    interrupted: Interrupted,
) -> None:
    from core.errors import DataError
    from core.model.evaluate import evaluate_run

    assert interrupted.run.read_config().workers == 1
    (interrupted.run.folder.parent / "data/val/10/1.png").write_bytes(b"broken meanwhile")
    with pytest.raises(DataError) as caught:
        evaluate_run(interrupted.run)
    assert re.fullmatch(
        r"val/10/1\.png is not an image .*\. Repair or replace it, or set .* to skip when you start a run \(.*\)\.",
        str(caught.value),
    )


def test_a_confidence_that_cannot_be_measured_fails_no_training(runs_root: Path, tiny_data: Path) -> None:
    from core.job.ending import measure_confidence

    console = io.StringIO()
    measure_confidence(Journal(make_run(runs_root, tiny_data), console))
    assert console.getvalue().startswith("Confidence not measured: first: there is no best.pt yet")


def test_a_run_that_failed_by_its_settings_is_not_resumed_to_fail_alike(exploded: Made) -> None:
    status = exploded.run.read_status()
    assert status.hopeless
    with pytest.raises(RunError, match=r"would fail again at the same point.* Lower the learning rate"):
        jobs.resume(exploded.run)
    assert exploded.run.read_status() == status


def test_a_run_does_not_go_on_from_what_it_did_not_save(exploded: Made) -> None:
    import torch

    from core.job.job import TrainingJob

    torch.save({"format": 1, "best": {}}, exploded.run.last_path)
    status = TrainingJob(exploded.run, io.StringIO()).execute()
    assert (status.state, status.message) == (
        "failed",
        "run: last.pt is not what this run can go on from (it lacks 'model'). "
        "Start a new run, from its best model where it has one.",
    )
    exploded.run.last_path.unlink()


def test_an_error_that_nobody_foresaw_is_one_line_and_its_traceback_stays_in_the_log(
    exploded: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.job.job import TrainingJob

    def fail(_: TrainingJob) -> str:
        raise KeyError("colour")

    run, console = exploded.run, io.StringIO()
    monkeypatch.setattr(TrainingJob, "_train", fail)
    status = TrainingJob(run, console).execute()
    assert status.state == "failed"
    assert status.message == "An unexpected fault (KeyError: 'colour'). The whole error is in train.log."
    assert console.getvalue() == f"error: {status.message}\n"
    assert "KeyError" in run.read_log(1)[0]
