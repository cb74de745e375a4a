"""The stages that heat maps are read from: those of each network, with maps as large as they are, and where they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from core.model.evidence import choose_stage
from core.networks.build import build_model
from core.networks.stages import find_stages


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        (224, {1: 56, 2: 28, 3: 14, 4: 7}),
        (100, {1: 25, 2: 13, 3: 7, 4: 4}),
        (32, {1: 8, 2: 4, 3: 2}),  # a map of one cell shows no place
    ],
)
def test_the_sides_of_a_resnets_stages_are_those_of_their_maps(size: int, sides: dict[int, int]) -> None:
    with torch.device("meta"):
        model = build_model("resnet18", 3).eval()
        stages = find_stages(model, size)
        assert {number: stage.side for number, stage in stages.items()} == sides
        for stage in stages.values():
            shapes: list[torch.Size] = []
            hook = model.get_submodule(stage.module).register_forward_hook(
                lambda *call, shapes=shapes: shapes.append(call[2].shape)
            )
            model(torch.empty(1, 3, size, size))
            hook.remove()
            assert shapes[0][-2:] == (stage.side, stage.side)


@pytest.mark.parametrize("size", [32, 64, 128, 224, 448])
def test_heat_maps_come_from_the_deepest_stage_with_7_by_7(size: int) -> None:
    with torch.device("meta"):
        sides = {n: stage.side for n, stage in find_stages(build_model("resnet18", 3), size).items()}
    assert choose_stage(sides) == {32: 1, 64: 2, 128: 3, 224: 4, 448: 4}[size]


def test_where_all_maps_are_small_the_deepest_of_the_finest_is_taken() -> None:
    assert choose_stage({1: 4, 2: 4, 3: 4}) == 3
    assert choose_stage({1: 4, 2: 2}) == 1


@pytest.mark.parametrize("arch", ["test_convnext", "test_efficientnet", "test_vit", "test_mambaout"])
def test_a_cell_of_a_map_is_where_its_part_of_the_image_is(arch: str) -> None:
    torch.manual_seed(0)
    model = build_model(arch, 3, 96).eval()
    stages = find_stages(model, 96)
    assert len(stages) >= 4
    image = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    changed = image.clone()
    changed[..., :24, 72:] += 3  # the top right corner
    for stage in stages.values():
        maps: list[torch.Tensor] = []
        hook = model.get_submodule(stage.module).register_forward_hook(
            lambda *call, stage=stage, maps=maps: maps.append(stage.to_map(call[2]))
        )
        with torch.no_grad():
            model(image)
            model(changed)
        hook.remove()
        assert maps[0].shape[-2:] == (stage.side, stage.side)
        change = (maps[1] - maps[0]).norm(dim=1)[0]
        row, column = divmod(int(change.argmax()), stage.side)
        assert row < (stage.side + 1) / 2 <= column + 1, stage


def test_a_transformers_last_stage_is_before_its_last_block_after_which_only_the_class_token_counts() -> None:
    stages = find_stages(build_model("test_vit", 3, 64).eval(), 64)
    assert [stage.module for stage in stages.values()] == ["blocks.1", "blocks.2", "blocks.3", "blocks.4"]
    assert {(stage.side, stage.layout, stage.before) for stage in stages.values()} == {(4, "tokens", 1)}


def test_a_head_that_is_all_zero_has_stages_too() -> None:
    model = build_model("test_vit", 3, 64).eval()
    nn.init.zeros_(model.get_submodule("head").weight)
    assert [stage.module for stage in find_stages(model, 64).values()][-1] == "blocks.5"


def test_features_that_are_no_modules_are_looked_for_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_model("test_convnext", 3).eval()
    wanted = {number: stage.side for number, stage in find_stages(model, 64).items()}
    for info in model.feature_info:  # type: ignore[union-attr]
        monkeypatch.setitem(info, "module", f"gone.{info['module']}")
    found = find_stages(model, 64)
    assert {number: stage.side for number, stage in found.items()} == wanted


def test_finding_stages_leaves_no_hook_and_no_gradient() -> None:
    model = build_model("test_vit", 3, 64).eval()
    find_stages(model, 64)
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
