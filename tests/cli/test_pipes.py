"""Commands in pipes: whoever reads may go away, or never have been there, and nothing is complained about or lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.runs.run import Run
from tests.made_run import make_run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(runs_root: Path, tiny_data: Path, best_model: Path) -> Run:
    """Return a finished run with a model."""
    made = make_run(runs_root, tiny_data, device="cpu", workers=0)
    made.best_path.hardlink_to(best_model)
    return made


def call(*words: str, out: str = "gone", error: str = "kept") -> tuple[int, str]:
    """Run a command; return its exit code and what its stderr got.

    `out` and `error` are `gone` (a pipe whose reader left before it began), `closed` (there is none), `full` (a disk
    without room) or `kept`.
    """
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123  a device
        places = {"gone": writer, "full": full, "kept": subprocess.PIPE, "closed": subprocess.DEVNULL}
        closing = "".join(f" {number}>&-" for number, way in ((1, out), (2, error)) if way == "closed")
        # Python buffers what it writes to a pipe, so that it learns at its very end that nobody reads.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        try:
            done = subprocess.run(
                ["sh", "-c", f'exec "$@"{closing}', "sh", sys.executable, "-m", "core", *words],
                cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=places[out], stderr=places[error],
                text=True, timeout=60, check=False,
            )  # fmt: skip
        finally:
            os.close(writer)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize("words", [["--help"], ["predict", "--help"], ["runs"], ["networks"]], ids=" ".join)
def test_a_reader_that_has_gone_ends_a_command_without_a_word(run: Run, words: list[str]) -> None:
    assert call(*words) == (0, "")
    assert call(*words, error="gone")[0] == 0


def test_a_wrong_word_keeps_its_exit_code_though_nobody_reads_why(run: Run) -> None:
    assert call("runs", "nonsuch", error="gone") == (2, "")
    assert call("predict", "nonsuch", ".", error="gone") == (2, "")


def test_without_any_output_a_command_does_its_work(run: Run) -> None:
    assert call("runs", out="closed") == (0, "")
    assert call("runs", out="closed", error="closed") == (0, "")


def test_a_full_disk_is_told(run: Run) -> None:
    assert call("runs", out="full") == (2, "error: the disk is full\n")


def test_a_hand_in_is_written_though_nobody_watches_its_progress(
    run: Run, tiny_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hand-in.csv"
    words = ["predict", "first", str(tiny_data / "test"), "--out"]
    assert call(*words, str(out), error="gone") == (0, "")
    assert len(out.read_text().splitlines()) == 4
    code, said = call(*words, "-")
    assert code == 0
    assert "Error" not in said
    assert "Exception" not in said
