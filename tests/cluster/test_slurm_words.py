"""What Slurm's programs say is told in words: no cluster, a silent one, and a refusal line by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.cluster import slurm

NO_CLUSTER = """squeue: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host
squeue: error: fetch_config: DNS SRV lookup failed
squeue: fatal: Could not establish a configuration source"""


def answer(folder: Path, monkeypatch: pytest.MonkeyPatch, said: str, then: str = "exit 1") -> str:
    """Return why nothing is known of the jobs, where squeue says so much on its error stream."""
    program = folder / "squeue"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\n{then}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    slurm.forget_answer()
    problem = slurm.list_jobs().problem
    slurm.forget_answer()
    return problem


def test_programs_without_a_cluster_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = answer(tmp_path, monkeypatch, NO_CLUSTER)
    assert told.startswith("This machine has Slurm's programs but knows no cluster: there is no slurm.conf")
    assert "Start Weakspot on a login node" in told
    assert "DNS" not in told


def test_a_file_that_is_not_there_is_told_though_the_program_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = slurm._call
    monkeypatch.setattr(slurm, "_call", lambda words, **rest: ask(words, **rest, patience=1.0))
    said = (
        "squeue: error: s_p_parse_file: cannot stat file /none: No such file or directory, retrying in 1sec"
    )
    assert "knows no cluster" in answer(tmp_path, monkeypatch, said, "exec sleep 30")


def test_a_controller_that_is_down_does_not_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = answer(
        tmp_path, monkeypatch, "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
    )
    assert told.startswith("Slurm does not answer squeue: its controller (slurmctld) cannot be reached.")


def test_a_refusal_of_several_lines_is_told_line_by_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = answer(tmp_path, monkeypatch, "squeue: error: Invalid user\nsqueue: error: Try --help")
    assert told == "Slurm refused squeue: Invalid user; Try --help"
