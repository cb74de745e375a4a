"""MLflow: a run of the experiment `weakspot`, on the server that MLFLOW_TRACKING_URI names, else in a folder beside the runs."""

from __future__ import annotations

import os
from collections.abc import Mapping

from core.trackers.seam import About, TrackerMissing

FOLDER = ".mlflow"  # beside the runs; the dot keeps it out of the list of them
EXPERIMENT = "weakspot"
_LONGEST = 500  # letters of a parameter, which MLflow would refuse beyond that
_STATES = {"finished": "FINISHED", "failed": "FAILED", "crashed": "FAILED", "stopped": "KILLED", "paused": "KILLED"}  # fmt: skip


class MLflow:
    """A run of MLflow's."""

    place = ""

    def begin(self, about: About, known: str) -> str:
        """Open the run, the same again where it is known; see `Tracker`."""
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # it reports how it is used to its makers otherwise
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise TrackerMissing("MLflow", "mlflow-skinny") from None
        self.place = os.environ.get("MLFLOW_TRACKING_URI") or (about.folder.parent / FOLDER).as_uri()
        if self.place.startswith("file:"):
            os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
        self._client = MlflowClient(self.place)
        if known:
            self._client.update_run(known, "RUNNING")
            self._id = known
            return known
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        place = experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)
        tags = {f"tag {tag}": "yes" for tag in about.tags}
        if about.note:
            tags["mlflow.note.content"] = about.note
        self._id = str(self._client.create_run(place, run_name=about.id, tags=tags).info.run_id)
        for name, value in about.settings.items():
            self._client.log_param(self._id, name, str(value)[:_LONGEST])
        return self._id

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Take the figures of an epoch."""
        for name, value in figures.items():
            self._client.log_metric(self._id, name, value, step=epoch)

    def end(self, *, state: str, best: float | None) -> None:
        """Say how the run ended."""
        if best is not None:
            self._client.set_tag(
                self._id, "best accuracy/validation", f"{best:.6f}"
            )  # a metric would be added to
        self._client.set_terminated(self._id, _STATES.get(state, "RUNNING"))
