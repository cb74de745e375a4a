"""What each tracker has of a run, read back from what was written: each epoch once, settings, how it ended."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from core.__main__ import main
from core.cli.models import track
from core.recipe.config import NO_TRACKER, TRACKERS
from core.runs.notes import write_note
from core.runs.run import Run, find_run
from core.trackers import mlflow_log, trackio_log, wandb_log
from core.trackers.fault import read_fault
from core.trackers.publish import publish
from tests.imports.tables import import_run
from tests.made_run import make_run
from tests.pages.apps import set_state
from tests.processes import REPOSITORY, train_words, wait_until

pytestmark = pytest.mark.slow(30)
Steps = list[tuple[int, float]]
Read = Callable[[Run], dict[str, Steps]]


def read_tensorboard(run: Run) -> dict[str, Steps]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run.folder / "tensorboard"))
    found.Reload()
    return {name: [(one.step, one.value) for one in found.Scalars(name)] for name in found.Tags()["scalars"]}


def read_mlflow(run: Run) -> dict[str, Steps]:
    from mlflow import MlflowClient

    client = MlflowClient((run.folder.parent / mlflow_log.FOLDER).as_uri())
    identity = json.loads((run.folder / "trackers.json").read_text())["mlflow"][0]
    found = client.get_run(identity).data
    assert found.params["arch"] == run.read_config().arch
    return {
        name: [(one.step, one.value) for one in client.get_metric_history(identity, name)]
        for name in found.metrics
    }


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the records of a .wandb file, after its head of 7 bytes a log as LevelDB writes it.

    Source: https://github.com/google/leveldb/blob/main/doc/log_format.md
    """
    data, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


def read_wandb(run: Run) -> dict[str, Steps]:
    from wandb.proto import wandb_internal_pb2

    found: dict[str, Steps] = {}
    for path in sorted((run.folder.parent / wandb_log.FOLDER).glob("wandb/offline-run-*/*.wandb")):
        for data in read_records(path):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            values = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
            for name, value in values.items():
                if not name.startswith("_"):
                    found.setdefault(name, []).append((int(values["_step"]), json.loads(value)))
    return found


def read_trackio(run: Run) -> dict[str, Steps]:
    found: dict[str, Steps] = {}
    with closing(sqlite3.connect(run.folder.parent / trackio_log.FOLDER / "weakspot.db")) as base:
        assert (
            json.loads(base.execute("SELECT config FROM configs").fetchone()[0])["arch"]
            == run.read_config().arch
        )
        for step, figures in base.execute(
            "SELECT step, metrics FROM metrics WHERE run_name = ? ORDER BY id", [run.id]
        ):
            for name, value in json.loads(figures).items():
                found.setdefault(name, []).append((step, value))
    return found


READERS: dict[str, Read] = {
    "tensorboard": read_tensorboard, "mlflow": read_mlflow, "wandb": read_wandb, "trackio": read_trackio,
}  # fmt: skip


def wanted(run: Run) -> Steps:
    return [(row["epoch"], row["val_acc"]) for row in run.read_metrics()[0] if row["kind"] == "epoch"]


def assert_alike(found: Steps, steps: Steps) -> None:
    """Every step once, in its order, with its value in fp32."""
    assert [step for step, _ in found] == [step for step, _ in steps]
    assert [value for _, value in found] == pytest.approx([value for _, value in steps])


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a user who has set up none of the trackers."""
    for name in list(os.environ):
        if name.startswith(("MLFLOW_", "WANDB_", "TRACKIO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRACKIO_PYTHON", str(Path(sys.prefix) / "trackio" / "bin" / "python"))


@pytest.mark.parametrize("kind", READERS)
def test_a_tracker_has_every_epoch_once_also_of_a_run_that_went_on(
    runs_root: Path, tiny_data: Path, kind: str
) -> None:
    run = make_run(runs_root, tiny_data, name="first")
    write_note(run, text="with colour", tags=("try",))
    rows = run.metrics_path.read_text(encoding="utf-8").splitlines(keepends=True)
    last = max(place for place, row in enumerate(rows) if '"epoch"' in row)
    run.metrics_path.write_text("".join(rows[:last]), encoding="utf-8")
    before = wanted(run)
    assert publish(run, kind)[0] == len(before) > 0
    assert publish(run, kind)[0] == 0
    run.metrics_path.write_text("".join(rows), encoding="utf-8")
    assert publish(run, kind)[0] == 1
    found = READERS[kind](run)
    assert_alike(found["accuracy/validation"], wanted(run))
    assert {"loss/training", "loss/validation", "accuracy/training"} <= found.keys()


def test_every_tracker_that_can_be_chosen_is_tested() -> None:
    assert (NO_TRACKER, *READERS) == TRACKERS


def test_an_imported_run_has_no_epoch_to_track(
    runs_root: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import_run(runs_root, tiny_data)
    assert main(["track", "elsewhere", "--to", "tensorboard"]) == 2
    assert "elsewhere was imported from table.csv, so there is no epoch to write." in capsys.readouterr().err


def test_a_training_is_followed_to_its_end(runs_root: Path, tiny_data: Path) -> None:
    assert main([*train_words(tiny_data, "followed", epochs=2), "--tracker", "tensorboard"]) == 0
    run = find_run("followed", runs_root)
    wait_until(lambda: (run.folder / "tracker.log").read_text() != "", "the follower has ended", 60)
    assert "2 epochs written: " in (run.folder / "tracker.log").read_text()
    assert_alike(read_tensorboard(run)["accuracy/validation"], wanted(run))


def test_the_follower_of_a_resumed_run_waits_for_the_one_before(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(runs_root, tiny_data, name="first")
    words = ["track", "first", "--to", "tensorboard"]
    monkeypatch.setattr(track, "_PATIENCE", 0.1)
    before = FileLock(run.folder / ".tracker-tensorboard.lock")
    with before:
        assert main([*words, "--follow"]) == 0  # the run has ended, so there is nothing to wait for
    assert "first is already being written to tensorboard." in capsys.readouterr().err
    monkeypatch.setattr(track, "live_status", lambda run: replace(run.read_status(), state="running"))
    before.acquire()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(main, [*words, "--follow"])
        time.sleep(1)
        assert not following.done()
        set_state(run, "finished")
        before.release()
        assert following.result(30) == 0
    assert_alike(read_tensorboard(run)["accuracy/validation"], wanted(run))


def test_a_tracker_that_is_not_installed_is_named_and_the_training_goes_on(
    runs_root: Path, tiny_data: Path, tmp_path: Path
) -> None:
    make_run(runs_root, tiny_data, name="first")
    hidden = "import sys; sys.modules['mlflow'] = None; from core.__main__ import main; sys.exit(main(sys.argv[1:]))"

    def ask(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", hidden, "track", "first", "--to", "mlflow", *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=REPOSITORY)

    told = "MLflow is not installed. Install it: pip install mlflow-skinny"
    assert (ask().returncode, ask().stderr) == (2, f"error: {told}\n")
    assert ask("--follow").returncode == 2
    run = find_run("first", runs_root)
    assert f"Not tracked: {told}" in "\n".join(run.read_log())
    fault = read_fault(run)
    assert fault is not None
    assert fault.describe(run) == (
        f"MLflow did not get all figures of this run. {told}. The training is not affected. Once that is fixed, this "
        "command writes all that is missing: python -m weakspot track first --to mlflow"
    )
    assert main(["track", "first", "--to", "mlflow"]) == 0
    assert read_fault(run) is None


@pytest.mark.parametrize("file", ["requirements-trackio.txt", "docs/trackers.md"])
def test_the_release_of_trackio_that_is_named_is_the_one_that_is_asked_for(file: str) -> None:
    assert trackio_log.RELEASE in (REPOSITORY / file).read_text(encoding="utf-8").split()


def test_where_trackio_cannot_write_it_is_told_and_nothing_counts_as_written(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trackio itself only warns, and drops the figures."""
    run = make_run(runs_root, tiny_data, name="first")
    (runs_root / "full").write_text("no folder")
    with monkeypatch.context() as other:
        other.setenv("TRACKIO_DIR", str(runs_root / "full"))
        assert main(["track", "first", "--to", "trackio"]) == 2
        assert "File exists" in capsys.readouterr().err
    with monkeypatch.context() as other:
        other.setenv("TRACKIO_PYTHON", sys.executable)
        assert main(["track", "first", "--to", "trackio"]) == 2
        assert (
            f"Trackio is not installed. Install it: pip install {trackio_log.RELEASE}, in an environment"
            in capsys.readouterr().err
        )
        other.setenv("TRACKIO_PYTHON", str(runs_root / "none"))
        assert main(["track", "first", "--to", "trackio"]) == 2
        assert "TRACKIO_PYTHON names " in capsys.readouterr().err
    assert main(["track", "first", "--to", "trackio"]) == 0
    assert_alike(read_trackio(run)["accuracy/validation"], wanted(run))


def test_the_password_in_the_address_of_a_tracker_gets_neither_into_the_run_nor_on_its_page(
    runs_root: Path, tiny_data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = make_run(runs_root, tiny_data, name="first")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:planted-5f2a@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert main(["track", "first", "--to", "mlflow", "--follow"]) == 2
    fault = read_fault(run)
    assert fault is not None
    assert "http://127.0.0.1:9" in fault.why
    kept = [path for path in runs_root.rglob("*") if path.is_file() and b"planted" in path.read_bytes()]
    assert kept == []
    assert "planted" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("kind", READERS)
def test_no_tracker_asks_the_network(runs_root: Path, tiny_data: Path, kind: str) -> None:
    """Whatever a tracker would ask goes to a proxy, which is ours and hears nothing."""
    make_run(runs_root, tiny_data, name="first")
    heard: list[bytes] = []
    with socket.socket() as proxy:
        proxy.bind(("127.0.0.1", 0))
        proxy.listen()

        def listen() -> None:
            while True:
                try:
                    one, _ = proxy.accept()
                except OSError:
                    return
                heard.append(one.recv(200))
                one.close()

        threading.Thread(target=listen, daemon=True).start()
        asked = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        done = subprocess.run(
            [sys.executable, "-m", "core", "track", "first", "--to", kind],
            check=False, capture_output=True, text=True, cwd=REPOSITORY, env=os.environ | dict.fromkeys(names, asked),
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "written: " in done.stdout
    assert heard == []
