"""Work in a process of its own: launched, watched, stopped, and its errors in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.__main__ import main
from core.dataset.audit import audit_folder, read_audit
from core.errors import RunError
from core.runs import jobs, tasks
from core.runs.tasks import Progress, launch_task, perform_task, read_task, stop_task
from tests.made_run import make_run
from tests.processes import REPOSITORY, environment, wait_until

# Ends a task when it claims its process, and prints whether what takes long to load was loaded by then.
CLAIM = """
import sys
from core.runs import jobs
from core.__main__ import main

def claim(task):
    sys.exit(str([name for name in ("torch", "pandas", "matplotlib", "core.dataset.audit") if name in sys.modules]))

jobs.claim_process = claim
main()
"""


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


def test_a_fault_of_the_program_leaves_its_traceback_to_the_log_and_a_line_to_the_status(
    tmp_path: Path,
) -> None:
    def fail(_: Progress) -> str | None:
        raise ValueError("operands could not be broadcast\ntogether")

    with pytest.raises(ValueError, match="broadcast"):
        perform_task(tmp_path, fail)
    assert read_task(tmp_path).state == "failed"
    assert read_task(tmp_path).message == (
        "An unexpected fault (ValueError: operands could not be broadcast together). "
        f"The whole error is in {tmp_path / 'train.log'}."
    )


def test_a_task_whose_process_is_gone_is_crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_LAUNCH_GRACE", 1.0)
    launch_task(tmp_path, ["--help"])  # a process that ends without a word
    wait_until(lambda: read_task(tmp_path).state == "crashed", "its loss is seen", timeout=60)


@pytest.mark.parametrize(
    "words",
    [
        ["audit", "DATA"],
        ["label-issues", "first"],
        ["calibrate", "first"],
        ["neighbours", "first"],
        ["report", "first"],
        ["find-rate", "--data", "DATA"],
    ],
    ids=lambda words: words[0],
)
def test_a_task_claims_its_process_before_it_loads_what_takes_long(
    words: list[str], tiny_data: Path, runs_root: Path
) -> None:
    """On a busy machine that can take longer than a launched process may stay unknown."""
    make_run(runs_root, tiny_data)
    words = [word.replace("DATA", str(tiny_data)) for word in words]
    done = subprocess.run(
        [sys.executable, "-c", CLAIM, *words, "--task", str(runs_root / "task")],
        cwd=REPOSITORY, env=environment(runs_root), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == "[]\n"


@pytest.mark.parametrize("words", [["find-rate", "--data"], ["label-issues"], ["report"], ["neighbours"]])
def test_a_task_that_lacks_what_it_is_about_says_so(
    words: list[str], tmp_path: Path, runs_root: Path
) -> None:
    assert main([*words, str(tmp_path / "gone"), "--task", str(tmp_path)]) == 2
    status = read_task(tmp_path)
    assert (status.state, str(tmp_path / "gone") in status.message) == ("failed", True)
