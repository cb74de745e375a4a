"""The training job: reads a run's config, trains, appends what happens to its folder, obeys a stop, goes on from last.pt."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn
from tqdm import tqdm

from core.dataset.folders import ImageFolders
from core.errors import UserError
from core.job.beginning import Beginning, prepare_data
from core.job.draws import StepDraws
from core.job.ending import judge_best, pool_when_last
from core.job.keeping import Keeper
from core.job.standing import Standing
from core.networks.build import build_model, freeze_backbone
from core.parallel.follower import Follower
from core.parallel.group import SOLO, Group, PeerLost, is_broken
from core.parallel.replica import Replica, synchronise_statistics
from core.recipe.config import TrainConfig
from core.recipe.focus import focus_indices
from core.runs.journal import Console, Interrupted, Journal
from core.runs.run import Run
from core.runs.run_data import recorded_folders
from core.runs.watchdog import end_when_stuck
from core.stored.status import Status
from core.training import engine, loaders
from core.training.batches import BatchSource, open_source
from core.training.learner import Learner, make_learner
from core.training.losses import make_loss


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
        self.standing = Standing(self.config)
        self.keeper = Keeper(self.journal, self.standing, leads=group.leads)
        self._chosen: list[int] = []  # the classes specialised on
        self._request = ""  # the state to end in, once a stop or pause was asked for and all processes know

    def execute(self) -> Status:
        """Run the job to its end and return its last status; errors end in the status, not in an exception.

        Raises:
            PeerLost: when another process of the group is gone; the status stays as it was.
            Exception: in a process that does not lead, for what it alone met.
        """
        with end_when_stuck(self.journal):
            status = self.journal.perform(self._train_with_others, describe_stop=self._describe_stop)
        if self.group.leads and self.config.fold and self.config.group and status.state == "finished":
            pool_when_last(self.journal)
        return status

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
        return self.standing.describe_stop(state, resumable=self.run.last_path.exists())

    def _train(self) -> str:
        config, group = self.config, self.group
        folders = group.lead(lambda: prepare_data(self.journal, config)) or recorded_folders(self.run)
        self._chosen = focus_indices(config, folders.classes)
        compute = engine.choose_compute(config.device, config.precision)
        loss_of = make_loss(config, folders.classes).to(compute.device)
        workers = loaders.choose_workers(config.workers, compute.device.type, group.world)
        torch.manual_seed(config.seed)
        network = build_model(config.arch, len(folders.classes), config.image_size)
        if config.precision == "auto":
            compute = engine.suit_compute(compute, network, config.image_size)
        beginning = Beginning(self.keeper, folders, compute, workers, group.world)
        group.lead(lambda: beginning.load(network))
        learner = self._make_learner(network, compute)
        source = self._open_source(learner, folders, compute, workers)
        replica = Replica(learner.trained, group, compute.device)
        starts_judged = self._chosen or (config.head_first and not config.head_only)
        if starts_judged and self.standing.best.focus < 0:
            self._judge_start(learner, folders, self._validate(learner, source, compute, len(folders.val)))
        while group.decide(not self.standing.is_over(self.journal.status)):
            self.journal.write(f"Epoch {self.standing.epoch + 1}/{config.epochs}")
            figures = self._train_epoch(learner, replica, source, compute, loss_of, len(folders.classes))
            begun = time.perf_counter()
            outcome = self._validate(learner, source, compute, len(folders.val))
            self._finish_epoch(learner, folders, figures, outcome)
            self.standing.count_epoch(figures.seconds, time.perf_counter() - begun)
        if group.leads:
            judge_best(self.journal, folders)
        found = self.standing.best.describe(focused=bool(self._chosen), guard=config.guard)
        return f"Finished: {found}.{self.standing.describe_early(self.journal.status)}"

    def _make_learner(self, network: nn.Module, compute: engine.Compute) -> Learner:
        """Put the network where it is computed, alike in all processes, and go on from where the run was saved."""
        network = compute.place_model(network)
        if self.config.sync_batch_norm and self.group.world > 1:
            network = synchronise_statistics(network, compute.device)
        self.group.share_state(network)
        learner = make_learner(network, self.config, compute.make_scaler())
        self.keeper.restore(learner)
        return learner

    def _open_source(
        self, learner: Learner, folders: ImageFolders, compute: engine.Compute, workers: int
    ) -> BatchSource:
        if self.config.head_only:
            self.journal.begin("computing features")
        source = open_source(
            learner, folders, self.config, self.keeper.inputs, compute, workers=workers, root=self.run.folder.parent,
            progress=self.journal.count_done, share=self.group.share,
        )  # fmt: skip
        if source is None:
            raise Interrupted(self.journal.asked())
        return source

    def _judge_start(self, learner: Learner, folders: ImageFolders, outcome: engine.Outcome) -> None:
        """Take the initial model's measure: what specialising may not cost the others, and the one to beat."""
        self.standing.best.judge_start(outcome, self._chosen)
        self.keeper.keep_best(learner, folders, outcome)
        self.keeper.save_last(learner)
        self.keeper.tell_best()

    def _train_epoch(
        self,
        learner: Learner,
        replica: Replica,
        source: BatchSource,
        compute: engine.Compute,
        loss_of: nn.Module,
        classes: int,
    ) -> engine.PassFigures:
        config, standing, first = self.config, self.standing, self.standing.batch
        steps = -(-source.steps // config.accumulate)
        if config.freeze_epochs:
            freeze_backbone(learner.network, standing.epoch < config.freeze_epochs)
        if (
            config.head_only and config.head_first
        ):  # the fit was the training: how well it went is left to tell
            return self._measure_fit(learner, source, compute)
        draws = StepDraws(config, self.group, standing.epoch, first, steps, classes)
        begun, seconds_before = time.perf_counter(), standing.epoch_seconds
        with tqdm(
            total=steps, initial=first, file=self.journal.console, ncols=100, mininterval=1.0, unit="it",
            disable=not self.group.leads,
        ) as bar:  # fmt: skip

            def on_steps(figures: list[engine.StepFigures]) -> bool:
                for figure in figures:
                    self.keeper.record_step(figure, steps)
                standing.epoch_seconds = seconds_before + time.perf_counter() - begun
                standing.step_seconds = (time.perf_counter() - begun) / figures[-1].step
                bar.set_postfix_str(f"loss={standing.loss_sum / standing.seen:.4f}", refresh=False)
                bar.update(len(figures))
                self.journal.set(phase="training", **standing.measure_progress(steps, self.journal.status))
                if self.keeper.is_due:
                    self.keeper.save_last(learner)
                return not self._asked()

            if first < steps:
                batches = source.train(standing.epoch, first * config.accumulate)
                result = engine.train_epoch(
                    replica.module(), batches, learner.optimizer, loss_of, compute,
                    set_rate=lambda step: draws.begin_step(learner.optimizer, step), on_steps=on_steps,
                    report_every=10 if compute.device.type == "cuda" else 1,
                    mix=draws.mix if draws.mixes else None, clip_norm=config.clip_norm,
                    average=learner.average, accumulate=config.accumulate, scaler=learner.scaler,
                    keep_statistics=config.keep_statistics, parts=source.parts(), group=self.group,
                )  # fmt: skip
                if result.ended_early:
                    self.keeper.save_last(learner)
                    raise Interrupted(self._request)
        figures = standing.figures()
        self.journal.write(f"train Loss: {figures.loss:.4f} Acc: {figures.accuracy:.4f}")
        return figures

    def _measure_fit(
        self, learner: Learner, source: BatchSource, compute: engine.Compute
    ) -> engine.PassFigures:
        """Return the figures of a fitted head on the training images."""
        begun = time.perf_counter()
        outcome = engine.evaluate(
            learner.judged,
            source.train(self.standing.epoch),
            compute,
            on_batch=lambda _: not self.journal.asked(),
        )
        if outcome is None:
            self.keeper.save_last(learner)
            raise Interrupted(self.journal.asked())
        loss, seconds = float(outcome.loss.mean()), time.perf_counter() - begun
        self.journal.write(f"train Loss: {loss:.4f} Acc: {outcome.accuracy:.4f}")
        return engine.PassFigures(loss, outcome.accuracy, len(outcome.target), seconds)

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
            self.keeper.save_last(learner)
            raise Interrupted(self._request)
        self.standing.val_seconds = time.perf_counter() - begun
        self.standing.check_loss("validation loss", float(outcome.loss.mean()))
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
        standing = self.standing
        standing.epoch += 1
        standing.last_epoch = figures.seconds + standing.val_seconds
        improved = standing.best.judge(outcome, standing.epoch, self._chosen, self.config.guard)
        self.keeper.record_epoch(learner, folders, figures, outcome, improved=improved)
        standing.begin_next()
        self.keeper.save_last(learner)
        self.keeper.tell_best()
