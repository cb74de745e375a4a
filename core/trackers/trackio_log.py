"""Trackio: a project in a folder beside the runs, unless its own variables name another place.

Trackio asks for other releases of Pillow and huggingface-hub than ours, so it may live in an environment of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from core.errors import RunError
from core.trackers import trackio_end
from core.trackers.seam import About, TrackerMissing

RELEASE = "trackio==0.43.0"  # as in requirements-trackio.txt
FOLDER = ".trackio"  # beside the runs; the dot keeps it out of the list of them
PROJECT = "weakspot"
PYTHON = "TRACKIO_PYTHON"  # names the Python of the environment that Trackio is in


class Trackio:
    """A run of Trackio's."""

    place = ""

    def begin(self, about: About, known: str) -> str:
        """Open the run, the same again where it is known; see `Tracker`."""
        folder = os.environ.get("TRACKIO_DIR") or str((about.folder.parent / FOLDER).resolve())
        self.place = os.environ.get("TRACKIO_SPACE_ID") or os.environ.get("TRACKIO_SERVER_URL") or folder
        python = os.environ.get(PYTHON) or sys.executable
        # How it is used is not told to its makers.
        more = {"TRACKIO_DIR": folder, "HF_HUB_DISABLE_TELEMETRY": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        try:
            self._end = subprocess.Popen(
                [python, "-I", str(Path(trackio_end.__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env={**os.environ, **more},
            )  # fmt: skip
        except OSError as error:
            raise RunError(f"{PYTHON} names {python}, which does not start: {error.strerror}.") from error
        self._words = {
            "project": PROJECT, "name": known or about.id, "goes_on": bool(known),
            "settings": {name: str(value) for name, value in about.settings.items()}
            | ({"tags": ", ".join(about.tags)} if about.tags else {}) | ({"note": about.note} if about.note else {}),
        }  # fmt: skip
        self._ask({})
        return known or about.id

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Take the figures of an epoch."""
        self._ask({**self._words, "figures": dict(figures), "step": epoch})
        self._words["goes_on"] = True

    def end(self, *, state: str, best: float | None) -> None:  # noqa: ARG002
        """Close the run, whose state and best accuracy have no place there."""
        self._end.communicate()

    def _ask(self, words: Mapping[str, object]) -> None:
        assert self._end.stdin is not None
        assert self._end.stdout is not None
        answer = ""
        try:
            self._end.stdin.write(json.dumps(words) + "\n")
            self._end.stdin.flush()
            answer = self._end.stdout.readline().strip()
        except BrokenPipeError:
            pass
        if answer == "ok":
            return
        self._end.kill()
        self._end.communicate()
        if answer == "missing":
            raise TrackerMissing(
                "Trackio", f"{RELEASE}, in an environment of its own, and name its Python in {PYTHON}"
            )
        raise RunError(
            f"Trackio says: {answer.rstrip('.')}." if answer else "Trackio's process ended without a word."
        )
