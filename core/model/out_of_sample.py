"""What is said of images by a model that was not fitted to them: for label issues, and to judge on all training images."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse.csgraph import connected_components

from core.dataset.audit import find_copies
from core.dataset.contents import fingerprint, read_contents
from core.dataset.label_report import LabelReport, report_path, write_label_report
from core.errors import DataError, RunError
from core.files import write_text
from core.image_table import write_table
from core.model.ancestry import find_beginning
from core.model.evaluate import open_split, read_log_probs, write_predictions
from core.model.placement import choose_placement
from core.networks.build import build_model
from core.networks.weights import load_initial_weights
from core.reading import take
from core.runs.bakeoff import list_siblings
from core.runs.imported import refuse_imported
from core.runs.run import FOLD, Run, find_run
from core.runs.run_data import recorded_folders
from core.runs.seen import name_weights, read_seen, see_data
from core.slices.scenes import write_scenes
from core.splits.belonging import Belonging, join_numbers
from core.training import features, loaders
from core.training.engine import Outcome
from core.training.head_fit import fit_outside
from core.verdicts.predictions import find_codes, read_predictions
from core.words import format_count

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

    Where `folds` is not 0 they were judged by as many whole networks in place of heads, the runs of a bake-off: `scattered`
    tells that copies were not kept together, and `spared` images train in every fold and are not judged.
    """

    judged: int
    right: int
    left_out: tuple[str, ...]
    network: str
    weights: str
    whole: bool
    unknown: tuple[str, ...] = ()
    grouped: bool = False
    folds: int = 0
    scattered: bool = False
    spared: int = 0

    def describe(self, label: Callable[[str], str]) -> str:
        """Say how the images were judged; `label` gives what a reader calls a class."""
        if self.folds:
            return self._describe_folds(label)
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
        return words + self._describe_limits(label)

    def _describe_folds(self, label: Callable[[str], str]) -> str:
        together = "Near copies and images of one group are" if self.grouped else "Near copies are"
        apart = (
            "Images were divided one by one, so near copies may be on both sides."
            if self.scattered
            else f"{together} never on both sides."
        )
        if not self.grouped:
            apart += " Other photos of one scene may be, which makes figures too high: the setting Keep together (group_by) can name them."
        words = (
            f"{self.folds} networks ({self.network}), each trained on the other folds and asked about the fold it never saw. "
            f"{apart} The best epoch of each was chosen on its fold, so these figures are a little too high."
        )
        if self.spared:
            words += (
                f" {format_count(self.spared, 'image')} without another of the class to train on "
                f"{'is' if self.spared == 1 else 'are'} in no fold."
            )
        return words + self._describe_limits(label)

    def _describe_limits(self, label: Callable[[str], str]) -> str:
        words = ""
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
    their labels. A run of a fold is judged by its own network and those of the other folds (see `pool_folds`).

    Raises:
        RunError: when another fold has not finished, when the run's data or a run it came from is gone, or there is no such network.
        WeightsError: when the weights it began with cannot be had.
        DataError: when no two classes have images enough.
    """
    refuse_imported(run, "no network that is known not to have seen its training images")
    config, root = run.read_config(), run.folder.parent
    if config.fold:
        pool = pool_folds(run)
        keep_pool(run, pool)
        write_label_report(report_path(run.folder, "train"), _doubt_pool(pool))
        return pool.about
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


@dataclass(frozen=True, eq=False)
class Pool:
    """The predictions tables of all folds in one, and how they came to be; `classes` are those of the runs, in order."""

    table: pd.DataFrame
    classes: tuple[str, ...]
    about: OutOfFold


def pool_folds(run: Run) -> Pool:
    """Return what the runs of all folds of a training said of the images that each of them left out.

    Raises:
        RunError: when the run is no fold of a bake-off, naming folds that have not finished, or when they did not divide
            the same images.
    """
    runs = list_siblings(run)
    if late := [one.id for one in runs if not one.folder.exists() or one.read_status().state != "finished"]:
        raise RunError(
            f"{format_count(len(late), 'fold', 'has')} not finished: {', '.join(late)}. All {len(runs)} have to, so that each "
            "training image is judged. The same bake-off started again begins those that are missing."
        )
    try:
        table = pd.concat([read_predictions(one.predictions_path()) for one in runs], ignore_index=True)
    except FileNotFoundError as error:
        raise RunError(f"{error.filename} is gone, so not every training image is judged.") from None
    records = [one.read_json("data.json") for one in runs]
    images = [
        {path for path, _ in (*record["train"], *record["val"])} | set(record.get("dropped", ()))
        for record in records
    ]
    same = all(one["classes"] == records[0]["classes"] for one in records) and all(
        one == images[0] for one in images
    )
    if not same or table["path"].duplicated().any():
        raise RunError(
            f"The {len(runs)} folds were not made of the same images: the data changed in between. Train them anew under "
            "another name."
        )
    config, record = run.read_config(), records[0]
    judged = set(table["true"])
    seen = read_seen(run)
    about = OutOfFold(
        len(table), int((table["true"] == table["predicted"]).sum()),
        tuple(name for name in record["classes"] if name not in judged), config.arch, config.weights,
        whole=False, unknown=seen.unknown if seen else (), grouped=bool(record.get("groups")), folds=len(runs),
        scattered=record.get("kept") is None, spared=len(images[0]) - len(table),
    )  # fmt: skip
    return Pool(table, tuple(record["classes"]), about)


def keep_pool(run: Run, pool: Pool) -> None:
    """Keep with a run what the folds said together: as its predictions table out of fold."""
    columns = {
        name: pool.table[name].to_numpy()
        if name == "loss" or name.endswith("confidence")
        else pool.table[name].tolist()
        for name in pool.table.columns
    }
    write_text(fold_path(run), json.dumps(asdict(pool.about), indent=2) + "\n")
    write_table(run.predictions_path(FOLD), columns)


def _doubt_pool(pool: Pool) -> LabelReport:
    """Return which labels are doubtful, by the confidences that the tables have: in the five likeliest classes and the true one.

    What is left of 1 is shared among the other classes, of which none can be likelier than the fifth.
    """
    from core.model.label_issues import judge_labels

    table, classes = pool.table, pd.Index(pool.classes)
    targets = find_codes(table, pool.classes)[0].astype(np.int64)
    rows = np.arange(len(table))
    known = np.full((len(table), len(classes)), np.nan, dtype=np.float32)
    for rank in range(1, 6):
        if f"top{rank}" in table:
            known[rows, classes.get_indexer(table[f"top{rank}"])] = table[f"top{rank}_confidence"]
    known[rows, targets] = table["true_confidence"]
    others = np.isnan(known)
    left = np.clip(1 - np.nansum(known, axis=1), 0, None) / np.maximum(1, others.sum(axis=1))
    probabilities = np.where(others, left[:, None], known).astype(np.float32)
    return judge_labels(
        table["path"].tolist(), targets, probabilities, pool.classes, split="train", out_of_fold=True
    )


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
