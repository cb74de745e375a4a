"""How deep in its network a parameter lies."""

from __future__ import annotations

import pytest
import torch

from core.networks.build import build_model, head_name
from core.networks.depths import backbone_depths
from core.recipe.presets import from_preset
from core.training.optim import group_parameters


@pytest.mark.parametrize(
    ("arch", "first", "last"),
    [
        ("resnet18", "conv1.weight", "layer4.1.bn2.bias"),
        ("tf_efficientnet_lite0", "conv_stem.weight", "conv_head.weight"),
        ("convnext_atto", "stem.0.weight", "head.norm.weight"),
        ("vit_tiny_patch16_224", "patch_embed.proj.weight", "norm.weight"),
    ],
)
def test_depths_rise_from_the_images_to_the_head_without_a_gap(arch: str, first: str, last: str) -> None:
    with torch.device("meta"):
        model = build_model(arch, 3)
    head = head_name(model)
    depths = backbone_depths(model, head)
    assert {name for name, _ in model.named_parameters()} - set(depths) == {f"{head}.weight", f"{head}.bias"}
    assert depths[first] == 0
    assert depths[last] == max(depths.values())
    assert set(depths.values()) == set(range(max(depths.values()) + 1))


def test_each_stage_learns_at_its_share_of_the_next_ones_rate() -> None:
    with torch.device("meta"):
        model = build_model("resnet18", 3)
    config = from_preset("seed", data="x", arch="resnet18", layer_decay=0.5, head_lr_factor=3.0)
    groups = group_parameters(model, config, head="fc")
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    factors = {names[id(p)]: group["lr_factor"] for group in groups for p in group["params"]}
    assert len(factors) == len(names)
    wanted = {
        "fc.weight": 3,
        "layer4.0.conv1.weight": 1,
        "layer3.0.conv1.weight": 0.5,
        "conv1.weight": 0.0625,
    }
    assert {name: factors[name] for name in wanted} == wanted
