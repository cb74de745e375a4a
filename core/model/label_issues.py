"""Labels that are probably wrong, and classes that cannot be told apart, by confident learning.

Source: C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
Journal of Artificial Intelligence Research 70 (2021); computed by the authors' package cleanlab.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from cleanlab.count import estimate_joint
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from core.dataset.label_report import (
    LEAST_ACCURACY,
    SURE_ACCURACY,
    LabelIssue,
    LabelReport,
    Overlap,
    WeakClass,
    most_listed,
    read_report,
    report_path,
    write_label_report,
)
from core.runs.run import Run
from core.verdicts.predictions import wilson_interval

_MIN_CROSSED = 4  # images; fewer can be luck in any pair of classes

Probabilities = npt.NDArray[np.float32]
Targets = npt.NDArray[np.int64]


def find_issues_of(
    run: Run, split: str, *, progress: Callable[[int, int], bool] | None = None
) -> LabelReport | None:
    """Find the label issues of a run's validation or training images and keep them; None when told to stop.

    Of training images only models are asked that have not seen them, as `judge_training` has them.

    Raises:
        RunError: when the run has no model, its data is gone, or there is no network that has not seen training.
        DataError: when training is too small to hold some of it back.
    """
    from core.model.out_of_sample import judge_training, predict_validation  # brings torch

    if split == "train":
        judged = judge_training(run, progress=progress or (lambda *_: True))
        return None if judged is None else read_report(report_path(run.folder, split))
    outside = predict_validation(run, progress=progress)
    if outside is None:
        return None
    report = judge_labels(
        outside.paths, outside.targets, outside.probabilities, outside.classes,
        split=split, model=run.read_status().best_epoch,
    )  # fmt: skip
    write_label_report(report_path(run.folder, split), report)
    return report


def judge_labels(
    paths: Sequence[str],
    targets: Targets,
    probabilities: Probabilities,
    classes: Sequence[str],
    *,
    split: str,
    model: int = 0,
    out_of_fold: bool = False,
) -> LabelReport:
    """Return the report on N images: `targets` (N,) are indices of their labels, `probabilities` (N, C) out of sample.

    A model that is weak doubts many labels that are right: of one below `SURE_ACCURACY` only the likeliest are listed, of
    one below `LEAST_ACCURACY` none.
    """
    accuracy = float((probabilities.argmax(axis=1) == targets).mean()) if len(targets) else 0.0
    issues = rank_issues(paths, targets, probabilities, classes)
    if accuracy < LEAST_ACCURACY:
        issues = ()
    elif accuracy < SURE_ACCURACY:
        issues = issues[: most_listed(len(paths))]
    return LabelReport(
        split,
        len(paths),
        model,
        issues,
        *compare_classes(targets, probabilities, classes),
        accuracy,
        out_of_fold,
    )


def rank_issues(
    paths: Sequence[str], targets: Targets, probabilities: Probabilities, classes: Sequence[str]
) -> tuple[LabelIssue, ...]:
    """Return the images whose label is probably wrong, the likeliest first; arguments as of `judge_labels`."""
    if len(set(targets.tolist())) < 2:
        return ()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="May not flag all label issues")  # a class of few images
        # Processes of its own would be forked from one that has threads; one is quick enough.
        mask = find_label_issues(targets, probabilities, n_jobs=1)
    scores = get_label_quality_scores(targets, probabilities)
    best = probabilities.argmax(axis=1)
    found = np.flatnonzero(mask & (best != targets))
    return tuple(
        LabelIssue(
            paths[index],
            classes[targets[index]],
            classes[best[index]],
            float(scores[index]),
            float(probabilities[index, best[index]]),
        )
        for index in found[np.argsort(scores[found], kind="stable")].tolist()
    )


def compare_classes(
    targets: Targets, probabilities: Probabilities, classes: Sequence[str]
) -> tuple[tuple[Overlap, ...], tuple[WeakClass, ...]]:
    """Return the pairs of classes that overlap, and the classes that are weak for another reason, worst first.

    Two classes overlap when they are taken for each other both ways, and by that alone explain at least half of the
    errors on their images. A class is weak when the upper end of its recall's interval lies under the recall of all,
    and it overlaps with none. Arguments as of `judge_labels`.
    """
    best = probabilities.argmax(axis=1)
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (targets, best), 1)
    support, right = counts.sum(axis=1), np.diag(counts)
    wrong = support - right
    # What of a confusion is wrong labels; the rest is the network's own doing.
    joint = estimate_joint(targets, probabilities) * len(targets) if wrong.any() else np.zeros(counts.shape)
    overlaps = []
    for a, b in np.argwhere(np.triu(counts + counts.T, k=1)).tolist():
        there, back = int(counts[a, b]), int(counts[b, a])
        crossed, count = there + back, int(support[a] + support[b])
        mutual = min(there, back) * 4 >= crossed
        if crossed >= _MIN_CROSSED and mutual and crossed * 2 >= wrong[a] + wrong[b]:
            low, high = map(float, wilson_interval(crossed, count))
            mislabelled = min(crossed, round(float(joint[a, b] + joint[b, a])))
            overlaps.append(Overlap(classes[a], classes[b], crossed, count, low, high, mislabelled))
    paired = {name for pair in overlaps for name in (pair.one, pair.other)}
    of_all = right.sum() / max(1, len(targets))
    weak = []
    for index in np.flatnonzero(support).tolist():
        low, high = map(float, wilson_interval(int(right[index]), int(support[index])))
        if high < of_all and classes[index] not in paired:
            weak.append(WeakClass(classes[index], int(right[index]), int(support[index]), low, high))
    return (
        tuple(sorted(overlaps, key=lambda pair: -pair.low)),
        tuple(sorted(weak, key=lambda found: found.high)),
    )
