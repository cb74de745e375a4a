"""The table of networks is that of the timm that is installed, and is read without torch."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest

from core.networks import survey
from core.networks.table import (
    IMAGENET,
    INSTALLED,
    TORCHVISION,
    InputFormat,
    find_network,
    inputs_of,
    list_networks,
)


@pytest.fixture(scope="module")
def timm() -> Any:
    """Return timm, loaded after torchvision's operators are declared."""
    from core import torchvision_ops  # noqa: F401

    # isort: split
    import timm

    return timm


def test_every_network_of_timms_is_in_the_table_as_timm_has_it(timm: Any) -> None:
    ours = {
        network.name: network for network in list_networks() if network.name not in (*TORCHVISION, INSTALLED)
    }
    assert len(ours) > 1900
    for name, network in ours.items():
        config = timm.get_pretrained_cfg(name)
        assert network.size == config.input_size[-1], name
        assert network.inputs.interpolation == config.interpolation, name
        assert network.inputs.mean == pytest.approx(config.mean, abs=1e-5), name
        assert network.inputs.std == pytest.approx(config.std, abs=1e-5), name
        assert network.licence == (config.license or ""), name


def test_few_of_timms_networks_are_left_out(timm: Any) -> None:
    listed = {network.name.partition(".")[0] for network in list_networks()}
    left_out = [name for name in timm.list_models() if name not in listed]
    assert len(left_out) < 0.07 * len(timm.list_models())


@pytest.mark.parametrize("arch", ["test_vit", "test_efficientnet", "test_convnext"])
def test_a_row_is_what_the_survey_finds(arch: str) -> None:
    facts = survey.survey(arch)
    for row in survey.make_rows(arch, facts):
        network = find_network(row["name"])
        assert network is not None
        found = (network.parameters, network.step, network.least, network.lone, network.built)
        assert found == (facts.parameters, facts.step, facts.least, facts.lone, facts.built)


def test_what_cannot_be_trained_here_is_left_out_with_the_reason() -> None:
    with pytest.raises(survey.LeftOut, match="no last layer, or several"):
        survey.survey("levit_128s")


def test_the_ten_of_torchvision_come_first_and_then_the_one_whose_weights_are_installed() -> None:
    names = [network.name for network in list_networks()]
    assert (*TORCHVISION, INSTALLED) == tuple(names[:11])
    assert len(set(names)) == len(names)


def test_a_name_without_a_tag_is_timms_default(timm: Any) -> None:
    for bare in random.Random(0).sample(timm.list_models(pretrained=False), 20):
        network = find_network(bare)
        if network is not None and bare not in TORCHVISION:
            default = timm.get_pretrained_cfg(bare)
            assert (network.name, network.size) == (bare, default.input_size[-1])


def test_a_wrong_normalisation_would_cost_ten_points_so_each_network_has_its_own() -> None:
    half = InputFormat((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bicubic")
    assert inputs_of(INSTALLED) == half
    assert (
        inputs_of("resnext50_32x4d")
        == IMAGENET
        == InputFormat((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear")
    )
    assert inputs_of("seresnextaa101d_32x8d.sw_in12k_ft_in1k_288").interpolation == "bicubic"
    assert InputFormat.from_values({**half.to_values(), "epoch": 3}) == half
    assert InputFormat.from_values({"epoch": 3}) == IMAGENET  # of a run from before networks had their own


@pytest.mark.parametrize(
    ("name", "side", "words"),
    [
        ("resnet18", 33, ""),
        ("vit_small_patch14_dinov2.lvd142m", 224, ""),
        (
            "vit_small_patch14_dinov2.lvd142m",
            230,
            "must be a multiple of 14 for vit_small_patch14_dinov2.lvd142m, such as 224 or 238, got 230",
        ),
        (
            "vit_small_patch14_dinov2.lvd142m",
            28,
            "must be at least 42 for vit_small_patch14_dinov2.lvd142m, got 28",
        ),
        ("inception_v3", 32, "must be at least 80 for inception_v3, got 32"),
    ],
)
def test_a_side_that_a_network_does_not_take_is_told(name: str, side: int, words: str) -> None:
    network = find_network(name)
    assert network is not None
    assert network.find_problem(side) == words


def test_the_table_is_read_without_torch() -> None:
    code = "import sys; from core.networks.table import list_networks; list_networks(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
