"""A report's pictures: classes, augmented images, errors under heat maps; and what its network and transforms are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.dataset.folders import Sample
from core.dataset.images import ImageProblem, read_image
from core.errors import UserError
from core.model.evidence import Evidence
from core.model.pictures import encode_image, enlarge, overlay_map
from core.model.predict import Predictor
from core.networks.build import build_model, count_parameters
from core.recipe.config import SETTINGS, is_augmented
from core.report.facts import RunFacts
from core.training.loaders import ImageTable, eval_transforms, to_pixels, train_transforms
from core.verdicts import class_report
from core.words import format_confidence

WEAK = 6  # classes shown
ERRORS = 2  # images of each, with their heat maps
ALIKE = 4  # training images of it, and as many of the class it is taken for
CLASSES = 12  # of which a training image is shown
AUGMENTED = (3, 4)  # images, variants of each
_SIDE = 224  # pixels of the longer side of a picture

_WHAT = {
    "RandomResizedCrop": "cuts out a part of random size and shape, scaled to what the network takes",
    "RandomHorizontalFlip": "mirrors left and right, with this probability",
    "TrivialAugmentWide": "changes the image in one of fourteen ways, chosen at random, with random strength",
    "RandomRotation": "turns by a random angle, in degrees",
    "RandomAffine": "shifts by a random share of the side",
    "ColorJitter": "scales brightness, contrast and saturation by random factors",
    "ToTensor": "turns the pixels into numbers from 0 to 1",
    "Normalize": "subtracts a mean from each colour and divides by a deviation, as the network was taught",
    "RandomErasing": "blanks out a random rectangle, with this probability",
    "Resize": "scales the shorter side to this many pixels",
    "CenterCrop": "cuts out the middle",
}


@dataclass(frozen=True)
class Picture:
    """An image as WebP bytes with its caption: a title, and a dimmer note."""

    image: bytes
    title: str
    note: str = ""


@dataclass(frozen=True)
class WeakClass:
    """A weak class: what is said of it, its surest errors (image, evidence for both classes), and training images.

    `alike` holds rows of training images: of this class, and of the one it is mostly taken for.
    """

    label: str
    finding: str
    errors: tuple[tuple[Picture, ...], ...]
    alike: tuple[tuple[Picture, ...], ...]


@dataclass(frozen=True)
class Examples:
    """All pictures of a report; `missing` says what could not be shown, and why."""

    classes: tuple[Picture, ...]
    augmented: tuple[tuple[Picture, ...], ...]
    weak: tuple[WeakClass, ...]
    missing: str


def find_weak(facts: RunFacts) -> list[str]:
    """Return the weakest classes that have an error, by folder name, weakest first."""
    classes = facts.classes
    return list(classes[classes["right"] < classes["support"]]["class"].head(WEAK))


def list_transforms(facts: RunFacts) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return the transforms in their order, for training and validation: name, settings, what it does."""
    config, inputs = facts.config, facts.run.read_inputs()
    validation = eval_transforms(config.image_size, config.resize_size, inputs)
    lists = {"Validation and test": validation}
    if is_augmented(vars(config)):
        lists = {"Training": train_transforms(config, inputs), **lists}
    else:
        lists = {"Training, validation and test": validation}
    found = []
    for title, transforms in lists.items():
        rows = []
        for one in transforms.transforms:
            name, _, settings = repr(one).partition("(")
            off = any(
                one.is_off(getattr(config, field)) for field, one in SETTINGS.items() if one.augments == name
            )
            rows.append((name, settings.removesuffix(")"), "off in this run" if off else _WHAT[name]))
        found.append((title, rows))
    return found


def count_network(facts: RunFacts) -> int:
    """Return the number of the network's parameters."""
    with torch.device("meta"):  # no memory, no random numbers
        config = facts.config
        return count_parameters(build_model(config.arch, len(facts.data.classes), config.image_size))


def read_examples(facts: RunFacts, step: Callable[[], None]) -> Examples:
    """Read the pictures of a report and compute their heat maps; `step` is called after each class of `find_weak`."""
    data, weak = facts.data, []
    predictor, missing = _load_predictor(facts)
    for name in find_weak(facts):
        weak.append(_read_weak(facts, name, predictor))
        step()
    if not data.root.is_dir():
        return Examples((), (), tuple(weak), missing)
    lost = sum(_is_short(facts, name, one) for name, one in zip(find_weak(facts), weak, strict=True))
    if lost:
        missing = f"{missing} Of {lost} of the weak classes images are gone or cannot be read.".strip()
    taught = [name for name in data.classes if data.train_paths[name]]
    shown = (_read(data.root, data.train_paths[n][0], data.label(n)) for n in _spread(taught, CLASSES))
    return Examples(
        tuple(picture for picture in shown if picture is not None),
        tuple(_augment(facts)) if facts.origin is None and is_augmented(vars(facts.config)) else (),
        tuple(weak),
        missing,
    )


def _load_predictor(facts: RunFacts) -> tuple[Predictor | None, str]:
    """Return the model for heat maps, or None and why there is none."""
    if not facts.data.root.is_dir():
        place = f"The data folder ({facts.data.root.name}) is not where the run found it"
        return None, f"{place}: example images and heat maps are left out."
    try:
        predictor = Predictor.from_run(facts.run)
    except UserError as error:
        return None, f"Heat maps are left out. {error}"
    if predictor.classes != tuple(facts.data.classes):
        return None, "Heat maps are left out: best.pt knows other classes than the run's data has."
    return predictor, ""


def _is_short(facts: RunFacts, name: str, found: WeakClass) -> bool:
    row = facts.classes[facts.classes["class"] == name].iloc[0]
    return len(found.errors) < min(ERRORS, int(row["support"] - row["right"]))


def _read_weak(facts: RunFacts, name: str, predictor: Predictor | None) -> WeakClass:
    data, table = facts.data, facts.table
    finding = class_report.describe_class(name, table=table, report=facts.classes, label=data.label)
    wrong = table[(table["true"] == name) & (table["predicted"] != name)]
    surest = wrong.sort_values("confidence", ascending=False, kind="stable").head(ERRORS)
    errors: list[tuple[Picture, ...]] = []
    for row in surest.itertuples():
        try:
            image = read_image(data.root / row.path)
        except ImageProblem:
            continue
        answers = (
            (row.predicted, f"{format_confidence(row.confidence)} sure"),
            (name, f"the true class, {format_confidence(row.true_confidence)}"),
        )
        told = f"taken for {data.label(row.predicted)}"
        if predictor is None:
            errors.append((Picture(_encode(image), told, row.path),))
            continue
        seen, maps = predictor.explain([image], [[Evidence(answer) for answer, _ in answers]])
        pictures = [Picture(encode_image(enlarge(Image.fromarray(seen[0]))), told, row.path)]
        for (answer, note), heat in zip(answers, maps[0], strict=True):
            note = note if heat.any() else f"{note}; no evidence found"
            pictures.append(
                Picture(encode_image(overlay_map(seen[0], heat)), f"for {data.label(answer)}", note)
            )
        errors.append(tuple(pictures))
    other = str(facts.classes.set_index("class").loc[name, "confused_with"])
    alike = []
    for member in (name, other):
        paths = data.train_paths[member][:ALIKE]
        found = (_read(data.root, path, data.label(member)) for path in paths)
        alike.append(tuple(picture for picture in found if picture is not None))
    return WeakClass(data.label(name), finding, tuple(errors), tuple(row for row in alike if row))


def _augment(facts: RunFacts) -> list[tuple[Picture, ...]]:
    """Return rows of a training image and how the network meets it in the first epochs."""
    images, variants = AUGMENTED
    names = _spread(facts.data.classes, images)
    samples = [Sample(facts.data.train_paths[name][-1], facts.data.classes.index(name)) for name in names]
    inputs = facts.run.read_inputs()
    table = ImageTable(facts.data.root, samples, train_transforms(facts.config, inputs), facts.config.seed)
    rows = []
    for number, (sample, name) in enumerate(zip(samples, names, strict=True)):
        original = _read(facts.data.root, sample.path, facts.data.label(name), "as it is")
        if original is None:
            continue
        try:
            drawn = torch.stack([table[epoch, number][0] for epoch in range(variants)])
        except UserError:
            continue
        changed = [
            Picture(encode_image(enlarge(Image.fromarray(p))), "", "in training")
            for p in to_pixels(drawn, inputs)
        ]
        rows.append((original, *changed))
    return rows


def _spread(names: Sequence[str], most: int) -> list[str]:
    """Return at most so many of the names, evenly spread over them."""
    at = np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))
    return [names[index] for index in at]


def _read(root: Path, path: str, title: str, note: str = "") -> Picture | None:
    try:
        return Picture(_encode(read_image(root / path)), title, note)
    except ImageProblem:
        return None


def _encode(image: Image.Image) -> bytes:
    image.thumbnail((_SIDE, _SIDE))
    return encode_image(enlarge(image))
