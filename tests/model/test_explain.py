"""Heat maps: one an image, of the class asked for, and the model is left as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from core import torchvision_ops  # noqa: F401  pytorch_grad_cam imports torchvision
from core.model.evidence import EIGENCAM, METHODS
from core.model.explain import MapQuestion, explain
from core.networks.build import build_model
from core.networks.stages import find_stages

# isort: split
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction

each_method = pytest.mark.parametrize("method", METHODS)


def ask(*targets: int) -> list[MapQuestion]:
    """Return a question an image, for the class of its place."""
    return [MapQuestion(image, target) for image, target in enumerate(targets)]


def layer_of(model: nn.Module, stage: int) -> nn.Module:
    return model.get_submodule(find_stages(model, 32)[stage].module)


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
    maps = explain(model, images, ask(0, 1, 2))
    assert (maps.shape, maps.dtype) == ((3, 32, 32), np.float32)
    assert maps.min() >= 0
    assert maps.max(axis=(1, 2)) == pytest.approx(1.0, abs=1e-3)


def test_different_classes_are_explained_differently(model: nn.Module, images: torch.Tensor) -> None:
    maps = explain(model, images[:1].expand(3, -1, -1, -1), ask(0, 1, 2))
    assert all(np.abs(maps[a] - maps[b]).max() > 0.1 for a, b in ((0, 1), (0, 2), (1, 2)))


def test_the_map_of_an_image_does_not_depend_on_the_others(model: nn.Module, images: torch.Tensor) -> None:
    together = explain(model, images, ask(0, 1, 2))
    alone = explain(model, images[1:2], ask(1))
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
    heat = explain(model, image, ask(1))[0]
    assert heat[:16, :16].mean() > 2 * heat[32:, 32:].mean()


def test_where_nothing_speaks_for_a_class_the_map_is_0(model: nn.Module, images: torch.Tensor) -> None:
    blind = build_model("resnet18", 3).eval()
    blind.get_submodule("fc").weight.data.zero_()
    assert not explain(blind, images, ask(0, 1, 2)).any()


def test_no_hook_gradient_or_mode_is_left_on_the_model(model: nn.Module, images: torch.Tensor) -> None:
    before = count_hooks(model)
    for _ in range(20):
        explain(model, images[:1], ask(0))
    assert count_hooks(model) == before == 0
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not model.training
    assert not images.requires_grad


def test_a_frozen_network_is_explained_as_a_free_one(model: nn.Module, images: torch.Tensor) -> None:
    free = explain(model, images, ask(0, 1, 2))
    model.requires_grad_(False)
    try:
        frozen = explain(model, images, ask(0, 1, 2))
    finally:
        model.requires_grad_(True)
    np.testing.assert_allclose(frozen, free, atol=1e-5)


@pytest.mark.parametrize(
    ("questions", "options", "error", "words"),
    [
        ([MapQuestion(3, 0)], {}, IndexError, "no image 3 among 3"),
        ([MapQuestion(0, 3)], {}, IndexError, "no class 3 among 3"),
        ([MapQuestion(0, -1)], {}, IndexError, "no class -1"),
        ([MapQuestion(0, 0, rather_than=7)], {}, IndexError, "no class 7"),
        ([MapQuestion(0, 0)], {"method": "CAM"}, ValueError, "method must be one of Grad-CAM, .*'CAM'"),
        ([MapQuestion(0, 0)], {"stage": 5}, ValueError, "stage must be one of 1, 2, 3, got 5"),
    ],
)
def test_what_does_not_exist_is_refused_and_the_hooks_are_released(
    model: nn.Module,
    images: torch.Tensor,
    questions: list[MapQuestion],
    options: dict[str, Any],
    error: type[Exception],
    words: str,
) -> None:
    with pytest.raises(error, match=words):
        explain(model, images, questions, **options)
    assert count_hooks(model) == 0
    assert all(parameter.requires_grad for parameter in model.parameters())


# Methods, stages and differences


@pytest.mark.parametrize(
    ("method", "reference"), [("Grad-CAM", GradCAM), ("Grad-CAM++", GradCAMPlusPlus), ("LayerCAM", LayerCAM)]
)
def test_maps_are_pytorch_grad_cams(
    model: nn.Module, images: torch.Tensor, method: str, reference: type
) -> None:
    cam = reference(model=model, target_layers=[layer_of(model, 2)])
    try:
        wanted = cam(input_tensor=images, targets=[ClassifierOutputTarget(target) for target in (0, 1, 2)])
    finally:
        cam.activations_and_grads.release()
        model.zero_grad(set_to_none=True)
    found = explain(model, images, ask(0, 1, 2), method=method, stage=2)
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_eigencam_is_the_first_principal_component_whatever_the_class(
    model: nn.Module, images: torch.Tensor
) -> None:
    seen: list[torch.Tensor] = []
    hook = layer_of(model, 1).register_forward_hook(lambda *call: seen.append(call[2].detach()))
    model(images)
    hook.remove()
    raw = get_2d_projection_with_sign_correction(seen[0].numpy()).clip(min=0)
    found = explain(model, images, ask(0, 1, 2), method=EIGENCAM, stage=1)
    peaks = [np.unravel_index(heat.argmax(), heat.shape) for heat in raw]
    for heat, (row, column) in zip(found, peaks, strict=True):
        assert heat[4 * row : 4 * row + 4, 4 * column : 4 * column + 4].max() > 0.95
    np.testing.assert_array_equal(found, explain(model, images, ask(2, 0, 1), method=EIGENCAM, stage=1))


@each_method
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_every_method_explains_at_every_stage(
    model: nn.Module, images: torch.Tensor, method: str, stage: int
) -> None:
    maps = explain(model, images, ask(0, 1, 2), method=method, stage=stage)
    assert (maps.shape, maps.dtype) == ((3, 32, 32), np.float32)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert count_hooks(model) == 0


@each_method
def test_of_a_network_that_has_diverged_no_map_marks_anything(images: torch.Tensor, method: str) -> None:
    lost = build_model("resnet18", 3).eval()
    with torch.no_grad():
        for parameter in lost.parameters():
            parameter.fill_(float("nan"))
    assert not explain(lost, images, ask(0, 1, 2), method=method).any()


def test_an_image_of_several_questions_is_asked_in_one_pass(model: nn.Module, images: torch.Tensor) -> None:
    passes: list[int] = []
    hook = model.register_forward_hook(lambda *call: passes.append(len(call[2])))
    mixed = [MapQuestion(1, 0), MapQuestion(0, 2), MapQuestion(1, 2), MapQuestion(1, 0, rather_than=2)]
    together = explain(model, images, mixed)
    assert passes == [3]
    hook.remove()
    for question, heat in zip(mixed, together, strict=True):
        np.testing.assert_allclose(explain(model, images, [question])[0], heat, atol=1e-3)


def test_many_images_are_explained_in_batches(model: nn.Module, images: torch.Tensor) -> None:
    many = images.repeat(10, 1, 1, 1)
    questions = [MapQuestion(image, image % 3) for image in reversed(range(30))]
    maps = explain(model, many, questions)
    alone = explain(model, images, ask(0, 1, 2))
    for question, heat in zip(questions, maps, strict=True):
        np.testing.assert_allclose(heat, alone[question.image % 3], atol=1e-3)


def test_a_difference_speaks_for_one_class_rather_than_another() -> None:
    model = build_model("resnet18", 3).eval()
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 64, 64, generator=generator)
    same, other = explain(model, image, [MapQuestion(0, 0, rather_than=0), MapQuestion(0, 0, rather_than=1)])
    assert not same.any()
    reverse = explain(model, image, [MapQuestion(0, 1, rather_than=0)])[0]
    assert np.abs(other - reverse).max() > 0.1
    with torch.no_grad():  # a class whose logit is that difference
        head = model.get_submodule("fc")
        head.weight[2] = head.weight[0] - head.weight[1]
        head.bias[2] = 0
    np.testing.assert_allclose(explain(model, image, [MapQuestion(0, 2)])[0], other, atol=1e-3)
