"""The command line as its user meets it: real processes, their output, their exit codes, Ctrl-C."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from core.dataset.demo import MARKER, VERSIONS
from core.errors import RunError
from core.queue.turn import wait_for_turn
from core.recipe.config import TrainConfig
from core.runs import jobs
from core.runs.claim import claim_process
from core.runs.run import Run, create_run
from tests.made_job import make_job
from tests.processes import call, call_here, finish, make_images, start, tiny_config, train_words, wait_until

pytestmark = pytest.mark.slow(25)
Call = subprocess.CompletedProcess[str]
COMMANDS = (
    "train",
    "resume",
    "find-rate",
    "estimate",
    "runs",
    "stop",
    "pause",
    "queue",
    "evaluate",
    "judge",
    "calibrate",
    "better",
    "soup",
    "networks",
    "bake-off",
    "demo",
    "arrange",
    "audit",
    "label-issues",
    "marks",
    "unpack",
    "import",
    "map",
    "slices",
    "predict",
    "export",
    "serve",
    "strangers",
    "track",
    "report",
    "users",
    "actions",
    "task",
    "slurm-job",
    "rank",
    "node",
)


@dataclass(frozen=True)
class Story:
    """What one run was made to do: train, Ctrl-C, evaluate, predict, resume, stop."""

    run: Run
    trained: Call
    workers_left: list[psutil.Process]
    evaluated: Call
    table_rewritten: bool
    predicted: Call
    rows: list[list[str]]
    resumed: Call
    stopped: Call
    epochs_before: int
    epochs_after: int


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    place = tmp_path_factory.mktemp("main")
    root, data = place / "runs", make_images(place / "data")
    run = Run(root / "story")

    training = start(*train_words(data, "story", epochs=2000, workers=1), root=root)
    wait_until(lambda: run.read_status().epoch >= 1, "an epoch is done")
    workers = psutil.Process(training.pid).children(recursive=True)
    os.killpg(training.pid, signal.SIGINT)  # as a terminal does: to the loading process too
    trained = finish(training)

    images = place / "new"
    (images / "deeper").mkdir(parents=True)
    for number, name in enumerate(("10.png", "9.png", "deeper/1.png")):
        shutil.copy(data / f"val/{('2', '10', '35')[number]}/0.png", images / name)
    (images / "broken.jpg").write_bytes(b"no image")
    out, table = place / "hand-in.csv", run.predictions_path()
    table.unlink()
    predicting = start("predict", "story", images, data / "val/2/1.png", "--out", out, root=root)
    evaluated = call("evaluate", "story", root=root)
    predicted = finish(predicting)

    epochs_before = run.read_status().epoch
    resuming = start("resume", "latest", root=root)
    wait_until(lambda: run.read_status().epoch > epochs_before, "the resumed run has done an epoch")
    stopped = call("stop", "story", root=root)
    resumed = finish(resuming)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    yield Story(
        run, trained, workers, evaluated, table.is_file(), predicted, rows, resumed, stopped, epochs_before,
        run.read_status().epoch,
    )  # fmt: skip
    shutil.rmtree(place)


def without_privileges() -> list[str]:
    """Return what makes a command obey file permissions also where root runs the tests."""
    if os.geteuid() != 0:
        return []
    assert shutil.which("setpriv"), "root reads every folder: run the tests as a user, or install util-linux"
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def assert_refused(done: Call, pattern: str) -> None:
    """Check that a command ended with code 2 and nothing but one line of error."""
    assert done.returncode == 2, done
    assert re.fullmatch(rf"error: .*{pattern}.*\n", done.stderr), done.stderr
    assert done.stdout == ""


def test_ctrl_c_saves_a_training_run_and_ends_it(story: Story) -> None:
    assert story.trained.returncode == 1
    assert "Traceback" not in story.trained.stderr
    last = story.trained.stderr.splitlines()[-1]
    assert re.fullmatch(
        r"Stopped in epoch \d+ as asked\. Everything is saved; resume goes on from here\.", last
    )
    left = story.workers_left
    assert left
    wait_until(lambda: not any(process.is_running() for process in left), "the loading processes end too", 20)


def test_train_prints_the_runs_id_alone_on_stdout(story: Story) -> None:
    assert story.trained.stdout == "story\n"


def test_evaluate_writes_the_table_and_prints_the_accuracy_with_its_interval(story: Story) -> None:
    done = story.evaluated
    assert done.returncode == 0, done.stderr
    rate = r"val accuracy \d of 6 right, [\d.]+ ?% \(95 % interval [\d.%–]+ ?%\), loss \d+\.\d{4}"
    assert re.fullmatch(rf"{rate}\n{re.escape(str(story.run.predictions_path()))}\n", done.stdout)
    assert story.table_rewritten


def test_predict_writes_the_hand_in_file_in_the_order_people_count(story: Story) -> None:
    head, *rows = story.rows
    assert head == ["image_name", "pred_label"]
    assert [name for name, _ in rows] == ["9.png", "10.png", "deeper/1.png", "2/1.png"]
    assert {label for _, label in rows} <= {"2", "10", "35"}


def test_predict_names_a_broken_file_goes_on_and_tells_by_its_exit_code(story: Story) -> None:
    done = story.predicted
    assert done.returncode == 2
    reported = [line for line in done.stderr.splitlines() if "broken.jpg" in line]
    assert len(reported) == 1
    assert re.match(r"left out: .*/new/broken\.jpg is not an image", reported[0])
    assert "Traceback" not in done.stderr
    assert done.stdout.endswith("hand-in.csv: 4 images predicted, 1 left out\n")


def test_resume_goes_on_where_the_run_stopped(story: Story) -> None:
    assert story.epochs_after > story.epochs_before >= 1
    assert "Resumed at epoch" in story.resumed.stderr
    epochs = [row["epoch"] for row in story.run.read_metrics()[0] if row["kind"] == "epoch"]
    assert epochs == list(range(1, story.epochs_after + 1))


def test_stop_asks_and_the_run_saves_and_ends(story: Story) -> None:
    assert (story.stopped.returncode, story.stopped.stderr) == (0, "")
    assert story.stopped.stdout == "story: stop asked for; it finishes its step and saves.\n"
    assert story.resumed.returncode == 1
    assert "Everything is saved" in story.resumed.stderr.splitlines()[-1]


def test_runs_lists_the_newest_first_and_as_json_with_all_that_is_known(runs_root: Path) -> None:
    assert (
        call("runs", root=runs_root).stdout == "No runs yet. Start one: python -m weakspot train --data DIR\n"
    )
    for name in ("old", "new"):
        claim_process(create_run(tiny_config(runs_root, name), runs_root))
    listed = call("runs", root=runs_root)
    assert listed.returncode == 0
    assert listed.stdout.splitlines() == [
        "new  queued    epoch 0/2  no epoch yet",
        "old  queued    epoch 0/2  no epoch yet",
    ]
    rows = json.loads(call("runs", "--json", root=runs_root).stdout)
    assert [(row["id"], row["state"], row["epochs"]) for row in rows] == [
        ("new", "queued", 2),
        ("old", "queued", 2),
    ]
    assert {"message", "best_val_acc", "seconds", "pid", "host"} <= set(rows[0])


def test_a_reader_that_closes_early_is_no_error(runs_root: Path) -> None:
    for number in range(3):
        create_run(tiny_config(runs_root, f"run{number}"), runs_root)
    process = start("runs", root=runs_root)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    done = finish(process)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_training_that_waits_says_for_whom_and_ctrl_c_ends_its_waiting(
    runs_root: Path, tiny_data: Path
) -> None:
    holder = claim_process(create_run(tiny_config(tiny_data, "holder"), runs_root))
    assert holder.state == "queued"
    process = start(*train_words(tiny_data, "next"), root=runs_root)
    wait_until(lambda: "holder" in Run(runs_root / "next").read_status().message, "the run waits")
    os.killpg(process.pid, signal.SIGINT)
    done = finish(process)
    assert done.returncode == 1
    assert done.stderr == "Waiting for holder.\nStopped before it began.\n"
    assert Run(runs_root / "next").read_status().state == "stopped"


@pytest.mark.parametrize("state", ["stopped", "running"])
def test_a_run_resumed_in_a_terminal_is_queued_while_it_waits(
    runs_root: Path, tiny_data: Path, state: str
) -> None:
    """One that was killed is still written down as running; an older run that waits must not wait for it."""
    holder, run = (create_run(tiny_config(tiny_data, name), runs_root) for name in ("holder", "again"))
    claim_process(holder)
    run.write_status(replace(run.read_status(), state=state, pid=2**22 + 1, host=socket.gethostname()))
    process = start("resume", "again", root=runs_root)
    wait_until(lambda: "holder" in run.read_status().message, "the run waits")
    assert jobs.live_status(run).state == "queued"
    for refused in (jobs.resume, jobs.delete):
        with pytest.raises(RunError, match=r"again is (already )?queued"):
            refused(run)
    assert wait_for_turn(holder, should_stop=lambda: False)
    jobs.stop(run)
    done = finish(process)
    assert (done.returncode, done.stderr) == (1, "Waiting for holder.\nStopped before it began.\n")
    assert run.read_status().state == "stopped"


def test_demo_makes_a_set_and_refuses_a_folder_in_use(runs_root: Path, tmp_path: Path) -> None:
    done = call("demo", "digits", tmp_path / "digits", root=runs_root)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'digits'}\n"
    assert "1797/1797" in done.stderr
    assert len(list((tmp_path / "digits/train").iterdir())) == 10
    assert_refused(call("demo", "digits", runs_root.parent, root=runs_root), "is not a demo set")


def test_ctrl_c_during_a_short_command_is_one_line_and_leaves_nothing(
    runs_root: Path, tmp_path: Path
) -> None:
    process = start("demo", "glyphs", tmp_path / "glyphs", root=runs_root)
    wait_until(lambda: any(tmp_path.glob(".glyphs*/*")), "it is at work")
    os.killpg(process.pid, signal.SIGINT)
    done = finish(process)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_help_names_every_command(runs_root: Path) -> None:
    done = call("--help", root=runs_root)
    assert done.returncode == 0
    assert tuple(re.findall(r"^    ([\w-]+)\b(?!-)", done.stdout, re.MULTILINE)) == COMMANDS


def test_a_command_loads_what_it_needs_and_no_other() -> None:
    asked = "import sys; from core.__main__ import main; main(['runs']); print({'numpy', 'core.cli.models.serve', 'core.cli.bakeoff', 'core.cli.models.track'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(runs_root: Path, command: str) -> None:
    done = call_here(command, "--help", root=runs_root)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m weakspot {command}")
    assert re.search(r"\n\n[A-Z][^\n]+(\n\S[^\n]*)*\.\n\n", done.stdout), "what it does"


def test_the_help_of_train_explains_every_setting_with_its_range(runs_root: Path) -> None:
    text = " ".join(call_here("train", "--help", root=runs_root).stdout.split())
    for name in TrainConfig.__dataclass_fields__:
        assert f"--{name.replace('_', '-')} " in text
    assert "Learning rate; with a schedule, its peak. 1e-08 to 10." in text


@pytest.mark.parametrize("command", ["evaluate", "predict", "calibrate", "stop", "pause", "resume"])
def test_an_unknown_run_is_told_with_those_there_are(runs_root: Path, command: str) -> None:
    create_run(tiny_config(runs_root, "known"), runs_root)
    words = ["nobody", "image.png"] if command == "predict" else ["nobody"]
    assert_refused(call_here(command, *words, root=runs_root), "no run 'nobody' .*Runs: known")


def test_a_missing_data_folder_is_told_and_leaves_no_run(runs_root: Path, tmp_path: Path) -> None:
    done = call_here("train", "--data", tmp_path / "nowhere", root=runs_root)
    assert_refused(done, "nowhere: No such file or directory")
    assert list(runs_root.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["--lr", "11"], "lr: must be from 0.00000001 to 10, got 11"),
        (["--lr", "nan"], "lr: must be from 0.00000001 to 10, got nan"),
        (["--epochs", "few"], "--epochs: invalid int value: 'few'"),
        (["--arch", "vgg"], "arch: unknown network 'vgg'; did you mean vgg"),
        (["--colour", "red"], "unrecognized arguments: --colour red"),
        (["--name", "a/b"], "name: may contain letters"),
    ],
)
def test_a_bad_value_is_told_with_its_setting_and_leaves_no_run(
    runs_root: Path, tiny_data: Path, words: list[str], pattern: str
) -> None:
    assert_refused(call_here("train", "--data", tiny_data, *words, root=runs_root), pattern)
    assert list(runs_root.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["dance"], ["train"], ["demo", "cats", "folder"], ["predict", "run"]])
def test_a_wrong_call_is_one_line_that_names_the_help(runs_root: Path, words: list[str]) -> None:
    assert_refused(call_here(*words, root=runs_root), r"\(see python -m weakspot.* --help\)")


def test_a_name_that_is_taken_is_told(runs_root: Path, tiny_data: Path) -> None:
    create_run(tiny_config(tiny_data, "taken"), runs_root)
    assert_refused(call_here(*train_words(tiny_data, "taken"), root=runs_root), "'taken' already exists")


def test_a_run_that_has_ended_is_neither_stopped_nor_resumed(runs_root: Path) -> None:
    run = create_run(tiny_config(runs_root, "done"), runs_root)
    run.write_status(replace(run.read_status(), state="finished"))
    assert_refused(call_here("stop", "done", root=runs_root), "done is not running: it is finished")
    assert_refused(call_here("resume", "latest", root=runs_root), "done has finished")


def test_a_run_without_a_model_is_told(runs_root: Path, tiny_data: Path) -> None:
    create_run(tiny_config(tiny_data, "empty"), runs_root)
    assert_refused(call_here("evaluate", "empty", root=runs_root), "there is no best.pt yet")


def test_a_data_folder_that_may_not_be_read_is_told_and_leaves_no_run(
    runs_root: Path, tiny_data: Path
) -> None:
    tiny_data.chmod(0)
    try:
        done = finish(start("train", "--data", tiny_data, root=runs_root, prefix=without_privileges()))
    finally:
        tiny_data.chmod(0o700)
    assert_refused(done, f"{tiny_data}.*: Permission denied")
    assert list(runs_root.iterdir()) == []


def test_a_folder_of_runs_that_cannot_be_used_is_told(tmp_path: Path, tiny_data: Path) -> None:
    (tmp_path / "file").touch()
    assert_refused(call_here(*train_words(tiny_data, "run"), root=tmp_path / "file"), "file: File exists")


def test_a_name_is_printed_also_where_the_terminal_lacks_its_letters(runs_root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Blüten"
    folder.mkdir()
    (folder / MARKER).write_text(json.dumps({"name": "digits", "version": VERSIONS["digits"]}))  # made before
    done = call("demo", "digits", folder, root=runs_root, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/Bl?ten\n")


def test_the_line_of_waiting_runs_is_shown_and_changed(runs_root: Path) -> None:
    assert "No run trains or waits." in call_here("queue", root=runs_root).stdout
    assert call_here("queue", "--slots", "2", root=runs_root).stdout.startswith("2 slots: CPU 1, CPU 2")
    assert_refused(call_here("queue", "--slots", "0", root=runs_root), "The CPU can have 1 to 64 slots")
    assert_refused(call_here("queue", "--first", root=runs_root), "--first needs a run")
    waits = [make_job(runs_root, name, psutil.Process()) for name in ("one", "two")]
    assert re.search(r"one: place 1, starts now\ntwo: place 2", call_here("queue", root=runs_root).stdout)
    assert re.search(
        r"two: place 1, starts now\none: place 2", call_here("queue", "two", "--first", root=runs_root).stdout
    )
    done = call_here("queue", "one", "--priority", "high", root=runs_root)
    assert re.search(r"one: place 1, high priority, starts now\ntwo: place 2", done.stdout)
    assert (
        "one: place 1, high priority, on hold" in call_here("queue", "one", "--hold", root=runs_root).stdout
    )
    waits[0].write_status(replace(waits[0].read_status(), state="stopped"))
    assert_refused(
        call_here("queue", "one", "--up", root=runs_root), "one is not waiting for its turn: it is stopped"
    )


def test_what_takes_longest_to_load_is_loaded_only_where_it_is_used() -> None:
    slow = "{'torch._dynamo', 'sklearn', 'scipy.stats', 'matplotlib', 'cv2'}"
    asked = f"""
import sys
import dashboard.app, core.model.predict, core.serve.app
print(sorted({slow} & set(sys.modules)))
import core.job.job, core.trial.measure
print(sorted({slow} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    answering, training = done.stdout.splitlines()
    assert answering == "[]"
    assert training == "['torch._dynamo']"  # every optimizer of torch loads it
