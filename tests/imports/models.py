"""A network that says of the tiny data what the tables say, and its weights opened beside a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from core.dataset.images import read_image
from core.imports.model import Model, WeightsFile, open_model
from core.networks.build import build_model, head_of
from core.networks.table import IMAGENET, InputFormat
from core.training.loaders import eval_transforms
from tests.imports.tables import PATHS, PLAIN, PREDICTED, understand

TEXT = ("10", "2", "35")  # the classes in the order of text


def make_weights(
    data: Path, *, order: Sequence[str] = TEXT, classes: int = 3, inputs: InputFormat = IMAGENET
) -> Path:
    """Save a network that says of the images what the tables say; its outputs are the classes in this order."""
    torch.manual_seed(0)
    network = build_model("resnet18", classes).eval()
    head, transform = head_of(network), eval_transforms(32, 32, inputs)
    assert isinstance(head, nn.Linear)
    seen: list[torch.Tensor] = []
    hook = head.register_forward_hook(lambda _, given, __: seen.append(given[0].double()))
    with torch.no_grad():
        network(torch.stack([transform(read_image(data / path)) for path in PATHS]))
        wanted = nn.functional.one_hot(torch.tensor([order.index(name) for name in PREDICTED]), classes)
        head.weight.copy_((torch.linalg.pinv(seen[0]) @ wanted.double()).T)
        head.bias.zero_()
    hook.remove()
    path = data.parent / "model.pt"
    torch.save(network.state_dict(), path)
    return path


def open_tiny(path: Path, data: Path, text: str = PLAIN, **said: object) -> Model:
    file = WeightsFile(path, **{"arch": "resnet18", "image_size": 32, "resize_size": 32, **said})  # type: ignore[arg-type]
    return open_model(file, understand(text, data), progress=lambda *_: None)
