"""TensorBoard: event files in the run's folder, which `tensorboard --logdir` finds there."""

from __future__ import annotations

from collections.abc import Mapping

from core.trackers.seam import About, TrackerMissing

FOLDER = "tensorboard"


class TensorBoard:
    """Event files of one run."""

    place = ""

    def begin(self, about: About, known: str) -> str:
        """Open the run's event files; see `Tracker`."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise TrackerMissing("TensorBoard", "tensorboard") from None
        self.place = str(about.folder / FOLDER)
        self._writer = SummaryWriter(self.place)
        if not known:
            rows = "".join(f"| {name} | {value} |\n" for name, value in about.settings.items())
            self._writer.add_text("settings", f"| setting | value |\n|---|---|\n{rows}")
        return FOLDER

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Take the figures of an epoch."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, epoch)
        self._writer.flush()

    def end(self, *, state: str, best: float | None) -> None:  # noqa: ARG002
        """Close the event files, in which a state has no place."""
        self._writer.close()
