"""The training job: reads a run's config, trains, appends what happens to its folder, obeys a stop, goes on from last.pt."""

from __future__ import annotations

import json
import math
import platform
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn
from tqdm import tqdm

from core import data, engine, models, optim
from core.checkpoint import best_values, load_checkpoint, save_checkpoint
from core.config import TrainConfig
from core.evaluate import describe_data, recorded_folders, write_predictions
from core.runs import Run, RunError, Status, describe_os_error, find_run, write_text

STATUS_EVERY = 0.5  # seconds between writes of the status file
SAVE_EVERY = 300.0  # seconds between saves inside an epoch
# What a user can mend is told in one line; anything else also leaves its traceback in train.log.
KNOWN_ERRORS = (data.DataError, models.WeightsError, RunError, ValueError)


class Console(Protocol):
    """Where the job writes what a terminal shows: a file, a terminal or both."""

    def write(self, text: str, /) -> int:
        """Write text as it is."""

    def flush(self) -> None:
        """Hand on what was written."""


class Stopped(Exception):
    """The stop asked for was obeyed."""


class TrainingJob:
    """One training run from its config to its end; make it and call `execute` once.

    Everything it learns goes to the run folder; `console` gets what the report's console showed. `should_stop`
    is asked after each step, beside the run's own stop request.
    """

    def __init__(self, run: Run, console: Console, should_stop: Callable[[], bool] = lambda: False) -> None:
        self.run, self.console, self._should_stop = run, console, should_stop
        self.config: TrainConfig = run.read_config()
        self.status: Status = run.read_status()
        self._written = 0.0
        self._saved = time.monotonic()
        # Where training stands: whole epochs done, batches done in the current one, and its sums so far.
        self.epoch, self.batch, self.step = 0, 0, 0
        self.loss_sum, self.correct, self.seen, self.epoch_seconds = 0.0, 0, 0, 0.0
        self.best_acc, self.best_epoch = -1.0, 0
        self._step_seconds, self._val_seconds = 0.0, 0.0

    def execute(self) -> Status:
        """Run the job to its end and return its last status; errors end in the status, not in an exception."""
        started = self.status.started or time.time()
        self._set(state="running", started=started, ended=0.0, message="", force=True)
        try:
            self._train()
        except Stopped:
            where = (
                f"in epoch {self.epoch + 1}" if self.epoch < self.config.epochs else "after its last epoch"
            )
            resumable = (
                " Everything is saved; resume goes on from here." if self.run.last_path.exists() else ""
            )
            self._end("stopped", f"Stopped {where} as asked.{resumable}")
        except KNOWN_ERRORS as error:
            self._end("failed", str(error))
        except torch.OutOfMemoryError:
            self._end(
                "failed",
                f"Out of GPU memory. Use a smaller batch_size (now {self.config.batch_size}) or image_size.",
            )
        except OSError as error:
            self._end("failed", describe_os_error(error))
        except Exception as error:
            with self.run.log_path.open("a", encoding="utf-8") as log:  # a terminal gets the line below only
                traceback.print_exc(file=log)
            self._end(
                "failed", f"{type(error).__name__}: {error}. The whole error is at the end of train.log."
            )
        return self.status

    def _train(self) -> None:
        config = self.config
        folders = self._prepare_data()
        compute = engine.choose_compute(config.device, config.precision)
        workers = data.choose_workers(config.workers, compute.device.type)
        self._describe_environment(compute, workers, folders)
        self._set(phase="loading weights", force=True)
        torch.manual_seed(config.seed)
        model = self._build_model(len(folders.classes))
        model = compute.place_model(model)
        optimizer = optim.make_optimizer(model, config)
        self._restore(model, optimizer)
        batches = data.EpochBatches(len(folders.train), config.batch_size, seed=config.seed)
        train_table = data.ImageTable(folders.root, folders.train, data.train_transforms(config), config.seed)
        val_table = data.ImageTable(
            folders.root, folders.val, data.eval_transforms(config.image_size, config.resize_size)
        )
        val_batches = data.EpochBatches(len(folders.val), config.batch_size, seed=None)
        pin = compute.device.type == "cuda"
        loader = data.make_loader(train_table, batches, workers=workers, pin_memory=pin)
        val_loader = data.make_loader(val_table, val_batches, workers=workers, pin_memory=pin)
        steps = len(batches)  # of a whole epoch, since its first batch is not set yet
        while self.epoch < config.epochs:
            self._write(f"Epoch {self.epoch + 1}/{config.epochs}")
            batches.epoch, batches.first_batch = self.epoch, self.batch
            figures = self._train_epoch(model, loader, optimizer, compute, steps)
            outcome = self._validate(model, val_loader, compute, optimizer, len(folders.val))
            self._finish_epoch(model, optimizer, folders, figures, outcome)
        best = f"best validation accuracy {self.best_acc:.2%} at epoch {self.best_epoch}"
        self._end("finished", f"Finished: {best}.")

    def _prepare_data(self) -> data.ImageFolders:
        self._set(phase="checking images", force=True)
        if self.run.read_json("data.json"):  # a run that goes on keeps the split and the files it began with
            folders = recorded_folders(self.run)
            missing = [path for path in folders.files if not (folders.root / path).is_file()]
            if missing:
                raise data.DataError(
                    f"{folders.root}: {len(missing)} files this run began with are gone, first {missing[0]}."
                )
            return folders
        root = Path(self.config.data).expanduser().resolve()
        folders = data.scan_folders(root, val_fraction=self.config.val_fraction, seed=self.config.seed)
        self._write(
            f"Data {root.name}: {len(folders.classes)} classes, {len(folders.train)} training and "
            f"{len(folders.val)} validation images{' (split off training)' if folders.val_made else ''}"
        )
        bad = data.check_images(root, folders.files, progress=self._count_checked)
        self._check_stop()
        folders = data.drop_bad_images(folders, bad, policy=self.config.bad_images)
        for item in bad:
            self._write(f"Skipped {item.path}: {item.reason}")
        write_text(self.run.folder / "data.json", json.dumps(describe_data(folders, self.config)) + "\n")
        return folders

    def _count_checked(self, done: int, total: int) -> bool:
        self._set(done=done, total=total)
        return not self._stopping()

    def _build_model(self, classes: int) -> nn.Module:
        config = self.config
        model = models.build_model(config.arch, classes)
        if not self.run.last_path.exists():
            root = self.run.folder.parent
            models.load_initial_weights(
                model, config.arch, config.weights, lambda name: find_run(name, root).best_path
            )
        self._write(
            f"Network {config.arch}, {models.count_parameters(model) / 1e6:.1f} million parameters, from {config.weights}"
        )
        return model

    def _train_epoch(
        self,
        model: nn.Module,
        loader: engine.Batches,
        optimizer: torch.optim.Optimizer,
        compute: engine.Compute,
        steps: int,
    ) -> engine.PassFigures:
        config, first = self.config, self.batch
        total_steps = steps * config.epochs
        begun = time.perf_counter()
        seconds_before = self.epoch_seconds

        def set_rate(step: int) -> None:
            optim.set_rate(optimizer, self.epoch * steps + first + step, total_steps, config)

        with tqdm(
            total=steps, initial=first, file=self.console, ncols=100, mininterval=1.0, unit="it"
        ) as bar:

            def on_steps(figures: list[engine.StepFigures]) -> bool:
                for figure in figures:
                    self._record_step(figure, steps, optimizer.param_groups[0]["lr"])
                self.epoch_seconds = seconds_before + time.perf_counter() - begun
                done = figures[-1].step
                self._step_seconds = (time.perf_counter() - begun) / done
                bar.set_postfix_str(f"loss={self.loss_sum / self.seen:.4f}", refresh=False)
                bar.update(len(figures))
                self._set_training(steps)
                if time.monotonic() - self._saved > SAVE_EVERY:
                    self._save_last(model, optimizer)
                return not self._stopping()

            if first < steps:
                result = engine.train_epoch(
                    model, loader, optimizer, nn.CrossEntropyLoss(), compute,
                    set_rate=set_rate, on_steps=on_steps, report_every=10 if compute.device.type == "cuda" else 1,
                )  # fmt: skip
                if result.ended_early:
                    self._save_last(model, optimizer)
                    raise Stopped
        figures = engine.PassFigures(
            self.loss_sum / self.seen, self.correct / self.seen, self.seen, self.epoch_seconds
        )
        self._write(f"train Loss: {figures.loss:.4f} Acc: {figures.accuracy:.4f}")
        return figures

    def _record_step(self, figure: engine.StepFigures, steps: int, rate: float) -> None:
        if not math.isfinite(figure.loss):
            raise ValueError(self._describe_explosion("loss", figure.loss))
        self.batch += 1
        self.step += 1
        self.loss_sum += figure.loss * figure.count
        self.correct += figure.correct
        self.seen += figure.count
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
            f"The {what} became {loss} in epoch {self.epoch + 1}, after {self.batch} steps of it. "
            f"Lower the learning rate (lr, now {self.config.lr:g}){precision}."
        )

    def _validate(
        self,
        model: nn.Module,
        loader: engine.Batches,
        compute: engine.Compute,
        optimizer: torch.optim.Optimizer,
        count: int,
    ) -> engine.Outcome:
        self._set(phase="validating", force=True)
        begun = time.perf_counter()
        outcome = engine.evaluate(model, loader, compute, on_batch=lambda _: not self._stopping())
        if outcome is None:
            self._save_last(model, optimizer)
            raise Stopped
        self._val_seconds = time.perf_counter() - begun
        if not math.isfinite(outcome.loss.mean()):
            raise ValueError(self._describe_explosion("validation loss", float(outcome.loss.mean())))
        self._write(f"val Loss: {outcome.loss.mean():.4f} Acc: {outcome.accuracy:.4f}")
        self._set(val_count=count)
        return outcome

    def _finish_epoch(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        folders: data.ImageFolders,
        figures: engine.PassFigures,
        outcome: engine.Outcome,
    ) -> None:
        config = self.config
        self.epoch += 1
        val_acc, val_loss = outcome.accuracy, float(outcome.loss.mean())
        improved = val_acc > self.best_acc
        if improved:
            self.best_acc, self.best_epoch = val_acc, self.epoch
            write_predictions(self.run.predictions_path(), folders.val, outcome, folders.classes)
            values = best_values(
                model, arch=config.arch, classes=folders.classes, display=folders.display,
                image_size=config.image_size, resize_size=config.resize_size, epoch=self.epoch, val_acc=val_acc,
            )  # fmt: skip
            save_checkpoint(self.run.best_path, values)
            self._write(f"Model saved at epoch {self.epoch}")
        right = outcome.top_index[:, 0] == outcome.target
        self.run.append_metrics(
            {
                "kind": "epoch",
                "epoch": self.epoch,
                "step": self.step,
                "train_loss": round(figures.loss, 6),
                "train_acc": round(figures.accuracy, 6),
                "val_loss": round(val_loss, 6),
                "val_acc": round(val_acc, 6),
                "seconds": round(figures.seconds, 3),
                "val_seconds": round(self._val_seconds, 3),
                "images_per_second": round(figures.count / max(figures.seconds, 1e-9), 2),
                "best": improved,
                "val_correct": [int(right[outcome.target == i].sum()) for i in range(len(folders.classes))],
            }
        )
        self.batch, self.loss_sum, self.correct, self.seen, self.epoch_seconds = 0, 0.0, 0, 0, 0.0
        self._save_last(model, optimizer)
        self._set(best_epoch=self.best_epoch, best_val_acc=self.best_acc, epoch=self.epoch, force=True)

    def _save_last(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        save_checkpoint(
            self.run.last_path,
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "torch_rng": torch.get_rng_state(),
                "progress": {name: getattr(self, name) for name in _PROGRESS},
            },
        )
        self._saved = time.monotonic()

    def _restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        if not self.run.last_path.exists():
            self.run.keep_metrics(step=0, epoch=0)
            return
        values = load_checkpoint(self.run.last_path)
        model.load_state_dict(values["model"])
        optimizer.load_state_dict(values["optimizer"])
        torch.set_rng_state(values["torch_rng"])
        for name, value in values["progress"].items():
            setattr(self, name, value)
        self.run.keep_metrics(step=self.step, epoch=self.epoch)
        self._write(f"Resumed at epoch {self.epoch + 1}, batch {self.batch + 1}")

    def _describe_environment(
        self, compute: engine.Compute, workers: int, folders: data.ImageFolders
    ) -> None:
        device = (
            torch.cuda.get_device_name()
            if compute.device.type == "cuda"
            else platform.processor() or platform.machine()
        )
        environment: dict[str, Any] = {
            "compute": str(compute),
            "device": device,
            "threads": torch.get_num_threads(),
            "workers": workers,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": version("torchvision"),
            "data_fingerprint": folders.fingerprint(),
        }
        write_text(self.run.folder / "environment.json", json.dumps(environment, indent=2) + "\n")
        self._write(f"Computing on {compute}, {environment['threads']} threads, {workers} loading processes")

    def _set_training(self, steps: int) -> None:
        config = self.config
        steps_left = steps * config.epochs - self.epoch * steps - self.batch
        # Before the first validation its time is a guess: it costs a third of training an image.
        val_seconds = self._val_seconds or self._step_seconds * 2
        self._set(
            phase="training",
            epoch=self.epoch,
            epochs=config.epochs,
            done=self.epoch * steps + self.batch,
            total=steps * config.epochs,
            images_per_second=config.batch_size / max(self._step_seconds, 1e-9),
            seconds_left=steps_left * self._step_seconds + (config.epochs - self.epoch) * val_seconds,
        )

    def _set(self, *, force: bool = False, **changes: Any) -> None:
        self.status = replace(self.status, **changes)
        if force or time.monotonic() - self._written > STATUS_EVERY:
            self.status = self.run.write_status(self.status)
            self._written = time.monotonic()

    def _end(self, state: str, message: str) -> None:
        self._write(f"error: {message}" if state == "failed" else message)
        self.run.clear_requests()
        self._set(state=state, phase=state, message=message, ended=time.time(), seconds_left=0.0, force=True)

    def _write(self, line: str) -> None:
        self.console.write(line + "\n")
        self.console.flush()

    def _stopping(self) -> bool:
        return self._should_stop() or self.run.stop_requested()

    def _check_stop(self) -> None:
        if self._stopping():
            raise Stopped


_PROGRESS = (
    "epoch", "batch", "step", "loss_sum", "correct", "seen", "epoch_seconds", "best_acc", "best_epoch",
)  # fmt: skip
