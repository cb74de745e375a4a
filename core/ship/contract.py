"""What a shipped model takes and answers, as plain values that travel in its file and beside it; no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import core
from core.networks.table import InputFormat

INPUT, OUTPUT = "pixels", "probabilities"  # what the graph's input and output are called
FILE = "weakspot.json"  # its name inside the archives of TorchScript and torch.export


@dataclass(frozen=True)
class Contract:
    """Everything that has to be known to use a model right.

    An image is resized until its shorter side has `resize_size` pixels, by `interpolation`, and of it the middle,
    `image_size` pixels square, goes in. `mean` and `std` of each colour (of values 0..1), and `temperature`, are applied
    inside a graph. `classes` are folder names in the order of the probabilities, `class_names` what a reader calls them.
    `threshold` (0..1) is the confidence below which an answer is "not sure", Predict's own where none was chosen. `precision` is fp32
    or int8.
    """

    run: str
    epoch: int
    network: str
    image_size: int
    resize_size: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    classes: tuple[str, ...]
    class_names: tuple[str, ...]
    temperature: float
    threshold: float
    precision: str = "fp32"

    @property
    def inputs(self) -> InputFormat:
        """Return how the network takes pixels."""
        return InputFormat(self.mean, self.std, self.interpolation)

    @property
    def shape(self) -> str:
        """Return in words what goes in."""
        return f"uint8 RGB from 0 to 255, (batch, {self.image_size}, {self.image_size}, 3)"

    def to_values(self) -> dict[str, Any]:
        """Return it as plain values, with what the graph's ends are called and by which version it was made."""
        ends = {"input": INPUT, "input_shape": self.shape, "output": OUTPUT}
        return {"weakspot": core.__version__, **ends, **asdict(self)}

    def to_json(self) -> str:
        """Return it as a JSON file has it."""
        return json.dumps(self.to_values(), indent=2, ensure_ascii=False) + "\n"

    def to_texts(self) -> dict[str, str]:
        """Return it for formats that keep texts alone: what is not text is JSON."""
        return {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in self.to_values().items()
        }

    @classmethod
    def from_json(cls, text: str) -> Contract:
        """Read what `to_json` returned; raises KeyError or ValueError where it is something else."""
        values = json.loads(text)
        return cls._from_values({field.name: values[field.name] for field in fields(cls)})

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> Contract:
        """Read what `to_texts` returned; raises KeyError or ValueError where it is something else."""
        return cls._from_values(
            {
                field.name: texts[field.name] if field.type == "str" else json.loads(texts[field.name])
                for field in fields(cls)
            }
        )

    @classmethod
    def _from_values(cls, values: Mapping[str, Any]) -> Contract:
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**given)
