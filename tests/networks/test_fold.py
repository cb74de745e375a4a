"""Folding: a network whose normalisations are folded says the same, and one that would not is left as it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.networks.build import build_model
from core.networks.fold import fold_norms


def settle(model: nn.Module) -> nn.Module:
    """Give a network statistics and weights as training leaves them, so that folding has something to do."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1)
                module.bias.normal_(std=0.1)
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
    return model.eval()


def count_norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(
    "arch", ["resnet18", "resnext50_32x4d", "test_efficientnet", "tf_efficientnet_lite0"]
)
def test_a_network_whose_normalisation_is_folded_says_the_same(arch: str) -> None:
    torch.manual_seed(0)
    model = settle(build_model(arch, 3))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        wanted = model(images)
        found = fold_norms(model, 64)(images)
    assert count_norms(fold_norms(model, 64)) == 0
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


class Crossed(nn.Module):
    """A network in which the normalisation beside a convolution comes before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.fc = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(self.bn(images)).mean((2, 3)))


def test_a_network_that_would_say_anything_else_is_left_as_it_is() -> None:
    torch.manual_seed(0)
    model = settle(Crossed())
    assert fold_norms(model, 32) is model
    assert count_norms(model) == 1


def test_a_network_without_such_normalisation_is_left_as_it_is() -> None:
    model = build_model("test_vit", 3, 32).eval()
    assert fold_norms(model, 32) is model
