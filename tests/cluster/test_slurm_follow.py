"""What a run becomes by what Slurm says of it, where no job of its own could write that; nothing where Slurm is silent."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.cluster import slurm
from core.cluster.follow import describe_wait, end_now, follow_run
from core.cluster.slurm import Answer, SlurmJob
from core.cluster.submit import write_script
from core.runs import jobs
from core.runs.claim import hold
from core.runs.run import Run
from tests.made_job import dead_pid, make_job


@pytest.fixture
def run(runs_root: Path) -> Run:
    """Return a run that by its status trains in Slurm job 7, by a process that is gone."""
    made = make_job(runs_root, "run", state="running")
    made.write_status(replace(made.read_status(), job="7", started=time.time(), pid=dead_pid()))
    return made


def say(monkeypatch: pytest.MonkeyPatch, *found: SlurmJob, problem: str = "") -> None:
    """Let squeue have said this a moment from now, so that no status is younger."""
    answer = Answer(time.time() + 5, {job.id: job for job in found}, problem)
    monkeypatch.setattr(slurm, "list_jobs", lambda: answer)


def test_a_run_of_a_gone_process_is_not_called_crashed_while_slurm_has_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.read_status().host == socket.gethostname()
    assert jobs.live_status(run).state == "running"
    say(monkeypatch, SlurmJob("7", "PENDING", reason="BeginTime"))
    follow_run(run)
    status = jobs.live_status(run)
    assert (status.state, status.job) == ("queued", "7")
    assert "two minutes" in status.message


@pytest.mark.parametrize(
    ("state", "ends", "said"),
    [
        ("CANCELLED", "stopped", "was cancelled"),
        ("TIMEOUT", "crashed", "Ask for more time"),
        ("OUT_OF_MEMORY", "crashed", "Ask for more memory"),
        ("NODE_FAIL", "crashed", "node it trained on failed"),
        ("FAILED", "crashed", "the log may say more"),
        ("", "crashed", "no longer knows job 7"),
    ],
)
def test_a_job_that_is_over_without_a_word_ends_its_run_with_the_reason(
    run: Run, monkeypatch: pytest.MonkeyPatch, state: str, ends: str, said: str
) -> None:
    say(monkeypatch, *([SlurmJob("7", state)] if state else []))
    follow_run(run)
    status = run.read_status()
    assert status.state == ends
    assert said in status.message
    assert status.ended > 0


def test_nothing_changes_while_its_job_is_at_work_slurm_is_silent_or_its_answer_is_older(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run.read_status()
    say(monkeypatch, problem="Slurm did not answer squeue within 10 s.")
    follow_run(run)
    monkeypatch.setattr(slurm, "list_jobs", lambda: Answer(before.updated - 1))
    follow_run(run)
    say(monkeypatch)
    with hold(run):
        follow_run(run)
    assert run.read_status() == before


def test_why_a_job_waits_is_told_in_words_with_its_expected_start() -> None:
    job = SlurmJob("7", "PENDING", start=4600.0, reason="Priority")
    assert (
        describe_wait(job, 1000.0)
        == "Slurm job 7 waits: other jobs go first. Slurm expects it to start in 1 h."
    )
    assert describe_wait(SlurmJob("7", "PENDING"), 0.0) == "Slurm job 7 waits for its turn."
    assert describe_wait(SlurmJob("7", "PENDING", reason="(ReqNodeNotAvail, UnavailableNodes:n1)")).endswith(
        "waits: its nodes are down or reserved."
    )


def test_a_folder_of_any_name_is_one_word_of_the_batch_script(tmp_path: Path) -> None:
    script = write_script([Run(tmp_path / "it's $(touch hacked); 5 %j"), Run(tmp_path / "two")])
    assert script.startswith("#!/bin/sh\n")
    assert "0) run='" in script
    assert """it'"'"'s $(touch hacked); 5 %j' ;;""" in script
    assert script.rstrip().endswith('slurm-job "$run"')


@pytest.mark.parametrize("job", ["--me", "-u root", "7 8", "7;id", "\u0667"])
def test_a_run_folder_from_elsewhere_cannot_have_other_jobs_cancelled(
    run: Run, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    """What stands as its job in the status goes to scancel, which takes options too."""
    called: list[object] = []
    monkeypatch.setattr(slurm, "_call", lambda words, **_: called.append(words) or "")
    values = json.loads((run.folder / "status.json").read_text())
    (run.folder / "status.json").write_text(json.dumps({**values, "job": job, "updated": 9e10}))
    run.request_stop()
    follow_run(run)
    end_now(run)
    assert [words for words in called if "squeue" not in str(words)] == []
    assert "job must be the number of a Slurm job" in run.find_damage()
