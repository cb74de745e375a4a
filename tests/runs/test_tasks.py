"""Work in a process of its own: launched, watched, stopped, and its errors in words."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.__main__ import main
from core.cli.kinds import KINDS
from core.cli.terminal import Progress
from core.dataset.audit import audit_folder, read_audit
from core.errors import RunError
from core.files import DRAFT, make_draft, write_text
from core.runs import journal
from core.runs.claim import claim
from core.runs.journal import Journal
from core.runs.run import Run
from core.runs.tasks import TASK, launch_task, read_order, read_task, stop_task
from core.stored.status import Status
from tests.arrivals.sending import image_bytes, send
from tests.made_run import make_run
from tests.processes import REPOSITORY, environment, wait_until

# Ends a task when it claims its process, and prints whether what takes long to load was loaded by then.
CLAIM = """
import sys
from core.runs import claim
from core.__main__ import main

def claim_process(task):
    sys.exit(str([name for name in ("torch", "pandas", "matplotlib", "core.dataset.audit") if name in sys.modules]))

claim.claim_process = claim_process
main()
"""
SPLIT = {"val_fraction": 0.15, "hold_back": 0}
LACKING: dict[str, dict[str, Any]] = {
    "audit": {"data": "DATA", **SPLIT},
    "count": {"data": "DATA", **SPLIT, "bad_images": "refuse", "group_by": "none", "fixes": ""},
    "find-rate": {"config": {"data": "DATA"}},
    "estimate": {"config": {"data": "DATA"}},
    "bring-in": {"sent": "DATA", "name": "new", "root": "DATA-root"},
    "arrange": {
        "images": "DATA", "table": "DATA.csv", "columns": {"image": "image", "label": "label"}, "name": "new",
        "root": "DATA-root", "skip_missing": False,
    },
    "unpack": {"images": "DATA", "name": "new", "root": "DATA-root"},
    "label-issues": {"run": "DATA", "split": "val"},
    "report": {"runs": ["DATA"]},
    "report-pdf": {"page": "DATA/report.html"},
    "ways": {"runs": ["DATA"]},
    "neighbours": {"run": "DATA"},
    "calibrate": {"run": "DATA"},
    "predict": {"run": "first", "images": "DATA", "temperature": 1.0, "threshold": 0.0},
    "judge": {"run": "DATA"},
    "corrected-copy": {"run": "DATA", "target": "DATA", "link": False},
    "slices": {"run": "DATA", "split": "val"},
    "map": {"run": "DATA"},
    "strangers": {"run": "DATA"},
    "judge-folder": {"run": "first", "images": "DATA"},
    "export": {"run": "DATA", "form": "onnx", "int8": False},
}  # fmt: skip


def ask_for(folder: Path, kind: str, **parameters: Any) -> Run:
    """Make a task's folder as `launch_task` does, without a process."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / TASK, json.dumps({"kind": kind, "parameters": parameters}))
    asked = Run(folder)
    asked.write_status(Status())
    return asked


def test_a_launched_audit_is_watched_to_its_end_however_many_pages_ask_for_it(
    tiny_data: Path, runs_root: Path
) -> None:
    folder = audit_folder(tiny_data, runs_root)
    assert read_task(folder).state == ""
    ready = threading.Barrier(4)

    def ask(_: int) -> None:
        ready.wait()
        launch_task(folder, "audit", data=str(tiny_data), **SPLIT)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    wait_until(lambda: read_task(folder).state == "finished", "the audit has finished")
    assert read_task(folder).done == 27
    assert read_audit(folder).count_split("train") == 18
    assert Run(folder).read_log() == ["27 files."]  # one process has worked, and left its message


def test_a_task_tells_its_progress_and_the_time_left_and_obeys_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "STATUS_EVERY", 0.0)
    seen = []

    def work(folder: Path, progress: Progress, *, images: int) -> str | None:
        for done in range(1, 100):
            if done == 3:
                stop_task(tmp_path)
            going = progress(done, images)
            status = read_task(tmp_path)
            seen.append((status.state, status.phase, status.done, status.seconds_left > 0, going))
            if not going:
                return None
        return "all done"

    monkeypatch.setitem(KINDS, "count", work)
    ask_for(tmp_path, "count", images=100)
    assert main(["task", str(tmp_path)]) == 1
    assert seen == [
        ("running", "working", 1, False, True),
        ("running", "working", 2, True, True),
        ("running", "working", 3, True, False),
    ]
    status = read_task(tmp_path)
    assert (status.state, status.message, status.seconds_left) == ("stopped", "Stopped before its end.", 0)


def test_the_status_is_written_twice_a_second_at_most(tmp_path: Path) -> None:
    asked = ask_for(tmp_path, "count")
    notes = Journal(asked, io.StringIO())
    for done in range(1000):
        notes.count_all(done, 1000)
    assert (asked.read_status().done, notes.status.done) == (0, 999)


def test_a_signal_stops_a_task_and_is_given_back_what_it_did_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(_: Path, progress: Progress) -> str | None:
        os.kill(os.getpid(), signal.SIGTERM)
        return "done" if progress(1, 2) else None

    monkeypatch.setitem(KINDS, "work", work)
    ask_for(tmp_path, "work")
    before = signal.getsignal(signal.SIGTERM)
    assert main(["task", str(tmp_path)]) == 1
    assert read_task(tmp_path).state == "stopped"
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_a_killed_task_left_half_made_goes_when_the_next_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "work", lambda *_: "done")
    asked = ask_for(tmp_path, "work")
    (make_draft(asked.folder, "result") / "prediction.csv").touch()
    assert main(["task", str(tmp_path)]) == 0
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(DRAFT)]


@pytest.mark.parametrize("end", ["finished", "stopped", "failed"])
def test_however_bringing_in_ends_nothing_of_what_was_sent_is_kept(tmp_path: Path, end: str) -> None:
    sent = send(tmp_path / "task" / ".sent", {"rose/1.png": b"x" if end == "failed" else image_bytes()})
    asked = ask_for(tmp_path / "task", "bring-in", sent=str(sent), name="a", root=str(tmp_path / "uploads"))
    if end == "stopped":
        asked.request_stop()
    main(["task", str(asked.folder)])
    assert (read_task(asked.folder).state, sent.exists()) == (end, False)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RunError("what and how"), "what and how"),
        (PermissionError(13, "Permission denied", "/locked"), "/locked: Permission denied"),
        (
            ValueError("no such\nshape"),
            "An unexpected fault (ValueError: no such shape). The whole error is in train.log.",
        ),
    ],
)
def test_what_goes_wrong_becomes_the_message(
    tmp_path: Path, error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str | None:
        raise error

    monkeypatch.setitem(KINDS, "fail", fail)
    asked = ask_for(tmp_path, "fail")
    assert main(["task", str(tmp_path)]) == 2
    assert read_task(tmp_path).state == "failed"
    assert read_task(tmp_path).message == words
    assert ("Traceback" in asked.log_path.read_text()) == isinstance(error, ValueError)


def test_a_task_whose_process_is_gone_is_crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.jobs.launch_command", lambda _: [sys.executable, "-c", ""])
    launch_task(tmp_path / "task", "audit")  # a process that ends without a word
    wait_until(lambda: read_task(tmp_path / "task").state == "crashed", "its loss is seen", timeout=60)


@pytest.mark.parametrize("kind", LACKING)
def test_a_task_claims_its_process_before_it_loads_what_takes_long(
    kind: str, tmp_path: Path, runs_root: Path
) -> None:
    """On a busy machine that can take long, and until then nobody knows what the process is for."""
    ask_for(tmp_path, kind)
    done = subprocess.run(
        [sys.executable, "-c", CLAIM, "task", str(tmp_path)],
        cwd=REPOSITORY, env=environment(runs_root), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == "[]\n"


def test_every_kind_of_task_is_tried_here() -> None:
    assert LACKING.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", LACKING)
def test_a_task_that_lacks_what_it_is_about_says_so(
    kind: str, tmp_path: Path, runs_root: Path, tiny_data: Path
) -> None:
    make_run(runs_root, tiny_data)
    gone = str(tmp_path / "gone")
    parameters = json.loads(json.dumps(LACKING[kind]).replace("DATA", gone))
    ask_for(tmp_path / "task", kind, **parameters)
    assert main(["task", str(tmp_path / "task")]) == 2
    status = read_task(tmp_path / "task")
    assert (status.state, gone in status.message) == ("failed", True), status.message


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"kind": "audit"}'])
def test_a_damaged_order_is_told(tmp_path: Path, content: str) -> None:
    asked = ask_for(tmp_path, "audit")
    (asked.folder / TASK).write_text(content)
    with pytest.raises(RunError, match=r"task\.json"):
        read_order(tmp_path)
    assert main(["task", str(tmp_path)]) == 2
    assert "task.json" in read_task(tmp_path).message


def test_an_unknown_kind_is_told_with_those_there_are(tmp_path: Path) -> None:
    ask_for(tmp_path, "dance")
    assert main(["task", str(tmp_path)]) == 2
    assert read_task(tmp_path).message.startswith("'dance' is not a kind of task; the kinds are: audit, ")


def test_a_folder_without_work_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["task", str(tmp_path)]) == 2
    assert "holds no work: it has neither config.json nor task.json" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_another_process_does_is_left_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ask_for(tmp_path, "audit", data="x", **SPLIT)
    with claim(asked):
        asked.write_status(Status(state="running", pid=1, pid_created=1.0))
    assert main(["task", str(tmp_path)]) == 1
    assert "it is running" in capsys.readouterr().err
