"""Entrants `quick`, `fast` and every other preset: `python -m core train --preset …` as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.course import JUDGED, Course, Finish, run_entrant, versions_of
from core.runs.run import Run
from core.verdicts.predictions import read_predictions
from core.words import format_count


def run(name: str, course: Course, folder: Path) -> Finish:
    """Train the preset of that name in a folder of runs of its own, so that no other run's features are at hand."""
    runs = folder / f"runs-{name}"
    command = [sys.executable, *list_words(name, course)]
    subprocess.run(command, check=True, env={**os.environ, "WEAKSPOT_RUNS": str(runs)})
    trained = Run(runs / name)
    status = trained.read_status()
    if status.state != "finished":
        raise RuntimeError(f"the run ended as {status.state}: {status.message}")
    found: dict[str, str] = {}
    for split in JUDGED:
        if trained.predictions_path(split).is_file():
            table = read_predictions(trained.predictions_path(split))
            found.update(zip(table["path"], table["predicted"], strict=True))
    config = trained.read_config()
    how = (
        f"{format_count(config.epochs, 'epoch')}, judged by epoch {status.best_epoch}, the best on validation"
    )
    predicted = [found[image.path] for image in course.judged]
    # All that the job did: reading every image first, validation, and judging and calibrating in the end.
    return Finish(predicted, status.ended - status.started, how, versions_of(["torch", "timm"]))


def list_words(preset: str, course: Course) -> list[str]:
    """Return the command line's words after `python`."""
    return [
        "-m", "core", "train", "--preset", preset, "--name", preset, "--data", str(course.data),
        "--arch", course.arch, "--weights", str(course.weights), "--hold-back", str(course.hold_back),
        "--group-by", "none",  # as the peers split
    ]  # fmt: skip


if __name__ == "__main__":
    run_entrant(run)
