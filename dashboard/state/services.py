"""The home of caches: runs, tables, images and the model; others are in `maps`, `similar` and `matrices`.

A `stamp` is when a file was last written: it makes a cache look again at one that has changed. It must not begin with
an underscore, since Streamlit leaves such parameters out of a cache's key.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st
from PIL import Image

from core.confidence.kept import calibration_path
from core.dataset.kept import stamp_file
from core.dataset.label_report import fixes_path, read_fixes
from core.errors import DataError, RunError, UserError
from core.marks import marks
from core.marks.marks import MarkList, add_fixes, list_path, take_over
from core.model.evidence import Evidence
from core.model.pictures import encode_image, enlarge, overlay_map
from core.people.acting import TRAIN, refusal_of
from core.places import own_command, real_path
from core.runs import jobs
from core.runs.figures import Figures
from core.runs.imported import refuse_without_model
from core.runs.run import Run, default_root
from core.runs.run_data import RunData as RunData
from core.runs.run_data import read_run_data
from core.verdicts import predictions
from dashboard.guard import NotYet
from dashboard.state.data_folder import summarise_data
from dashboard.state.status_words import describe_early_end

if TYPE_CHECKING:
    from core.dataset.audit import Audit
    from core.dataset.label_report import LabelReport
    from core.model.predict import Pixels, Predictor
    from core.recipe.config import TrainConfig
    from core.runs.estimate import Estimate
    from core.slices.report import SliceReport

METRICS_KEPT = 32  # runs whose figures stay in memory, those looked at last


@dataclass
class _Metrics:
    """The figures of a run as far as they were read, and what lets one page at a time read on."""

    figures: Figures
    lock: threading.Lock = field(default_factory=threading.Lock)


@st.cache_resource(max_entries=METRICS_KEPT, show_spinner=False)
def _known_metrics(folder: Path) -> _Metrics:
    return _Metrics(Figures(Run(folder)))


def read_metrics(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a run's tables of epochs and of steps, reading only the lines that are new since the last call.

    Of more than `figures.MOST_STEPS` steps, only each n-th is there.
    """
    known = _known_metrics(run.folder)
    with known.lock:
        known.figures.read_on()
        return pd.DataFrame(known.figures.epochs), pd.DataFrame(known.figures.steps)


def read_data(run: Run) -> RunData:
    """Return the record of a run's data; raises RunError when the run has not read its data yet."""
    path = run.folder / "data.json"
    if not path.exists():
        raise NotYet(run, f"{run.id} has not read its data yet.")
    return _read_data(run.folder, path.stat().st_mtime_ns)


@st.cache_resource(max_entries=16, show_spinner=False)
def _read_data(folder: Path, stamp: int) -> RunData:  # noqa: ARG001
    return read_run_data(Run(folder))


def read_predictions(run: Run, split: str = "val") -> pd.DataFrame:
    """Return the predictions of a run's best model on a split (not to be changed); raises RunError without any."""
    path = find_predictions(run, split)
    with _told_to_write_again(run):
        return _read_predictions(path, path.stat().st_mtime_ns)


def read_guesses(run: Run, split: str = "val") -> pd.DataFrame:
    """Return the true and the predicted classes alone of the same, which takes a fraction of the time; kept nowhere."""
    with _told_to_write_again(run):
        return predictions.read_guesses(find_predictions(run, split))


def find_predictions(run: Run, split: str = "val") -> Path:
    """Return where the predictions of a run's best model on a split lie; raises RunError without any."""
    path = run.predictions_path(split)
    if not path.exists():
        raise NotYet(run, describe_lack(run, "predictions", "they are written after its first epoch"))
    return path


def lack_model(run: Run) -> NotYet:
    """Return what says that a run has no model."""
    return NotYet(run, describe_lack(run, "model", "it is saved after its first epoch"))


def describe_lack(run: Run, what: str, when: str) -> str:
    """Say that a run lacks something: that it is still to come, and when, or that the run ended before."""
    if end := describe_early_end(jobs.live_status(run)):
        return f"{run.id} has no {what}: {end}."
    return f"{run.id} has no {what} yet: {when}."


@contextmanager
def _told_to_write_again(run: Run) -> Iterator[None]:
    try:
        yield
    except NotYet:
        raise
    except RunError as error:
        raise RunError(f"{error} Write it again: {own_command()} evaluate {run.id}") from None


@st.cache_resource(max_entries=8, show_spinner="Reading the predictions …")
def _read_predictions(path: Path, stamp: int) -> pd.DataFrame:  # noqa: ARG001
    return predictions.read_predictions(path)


def load_predictor(run: Run) -> Predictor:
    """Return a run's best model, loaded once; raises RunError when it has none."""
    if not run.best_path.exists():
        refuse_without_model(run)
        raise lack_model(run)
    from core.model.placement import choose_device

    calibration = calibration_path(run)  # it says in which precision the model is to be asked
    kept = [path.stat().st_mtime_ns if path.exists() else 0 for path in (calibration, run.strangers_path)]
    return _load_predictor(run.folder, run.best_path.stat().st_mtime_ns, choose_device(run), tuple(kept))


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def _load_predictor(
    folder: Path,
    stamp: int,  # noqa: ARG001
    device: str,  # noqa: ARG001
    kept: tuple[int, ...],  # noqa: ARG001
) -> Predictor:
    from core.model.predict import Predictor  # brings torch, which no page should wait for before it needs it
    from core.ship.quick import hasten

    predictor = Predictor.from_run(Run(folder))
    hasten(predictor, Run(folder))
    return predictor


def thumbnail(path: Path, side: int = 192) -> bytes | None:
    """Return an image as WebP bytes with its longer side at most `side` pixels; None when it cannot be read."""
    try:
        return _thumbnail(path, stamp_file(path.parent, path.name)[1], side)
    except OSError:
        return None


@st.cache_data(max_entries=4000, show_spinner=False)
def _thumbnail(path: Path, stamp: int, side: int) -> bytes | None:  # noqa: ARG001
    from core.dataset.images import ImageProblem, read_image

    try:
        image = read_image(path)
    except ImageProblem:
        return None
    image.thumbnail((side, side))
    return encode_image(image)


def marks_path(run: Run, data: RunData) -> Path:
    """Return where the marks of a run's data set are kept; fix lists in the run's folder, of older versions, are taken over.

    By whoever may mark: whoever may only look writes nothing.
    """
    path = list_path(data.root, run.folder.parent)
    if not refusal_of(TRAIN):
        for old, source in _list_old(run, path):
            take_over(path, read_fixes(old), source)
    return path


def _list_old(run: Run, path: Path) -> list[tuple[Path, str]]:
    """Return the fix lists in a run's folder, of older versions, that were not taken over yet, each with its name as a source."""
    found = (fixes_path(run.folder, split) for split in ("val", "train"))
    named = [(old, f"{run.id}/{old.name}") for old in found if old.exists()]
    return [one for one in named if one[1] not in _read_marks(path, *_stamp(path)).sources]


def read_marks(run: Run, data: RunData) -> MarkList:
    """Return the marks of a run's data set (not to be changed); raises RunError when the list cannot be read."""
    path = marks_path(run, data)
    known = _read_marks(path, *_stamp(path))
    for old, source in _list_old(run, path):
        known = add_fixes(known, read_fixes(old), source)
    return known


@st.cache_resource(max_entries=8, show_spinner=False)
def _read_marks(path: Path, stamp: int, size: int) -> MarkList:  # noqa: ARG001
    return marks.read_marks(path)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@st.cache_data(max_entries=300, show_spinner=False)
def explain_upload(
    folder: Path,
    stamp: int,  # noqa: ARG001
    seen: Pixels,
    name: str,
) -> bytes:
    """Return the heat map, WebP bytes, of what a network sees of an image for a class, by the best model saved at `stamp`."""
    shown, maps = load_predictor(Run(folder)).explain_seen([seen], [[Evidence(name)]])
    return encode_image(overlay_map(shown[0], maps[0][0]))


@st.cache_data(max_entries=50, show_spinner=False)
def look_at_upload(
    folder: Path,
    stamp: int,  # noqa: ARG001
    content: bytes,
) -> tuple[bytes, Pixels]:
    """Return an uploaded image that can be read as WebP bytes, and what the best model, saved at `stamp`, sees of it."""
    from core.dataset.images import read_image

    image = read_image(io.BytesIO(content))
    seen = load_predictor(Run(folder)).see(image)
    image.thumbnail((320, 320))
    return encode_image(image), seen


def label_classes(run: Run) -> Callable[[str], str]:
    """Return what names a class of a run to a reader; by its folder where what is known of the data cannot be read."""
    try:
        return read_data(run).label
    except UserError:
        return str


@st.cache_data(ttl=15, max_entries=32, show_spinner=False)
def estimate_time(configs: tuple[TrainConfig, ...]) -> Estimate:
    """Estimate how long runs on one data folder take one after the other; looks again after a quarter of a minute."""
    from core.runs.estimate import Estimate, estimate_time

    if not configs:
        return Estimate(0.0, 0, 0)
    found = summarise_data(configs[0])
    if not found.is_known:  # it is being counted
        return Estimate(0.0, 0, len(configs))
    return estimate_time(configs, default_root(), train=found.train, val=found.val)


def augmented_images(config: TrainConfig) -> list[tuple[str, bytes]]:
    """Return sixteen training images as the network would get them in the first epoch: class, WebP bytes.

    None of them as long as nothing is known of the data, which is being counted.

    Raises:
        DataError: when the data cannot be used.
    """
    found = summarise_data(config)
    if found.problem:
        raise DataError(found.problem)
    examples = tuple((path, found.display.get(name, name)) for path, name in found.examples)
    return _augmented_images(config, examples)


@st.cache_data(max_entries=8, show_spinner="Drawing 16 training images …")
def _augmented_images(config: TrainConfig, examples: tuple[tuple[str, str], ...]) -> list[tuple[str, bytes]]:
    from core.dataset.folders import Sample
    from core.dataset.images import check_images
    from core.networks.table import inputs_of
    from core.training.loaders import ImageTable, to_pixels, train_transforms

    root = real_path(config.data)
    if config.bad_images == "skip":
        bad = {item.path for item in check_images(root, [path for path, _ in examples])}
        examples = tuple(one for one in examples if one[0] not in bad)
    inputs = inputs_of(config.arch)
    samples = [Sample(path, 0) for path, _ in examples]
    table = ImageTable(root, samples, train_transforms(config, inputs), config.seed)
    found = []
    for index, (_, name) in enumerate(examples):
        pixels = to_pixels(table[0, index][0][None], inputs)[0]
        found.append((name, encode_image(enlarge(Image.fromarray(pixels)))))
    return found


def read_audit(folder: Path) -> Audit | None:
    """Return the audit kept in a folder (not to be changed), None before the first; raises RunError when damaged."""
    path = folder / "audit.json"
    return _read_audit(folder, path.stat().st_mtime_ns) if path.exists() else None


@st.cache_resource(max_entries=4, show_spinner="Reading what was found …")
def _read_audit(folder: Path, stamp: int) -> Audit:  # noqa: ARG001
    from core.dataset.audit import read_audit

    return read_audit(folder)


def read_run_audit(folder: Path, run: Run) -> Audit | None:
    """Return the audit kept in a folder as `read_audit` does, with the images of a run that it looked for in vain.

    One made before the run took its images knows nothing of them; raises RunError when the run's record is damaged too.
    """
    audit, record = read_audit(folder), run.folder / "data.json"
    if audit is None or not record.exists() or record.stat().st_mtime > audit.created:
        return audit
    return _read_run_audit(
        folder, (folder / "audit.json").stat().st_mtime_ns, run.folder, record.stat().st_mtime_ns
    )


@st.cache_resource(max_entries=4, show_spinner="Reading what was found …")
def _read_run_audit(folder: Path, stamp: int, run_folder: Path, run_stamp: int) -> Audit:  # noqa: ARG001
    from core.dataset.audit import add_gone

    record = Run(run_folder).read_json("data.json")
    taken = {path: label for split in ("train", "val", "held") for path, label in record.get(split, ())}
    return add_gone(_read_audit(folder, stamp), taken)


def read_label_report(path: Path) -> LabelReport | None:
    """Return the report on labels kept at a path, None before the first; raises RunError when it is damaged."""
    return _read_label_report(path, path.stat().st_mtime_ns) if path.exists() else None


@st.cache_resource(max_entries=4, show_spinner="Reading what was found …")
def _read_label_report(path: Path, stamp: int) -> LabelReport:  # noqa: ARG001
    from core.dataset.label_report import read_report

    return read_report(path)


def read_slice_report(run: Run, split: str) -> SliceReport | None:
    """Return what was found among the kinds of images of a split, None before the first search; raises RunError when damaged."""
    from core.slices.report import report_path

    path = report_path(run.folder, split)
    return _read_slice_report(path, path.stat().st_mtime_ns) if path.exists() else None


@st.cache_resource(max_entries=4, show_spinner="Reading what was found …")
def _read_slice_report(path: Path, stamp: int) -> SliceReport:  # noqa: ARG001
    from core.slices.report import read_report

    return read_report(path)


def digest_predictions(run: Run, split: str) -> str:
    """Return the digest of the predictions of a run's best model on a split."""
    path = run.predictions_path(split)
    return _digest_predictions(path, path.stat().st_mtime_ns)


@st.cache_data(max_entries=8, show_spinner=False)
def _digest_predictions(path: Path, stamp: int) -> str:  # noqa: ARG001
    from core.slices.search import digest_table

    return digest_table(path)
