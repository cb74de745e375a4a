"""Heat maps: one an image, of the class asked for, and the model is left as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from core.explain import explain
from core.models import build_model


def count_hooks(model: nn.Module) -> int:
    return sum(
        len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in model.modules()
    )


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return build_model("resnet18", 3).eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_each_image_gets_a_map_of_its_size_from_0_to_1(model: nn.Module, images: torch.Tensor) -> None:
    maps = explain(model, images, [0, 1, 2])
    assert (maps.shape, maps.dtype) == ((3, 32, 32), np.float32)
    assert maps.min() >= 0
    assert maps.max(axis=(1, 2)) == pytest.approx(1.0, abs=1e-3)


def test_different_classes_are_explained_differently(model: nn.Module, images: torch.Tensor) -> None:
    maps = explain(model, images[:1].expand(3, -1, -1, -1), [0, 1, 2])
    assert all(np.abs(maps[a] - maps[b]).max() > 0.1 for a, b in ((0, 1), (0, 2), (1, 2)))


def test_the_map_of_an_image_does_not_depend_on_the_others(model: nn.Module, images: torch.Tensor) -> None:
    together = explain(model, images, [0, 1, 2])
    alone = explain(model, images[1:2], [1])
    np.testing.assert_allclose(together[1], alone[0], atol=1e-3)


def test_a_map_is_largest_where_the_evidence_is() -> None:
    # A network that says class 1 for brightness alone, and an image with one bright corner.
    model = build_model("resnet18", 2).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.abs())
        model.get_submodule("fc").weight[0] = 0
    image = torch.full((1, 3, 64, 64), 0.0)
    image[..., :16, :16] = 1
    heat = explain(model, image, [1])[0]
    assert heat[:16, :16].mean() > 2 * heat[32:, 32:].mean()


def test_where_nothing_speaks_for_a_class_the_map_is_0(model: nn.Module, images: torch.Tensor) -> None:
    blind = build_model("resnet18", 3).eval()
    blind.get_submodule("fc").weight.data.zero_()
    assert not explain(blind, images, [0, 1, 2]).any()


def test_no_hook_gradient_or_mode_is_left_on_the_model(model: nn.Module, images: torch.Tensor) -> None:
    before = count_hooks(model)
    for _ in range(20):
        explain(model, images[:1], [0])
    assert count_hooks(model) == before == 0
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.training
    assert not images.requires_grad


def test_a_frozen_network_is_explained_as_a_free_one(model: nn.Module, images: torch.Tensor) -> None:
    free = explain(model, images, [0, 1, 2])
    model.requires_grad_(False)
    try:
        frozen = explain(model, images, [0, 1, 2])
    finally:
        model.requires_grad_(True)
    np.testing.assert_allclose(frozen, free, atol=1e-5)


def test_the_wrong_number_of_targets_is_refused(model: nn.Module, images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="3 images need as many targets, got 2"):
        explain(model, images, [0, 1])
    assert count_hooks(model) == 0


def test_a_class_that_does_not_exist_is_refused_and_the_hooks_are_released(
    model: nn.Module, images: torch.Tensor
) -> None:
    with pytest.raises(IndexError, match="3"):
        explain(model, images[:1], [3])
    assert count_hooks(model) == 0


def test_two_explanations_of_one_model_at_a_time_do_not_mix(model: nn.Module, images: torch.Tensor) -> None:
    wanted = [explain(model, images[i : i + 1], [i]) for i in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda i: explain(model, images[i : i + 1], [i]), [0, 1, 2] * 3))
    for number, maps in enumerate(found):
        np.testing.assert_allclose(maps, wanted[number % 3], atol=1e-5)
