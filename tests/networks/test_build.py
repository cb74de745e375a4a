"""The networks: built by name with a fresh head, which is found whatever it is called."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.errors import UserError
from core.networks import build
from core.networks.table import TORCHVISION
from core.training.optim import group_parameters
from tests.processes import tiny_config
from tests.toy_net import build_toy, same


@pytest.mark.parametrize("arch", TORCHVISION)
def test_every_network_of_torchvision_is_built_with_a_head_for_its_classes(arch: str) -> None:
    with torch.device("meta"):  # no memory is filled: the largest has 89 million parameters
        head = build.head_of(build.build_model(arch, 7))
    assert isinstance(head, nn.Linear)
    assert head.out_features == 7


def test_the_reports_network_gives_one_logit_a_class() -> None:
    model = build.build_model("resnext50_32x4d", 100).eval()
    assert build.count_parameters(model) == 23_184_804
    with torch.inference_mode():
        logits = model(torch.zeros(2, 3, 32, 32))
    assert logits.shape == (2, 100)
    assert logits.isfinite().all()


def test_a_name_of_torchvision_is_its_network_and_the_same_name_with_a_tag_is_timms() -> None:
    with torch.device("meta"):
        ours, theirs = (build.build_model(name, 3) for name in ("resnet18", "resnet18.a1_in1k"))
    assert type(ours).__module__ == "torchvision.models.resnet"
    assert type(theirs).__module__ == "timm.models.resnet"


@pytest.mark.parametrize(
    ("arch", "head"),
    [
        ("resnet50", "fc"),
        ("tf_efficientnet_lite0", "classifier"),
        ("convnext_atto", "head.fc"),
        ("vit_tiny_patch16_224", "head"),
        ("test_mambaout", "head.fc"),
    ],
)
def test_the_head_of_a_network_is_found_by_what_it_is_called(arch: str, head: str) -> None:
    with torch.device("meta"):
        model = build.build_model(arch, 7)
    assert build.head_name(model) == head
    assert build.head_of(model).weight.shape[0] == 7


def test_a_network_that_is_built_for_a_size_is_built_for_the_size_asked_for() -> None:
    with torch.device("meta"):
        model = build.build_model("test_vit", 3, 64)
        assert model(torch.empty(2, 3, 64, 64)).shape == (2, 3)


def test_a_head_that_is_a_convolution_takes_features_as_vectors() -> None:
    with torch.device("meta"):
        plain = build.build_timm("dla46_c", num_classes=3).state_dict()
    torch.manual_seed(0)
    model = build.build_model("dla46_c", 3).eval()
    assert {name: value.shape for name, value in model.state_dict().items()} == {
        name: value.shape for name, value in plain.items()
    }
    seen: list[torch.Tensor] = []
    build.head_of(model).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        logits = model(torch.randn(2, 3, 32, 32))
        again = build.head_of(model)(seen[0].flatten(1))
    torch.testing.assert_close(again, logits)


def test_the_same_seed_builds_the_same_network() -> None:
    built = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        built.append(build.build_model("test_vit", 3))
    assert same(built[0], built[1])
    assert not same(built[0], built[2])


def test_an_unknown_network_is_refused_with_the_nearest_there_are() -> None:
    with pytest.raises(UserError, match=r"unknown network 'convnext_tinny'; did you mean convnext_tiny"):
        build.build_model("convnext_tinny", 3)


def test_frozen_parameters_do_not_count_as_trainable() -> None:
    model = build_toy(classes=3, width=8).requires_grad_(False)
    build.head_of(model).requires_grad_(True)
    assert build.count_parameters(model) == 8 * 3 + 3


def test_of_a_frozen_backbone_only_the_head_learns() -> None:
    model = build.build_model("test_convnext", 3)
    build.freeze_backbone(model, True)
    free = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert free == ["head.fc.weight", "head.fc.bias"]
    build.freeze_backbone(model, False)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_head_learns_at_its_own_rate_and_a_transformers_places_do_not_decay() -> None:
    model = build.build_model("test_vit", 3)
    config = tiny_config(".", "x", weight_decay=0.1, head_lr_factor=5.0)  # type: ignore[arg-type]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        names[id(parameter)]: (group["lr_factor"], group["weight_decay"])
        for group in group_parameters(model, config, head="head")
        for parameter in group["params"]
    }
    assert found["head.weight"] == (5.0, 0.1)
    assert found["head.bias"] == (5.0, 0.0)
    assert found["pos_embed"] == found["cls_token"] == (1.0, 0.0)
    assert found["blocks.0.mlp.fc1.weight"] == (1.0, 0.1)
