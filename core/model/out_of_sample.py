"""What is said of images by a model that was not fitted to them: for label issues, and to judge on all training images."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse.csgraph import connected_components

from core.dataset.audit import find_copies
from core.dataset.contents import fingerprint, read_contents
from core.dataset.label_report import report_path, write_label_report
from core.errors import DataError, RunError
from core.files import write_text
from core.model.ancestry import find_beginning
from core.model.evaluate import open_split, read_log_probs, write_predictions
from core.model.placement import choose_placement
from core.networks.build import build_model
from core.networks.weights import load_initial_weights
from core.reading import take
from core.runs.imported import refuse_imported
from core.runs.run import FOLD, Run, find_run
from core.runs.run_data import recorded_folders
from core.runs.seen import name_weights, see_data
from core.slices.scenes import write_scenes
from core.splits.belonging import Belonging, join_numbers
from core.training import features, loaders
from core.training.engine import Outcome
from core.training.head_fit import fit_outside

FOLDS = 5
# Cosine similarity of the features of two photos of one scene. Of grocery81's training photos, taken in bursts, 95.8 % are right
# out of fold where only copies are kept together, 92.8 % with 0.9 and 72.3 % with 0.85; of its validation photos, which were
# taken elsewhere, 90.9 %.
_SCENE = 0.9
Progress = Callable[[int, int], bool]


@dataclass(frozen=True)
class HeldOut:
    """N images of a split: paths, indices of their labels (N,), and probabilities (N, C) float32 over `classes`."""

    paths: tuple[str, ...]
    targets: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    classes: tuple[str, ...]


def predict_validation(run: Run, *, progress: Progress | None = None) -> HeldOut | None:
    """Ask a run's best model about its validation images; None when `progress(done, total)` said to stop.

    Raises:
        RunError: when the run has no model or its data is gone.
    """
    split = open_split(run, "val")
    log_probs = read_log_probs(split, progress=progress)
    if log_probs is None:
        return None
    return HeldOut(
        tuple(sample.path for sample in split.samples),
        np.array([sample.target for sample in split.samples]),
        np.exp(log_probs),
        split.folders.classes,
    )


@dataclass(frozen=True)
class OutOfFold:
    """How training images were judged: by heads on the features of a network, each fitted without its images.

    `judged` of the images were; `left_out` are the classes that have too few for it. `network` has `weights`, the latest
    that the run came from which have not seen the images; `unknown` names those of which that is not known. `whole` tells
    that a whole network was trained on since, which this does not judge; `grouped`, that images of known groups were kept
    together.
    """

    judged: int
    right: int
    left_out: tuple[str, ...]
    network: str
    weights: str
    whole: bool
    unknown: tuple[str, ...] = ()
    grouped: bool = False

    def describe(self, label: Callable[[str], str]) -> str:
        """Say how the images were judged; `label` gives what a reader calls a class."""
        weights = (
            "its published weights"
            if self.weights == "imagenet"
            else f"the weights of {name_weights(self.weights)}"
        )
        words = (
            f"{FOLDS} heads on the features of {self.network} with {weights}, each fitted without the images it judges; "
            f"{'near copies, images of one scene and those of one group' if self.grouped else 'near copies and images of one scene'} are never on both sides."
        )
        if self.whole:
            words += (
                " The run's own network, trained as a whole, has seen these images and cannot judge them: how good it is "
                "itself, only validation tells."
            )
        if self.unknown:
            words += (
                f" It is not known whether {' and '.join(self.unknown)} has seen these images: if so, these figures are too "
                "high."
            )
        if self.left_out:
            words += f" Too few images to judge: {', '.join(map(label, self.left_out))}."
        return words


def judge_training(run: Run, *, progress: Progress) -> OutOfFold | None:
    """Judge all training images of a run out of fold; write the predictions table of them and which labels are doubtful.

    None comes back when told to stop.     The network is the latest that the run came from which has not seen the images: one that was trained on them knows
    their labels.

    Raises:
        RunError: when the run's data or a run it came from is gone, or there is no such network.
        WeightsError: when the weights it began with cannot be had.
        DataError: when no two classes have images enough.
    """
    refuse_imported(run, "no network that is known not to have seen its training images")
    config, root = run.read_config(), run.folder.parent
    folders = recorded_folders(run)
    count, seen = len(folders.train), len(folders.train) + len(folders.val)
    total = count + seen + count  # measured for copies, seen by the network, judged
    contents = read_contents(folders.root, folders.files, root, lambda *_: progress(0, total))
    if contents is None:
        return None
    first = find_beginning(run, see_data(folders, contents).trained, root)  # refuses before the long work
    paths = [sample.path for sample in folders.train]
    copies = find_copies(folders.root, paths, root, lambda done, _: progress(done, total))
    if copies is None:
        return None
    network = build_model(config.arch, len(folders.classes), config.image_size)
    fit = load_initial_weights(
        network,
        config.arch,
        first.weights,
        lambda name: find_run(name, root).best_path,
        image_size=config.image_size,
        progress=lambda *_: progress(count, total),
    )
    if fit is None:
        return None
    plain = replace(config, feature_views=1)
    compute, inputs = choose_placement(run), run.read_inputs()
    found = features.load_or_compute(
        compute.place_model(network), folders, plain, inputs, compute,
        root=root,
        key=features.features_key(
            features.digest_backbone(network), fingerprint(folders, contents), plain, inputs, compute
        ),
        workers=loaders.choose_workers(config.workers, compute.device.type),
        progress=lambda done, _: progress(count + done, total),
    )  # fmt: skip
    if found is None:
        return None
    values = found.train[:, 0].float().numpy()
    targets = np.array([sample.target for sample in folders.train])
    groups = _join_scenes(values, targets, Belonging(folders.groups, copies).number_all(paths))
    chosen = _find_judgeable(targets, groups, len(folders.classes))
    log_probs = fit_outside(
        values[chosen], targets[chosen], groups[chosen], len(folders.classes),
        folds=FOLDS, progress=lambda done, fits: progress(count + seen + count * done // fits, total),
    )  # fmt: skip
    if log_probs is None:
        return None
    outcome = _to_outcome(log_probs, targets[chosen])
    from core.model.label_issues import judge_labels  # brings cleanlab, which who only reads does without

    doubts = judge_labels(
        [folders.train[index].path for index in np.flatnonzero(chosen)], targets[chosen], np.exp(log_probs), folders.classes,
        split="train", out_of_fold=True,
    )  # fmt: skip
    judged = set(targets[chosen].tolist())
    left_out = tuple(name for index, name in enumerate(folders.classes) if index not in judged)
    samples = [folders.train[index] for index in np.flatnonzero(chosen)]
    about = OutOfFold(
        len(samples),
        int((outcome.top_index[:, 0] == outcome.target).sum()),
        left_out,
        config.arch,
        first.weights,
        first.whole,
        first.unknown,
        bool(folders.groups),
    )
    write_label_report(report_path(run.folder, "train"), doubts)
    write_text(fold_path(run), json.dumps(asdict(about), indent=2) + "\n")
    write_scenes(run.folder, FOLD, [sample.path for sample in samples], groups[chosen].tolist())
    write_predictions(run.predictions_path(FOLD), samples, outcome, folders.classes)
    return about


def fold_path(run: Run) -> Path:
    """Return the path of what is known of a run's table out of fold."""
    return run.folder / "out-of-fold.json"


def read_out_of_fold(run: Run) -> OutOfFold | None:
    """Return how a run's training images were judged; None where they were not, or what is known of it is damaged."""
    try:
        about = take(OutOfFold, run.read_json("out-of-fold.json"))
    except (RunError, ValueError):
        return None
    return about if run.predictions_path(FOLD).exists() else None


def _join_scenes(
    values: npt.NDArray[np.float32], targets: npt.NDArray[np.int64], groups: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the groups (N,) joined where images of a class have features (N, D) as alike as those of one scene have.

    Groups of images of several classes stay whole. A class that is nearly one scene by that measure, as one of plain drawings is, keeps its groups.
    """
    joined, following = groups.copy(), int(groups.max(initial=0)) + 1
    for target in np.unique(targets):
        own = np.flatnonzero(targets == target)
        unit = values[own] / np.maximum(np.linalg.norm(values[own], axis=1, keepdims=True), 1e-12)
        alike = (unit @ unit.T >= _SCENE) | (groups[own, None] == groups[None, own])
        scenes, labels = connected_components(alike, directed=False)
        if scenes >= FOLDS:
            joined[own] = following + labels
            following += scenes
    return join_numbers(joined, groups)


def _find_judgeable(
    targets: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], classes: int
) -> npt.NDArray[np.bool_]:
    """Return which images (N,) are of a class with two groups or more: of one alone nothing is left to fit to.

    Raises:
        DataError: when fewer than two classes have.
    """
    several = np.array([len(np.unique(groups[targets == index])) > 1 for index in range(classes)])
    chosen = several[targets]
    if several.sum() < 2 or len(np.unique(groups[chosen])) < FOLDS:
        raise DataError(
            "There are too few training images to hold some back from each fit: at least two classes need two different images each."
        )
    return chosen


def _to_outcome(log_probs: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> Outcome:
    top = np.argsort(-log_probs, axis=1, kind="stable")[:, : min(5, log_probs.shape[1])]
    true = np.take_along_axis(log_probs, targets[:, None], axis=1)[:, 0]
    return Outcome(top, np.exp(np.take_along_axis(log_probs, top, axis=1)), np.exp(true), -true, targets)
