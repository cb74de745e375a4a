"""What a training keeps in its run folder: figures of steps and epochs, the best model, and where it goes on from."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from core.confidence.kept import forget_calibration
from core.dataset.folders import ImageFolders
from core.errors import RunError
from core.job.standing import Standing
from core.model.evaluate import write_predictions
from core.networks.download import describe_reason
from core.recipe.schedules import rate_at
from core.runs.bakeoff import list_siblings
from core.runs.journal import Journal
from core.runs.run import FOLD, TEST
from core.runs.seen import SEEN_FILE
from core.training import engine
from core.training.checkpoint import best_values, load_checkpoint, save_checkpoint
from core.training.learner import Learner


class Keeper:
    """Keeps a run for one process of its job: `leads` says whether it is the one that writes."""

    def __init__(self, journal: Journal, standing: Standing, *, leads: bool) -> None:
        self.journal, self.run, self.standing, self.leads = journal, journal.run, standing, leads
        self.config, self.inputs = standing.config, journal.run.read_inputs()
        self._saved = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Tell whether it is time to save within an epoch."""
        return time.monotonic() - self._saved > 60 * self.config.save_minutes

    def record_step(self, figure: engine.StepFigures, steps: int) -> None:
        """Count a step, of so many in an epoch, and append its figures.

        Raises:
            Hopeless: when its loss is no finite number.
        """
        standing = self.standing
        rate = rate_at(standing.epoch * steps + standing.batch, steps * self.config.epochs, self.config)
        standing.count_step(figure)
        if not self.leads:
            return
        self.run.append_metrics(
            {
                "kind": "step",
                "step": standing.step,
                "epoch": round(standing.epoch + standing.batch / steps, 5),
                "loss": round(figure.loss, 6),
                "acc": round(figure.correct / figure.count, 5),
                "lr": rate,
            }
        )

    def record_epoch(
        self,
        learner: Learner,
        folders: ImageFolders,
        figures: engine.PassFigures,
        outcome: engine.Outcome,
        *,
        improved: bool,
    ) -> None:
        """Write down what an epoch came to, and its model where it is the best yet."""
        if not self.leads:
            return
        standing = self.standing
        table = self.run.epoch_path(standing.epoch)
        table.parent.mkdir(exist_ok=True)
        write_predictions(table, folders.val, outcome, folders.classes)
        right = outcome.top_index[:, 0] == outcome.target
        if improved:
            self.keep_best(learner, folders, outcome)
        self.run.append_metrics(
            {
                "kind": "epoch",
                "epoch": standing.epoch,
                "step": standing.step,
                "train_loss": round(figures.loss, 6),
                "train_acc": round(figures.accuracy, 6),
                "val_loss": round(float(outcome.loss.mean()), 6),
                "val_acc": round(outcome.accuracy, 6),
                "seconds": round(figures.seconds, 3),
                "val_seconds": round(standing.val_seconds, 3),
                "images_per_second": round(figures.count / max(figures.seconds, 1e-9), 2),
                "best": improved,
                "val_correct": [int(right[outcome.target == i].sum()) for i in range(len(folders.classes))],
            }
        )

    def keep_best(self, learner: Learner, folders: ImageFolders, outcome: engine.Outcome) -> None:
        """Save the learner's model as the best, with its answers on the validation images."""
        if not self.leads:
            return
        config, best = self.config, self.standing.best
        for split in ("held", TEST):  # they were of the model before
            self.run.drop_predictions(split)
        if config.fold:
            with suppress(RunError):  # it is no fold of a bake-off, so no others have said anything with it
                for one in list_siblings(self.run):
                    one.drop_predictions(FOLD)
        forget_calibration(self.run)
        self.run.strangers_path.unlink(missing_ok=True)
        write_predictions(self.run.predictions_path(), folders.val, outcome, folders.classes)
        values = best_values(
            learner.judged_network(), arch=config.arch, inputs=self.inputs, classes=folders.classes, display=folders.display,
            image_size=config.image_size, resize_size=config.resize_size, epoch=best.epoch, val_acc=best.acc,
            seen=self.run.read_json(SEEN_FILE),  # so that it can be told wherever the file goes
        )  # fmt: skip
        save_checkpoint(self.run.best_path, values)
        self.journal.write(f"Model saved at epoch {best.epoch}")

    def tell_best(self) -> None:
        """Write down in the status how far it is and the best model, where there is one."""
        best = self.standing.best
        known = {} if best.acc < 0 else {"best_epoch": best.epoch, "best_val_acc": best.acc}
        self.journal.set(epoch=self.standing.epoch, **known, force=True)

    def save_last(self, learner: Learner) -> None:
        """Save all that the run needs to go on exactly from here."""
        if not self.leads:
            return
        # The frozen backbone of head-only training is in best.pt, and until there is one here.
        frozen = self.config.head_only and not self.run.best_path.exists()
        network = learner.network.state_dict() if frozen else {}
        save_checkpoint(
            self.run.last_path, {**learner.state_dict(), "network": network, **self.standing.to_values()}
        )
        self._saved = time.monotonic()

    def load_last(self, wanted: str) -> dict[str, Any]:
        """Return the checkpoint that the run goes on from.

        Raises:
            RunError: when it lacks what is wanted of it.
        """
        values = load_checkpoint(self.run.last_path)
        if wanted not in values:
            raise RunError(
                f"{self.run.id}: last.pt is of an older version. Start a new run, from its best model where it has one."
            )
        return values

    def restore(self, learner: Learner) -> None:
        """Set the learner and the standing to where the run was saved; a run that begins stays as it is.

        Raises:
            RunError: when what was saved is not this run's.
        """
        if not self.run.last_path.exists():
            self._forget_later()
            return
        values = self.load_last("best")
        try:
            learner.load_state_dict(values)
            self.standing.take_values(values)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            why = f"it lacks {error}" if isinstance(error, KeyError) else describe_reason(error)
            raise RunError(
                f"{self.run.id}: last.pt is not what this run can go on from ({why}). "
                "Start a new run, from its best model where it has one."
            ) from None
        self._forget_later()
        self.tell_best()  # killed after it was saved, the status may not have it
        self.journal.write(f"Resumed at epoch {self.standing.epoch + 1}, batch {self.standing.batch + 1}")

    def _forget_later(self) -> None:
        """Drop what a run that was killed wrote after its last checkpoint: it will write that again."""
        if self.leads:
            self.run.keep_metrics(step=self.standing.step, epoch=self.standing.epoch)
            self.run.keep_epochs(self.standing.epoch)
