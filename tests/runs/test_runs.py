"""The run folder: made whole, appended and read on, never half written, found and deleted."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest

from core.errors import RunError
from core.files import make_draft, write_rows
from core.recipe.config import TrainConfig
from core.runs.journal import Journal
from core.runs.run import Run, create_run, default_root, delete_run, find_run, iter_runs, list_runs
from core.stored.status import Status
from tests.disks import no_file_larger_than


def make_run(root: Path, name: str = "one", created: float | None = None) -> Run:
    run = create_run(TrainConfig(data="flowers", name=name, epochs=3), root)
    if created is not None:
        run.write_status(dataclasses.replace(run.read_status(), created=created))
    return run


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def run(runs_root: Path) -> Run:
    return make_run(runs_root)


def test_the_root_is_named_by_the_environment(runs_root: Path) -> None:
    assert default_root() == runs_root


def test_without_the_environment_the_root_is_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEAKSPOT_RUNS", raising=False)
    assert default_root() == Path(__file__).resolve().parents[2] / "checkpoints"


def test_a_new_run_is_queued_and_keeps_its_config(runs_root: Path) -> None:
    config = TrainConfig(data="flowers", name="one", epochs=3)
    run = create_run(config, runs_root)
    assert (run.id, run.folder) == ("one", runs_root / "one")
    assert run.read_config() == config
    status = run.read_status()
    assert (status.state, status.epochs) == ("queued", 3)
    assert abs(status.created - time.time()) < 60


def test_a_new_run_makes_the_root_and_leaves_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "not" / "there"
    run = make_run(root)
    assert names_in(root) == {"one"}
    assert names_in(run.folder) == {"config.json", "network.json", "status.json"}


def test_a_run_without_a_name_is_named_by_data_and_network(runs_root: Path) -> None:
    run = create_run(TrainConfig(data="/data/my flowers ü/", arch="resnet18"), runs_root)
    assert run.id.startswith("my-flowers-resnet18-")


def test_two_runs_without_a_name_at_the_same_time_get_two_names(runs_root: Path) -> None:
    config = TrainConfig(data="flowers")
    assert len({create_run(config, runs_root).id for _ in range(3)}) == 3


def test_a_data_folder_with_a_long_name_still_gives_a_run(runs_root: Path) -> None:
    assert create_run(TrainConfig(data="/data/" + "x" * 250), runs_root).folder.is_dir()


def test_a_data_folder_without_a_usable_name_still_gives_a_run(runs_root: Path) -> None:
    assert create_run(TrainConfig(data="."), runs_root).id.startswith("data-")


def test_a_name_that_is_taken_is_refused_and_nothing_is_left(runs_root: Path, run: Run) -> None:
    before = run.read_config()
    with pytest.raises(RunError, match="'one' already exists; choose another name"):
        create_run(TrainConfig(data="other", name="one"), runs_root)
    assert names_in(runs_root) == {"one"}
    assert run.read_config() == before


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"data": "flowers", "epochs": 0}', b'{"data": "\xff"}']
)
def test_a_config_that_cannot_be_used_names_the_run(run: Run, content: bytes) -> None:
    (run.folder / "config.json").write_bytes(content)
    with pytest.raises(RunError, match=r"^one: config\.json cannot be used: "):
        run.read_config()


def test_a_config_that_is_missing_names_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"^gone: config\.json cannot be used: "):
        Run(tmp_path / "gone").read_config()


def test_a_status_comes_back_as_written_with_the_time_of_writing(run: Run) -> None:
    written = run.write_status(Status(state="running", epoch=2, best_val_acc=0.5, message="ä"))
    assert run.read_status() == written
    assert abs(written.updated - time.time()) < 60


def test_a_status_of_a_newer_version_is_read_without_its_new_fields(run: Run) -> None:
    (run.folder / "status.json").write_text('{"state": "running", "mood": "good"}')
    assert run.read_status() == Status(state="running")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff"])
def test_a_damaged_status_reads_as_failed_and_says_so(run: Run, content: bytes) -> None:
    (run.folder / "status.json").write_bytes(content)
    status = run.read_status()
    assert status.state == "failed"
    assert status.message.startswith("status.json cannot be read: ")


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"created": None}, "created must be a number, got None"),
        ({"pid": "12"}, "pid must be a whole number from 0, got '12'"),
        ({"pid": -5}, "pid must be a whole number from 0, got -5"),
        ({"epoch": 1.5}, "epoch must be a whole number from 0, got 1.5"),
        ({"best_val_acc": float("nan")}, "best_val_acc must be a number, got nan"),
        ({"message": 7}, "message must be a text, got 7"),
        ({"state": "dancing"}, "state must be one of queued, running, .*, got 'dancing'"),
    ],
)
def test_a_run_whose_status_cannot_be_is_a_failed_one_and_the_others_are_listed(
    run: Run, values: dict[str, object], what: str
) -> None:
    other = make_run(run.folder.parent, "two")
    written = json.loads((run.folder / "status.json").read_text())
    (run.folder / "status.json").write_text(json.dumps(written | values))
    assert {found.id for found in iter_runs(run.folder.parent)} == {"one", "two"}
    assert other.read_status().state == "queued"
    status = run.read_status()
    assert status.state == "failed"
    assert re.fullmatch(f"status.json cannot be read: {what}", status.message)


def test_a_status_that_is_nested_gigantic_or_a_pipe_is_told_without_being_read(run: Run) -> None:
    path = run.folder / "status.json"
    path.write_text("[" * 100_000)
    assert run.read_status().message.endswith("its brackets are nested too deeply")
    path.write_text(" " * 2_000_000)
    assert run.read_status().message.endswith("it has 2,000,000 bytes; the limit is 1,000,000")
    if hasattr(os, "mkfifo"):
        path.unlink()
        os.mkfifo(path)
        assert run.read_status().message.endswith("it is not a file but a pipe")


def test_lines_that_are_no_rows_of_figures_are_passed_over(run: Run) -> None:
    run.append_metrics({"kind": "step", "step": 1, "loss": 2.0})
    with run.metrics_path.open("a", encoding="utf-8") as file:
        file.write('5\nnull\n{"kind":"epoch","epoch":null}\n{"kind":[]}\n' + "[" * 100_000 + "\n")
    run.append_metrics({"kind": "epoch", "epoch": 1})
    assert [row["kind"] for row in run.read_metrics()[0]] == ["step", "epoch"]


def test_readers_of_the_status_never_see_half_of_it(run: Run) -> None:
    stop = threading.Event()
    states: set[str] = set()

    def read() -> None:
        while not stop.is_set():
            states.add(run.read_status().state)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        run.write_status(Status(state="running", message="x" * (number * 50)))
    stop.set()
    reader.join()
    assert states <= {"queued", "running"}


def test_a_runs_time_goes_on_while_it_works_and_stands_otherwise() -> None:
    status = Status(state="running", worked=10.0, updated=time.time() - 5)
    assert status.seconds == pytest.approx(15, abs=3)
    assert [
        dataclasses.replace(status, state=state).seconds for state in ("queued", "paused", "crashed")
    ] == [10.0] * 3


@pytest.mark.parametrize("ending", ["paused", "killed"])
def test_a_runs_time_leaves_out_the_night_it_did_not_work(run: Run, ending: str) -> None:
    evening = Journal(run, io.StringIO(), lambda: False)
    evening.set(state="running", started=time.time() - 50_000, force=True)
    time.sleep(0.05)
    evening.set(force=True)
    if ending == "paused":
        evening.end("paused", "Paused as asked.")
    night = dataclasses.replace(run.read_status(), updated=time.time() - 40_000)
    assert 0.05 <= dataclasses.replace(night, state="queued").seconds < 5
    (run.folder / "status.json").write_text(json.dumps(dataclasses.asdict(night)), encoding="utf-8")
    morning = Journal(run, io.StringIO(), lambda: False)
    morning.set(state="running", force=True)
    time.sleep(0.05)
    morning.end("finished", "Finished.")
    assert 0.1 <= run.read_status().seconds < 5


@pytest.mark.parametrize(("ended", "seconds"), [(130.0, 30.0), (0.0, 20.0)])
def test_a_status_of_an_older_version_tells_the_time_from_its_start(
    run: Run, ended: float, seconds: float
) -> None:
    values = dataclasses.asdict(Status(state="stopped", started=100.0, updated=120.0, ended=ended))
    del values["worked"]
    (run.folder / "status.json").write_text(json.dumps(values), encoding="utf-8")
    assert run.read_status().seconds == seconds


def test_figures_are_read_on_from_where_the_last_look_ended(run: Run) -> None:
    assert run.read_metrics() == ([], 0)
    run.append_metrics({"kind": "step", "step": 1, "loss": 2.5})
    rows, offset = run.read_metrics()
    assert rows == [{"kind": "step", "step": 1, "loss": 2.5}]
    assert run.read_metrics(offset) == ([], offset)
    run.append_metrics({"kind": "step", "step": 2, "loss": 2.0})
    rows, after = run.read_metrics(offset)
    assert [row["step"] for row in rows] == [2]
    assert after == run.metrics_path.stat().st_size


def test_a_row_that_is_only_half_written_is_left_for_the_next_look(run: Run) -> None:
    run.append_metrics({"kind": "step", "step": 1})
    with run.metrics_path.open("a") as file:
        file.write('{"kind":"step",')
        file.flush()
        rows, offset = run.read_metrics()
        assert [row["step"] for row in rows] == [1]
        file.write('"step":2}\n')
    assert [row["step"] for row in run.read_metrics(offset)[0]] == [2]


def test_a_row_that_a_crash_damaged_is_left_out(run: Run) -> None:
    run.metrics_path.write_text('{"kind":"step","step":1}\n{"kind":"st\x00\n{"kind":"step","step":3}\n')
    assert [row["step"] for row in run.read_metrics()[0]] == [1, 3]


def test_a_file_that_a_resume_cut_is_read_again_from_its_beginning(run: Run) -> None:
    for step in range(1, 5):
        run.append_metrics({"kind": "step", "step": step})
    offset = run.read_metrics()[1]
    run.keep_metrics(step=2, epoch=0)
    assert run.read_metrics(offset) == ([], 0)


def test_a_resume_keeps_the_figures_up_to_its_checkpoint(run: Run) -> None:
    for step in range(1, 7):
        run.append_metrics({"kind": "step", "step": step})
        if step % 2 == 0:
            run.append_metrics({"kind": "epoch", "epoch": step // 2, "step": step})
    with run.metrics_path.open("a") as file:
        file.write('{"kind":"st')
    run.keep_metrics(step=5, epoch=2)
    rows, offset = run.read_metrics()
    assert [row["step"] for row in rows if row["kind"] == "step"] == [1, 2, 3, 4, 5]
    assert [row["epoch"] for row in rows if row["kind"] == "epoch"] == [1, 2]
    assert offset == run.metrics_path.stat().st_size


def test_a_resume_before_the_first_figure_needs_no_file(run: Run) -> None:
    run.keep_metrics(step=0, epoch=0)
    assert not run.metrics_path.exists()


def test_the_tables_of_epochs_are_listed_in_order_and_a_resume_drops_the_later_ones(run: Run) -> None:
    assert run.list_epochs() == []
    run.epoch_path(1).parent.mkdir()
    for epoch in (1000, 2, 1):
        write_rows(run.epoch_path(epoch), ("path",), [])
    run.epoch_path(1).with_name(".val-003.csv.gz.123").touch()  # the draft of a job that was killed
    assert run.list_epochs() == [1, 2, 1000]
    run.keep_epochs(2)
    assert run.list_epochs() == [1, 2]


def test_the_log_ends_as_a_terminal_shows_it(run: Run) -> None:
    run.log_path.write_bytes(
        "Epoch 1/2\n\r 50%\r100%\ntrain Loss: 1.0\n\nval Loss: 2.0 – ä\r\n\r  0%\r 10%".encode()
    )
    assert run.read_log() == ["Epoch 1/2", "100%", "train Loss: 1.0", "val Loss: 2.0 – ä", " 10%"]
    assert run.read_log(2) == ["val Loss: 2.0 – ä", " 10%"]


def test_the_log_of_long_epochs_still_gives_the_lines_asked_for(run: Run) -> None:
    bar = "".join(f"\r{step:>5}/5000 {'#' * 80}" for step in range(5000))
    run.log_path.write_text("".join(f"Epoch {n}\n{bar}\nval Loss of {n}\n" for n in range(1, 4)))
    last = "4999/5000 " + "#" * 80
    assert [line.strip() for line in run.read_log(8)] == [
        last,
        "val Loss of 1",
        "Epoch 2",
        last,
        "val Loss of 2",
        "Epoch 3",
        last,
        "val Loss of 3",
    ]


def test_there_is_no_log_before_the_job_began(run: Run) -> None:
    assert run.read_log() == []


def test_a_stop_is_asked_for_and_taken_back(run: Run) -> None:
    assert not run.stop_requested()
    run.request_stop()
    run.request_stop()
    assert run.stop_requested()
    run.clear_requests()
    run.clear_requests()
    assert not run.stop_requested()


def test_a_json_file_that_is_not_there_yet_is_empty(run: Run) -> None:
    assert run.read_json("data.json") == {}


@pytest.mark.parametrize("content", [b"{", b"null", b"[1]", b"\xff"])
def test_a_damaged_json_file_names_run_and_file(run: Run, content: bytes) -> None:
    (run.folder / "data.json").write_bytes(content)
    with pytest.raises(RunError, match=r"^one: data\.json is damaged"):
        run.read_json("data.json")


def test_runs_are_listed_newest_first(runs_root: Path) -> None:
    for name, created in (("b", 200.0), ("a", 300.0), ("c", 100.0)):
        make_run(runs_root, name, created)
    assert [run.id for run in iter_runs(runs_root)] == ["a", "b", "c"]


def test_what_is_no_run_is_not_listed(runs_root: Path, run: Run) -> None:
    (runs_root / "notes").mkdir()
    (runs_root / "README.md").write_text("mine")
    (runs_root / ".trash-1").mkdir()
    (runs_root / ".trash-1" / "config.json").write_text("{}")
    assert [found.id for found in iter_runs(runs_root)] == [run.id]


def test_a_root_that_does_not_exist_has_no_runs(tmp_path: Path) -> None:
    assert list(iter_runs(tmp_path / "none")) == []


def test_a_run_copied_from_another_machine_is_listed_and_read(runs_root: Path, run: Run) -> None:
    run.folder.rename(runs_root / "copied")
    assert find_run("copied", runs_root).read_config().epochs == 3


def test_a_run_is_found_by_name_and_the_newest_as_latest(runs_root: Path) -> None:
    make_run(runs_root, "old", 100.0)
    make_run(runs_root, "new", 200.0)
    assert find_run("old", runs_root).id == "old"
    assert find_run("latest", runs_root).id == "new"
    failed = make_run(runs_root, "failed", 300.0)
    failed.write_status(dataclasses.replace(failed.read_status(), state="failed"))
    assert find_run("latest", runs_root).id == "new"  # of which there is something to ask
    assert find_run("latest", runs_root, failed=True).id == "failed"  # to go on with


def test_an_unknown_run_is_refused_with_those_there_are(runs_root: Path, run: Run) -> None:
    with pytest.raises(RunError, match=r"no run 'two' under .*Runs: one\."):
        find_run("two", runs_root)


def test_the_latest_of_no_runs_is_refused(runs_root: Path) -> None:
    with pytest.raises(RunError, match="Runs: none yet"):
        find_run("latest", runs_root)


def test_where_the_disk_is_full_no_part_of_a_new_run_is_left(runs_root: Path) -> None:
    with no_file_larger_than(100), pytest.raises(OSError, match="cannot be written"):
        make_run(runs_root)
    assert list(runs_root.iterdir()) == []


def test_what_is_left_of_a_run_that_was_deleted_in_part_is_shown_as_damaged_and_can_be_deleted(
    runs_root: Path, tiny_data: Path
) -> None:
    run = create_run(TrainConfig(data=str(tiny_data), name="half"), runs_root)
    (run.folder / "config.json").unlink()
    assert [known.id for known, _ in list_runs(runs_root)] == ["half"]
    assert "config.json cannot be used" in run.find_damage()
    delete_run(run)
    assert list_runs(runs_root) == []


def test_a_deleted_run_is_gone_with_its_files(runs_root: Path, run: Run) -> None:
    run.best_path.write_bytes(b"weights")
    delete_run(run)
    assert list(runs_root.iterdir()) == []


def test_runs_made_and_deleted_at_the_same_time_do_not_meet(runs_root: Path) -> None:
    """Whatever pid and clock say: two machines that share the folder may have both in common."""
    with patch("os.getpid", return_value=1), patch("time.time_ns", return_value=1):
        with ThreadPoolExecutor(4) as pool:
            runs = list(pool.map(lambda n: make_run(runs_root, f"run{n}"), range(12)))
        assert {run.id for run in iter_runs(runs_root)} == {run.id for run in runs}
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(delete_run, runs))
    assert list(runs_root.iterdir()) == []


def test_what_was_left_half_made_or_half_deleted_goes_when_its_maker_is_gone(runs_root: Path) -> None:
    make_run(runs_root, "kept")
    old, new = make_draft(runs_root, "new"), make_draft(runs_root, "new")
    (old / "config.json").write_text("{}")
    os.utime(old, (time.time() - 7200,) * 2)
    run = make_run(runs_root)
    assert names_in(runs_root) == {"kept", "one", new.name}
    os.utime(new, (time.time() - 7200,) * 2)
    delete_run(run)
    assert names_in(runs_root) == {"kept"}


def test_the_paths_of_a_run_lie_in_its_folder(tmp_path: Path) -> None:
    run = Run(tmp_path)
    paths = [run.log_path, run.metrics_path, run.best_path, run.last_path, run.predictions_path("train")]
    assert [path.parent for path in paths] == [tmp_path] * 5
    assert json.dumps([path.name for path in paths]) == (
        '["train.log", "metrics.jsonl", "best.pt", "last.pt", "predictions-train.csv"]'
    )


def test_the_status_of_a_run_that_rests_is_read_once_until_it_changes(run: Run) -> None:
    path, long_ago = run.folder / "status.json", time.time() - 3600
    run.write_status(Status(state="finished", epoch=3))
    os.utime(path, (long_ago, long_ago))
    assert run.read_status().epoch == 3
    with patch("core.runs.run.read_object", side_effect=AssertionError):
        assert run.read_status().epoch == 3
    path.write_text(json.dumps({"state": "stopped", "epoch": 2}))
    assert (run.read_status().state, run.read_status().epoch) == ("stopped", 2)
    path.write_text("{")
    assert run.read_status().state == "failed"


def test_the_status_of_a_run_that_works_is_read_each_time(run: Run) -> None:
    path = run.folder / "status.json"
    for epoch in range(1, 6):  # within one tick of the clock of files, and of one size
        path.write_text(json.dumps({"state": "running", "epoch": epoch}))
        assert run.read_status().epoch == epoch


def test_a_run_is_found_by_its_name_without_a_look_at_the_others(runs_root: Path) -> None:
    make_run(runs_root, "one")
    make_run(runs_root, "two")
    with patch("core.runs.run.list_runs", side_effect=AssertionError):
        assert find_run("two", runs_root).id == "two"
    for name in ("tw", "../two", ".", "two/"):
        with pytest.raises(RunError):
            find_run(name, runs_root)
