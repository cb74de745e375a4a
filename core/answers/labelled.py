"""A set of labelled images that are none of a run's data: its best model judged on them, as one more predictions table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from core.answers.ask import BATCH, Progress, read_ahead
from core.answers.judged import Judged, keep_judged
from core.answers.sources import find_images
from core.answers.submission import Form, Sample, plan_hand_in
from core.dataset.contents import read_contents
from core.dataset.folders import Sample as Labelled
from core.dataset.images import ImageProblem, read_image
from core.dataset.walk import name_some
from core.errors import DataError
from core.model.evaluate import write_predictions
from core.model.predict import Pixels, Predictor
from core.recipe.class_names import normalise
from core.runs.run import TEST, Run
from core.runs.seen import count_trained, read_seen
from core.training.engine import TOP, Outcome

_LEAST = 1e-12  # a probability, so that a loss is a number


def judge_folder(
    run: Run,
    images: Path,
    *,
    labels: Sample | None = None,
    called: str = "",
    progress: Progress | None = None,
) -> Judged | None:
    """Judge a run's best model on labelled images and write the predictions table of them; None when told to stop.

    Labels are those of a table of two columns, images and labels, or the names of the folders the images lie in. Both
    call a class by its folder in the training data or by its display name. The table is of confidences as the network
    gives them, as that of validation is. `called` is what its user calls the folder, if not by its path.

    Raises:
        RunError: where there are no images, or the run has no model.
        DataError: where no image has a label that is a class.
    """
    paths = find_images([images])
    predictor = Predictor.from_run(run)
    targets = find_labels(paths, images, predictor.classes, predictor.display, labels)
    chosen = [path for path in paths if path in targets]

    def look(path: Path) -> Pixels | None:
        try:
            return predictor.see(read_image(path))
        except ImageProblem:
            return None

    kept: list[Path] = []
    parts = []
    done = 0
    for paths_read, batch in zip(_chunk(chosen), read_ahead(look, chosen, BATCH), strict=True):
        good = [(path, pixels) for path, pixels in zip(paths_read, batch, strict=True) if pixels is not None]
        if good:
            kept += [path for path, _ in good]
            parts.append(predictor.weigh_seen([pixels for _, pixels in good]).numpy())
        done += len(batch)
        if progress is not None and not progress(done, len(chosen)):
            return None
    if not kept:
        raise DataError(
            f"None of the labelled files in {images} can be read as an image. Give another folder."
        )
    outcome = _to_outcome(np.concatenate(parts), np.array([targets[path] for path in kept]))
    samples = [Labelled(str(path.absolute()), targets[path]) for path in kept]
    judged = Judged(
        called or str(images), run.read_status().best_epoch, len(kept),
        int((outcome.top_index[:, 0] == outcome.target).sum()),
        len(paths) - len(chosen), len(chosen) - len(kept), _count_known(run, images, kept),
    )  # fmt: skip
    keep_judged(run, judged)
    write_predictions(run.predictions_path(TEST), samples, outcome, predictor.classes)
    return judged


def find_labels(
    paths: Sequence[Path],
    folder: Path,
    classes: Sequence[str],
    display: Mapping[str, str],
    labels: Sample | None = None,
) -> dict[Path, int]:
    """Return the class, by its number, of each image that has one: by a table of labels, else by the folders it lies in.

    Raises:
        DataError: where no image has one.
    """
    known = _name_classes(classes, display)
    if labels is not None:
        found = _follow_table(paths, folder, classes, display, labels)
    else:
        found = {path: path.relative_to(folder).parts[-2::-1] for path in paths}
    targets = {
        path: known[name]
        for path, names in found.items()
        if (name := next((one for one in map(normalise, names) if one in known), None)) is not None
    }
    if not targets:
        where = f"in {labels.name}" if labels else f"by a folder in {folder}"
        raise DataError(
            f"No image is labelled {where} with a class of this run ({name_some(classes, 5)}). Put the images in "
            "folders named after their classes, or give a table with two columns, image and label."
        )
    return targets


def count_labelled(names: Iterable[str], classes: Sequence[str], display: Mapping[str, str]) -> int:
    """Return how many files, by the paths that they are known by, lie in a folder that is called as a class is."""
    known = _name_classes(classes, display)
    return sum(any(normalise(part) in known for part in PurePosixPath(name).parts[:-1]) for name in names)


def _follow_table(
    paths: Sequence[Path], folder: Path, classes: Sequence[str], display: Mapping[str, str], labels: Sample
) -> dict[Path, tuple[str, ...]]:
    plan = plan_hand_in(
        paths, Form(labels="folder"), classes=classes, display=display, folder=folder, sample=labels
    )
    first, second = (0, 1) if plan.form.images_first else (1, 0)
    by_name = {row[first]: row[second] for row in labels.rows}
    return {path: (by_name[name],) for path, name in zip(plan.paths, plan.names, strict=True)}


def _name_classes(classes: Sequence[str], display: Mapping[str, str]) -> dict[str, int]:
    """Return the classes by their folders' names and, where it is one class's alone, by their display names."""
    shown = [normalise(display.get(name, name)) for name in classes]
    known = {name: number for number, name in enumerate(shown) if shown.count(name) == 1}
    return known | {name: number for number, name in enumerate(classes)}


def _chunk(paths: Sequence[Path]) -> list[Sequence[Path]]:
    return [paths[start : start + BATCH] for start in range(0, len(paths), BATCH)]


def _to_outcome(probabilities: np.ndarray, targets: np.ndarray) -> Outcome:
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, : min(TOP, probabilities.shape[1])]
    true = np.take_along_axis(probabilities, targets[:, None], axis=1)[:, 0]
    loss = -np.log(np.maximum(true, _LEAST))
    return Outcome(top, np.take_along_axis(probabilities, top, axis=1), true, loss, targets)


def _count_known(run: Run, folder: Path, paths: Sequence[Path]) -> int:
    seen = read_seen(run)
    if seen is None:
        return 0
    contents = read_contents(
        folder, [path.relative_to(folder).as_posix() for path in paths], run.folder.parent
    )
    assert contents is not None
    return count_trained(seen, contents.values())
