"""Weights & Biases: kept offline in a folder beside the runs, to be sent by `wandb sync`, unless WANDB_MODE says otherwise."""

from __future__ import annotations

import os
from collections.abc import Mapping
from secrets import token_hex

from core.trackers.seam import About, TrackerMissing

FOLDER = ".wandb"  # beside the runs; the dot keeps it out of the list of them
PROJECT = "weakspot"


class WandB:
    """A run of Weights & Biases."""

    place = ""

    def begin(self, about: About, known: str) -> str:
        """Open the run, the same again where it is known; see `Tracker`."""
        os.environ.setdefault("WANDB_MODE", "offline")
        # Neither faults nor how it is used are reported to its makers.
        os.environ["WANDB_ERROR_REPORTING"] = "false"
        try:
            import wandb
        except ImportError:
            raise TrackerMissing("Weights & Biases", "wandb") from None
        beside = about.folder.parent / FOLDER
        beside.mkdir(exist_ok=True)
        settings = wandb.Settings(
            silent=True, console="off", disable_code=True, disable_git=True, save_code=False,
            x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True,
        )  # fmt: skip
        identity = known or token_hex(6)
        self._run = wandb.init(
            project=PROJECT, name=about.id, id=identity, resume="allow", dir=str(beside), config=dict(about.settings),
            tags=list(about.tags) or None, notes=about.note or None, settings=settings,
        )  # fmt: skip
        self.place = str(self._run.dir)
        return identity

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Take the figures of an epoch."""
        self._run.log(dict(figures), step=epoch, commit=True)

    def end(self, *, state: str, best: float | None) -> None:
        """Say how the run ended."""
        if best is not None:
            self._run.summary["best accuracy/validation"] = best
        self._run.finish(exit_code=1 if state in ("failed", "crashed") else 0)
