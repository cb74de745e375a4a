"""A run's best model as it is shipped: one module from pixels to probabilities, and the contract it keeps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from core.confidence.kept import read_precision, read_temperature
from core.confidence.threshold import UNDECIDED, read_threshold
from core.errors import RunError
from core.model.predict import Predictor
from core.networks.build import build_model
from core.networks.fold import fold_norms
from core.networks.table import InputFormat
from core.places import own_command
from core.runs.run import Run
from core.ship.contract import Contract
from core.training.checkpoint import load_best
from core.training.engine import Compute

_CPU = Compute(torch.device("cpu"), bf16=False, channels_last=True)


class ShippedNetwork(nn.Module):
    """A network with what lies between pixels and it, and between it and probabilities.

    Whoever runs it needs to know neither the normalisation nor the temperature.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, inputs: InputFormat, temperature: float) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        self.register_buffer("mean", torch.tensor(inputs.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(inputs.std).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of all classes, float32 (N, C), for pixels uint8 (N, S, S, 3)."""
        images = (pixels.permute(0, 3, 1, 2).float() / 255 - self.mean) / self.std
        logits: torch.Tensor = self.network(images)
        return (logits / self.temperature).softmax(1)


@dataclass(frozen=True)
class Source:
    """What is shipped: the network as it was trained, on the CPU, the contract, and the answers it is held to."""

    network: nn.Module
    contract: Contract
    own: Predictor

    def make_module(self) -> ShippedNetwork:
        """Return the module that is written where a format holds a graph; normalisations are folded into convolutions."""
        network = fold_norms(self.network, self.contract.image_size)
        return _assemble(network, self.contract)


def load_source(run: Run) -> Source:
    """Load a run's best model to be shipped.

    The answers it is held to are Predict's, in fp32 on the CPU, where a shipped model computes too.

    Raises:
        RunError: when it has no model, or its confidences were measured in another precision than that.
    """
    model, values = load_best(run)
    if (precision := read_precision(run)) != "fp32":
        raise RunError(
            f"{run.id}: its confidences were measured in {precision}, and a shipped model computes in fp32. "
            f"Measure them again: {own_command()} calibrate {run.id}"
        )
    inputs, temperature = InputFormat.from_values(values), read_temperature(run)
    threshold = read_threshold(run, temperature=temperature)
    classes, display = tuple(values["classes"]), values.get("display", {})
    contract = Contract(
        run=run.id,
        epoch=run.read_status().best_epoch,
        network=values["arch"],
        image_size=values["image_size"],
        resize_size=values["resize_size"],
        interpolation=inputs.interpolation,
        mean=inputs.mean,
        std=inputs.std,
        classes=classes,
        class_names=tuple(display.get(name, name) for name in classes),
        temperature=temperature,
        threshold=UNDECIDED if threshold is None else threshold.value,
    )
    own = Predictor(
        fold_norms(model, contract.image_size),
        classes=classes,
        image_size=contract.image_size,
        resize_size=contract.resize_size,
        compute=_CPU,
        inputs=inputs,
    )
    return Source(model, contract, own)


def rebuild_module(contract: Contract, state: dict[str, torch.Tensor]) -> ShippedNetwork:
    """Build a network anew from its weights alone, as one who was sent them and the contract does.

    Raises:
        RuntimeError: when the weights are not those of the contract's network.
    """
    network = build_model(contract.network, len(contract.classes), contract.image_size)
    network.load_state_dict(state)
    return _assemble(network, contract)


def _assemble(network: nn.Module, contract: Contract) -> ShippedNetwork:
    module = ShippedNetwork(network, contract.inputs, contract.temperature)
    module.eval().requires_grad_(False)
    return module
