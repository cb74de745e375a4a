"""The networks: built with a fresh head, started from the weights asked for, explained at the right layer."""

from __future__ import annotations

import urllib.request
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core.errors import WeightsError
from core.model import explain
from core.model.evidence import stage_sides
from core.recipe.config import ARCHS
from core.training import models


def build(classes: int = 3, width: int = 8, seed: int = 0) -> nn.Module:
    """Return a network of the same shape as a ResNet's ends, small enough to be saved in no time."""
    torch.manual_seed(seed)
    layers = {"conv1": nn.Conv2d(3, width, 3), "bn1": nn.BatchNorm2d(width), "fc": nn.Linear(width, classes)}
    return nn.Sequential(OrderedDict(layers))


def same(one: nn.Module, other: nn.Module, *, head: bool = True) -> bool:
    theirs = other.state_dict()
    return all(
        torch.equal(value, theirs[key])
        for key, value in one.state_dict().items()
        if head or not key.startswith("fc.")
    )


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cut off the network, whether this machine has one or not, and return an empty home of torch."""
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it remembers the proxies of its first use
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch"


def cached_weights(home: Path, arch: str = "resnet18") -> Path:
    url = models.tv_models.get_model_weights(arch).DEFAULT.url
    path = home / "hub" / "checkpoints" / url.rsplit("/", 1)[-1]
    path.parent.mkdir(parents=True)
    return path


# Building


@pytest.mark.parametrize("arch", ARCHS)
def test_every_network_is_built_with_a_head_for_its_classes(arch: str) -> None:
    with torch.device("meta"):  # no memory is filled: the largest has 89 million parameters
        head = models.build_model(arch, 7).get_submodule("fc")
    assert isinstance(head, nn.Linear)
    assert head.out_features == 7


def test_the_reports_network_gives_one_logit_a_class() -> None:
    model = models.build_model("resnext50_32x4d", 100).eval()
    assert models.count_parameters(model) == 23_184_804
    with torch.inference_mode():
        logits = model(torch.zeros(2, 3, 32, 32))
    assert logits.shape == (2, 100)
    assert logits.isfinite().all()


def test_the_same_seed_builds_the_same_network() -> None:
    built = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        built.append(models.build_model("resnet18", 3))
    assert same(built[0], built[1])
    assert not same(built[0], built[2])


def test_an_unknown_network_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"one of resnet18, .*, got 'vgg16'"):
        models.build_model("vgg16", 3)


def test_frozen_parameters_do_not_count_as_trainable() -> None:
    model = build(classes=3, width=8).requires_grad_(False)
    model.get_submodule("fc").requires_grad_(True)
    assert models.count_parameters(model) == 8 * 3 + 3


# ImageNet


@pytest.mark.timeout(60)
def test_without_network_the_imagenet_weights_fail_with_the_three_ways_out(no_network: Path) -> None:
    assert not models.imagenet_cached("resnext50_32x4d")
    with pytest.raises(WeightsError) as caught:
        models.load_imagenet(build(), "resnext50_32x4d")
    message = str(caught.value)
    assert message.startswith("The ImageNet weights of resnext50_32x4d are not on this machine")
    assert all(way in message for way in ("a file", "run:<id>", "none (from scratch)"))
    assert not list(no_network.rglob("*.pth"))


def test_imagenet_weights_on_this_machine_load_into_all_but_the_head(no_network: Path) -> None:
    original, model = build(classes=1000, seed=1), build(seed=2)
    torch.save(original.state_dict(), cached_weights(no_network))
    head = model.get_submodule("fc").state_dict()["weight"].clone()
    assert models.imagenet_cached("resnet18")
    models.load_imagenet(model, "resnet18")
    assert same(model, original, head=False)
    assert torch.equal(model.get_submodule("fc").state_dict()["weight"], head)


def test_damaged_imagenet_weights_on_this_machine_say_what_to_delete(no_network: Path) -> None:
    path = cached_weights(no_network)
    path.write_bytes(b"half of a download")
    with pytest.raises(WeightsError, match=r"damaged .*Delete the file and start again") as caught:
        models.load_imagenet(build(), "resnet18")
    assert str(path) in str(caught.value)


# From a file

WRAPS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "plain": lambda state: state,
    "under model": lambda state: {"model": state, "epoch": 3},
    "under state_dict": lambda state: {"state_dict": state, "arch": "resnet18"},
    "of DataParallel": lambda state: {f"module.{key}": value for key, value in state.items()},
    "of torch.compile": lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    "of both": lambda state: {f"module._orig_mod.{key}": value for key, value in state.items()},
    "of an early PyTorch": lambda state: {k: v for k, v in state.items() if "num_batches_tracked" not in k},
}


@pytest.mark.parametrize("wrap", WRAPS)
def test_weights_are_taken_from_a_file_in_any_usual_form(tmp_path: Path, wrap: str) -> None:
    original, model = build(seed=1), build(seed=2)
    torch.save(WRAPS[wrap](original.state_dict()), tmp_path / "weights.pt")
    models.load_weights_file(model, tmp_path / "weights.pt")
    assert same(model, original)


def test_a_head_for_other_classes_stays_fresh(tmp_path: Path) -> None:
    original, model = build(classes=5, seed=1), build(classes=3, seed=2)
    torch.save(original.state_dict(), tmp_path / "weights.pt")
    models.load_weights_file(model, tmp_path / "weights.pt")
    assert same(model, original, head=False)
    assert torch.equal(model.state_dict()["fc.weight"], build(classes=3, seed=2).state_dict()["fc.weight"])


def test_weights_of_another_network_are_refused_and_nothing_is_loaded(tmp_path: Path) -> None:
    torch.save(build(width=16, seed=1).state_dict(), tmp_path / "weights.pt")
    model = build(width=8, seed=2)
    with pytest.raises(WeightsError, match=r"of another network: 6 tensors do not fit, first conv1\.weight"):
        models.load_weights_file(model, tmp_path / "weights.pt")
    assert same(model, build(width=8, seed=2))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"there is no file .*gone\.pt"):
        models.load_weights_file(build(), tmp_path / "gone.pt")


class Surprise:
    """What a pickle can hold that is no weights: something that runs when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("surprise"),)


@pytest.mark.parametrize("content", [b"", b"a text", b"PK\x03\x04 no zip"])
def test_a_file_that_is_no_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"weights\.pt is no PyTorch weights file"):
        models.load_weights_file(build(), tmp_path / "weights.pt")


def test_a_file_that_would_run_code_is_refused_and_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"fc.weight": Surprise()}, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match="is no PyTorch weights file"):
        models.load_weights_file(build(), tmp_path / "weights.pt")
    assert not (tmp_path / "surprise").exists()


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, torch.zeros(3), {1: torch.zeros(3)}], ids=str)
def test_values_that_are_no_state_dict_are_refused(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match="holds no state dict"):
        models.load_weights_file(build(), tmp_path / "weights.pt")


# By the config's word


def never(name: str) -> Path:
    raise AssertionError(f"asked for run {name}")


def test_none_leaves_the_random_weights() -> None:
    model = build(seed=1)
    models.load_initial_weights(model, "resnet18", "none", never)
    assert same(model, build(seed=1))


def test_a_path_names_a_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, model = build(seed=1), build(seed=2)
    torch.save(original.state_dict(), tmp_path / "weights.pt")
    monkeypatch.setenv("HOME", str(tmp_path))
    models.load_initial_weights(model, "resnet18", "~/weights.pt", never)
    assert same(model, original)


def test_a_run_names_its_best_model(tmp_path: Path) -> None:
    original, model = build(seed=1), build(seed=2)
    torch.save({"model": original.state_dict()}, tmp_path / "best.pt")
    models.load_initial_weights(
        model, "resnet18", "run:first", lambda name: {"first": tmp_path / "best.pt"}[name]
    )
    assert same(model, original)


# The layer of the heat maps


@pytest.mark.parametrize(
    ("size", "stage", "side"),
    [(32, "layer1", 8), (64, "layer2", 8), (128, "layer3", 8), (224, "layer4", 7), (448, "layer4", 14)],
)
@pytest.mark.parametrize("arch", ["resnet18", "resnext50_32x4d"])
def test_heat_maps_come_from_the_deepest_stage_with_7_by_7(
    arch: str, size: int, stage: str, side: int
) -> None:
    with torch.device("meta"):
        model = models.build_model(arch, 3).eval()
        layer = explain.cam_layer(model, size)
        assert layer is [*model.get_submodule(stage)][-1]
        shapes: list[torch.Size] = []
        layer.register_forward_hook(lambda *call: shapes.append(call[2].shape))
        model(torch.empty(1, 3, size, size))
    assert shapes[0][-2:] == (side, side)


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        (224, {1: 56, 2: 28, 3: 14, 4: 7}),
        (100, {1: 25, 2: 13, 3: 7, 4: 4}),
        (32, {1: 8, 2: 4, 3: 2}),  # a map of one cell shows no place
    ],
)
def test_the_sides_of_the_stages_are_those_of_their_maps(size: int, sides: dict[int, int]) -> None:
    assert stage_sides(size) == sides
    with torch.device("meta"):
        model = models.build_model("resnet18", 3).eval()
        for stage, side in sides.items():
            shapes: list[torch.Size] = []
            hook = explain.cam_layer(model, size, stage).register_forward_hook(
                lambda *call, shapes=shapes: shapes.append(call[2].shape)
            )
            model(torch.empty(1, 3, size, size))
            hook.remove()
            assert shapes[0][-2:] == (side, side)


def test_a_stage_that_does_not_exist_is_refused() -> None:
    with torch.device("meta"), pytest.raises(ValueError, match="stage must be one of 1, 2, 3, 4, got 5"):
        explain.cam_layer(models.build_model("resnet18", 3), 64, 5)


# Folding


@pytest.mark.parametrize("arch", ["resnet18", "resnext50_32x4d"])
def test_a_network_whose_normalisation_is_folded_says_the_same(arch: str) -> None:
    torch.manual_seed(0)
    model = models.build_model(arch, 3)
    with (
        torch.no_grad()
    ):  # statistics and weights as training leaves them, so that folding has something to do
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1)
                module.bias.normal_(std=0.1)
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
        images = torch.randn(2, 3, 64, 64)
        wanted = model.eval()(images)
        found = models.fold_norms(model)(images)
    assert not [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
