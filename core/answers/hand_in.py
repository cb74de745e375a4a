"""The predictions of images, to hand in: asked for, written as was asked, read back and checked, and kept with what they are of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset.export import defuse
from core.dataset.images import BadImage
from core.errors import RunError, describe_unreadable
from core.files import draft_folder, format_rows, refuse_existing, replace_folder, write_rows, write_text
from core.places import name_place
from core.reading import read_object, take
from core.runs.run import Run
from core.words import format_count

if TYPE_CHECKING:  # what brings torch waits for the work
    from core.answers.check import Finding
    from core.answers.submission import LabelStyle, Plan, Sample
    from core.model.predict import Answers
    from core.ways.choice import Choice

HAND_IN, DETAILS = "prediction.csv", "prediction-details.csv"
DETAIL_COLUMNS = ("image_name", "pred_label", "confidence", "sure")
_RECORD = "hand-in.json"
_MOST = 1_000_000_000  # bytes of it
Progress = Callable[[int, int], bool]


@dataclass(frozen=True)
class HandIn:
    """What was predicted: the images of a folder, by the model of an epoch, at a temperature and threshold (0..1).

    `left_out` are the files that could not be read, each as the hand-in would call it and with the reason; `unsure` counts images below the threshold.
    `findings` are what the check of the file found, each with whether it is as it should be. `sample` is the name of the
    sample submission that was followed, and `extra` counts files that it does not name. `way` names the way to predict, empty for
    the plain one.
    """

    images: str
    epoch: int
    temperature: float
    threshold: float
    count: int
    unsure: int
    left_out: tuple[tuple[str, str], ...]
    findings: tuple[tuple[bool, str], ...] = ()
    sample: str = ""
    extra: int = 0
    way: str = ""

    @property
    def good(self) -> bool:
        """Tell whether the file is all that it should be."""
        return all(good for good, _ in self.findings)

    def describe(self) -> str:
        """Return how many images were predicted and how many files left out."""
        images, count = f"{format_count(self.count, 'image')} predicted", len(self.left_out)
        return f"{images}, {format_count(count, 'file')} left out." if count else f"{images}."


@dataclass(frozen=True)
class Written:
    """What became of images: the text to hand in, what its check found, the files that could not be read.

    `unsure` counts the images whose confidence is below the threshold.
    """

    text: str
    findings: tuple[Finding, ...]
    bad: tuple[BadImage, ...]
    unsure: int


def write_hand_in(
    model: Answers,
    plan: Plan,
    out: Path | None,
    *,
    details: Path | None = None,
    temperature: float = 1.0,
    min_confidence: float = 0.0,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> Written | None:
    """Predict the images of a plan and write what is handed in; None when `progress(done, total)` told to stop.

    Every image has a label however sure. Without `out` the text is only returned. `details` is a second file that also
    has the confidence (0..1) at this temperature and whether it is `sure`: yes where the confidence is at least
    `min_confidence`. Each file is written whole or not at all, and the check reads what was written.

    Raises:
        RunError: before the work, where both are one file or a folder is missing.
        OSError: when a file cannot be written.
    """
    from core.answers.ask import ask_images
    from core.answers.check import check_hand_in
    from core.answers.submission import label_classes

    refuse_places(out, details, overwrite=True)
    labels = label_classes(plan.form, model.classes, model.display)
    asked = ask_images(model, plan.paths, temperature=temperature, batch_size=batch_size, progress=progress)
    if asked is None:
        return None
    rows = [
        (
            name,
            labels[told.classes[0]],
            f"{told.confidences[0]:.6f}",
            say_sure(told.confidences[0], min_confidence),
        )
        for name, told in zip(plan.names, asked.answers, strict=True)
        if told is not None
    ]
    text = format_rows(plan.form.columns, [plan.form.order(name, label) for name, label, *_ in rows])
    if out is not None:
        write_text(out, text)
        text = out.read_text(encoding="utf-8")
    if details is not None:
        write_rows(details, DETAIL_COLUMNS, [[defuse(cell) for cell in row] for row in rows])
    bad = tuple(BadImage(str(path), why) for path, why in zip(plan.paths, asked.problems, strict=True) if why)
    return Written(text, check_hand_in(text, plan, labels.values()), bad, sum(row[3] == "no" for row in rows))


def refuse_places(out: Path | None, details: Path | None, *, overwrite: bool) -> None:
    """Refuse places where a hand-in or its details cannot be written, or would replace a file unasked; raises RunError."""
    if out is not None and details == out:
        raise RunError(
            f"{out} is given for both the hand-in file and the details. Choose two different files."
        )
    for file in (out, details):
        if file is not None and not file.parent.is_dir():
            raise RunError(
                f"{file} cannot be written: there is no folder {file.parent}. Make it, or choose another file."
            )
        if file is not None:
            refuse_existing(file, overwrite=overwrite)


def say_sure(confidence: float, min_confidence: float) -> str:
    """Return `yes` or `no`: whether a confidence (0..1) is enough to answer, as the tables of predictions have it."""
    return "yes" if confidence >= min_confidence else "no"


def hand_in_folder(task: Path) -> Path:
    """Return the folder inside a task's that holds what it made."""
    return task / "result"


def predict_folder(
    run: Run,
    images: Path,
    task: Path,
    *,
    temperature: float,
    threshold: float,
    extension: bool = True,
    labels: LabelStyle = "",
    sample: Sample | None = None,
    choice: Choice | None = None,
    progress: Progress,
) -> HandIn | None:
    """Predict the images of a folder into the result of a task's folder; None when `progress` told to stop.

    What an earlier one made stays until all of this is done, and is then replaced. How it is written is as `Form` and
    `plan_hand_in` say. `choice` is the way to predict, by default the plain one.

    Raises:
        RunError: when there is no such folder or nothing in it, or the run has no model.
        DataError: when the sample submission cannot be followed.
    """
    from core.answers.sources import find_images
    from core.answers.submission import Form, plan_hand_in
    from core.ways.answers import make_answers

    paths = find_images([images])
    epoch = run.read_status().best_epoch
    model, asked_at = make_answers(run, choice, temperature, images=len(paths))
    plan = plan_hand_in(
        paths, Form(extension=extension, labels=labels),
        classes=model.classes, display=model.display, folder=images, sample=sample,
    )  # fmt: skip
    with draft_folder(hand_in_folder(task)) as draft:
        written = write_hand_in(
            model, plan, draft / HAND_IN, details=draft / DETAILS, temperature=asked_at,
            min_confidence=threshold, progress=progress,
        )  # fmt: skip
        if written is None:
            return None
        called = dict(zip(map(str, plan.paths), plan.names, strict=True))
        left_out = tuple((called[bad.path], bad.reason) for bad in written.bad)
        hand_in = HandIn(
            str(images), epoch, temperature, threshold, len(plan.paths) - len(left_out), written.unsure, left_out,
            tuple((finding.good, finding.words) for finding in written.findings),
            "" if sample is None else sample.name, plan.extra,
            "" if choice is None or choice.is_plain else choice.describe(),
        )  # fmt: skip
        write_text(draft / _RECORD, json.dumps(asdict(hand_in), indent=2) + "\n")
        replace_folder(draft, hand_in_folder(task))
    return hand_in


def read_hand_in(task: Path) -> HandIn | None:
    """Return what a task's folder holds, None before the first; raises RunError when it is damaged."""
    path = hand_in_folder(task) / _RECORD
    try:
        return take(HandIn, read_object(path, most=_MOST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(
            f"{name_place(path)} cannot be read ({describe_unreadable(error)}). Predict the folder again."
        ) from None
