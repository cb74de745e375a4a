"""Work in a process of its own: launched, watched, stopped, and its errors in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import jobs, tasks
from core.audit import audit_folder, read_audit
from core.runs import RunError
from core.tasks import Progress, launch_task, perform_task, read_task, stop_task
from tests.processes import wait_until


def test_a_launched_audit_is_watched_to_its_end(
    tiny_data: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = audit_folder(tiny_data, runs_root)
    assert read_task(folder).state == ""
    launch_task(folder, ["audit", str(tiny_data), "--task", str(folder)])
    # A second start while it is active starts nothing.
    monkeypatch.setattr(jobs, "launch", lambda *_: pytest.fail("launched twice"))
    launch_task(folder, [])
    wait_until(lambda: read_task(folder).state == "finished", "the audit has finished")
    assert read_task(folder).done == 27
    assert read_audit(folder).count_split("train") == 18


def test_a_task_tells_its_progress_and_obeys_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_WRITE_EVERY", 0.0)
    seen = []

    def work(progress: Progress) -> str | None:
        for done in range(1, 100):
            if done == 3:
                stop_task(tmp_path)
            going = progress(done, 100)
            seen.append((read_task(tmp_path).state, read_task(tmp_path).done, going))
            if not going:
                return None
        return "all done"

    assert perform_task(tmp_path, work) == 1
    assert seen == [("running", 1, True), ("running", 2, True), ("running", 3, False)]
    assert read_task(tmp_path).state == "stopped"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RunError("what and how"), "what and how"),
        (PermissionError(13, "Permission denied", "/locked"), "/locked: Permission denied"),
    ],
)
def test_what_goes_wrong_becomes_the_message(tmp_path: Path, error: Exception, words: str) -> None:
    def fail(_: Progress) -> str | None:
        raise error

    assert perform_task(tmp_path, fail) == 2
    assert (read_task(tmp_path).state, read_task(tmp_path).message) == ("failed", words)


def test_a_task_whose_process_is_gone_is_crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_LAUNCH_GRACE", 1.0)
    launch_task(tmp_path, ["--help"])  # a process that ends without a word
    wait_until(lambda: read_task(tmp_path).state == "crashed", "its loss is seen", timeout=60)
