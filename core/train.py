"""The training job: reads a run's config, trains, appends what happens to its folder, obeys a stop, goes on from last.pt."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from core.dataset.contents import read_fingerprint
from core.dataset.folders import ImageFolders
from core.errors import RunError, UserError, describe_error
from core.model.ancestry import see_run, see_weights
from core.model.calibration import calibrate_run, forget_calibration, read_calibration
from core.model.evaluate import evaluate_run, write_predictions
from core.networks.build import build_model, count_parameters, freeze_backbone, head_of
from core.networks.download import describe_reason
from core.networks.weights import load_initial_weights
from core.parallel.follower import Follower
from core.parallel.group import SOLO, Group, PeerLost, is_broken
from core.parallel.replica import Replica, synchronise_statistics
from core.recipe.config import TrainConfig
from core.recipe.focus import focus_indices, weigh_images
from core.recipe.schedules import rate_at
from core.runs.journal import Console, Hopeless, Interrupted, Journal
from core.runs.run import TEST, Run, Status, find_run
from core.runs.run_data import list_findings, read_data, recorded_folders, reopen_data
from core.runs.seen import SEEN_FILE, read_seen, write_seen
from core.runs.watchdog import end_when_stuck
from core.training import engine, features, loaders, optim
from core.training.batches import BatchSource, open_source
from core.training.best import Best
from core.training.checkpoint import best_values, load_checkpoint, save_checkpoint
from core.training.environment import describe_other_devices, record_environment
from core.training.head_fit import fit_head, load_head
from core.training.learner import Learner, make_learner
from core.training.losses import make_loss
from core.training.mixing import mix_images
from core.words import format_count, format_rough


class TrainingJob:
    """One training run from its config to its end; make it and call `execute` once.

    Everything it learns goes to the run folder; `console` gets what the report's console showed. `should_stop`
    is asked after each step, beside the run's own requests to stop or pause. In a `group` of processes each executes
    the job; they do the same steps on parts of the batches, and the one that leads alone writes and asks.
    """

    def __init__(
        self,
        run: Run,
        console: Console,
        should_stop: Callable[[], bool] = lambda: False,
        *,
        group: Group = SOLO,
    ) -> None:
        self.run, self.group = run, group
        self.journal = Journal(run, console, should_stop) if group.leads else Follower(run)
        self.config: TrainConfig = run.read_config()
        self.inputs = run.read_inputs()
        self._saved = time.monotonic()
        # Where training stands: whole epochs done, batches done in the current one, and its sums so far.
        self.epoch, self.batch, self.step = 0, 0, 0
        self.loss_sum, self.correct, self.seen, self.epoch_seconds = 0.0, 0, 0, 0.0
        self.best = Best()
        self._step_seconds, self._val_seconds, self._last_epoch = 0.0, 0.0, 0.0
        self._chosen: list[int] = []  # the classes specialised on
        self._request = ""  # the state to end in, once a stop or pause was asked for and all processes know

    def execute(self) -> Status:
        """Run the job to its end and return its last status; errors end in the status, not in an exception.

        Raises:
            PeerLost: when another process of the group is gone; the status stays as it was.
            Exception: in a process that does not lead, for what it alone met.
        """
        with end_when_stuck(self.journal):
            return self.journal.perform(self._train_with_others, describe_stop=self._describe_stop)

    def _train_with_others(self) -> str:
        try:
            return self._train()
        except (UserError, OSError, Interrupted):
            raise
        except Exception as error:
            if self.group.world > 1 and is_broken(error):
                raise PeerLost from error
            raise

    def _asked(self) -> bool:
        """Tell whether a stop or pause was asked for, to all processes alike."""
        self._request = self.group.agree(self.journal.asked())
        return bool(self._request)

    def _describe_stop(self, state: str) -> str:
        where = f"in epoch {self.epoch + 1}" if self.epoch < self.config.epochs else "after its last epoch"
        resumable = " Everything is saved; resume goes on from here." if self.run.last_path.exists() else ""
        return f"{state.capitalize()} {where} as asked.{resumable}"

    def _train(self) -> str:
        config, group = self.config, self.group
        folders = group.lead(self._prepare_data) or recorded_folders(self.run)
        self._chosen = focus_indices(config, folders.classes)
        compute = engine.choose_compute(config.device, config.precision)
        loss_of = make_loss(config, folders.classes).to(compute.device)
        workers = loaders.choose_workers(config.workers, compute.device.type, group.world)
        torch.manual_seed(config.seed)
        network = build_model(config.arch, len(folders.classes), config.image_size)
        if config.precision == "auto":
            compute = engine.suit_compute(compute, network, config.image_size)
        group.lead(lambda: self._load_network(network, folders, compute, workers))
        network = compute.place_model(network)
        if config.sync_batch_norm and group.world > 1:
            network = synchronise_statistics(network, compute.device)
        group.share_state(network)
        learner = make_learner(network, config, compute.make_scaler())
        self._restore(learner)
        source = self._open_source(learner, folders, compute, workers)
        replica = Replica(learner.trained, group, compute.device)
        if (self._chosen or (config.head_first and not config.head_only)) and self.best.focus < 0:
            self._judge_start(learner, folders, self._validate(learner, source, compute, len(folders.val)))
        while self._goes_on():
            self.journal.write(f"Epoch {self.epoch + 1}/{config.epochs}")
            figures = self._train_epoch(learner, replica, source, compute, loss_of, len(folders.classes))
            outcome = self._validate(learner, source, compute, len(folders.val))
            self._finish_epoch(learner, folders, figures, outcome)
        if group.leads:
            self._judge_best(folders)
        best = self.best.describe(focused=bool(self._chosen), guard=config.guard)
        return f"Finished: {best}.{self._describe_early()}"

    def _goes_on(self) -> bool:
        over = self.epoch >= self.config.epochs or self._patience_is_out() or self._time_is_up()
        return self.group.decide(not over)

    def _load_network(
        self, network: nn.Module, folders: ImageFolders, compute: engine.Compute, workers: int
    ) -> None:
        """Give a network the weights that the run begins or goes on with, and write down what it is computed on."""
        config = self.config
        fingerprint = read_fingerprint(folders, self.run.folder.parent, self.journal.count_done)
        if fingerprint is None:
            raise Interrupted(self.journal.asked())
        self.journal.set(phase="loading weights", force=True)
        self._load_weights(network)
        before = self.run.read_json("environment.json")
        world = self.group.world
        self.journal.write(record_environment(self.run, compute, workers, fingerprint, world))
        if before and self.run.last_path.exists():
            for line in describe_other_devices(before, world):
                self.journal.write(line)
        if config.head_first and not self.run.last_path.exists():
            placed = compute.place_model(network)
            self._fit_head(placed, folders, compute, workers, fingerprint)

    def _judge_best(self, folders: ImageFolders) -> None:
        if folders.held:
            self._judge_held(folders)
        self._measure_confidence()

    def _judge_held(self, folders: ImageFolders) -> None:
        """Ask the best model about the images that neither trained nor chose it."""
        self.journal.set(phase="judging the images held back", done=0, total=len(folders.held), force=True)
        outcome = evaluate_run(self.run, "held", progress=self.journal.count_done)
        if outcome is None:
            raise Interrupted(self.journal.asked())
        self.journal.write(f"held back Loss: {outcome.loss.mean():.4f} Acc: {outcome.accuracy:.4f}")

    def _measure_confidence(self) -> None:
        """Measure how far the best model's confidences can be believed; where that fails, the training has not."""
        try:
            if read_calibration(self.run):
                return  # a run that was extended and found no better model
            self.journal.set(phase="measuring confidence", done=0, total=0, force=True)
            found = calibrate_run(self.run, progress=self.journal.count_done)
        except (UserError, OSError) as error:
            self.journal.write(f"Confidence not measured: {describe_error(error)}")
            return
        except Exception as error:
            self.journal.write(f"Confidence not measured: {self.journal.log_fault(error)}")
            return
        if found is None:
            raise Interrupted(self.journal.asked())
        self.journal.write(
            f"confidence ECE: {found.after.ece.value:.4f} Temperature: {found.temperature:.3f}"
        )

    def _open_source(
        self, learner: Learner, folders: ImageFolders, compute: engine.Compute, workers: int
    ) -> BatchSource:
        if self.config.head_only:
            self.journal.set(phase="computing features", done=0, total=0, force=True)
        source = open_source(
            learner, folders, self.config, self.inputs, compute, workers=workers, root=self.run.folder.parent,
            progress=self.journal.count_done, share=self.group.share,
        )  # fmt: skip
        if source is None:
            raise Interrupted(self.journal.asked())
        return source

    def _fit_head(
        self,
        network: nn.Module,
        folders: ImageFolders,
        compute: engine.Compute,
        workers: int,
        fingerprint: str,
    ) -> None:
        """Fit the head to what the network makes of the training images as they are seen in validation."""
        config, root = replace(self.config, feature_views=1), self.run.folder.parent
        self.journal.set(phase="computing features", done=0, total=0, force=True)
        key = features.features_key(
            features.digest_backbone(network), fingerprint, config, self.inputs, compute
        )
        found = features.load_or_compute(
            network, folders, config, self.inputs, compute, root=root, key=key, workers=workers,
            progress=self.journal.count_done,
        )  # fmt: skip
        if found is None:
            raise Interrupted(self.journal.asked())
        self.journal.set(phase="fitting the head", done=0, total=0, force=True)
        targets = [sample.target for sample in folders.train]
        fitted = fit_head(
            found.train[:, 0].float().numpy(), np.array(targets), len(folders.classes),
            weights=weigh_images(config, targets, folders.classes), progress=self.journal.count_done,
        )  # fmt: skip
        if fitted is None:
            raise Interrupted(self.journal.asked())
        load_head(head_of(network), fitted)
        self.journal.write(f"Head fitted: {fitted.describe()}")

    def _patience_is_out(self) -> bool:
        since = max(self.best.epoch, self.journal.status.extended_from)
        return 0 < self.config.patience <= self.epoch - since

    def _time_is_up(self) -> bool:
        """Tell whether another epoch would pass the time limit; a run that was extended was given more than that."""
        status, limit = self.journal.status, 60 * self.config.max_minutes
        if not limit or not self.epoch or status.extended_from:
            return False
        return status.seconds + self._last_epoch > limit

    def _describe_early(self) -> str:
        """Say why there were fewer epochs than asked for; empty where there were not."""
        if self.epoch == self.config.epochs:
            return ""
        if self._patience_is_out():
            return f" Ended early: validation did not get better for {format_count(self.config.patience, 'epoch')}."
        limit = format_rough(60 * self.config.max_minutes)
        return f" Ended early: another epoch would have passed the time limit of {limit}."

    def _prepare_data(self) -> ImageFolders:
        self.journal.set(phase="checking images", force=True)
        if self.run.read_json("data.json"):  # a run that goes on keeps the split and the files it began with
            folders = reopen_data(self.run, self.journal.count_done)
            self.journal.check_asked()
            if read_seen(self.run) is None:  # it began with an older version
                write_seen(self.run, see_run(self.run, self.run.folder.parent))
            return folders
        initial = see_weights(self.config.weights, self.run.folder.parent)
        folders = read_data(self.run, self.config, initial, self.journal.count_done)
        self.journal.check_asked()
        for line in list_findings(folders, self.config):
            self.journal.write(line)
        return folders

    def _load_weights(self, model: nn.Module) -> None:
        config = self.config
        self.journal.write(
            f"Network {config.arch}, {count_parameters(model) / 1e6:.1f} million parameters, {self.inputs}"
        )
        if not self.run.last_path.exists():
            root = self.run.folder.parent
            fit = load_initial_weights(
                model, config.arch, config.weights, lambda name: find_run(name, root).best_path,
                image_size=config.image_size, progress=self.journal.count_done,
            )  # fmt: skip
            if fit is None:
                raise Interrupted(self.journal.asked())
            self.journal.write(f"Weights {config.weights}: {fit}")
        elif config.head_only:  # what the learner goes on from is the head alone
            best = self.run.best_path
            whole: dict[str, Any] = (
                load_checkpoint(best).get("model", {})
                if best.exists()
                else self._load_last("network")["network"]
            )
            try:
                model.load_state_dict(whole)
            except (TypeError, AttributeError, RuntimeError) as error:
                raise RunError(
                    f"{self.run.id}: its network cannot be taken from {best.name} ({describe_reason(error)})."
                ) from None

    def _train_epoch(
        self,
        learner: Learner,
        replica: Replica,
        source: BatchSource,
        compute: engine.Compute,
        loss_of: nn.Module,
        classes: int,
    ) -> engine.PassFigures:
        config, first = self.config, self.batch
        steps = -(-source.steps // config.accumulate)
        if config.freeze_epochs:
            freeze_backbone(learner.network, self.epoch < config.freeze_epochs)
        begun = time.perf_counter()
        seconds_before = self.epoch_seconds

        def set_rate(step: int) -> None:
            # What a network itself draws, such as dropout, depends on its place in the run, so that a resume is exact.
            draw = loaders.derive_seed(config.seed, self.epoch, _DRAWS - first - step)
            torch.manual_seed(draw ^ self.group.share.rank)  # each process has other images
            optim.set_rate(
                learner.optimizer, self.epoch * steps + first + step, steps * config.epochs, config
            )

        def mix(
            number: int, images: torch.Tensor, targets: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            seed = loaders.derive_seed(config.seed, self.epoch, -2 - first * config.accumulate - number)
            mixed, shares = mix_images(
                images, targets, classes=classes, mixup=config.mixup, cutmix=config.cutmix, seed=seed
            )
            front = self.group.world > 1  # the image that the first of a part is blended with, see Share.take
            return mixed[front:], shares[front:]

        if (
            config.head_only and config.head_first
        ):  # the fit was the training: what is left is to tell how well it went
            return self._measure_fit(learner, source, compute)
        with tqdm(
            total=steps, initial=first, file=self.journal.console, ncols=100, mininterval=1.0, unit="it",
            disable=not self.group.leads,
        ) as bar:  # fmt: skip

            def on_steps(figures: list[engine.StepFigures]) -> bool:
                for figure in figures:
                    self._record_step(figure, steps)
                self.epoch_seconds = seconds_before + time.perf_counter() - begun
                done = figures[-1].step
                self._step_seconds = (time.perf_counter() - begun) / done
                bar.set_postfix_str(f"loss={self.loss_sum / self.seen:.4f}", refresh=False)
                bar.update(len(figures))
                self._set_training(steps)
                if time.monotonic() - self._saved > 60 * config.save_minutes:
                    self._save_last(learner)
                return not self._asked()

            if first < steps:
                batches = source.train(self.epoch, first * config.accumulate)
                result = engine.train_epoch(
                    replica.module(), batches, learner.optimizer, loss_of, compute,
                    set_rate=set_rate, on_steps=on_steps, report_every=10 if compute.device.type == "cuda" else 1,
                    mix=mix if config.mixup or config.cutmix else None, clip_norm=config.clip_norm,
                    average=learner.average, accumulate=config.accumulate, scaler=learner.scaler,
                    keep_statistics=config.keep_statistics, parts=source.parts(), group=self.group,
                )  # fmt: skip
                if result.ended_early:
                    self._save_last(learner)
                    raise Interrupted(self._request)
        figures = engine.PassFigures(
            self.loss_sum / self.seen, self.correct / self.seen, self.seen, self.epoch_seconds
        )
        self.journal.write(f"train Loss: {figures.loss:.4f} Acc: {figures.accuracy:.4f}")
        return figures

    def _measure_fit(
        self, learner: Learner, source: BatchSource, compute: engine.Compute
    ) -> engine.PassFigures:
        """Return the figures of a fitted head on the training images."""
        begun = time.perf_counter()
        outcome = engine.evaluate(
            learner.judged, source.train(self.epoch), compute, on_batch=lambda _: not self.journal.asked()
        )
        if outcome is None:
            self._save_last(learner)
            raise Interrupted(self.journal.asked())
        loss, seconds = float(outcome.loss.mean()), time.perf_counter() - begun
        self.journal.write(f"train Loss: {loss:.4f} Acc: {outcome.accuracy:.4f}")
        return engine.PassFigures(loss, outcome.accuracy, len(outcome.target), seconds)

    def _record_step(self, figure: engine.StepFigures, steps: int) -> None:
        if not math.isfinite(figure.loss):
            raise Hopeless(self._describe_explosion("loss", figure.loss))
        rate = rate_at(self.epoch * steps + self.batch, steps * self.config.epochs, self.config)
        self.batch += 1
        self.step += 1
        self.loss_sum += figure.loss * figure.count
        self.correct += figure.correct
        self.seen += figure.count
        if not self.group.leads:
            return
        self.run.append_metrics(
            {
                "kind": "step",
                "step": self.step,
                "epoch": round(self.epoch + self.batch / steps, 5),
                "loss": round(figure.loss, 6),
                "acc": round(figure.correct / figure.count, 5),
                "lr": rate,
            }
        )

    def _describe_explosion(self, what: str, loss: float) -> str:
        precision = "" if self.config.precision == "fp32" else " or set precision to fp32"
        return (
            f"The {what} became {loss} in epoch {self.epoch + 1}, after {format_count(self.batch, 'step')} of it. "
            f"Lower the learning rate (lr, now {self.config.lr:g}){precision}."
        )

    def _validate(
        self, learner: Learner, source: BatchSource, compute: engine.Compute, images: int
    ) -> engine.Outcome:
        self.journal.set(phase="validating", force=True)
        begun = time.perf_counter()
        # All ask at the same batches, of which some processes have one more.
        common, looked = -(-images // self.config.batch_size) // self.group.world, 0

        def on_batch(_: int) -> bool:
            nonlocal looked
            looked += 1
            return looked > common or not self._asked()

        self.group.share_state(learner.judged)  # statistics of normalisation are each process' own until here
        outcome = engine.evaluate(
            learner.judged, source.validate(), compute, on_batch=on_batch, group=self.group
        )
        if outcome is None:
            self._save_last(learner)
            raise Interrupted(self._request)
        self._val_seconds = time.perf_counter() - begun
        if not math.isfinite(outcome.loss.mean()):
            raise Hopeless(self._describe_explosion("validation loss", float(outcome.loss.mean())))
        self.journal.write(f"val Loss: {outcome.loss.mean():.4f} Acc: {outcome.accuracy:.4f}")
        self.journal.set(val_count=len(outcome.target))
        return outcome

    def _finish_epoch(
        self,
        learner: Learner,
        folders: ImageFolders,
        figures: engine.PassFigures,
        outcome: engine.Outcome,
    ) -> None:
        self.epoch += 1
        self._last_epoch = figures.seconds + self._val_seconds
        improved = self.best.judge(outcome, self.epoch, self._chosen, self.config.guard)
        if self.group.leads:
            self._record_epoch(learner, folders, figures, outcome, improved=improved)
        self.batch, self.loss_sum, self.correct, self.seen, self.epoch_seconds = 0, 0.0, 0, 0, 0.0
        self._save_last(learner)
        self._tell_best()

    def _record_epoch(
        self,
        learner: Learner,
        folders: ImageFolders,
        figures: engine.PassFigures,
        outcome: engine.Outcome,
        *,
        improved: bool,
    ) -> None:
        table = self.run.epoch_path(self.epoch)
        table.parent.mkdir(exist_ok=True)
        write_predictions(table, folders.val, outcome, folders.classes)
        right = outcome.top_index[:, 0] == outcome.target
        if improved:
            self._keep_best(learner, folders, outcome)
        self.run.append_metrics(
            {
                "kind": "epoch",
                "epoch": self.epoch,
                "step": self.step,
                "train_loss": round(figures.loss, 6),
                "train_acc": round(figures.accuracy, 6),
                "val_loss": round(float(outcome.loss.mean()), 6),
                "val_acc": round(outcome.accuracy, 6),
                "seconds": round(figures.seconds, 3),
                "val_seconds": round(self._val_seconds, 3),
                "images_per_second": round(figures.count / max(figures.seconds, 1e-9), 2),
                "best": improved,
                "val_correct": [int(right[outcome.target == i].sum()) for i in range(len(folders.classes))],
            }
        )

    def _tell_best(self) -> None:
        """Write down in the status how far it is and the best model, where there is one."""
        best = {} if self.best.acc < 0 else {"best_epoch": self.best.epoch, "best_val_acc": self.best.acc}
        self.journal.set(epoch=self.epoch, **best, force=True)

    def _judge_start(self, learner: Learner, folders: ImageFolders, outcome: engine.Outcome) -> None:
        """Take the initial model's measure: what specialising may not cost the others, and the one to beat."""
        self.best.judge_start(outcome, self._chosen)
        if self.group.leads:
            self._keep_best(learner, folders, outcome)
        self._save_last(learner)
        self._tell_best()

    def _keep_best(self, learner: Learner, folders: ImageFolders, outcome: engine.Outcome) -> None:
        config = self.config
        for split in ("held", TEST):  # they were of the model before
            self.run.predictions_path(split).unlink(missing_ok=True)
        forget_calibration(self.run)
        self.run.strangers_path.unlink(missing_ok=True)
        write_predictions(self.run.predictions_path(), folders.val, outcome, folders.classes)
        values = best_values(
            learner.judged_network(), arch=config.arch, inputs=self.inputs, classes=folders.classes, display=folders.display,
            image_size=config.image_size, resize_size=config.resize_size, epoch=self.best.epoch, val_acc=self.best.acc,
            seen=self.run.read_json(SEEN_FILE),  # so that it can be told wherever the file goes
        )  # fmt: skip
        save_checkpoint(self.run.best_path, values)
        self.journal.write(f"Model saved at epoch {self.best.epoch}")

    def _save_last(self, learner: Learner) -> None:
        if not self.group.leads:
            return
        # The frozen backbone of head-only training lies in best.pt, and until there is one here.
        frozen = self.config.head_only and not self.run.best_path.exists()
        save_checkpoint(
            self.run.last_path,
            {
                **learner.state_dict(),
                "network": learner.network.state_dict() if frozen else {},
                "progress": {name: getattr(self, name) for name in _PROGRESS},
                "best": asdict(self.best),
            },
        )
        self._saved = time.monotonic()

    def _load_last(self, wanted: str) -> dict[str, Any]:
        values = load_checkpoint(self.run.last_path)
        if wanted not in values:
            raise RunError(
                f"{self.run.id}: last.pt is of an older version. Start a new run, from its best model where it has one."
            )
        return values

    def _restore(self, learner: Learner) -> None:
        if not self.run.last_path.exists():
            self._forget_later()
            return
        values = self._load_last("best")
        try:
            learner.load_state_dict(values)
            self.best = Best(**values["best"])
            for name in _PROGRESS:
                setattr(self, name, type(getattr(self, name))(values["progress"][name]))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
            why = f"it lacks {error}" if isinstance(error, KeyError) else describe_reason(error)
            raise RunError(
                f"{self.run.id}: last.pt is not what this run can go on from ({why}). "
                "Start a new run, from its best model where it has one."
            ) from None
        self._forget_later()
        self._tell_best()  # killed after it was saved, the status may not have it
        self.journal.write(f"Resumed at epoch {self.epoch + 1}, batch {self.batch + 1}")

    def _forget_later(self) -> None:
        """Drop what a run that was killed wrote after its last checkpoint: it will write that again."""
        if self.group.leads:
            self.run.keep_metrics(step=self.step, epoch=self.epoch)
            self.run.keep_epochs(self.epoch)

    def _set_training(self, steps: int) -> None:
        config = self.config
        steps_left = steps * config.epochs - self.epoch * steps - self.batch
        # Before the first validation its time is a guess: it costs a third of training an image.
        val_seconds = self._val_seconds or self._step_seconds * 2
        self.journal.set(
            phase="training",
            epoch=self.epoch,
            epochs=config.epochs,
            done=self.epoch * steps + self.batch,
            total=steps * config.epochs,
            images_per_second=config.batch_size * config.accumulate / max(self._step_seconds, 1e-9),
            seconds_left=self._limit_left(
                steps_left * self._step_seconds + (config.epochs - self.epoch) * val_seconds
            ),
        )

    def _limit_left(self, seconds: float) -> float:
        """Return the seconds left, of which a time limit may take some."""
        status, limit = self.journal.status, 60 * self.config.max_minutes
        return (
            max(0.0, min(seconds, limit - status.seconds)) if limit and not status.extended_from else seconds
        )


_DRAWS = -1_000_000_000  # below it, the numbers of the steps whose random draws they seed
_PROGRESS = ("epoch", "batch", "step", "loss_sum", "correct", "seen", "epoch_seconds")
