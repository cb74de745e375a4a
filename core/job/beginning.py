"""What comes before the first epoch: the images are checked, the network gets its weights, and its head may be fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from core.dataset.contents import read_fingerprint
from core.dataset.folders import ImageFolders
from core.errors import RunError
from core.job.keeping import Keeper
from core.model.ancestry import see_run, see_weights
from core.networks.build import count_parameters, head_of
from core.networks.download import describe_reason
from core.networks.weights import load_initial_weights
from core.recipe.config import TrainConfig
from core.recipe.focus import weigh_images
from core.runs.journal import Interrupted, Journal
from core.runs.run import find_run
from core.runs.run_data import list_findings, read_data, reopen_data
from core.runs.seen import read_seen, write_seen
from core.training import features
from core.training.checkpoint import load_checkpoint
from core.training.engine import Compute
from core.training.environment import describe_other_devices, record_environment


def prepare_data(journal: Journal, config: TrainConfig) -> ImageFolders:
    """Return the images of a run: a new one's are read and written down, one that goes on keeps what it began with.

    Raises:
        Interrupted: when a stop or pause was asked for.
        UserError: as `read_data` and `reopen_data` do.
    """
    run, root = journal.run, journal.run.folder.parent
    if run.read_json("data.json"):
        folders = reopen_data(run, journal.count_done, journal.begin)
        if folders is None:
            raise Interrupted(journal.asked())
        if read_seen(run) is None:  # it began with an older version
            write_seen(run, see_run(run, root))
        return folders
    initial = see_weights(config.weights, root)
    folders = read_data(run, config, initial, journal.count_done, journal.begin)
    if folders is None:
        raise Interrupted(journal.asked())
    for line in list_findings(folders, config):
        journal.write(line)
    return folders


@dataclass(frozen=True)
class Beginning:
    """What the network of a run begins or goes on with, written down for all its processes by the one that leads."""

    keeper: Keeper
    folders: ImageFolders
    compute: Compute
    workers: int  # processes that read images
    world: int  # processes that train

    @property
    def _journal(self) -> Journal:
        return self.keeper.journal

    def load(self, network: nn.Module) -> None:
        """Give the network its weights, its fitted head where the config asks for one, and write down the machine.

        Raises:
            Interrupted: when a stop or pause was asked for.
            UserError: when the weights cannot be had or do not fit.
        """
        run, journal, config = self.keeper.run, self._journal, self.keeper.config
        fingerprint = read_fingerprint(self.folders, run.folder.parent, journal.count_done)
        if fingerprint is None:
            raise Interrupted(journal.asked())
        journal.begin("loading weights")
        self._load_weights(network)
        before = run.read_json("environment.json")
        journal.write(record_environment(run, self.compute, self.workers, fingerprint, self.world))
        if before and run.last_path.exists():
            for line in describe_other_devices(before, self.world):
                journal.write(line)
        if config.head_first and not run.last_path.exists():
            self._fit_head(self.compute.place_model(network), fingerprint)

    def _load_weights(self, network: nn.Module) -> None:
        run, config = self.keeper.run, self.keeper.config
        self._journal.write(
            f"Network {config.arch}, {count_parameters(network) / 1e6:.1f} million parameters with the head for its classes, {self.keeper.inputs}"
        )
        if not run.last_path.exists():
            root = run.folder.parent
            fit = load_initial_weights(
                network, config.arch, config.weights, lambda name: find_run(name, root).best_path,
                image_size=config.image_size, progress=self._journal.count_done,
            )  # fmt: skip
            if fit is None:
                raise Interrupted(self._journal.asked())
            self._journal.write(f"Weights {config.weights}: {fit}")
        elif config.head_only:  # what the learner goes on from is the head alone
            self._load_backbone(network)

    def _load_backbone(self, network: nn.Module) -> None:
        """Give the network the weights that never changed: of the best model, or of the checkpoint until there is one."""
        best = self.keeper.run.best_path
        known = load_checkpoint(best).get("model", {}) if best.exists() else None
        whole: dict[str, Any] = self.keeper.load_last("network")["network"] if known is None else known
        try:
            network.load_state_dict(whole)
        except (TypeError, AttributeError, RuntimeError) as error:
            raise RunError(
                f"{self.keeper.run.id}: its network cannot be taken from {best.name} ({describe_reason(error)})."
            ) from None

    def _fit_head(self, network: nn.Module, fingerprint: str) -> None:
        """Fit the head to what the network makes of the training images as they are seen in validation."""
        from core.training.head_fit import fit_head, load_head

        journal, root = self._journal, self.keeper.run.folder.parent
        config, inputs = replace(self.keeper.config, feature_views=1), self.keeper.inputs
        journal.begin("computing features")
        backbone = features.digest_backbone(network)
        key = features.features_key(backbone, fingerprint, config, inputs, self.compute)
        found = features.load_or_compute(
            network, self.folders, config, inputs, self.compute, root=root, key=key, workers=self.workers,
            progress=journal.count_done,
        )  # fmt: skip
        if found is None:
            raise Interrupted(journal.asked())
        journal.begin("fitting the head")
        targets = [sample.target for sample in self.folders.train]
        fitted = fit_head(
            found.train[:, 0].float().numpy(), np.array(targets), len(self.folders.classes),
            weights=weigh_images(config, targets, self.folders.classes), progress=journal.count_done,
        )  # fmt: skip
        if fitted is None:
            raise Interrupted(journal.asked())
        load_head(head_of(network), fitted)
        journal.write(f"Head fitted: {fitted.describe()}")
