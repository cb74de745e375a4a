"""Weights that no network can start from: each is refused with the reason, and nothing is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.errors import WeightsError
from core.networks.build import build_model
from core.networks.weights import load_initial_weights, load_weights_file
from tests.toy_net import build_toy


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_numbers_are_taken(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in build_toy(seed=1).state_dict().items()
    }
    torch.save(state, tmp_path / "weights.pt")
    assert str(load_weights_file(build_toy(seed=2), tmp_path / "weights.pt")) == "all 9 tensors fit"


def test_a_larger_network_of_the_same_kind_is_refused_though_all_tensors_fit(tmp_path: Path) -> None:
    torch.save(build_model("resnet34", 3).state_dict(), tmp_path / "resnet34.pt")
    with pytest.raises(
        WeightsError, match=r"belongs to a larger network of the same kind: it has layer1\.2\.conv1\.weight"
    ):
        load_weights_file(build_model("resnet18", 3), tmp_path / "resnet34.pt")


def test_what_lies_beside_the_network_or_in_a_layer_of_it_does_no_harm(tmp_path: Path) -> None:
    state = build_toy(seed=1).state_dict()
    extra = {
        "neck.0.weight": torch.zeros(2),
        "conv1.old_buffer": torch.zeros(2),
        "logit_scale": torch.zeros(1),
    }
    torch.save({**state, **extra}, tmp_path / "weights.pt")
    assert "3 of the file are not used" in str(load_weights_file(build_toy(seed=2), tmp_path / "weights.pt"))


@pytest.mark.parametrize("path", ["~nobody-of-this-name/weights.pt", "~/gone/weights.pt", "loop.pt"])
def test_a_path_that_leads_nowhere_is_told(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop.pt").symlink_to("loop.pt")
    with pytest.raises(WeightsError, match=r"there is no file|is not a weights file"):
        load_initial_weights(build_toy(), "toy", path, Path, image_size=32, progress=lambda *_: True)
