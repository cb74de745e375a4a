"""The model behind a table, where its weights are at hand: loaded, held against the table, its outputs put in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from core.dataset.images import ImageProblem, read_image
from core.errors import ConfigError, DataError, WeightsError
from core.imports.columns import sort_as_text
from core.imports.reading import Ints, Reading
from core.model.predict import Predictor
from core.networks.build import build_model, head_of
from core.networks.table import InputFormat, describe_unknown, find_network
from core.networks.weights import load_weights_file
from core.recipe.config import TrainConfig
from core.runs.run import Run
from core.runs.seen import SEEN_FILE
from core.training.checkpoint import best_values, save_checkpoint
from core.training.engine import choose_compute
from core.words import format_count

LOOKED_AT = 200  # images of a table that the model is asked about, at most
AGREEING = 0.95  # of them on which it has to say what the table says
_BATCH = 32

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights and what its user says of it: the network's name, and how it was taught to see images.

    `image_size` and `resize_size` are in pixels, `mean` and `std` those of each colour in 0..1; 0 and () stand for what the
    network's published weights want.
    """

    path: Path
    arch: str
    image_size: int = 0
    resize_size: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Model:
    """A network whose outputs are the classes of a reading in their order; `note` says in words how that was found out."""

    network: nn.Module
    config: TrainConfig
    inputs: InputFormat
    note: str

    def keep(self, run: Run, reading: Reading) -> None:
        """Write it as the best model of a run that was made of the reading."""
        config = self.config
        run.write_inputs(config.arch, self.inputs)
        values = best_values(
            self.network, arch=config.arch, inputs=self.inputs, classes=reading.classes, display=reading.images.display,
            image_size=config.image_size, resize_size=config.resize_size, epoch=0, val_acc=reading.accuracy,
            seen=run.read_json(SEEN_FILE),
        )  # fmt: skip
        save_checkpoint(run.best_path, values)


def open_model(file: WeightsFile, reading: Reading, *, progress: Progress) -> Model:
    """Load the model that made a table, and ask it about some of the table's images to see that it is the one.

    The order of its outputs is that of the classes which agrees best with the table. `progress` is called with the images
    done and in all.

    Raises:
        ConfigError: naming the network that there is not, or the size that it does not take.
        WeightsError: when the file is of another network or other classes, or its model says something else than the table.
        DataError: naming an image that cannot be read.
    """
    config, inputs = _describe_network(file, reading)
    network = build_model(config.arch, len(reading.classes), config.image_size)
    fit = load_weights_file(network, file.path)
    if not fit.head:
        raise WeightsError(_describe_outputs(file, fit.outputs, reading))
    predictor = Predictor(
        network, classes=reading.classes, image_size=config.image_size, resize_size=config.resize_size,
        compute=choose_compute("auto", "fp32"), inputs=inputs,
    )  # fmt: skip
    rows = np.unique(np.linspace(0, len(reading.paths) - 1, LOOKED_AT).round().astype(np.int64))
    answers = _ask(predictor, reading, rows, progress)
    orders = _list_orders(reading)
    agreeing = {
        said: int((order[answers] == reading.predicted[rows]).sum()) for said, order in orders.items()
    }
    best = max(agreeing, key=lambda said: agreeing[said])
    if agreeing[best] < AGREEING * len(rows):
        raise WeightsError(_describe_apart(file, reading, agreeing, len(rows)))
    _order_outputs(network, orders[best])
    return Model(
        network, config, inputs,
        f"{file.path.name} agrees with the table on {agreeing[best]:,} of the {len(rows):,} images that it was asked about; "
        f"its outputs are in {best}.",
    )  # fmt: skip


def _describe_network(file: WeightsFile, reading: Reading) -> tuple[TrainConfig, InputFormat]:
    known = find_network(file.arch)
    if known is None:
        raise ConfigError({"arch": f"{describe_unknown(file.arch)}. `networks WORD` lists them"})
    if file.std and min(file.std) <= 0:
        raise ConfigError({"std": f"must be above 0 for each colour, got {min(file.std):g}"})
    size = file.image_size or known.size
    config = TrainConfig(
        data=str(reading.images.root), arch=file.arch, weights="none",
        image_size=size, resize_size=file.resize_size or round(known.resize * size / known.size),
    )  # fmt: skip
    published = known.inputs
    inputs = InputFormat(file.mean or published.mean, file.std or published.std, published.interpolation)
    return config, inputs


def _ask(predictor: Predictor, reading: Reading, rows: Ints, progress: Progress) -> Ints:
    """Return the number of the output (M,) that is highest for each of these rows of a table."""
    answers: list[int] = []
    for start in range(0, len(rows), _BATCH):
        images = [_read(reading, reading.paths[row]) for row in rows[start : start + _BATCH]]
        answers += predictor.weigh_classes(images).argmax(1).tolist()
        progress(len(answers), len(rows))
    return np.array(answers, dtype=np.int64)


def _list_orders(reading: Reading) -> dict[str, Ints]:
    """Return the orders that outputs may come in, by what each is called: of each output the index of its class."""
    orders = {
        "alphabetical order": sort_as_text(reading.classes),
        "the order in which people count": reading.classes,
        "the order of the table's columns": reading.listed,
    }
    index = {name: number for number, name in enumerate(reading.classes)}
    return {said: np.array([index[name] for name in order]) for said, order in orders.items() if order}


def _order_outputs(network: nn.Module, order: Ints) -> None:
    """Put the outputs of a network in the order of the classes; `order` has of each output the index of its class."""
    source = torch.from_numpy(np.argsort(order))
    with torch.no_grad():
        for parameter in head_of(network).parameters():
            parameter.copy_(parameter[source.to(parameter.device)])


def _read(reading: Reading, path: str) -> Image.Image:
    try:
        return read_image(reading.images.root / path)
    except ImageProblem as problem:
        raise DataError(
            f"{path} {problem}. Repair or replace it, or import the table without --weights."
        ) from None


def _describe_outputs(file: WeightsFile, outputs: int, reading: Reading) -> str:
    if not outputs:
        return (
            f"weights: {file.path.name} lacks the last layer of {file.arch}, so it cannot say which class an image is. "
            "Give a file with the whole model."
        )
    return (
        f"weights: the last layer of {file.path.name} has {format_count(outputs, 'output')}, but the data has "
        f"{format_count(len(reading.classes), 'class')}. Give the folder (--data) with exactly the classes of the model."
    )


def _describe_apart(file: WeightsFile, reading: Reading, agreeing: Mapping[str, int], asked: int) -> str:
    return (
        f"weights: {file.path.name} agrees with {reading.table} on only {max(agreeing.values()):,} of the "
        f"{format_count(asked, 'image')} that it was asked about; {AGREEING * 100:g} % are needed. Its classes may be in an "
        f"order other than {' or '.join(agreeing)}, or the images were prepared differently: give --image-size, --resize-size, --mean "
        "and --std as in training. To import the table alone, leave out --weights."
    )
