"""Build a network and find its head: the last layer, which is new in every run."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first
from core.errors import UserError
from core.networks.table import TORCHVISION, describe_unknown, find_network

# isort: split
from torchvision import models as tv_models

_HEAD = "fc"  # the name of the last layer of every network of torchvision's here


class PointHead(nn.Conv2d):
    """A last layer that is a convolution of one pixel, which takes features (N, D) as well as (N, D, 1, 1)."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return logits (N, C), or (N, C, 1, 1) where the features came as that."""
        return (
            super().forward(input) if input.ndim == 4 else super().forward(input[..., None, None]).flatten(1)
        )


def build_model(arch: str, classes: int, image_size: int = 0) -> nn.Module:
    """Return a network with random weights and a fresh head of `classes` outputs: float (N, 3, S, S) to logits (N, classes).

    One that is built for a size is built for `image_size`, or for its own where that is 0.

    Raises:
        UserError: for a name that no network has.
    """
    if arch in TORCHVISION:
        # Residual branches that begin at zero train from scratch in a fraction of the epochs (P. Goyal et al., "Accurate,
        # Large Minibatch SGD", 2017, section 5.1); loaded weights replace the zeros.
        model: nn.Module = tv_models.get_model(
            arch, weights=None, num_classes=classes, zero_init_residual=True
        )
        return model
    model = build_timm(arch, num_classes=classes, **size_arguments(arch, image_size))
    head = head_of(model)
    if type(head) is nn.Conv2d:
        head.__class__ = PointHead  # the same weights under the same names
    return model


def build_timm(arch: str, **arguments: Any) -> nn.Module:
    """Return a network as timm makes it; raises UserError for a name that no network has."""
    import timm  # here, since importing it takes a second

    if find_network(arch) is None:
        raise UserError(f"arch: {describe_unknown(arch)}")
    model: nn.Module = timm.create_model(arch, **arguments)
    return model


def size_arguments(arch: str, image_size: int) -> dict[str, Any]:
    """Return what builds a network for a size, where that has to be said."""
    network = find_network(arch)
    return {"img_size": image_size} if image_size and network is not None and network.built else {}


def head_name(model: nn.Module) -> str:
    """Return the dotted name of a network's last layer."""
    get_classifier = getattr(model, "get_classifier", None)
    if get_classifier is None:
        return _HEAD
    head: nn.Module = get_classifier()
    names: list[str] = [name for name, module in model.named_modules() if module is head]
    return names[0]


def head_of(model: nn.Module) -> nn.Module:
    """Return a network's last layer, which maps its features (N, D) to logits (N, C)."""
    return model.get_submodule(head_name(model))


def is_in_head(name: str, head: str) -> bool:
    """Tell whether a parameter's or buffer's name lies in the last layer of the name `head`."""
    return name.startswith(f"{head}.")


def freeze_backbone(model: nn.Module, frozen: bool) -> None:
    """Make everything but the head keep its weights, or learn again."""
    head = head_name(model)
    for name, parameter in model.named_parameters():
        if not is_in_head(name, head):
            parameter.requires_grad_(not frozen)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
