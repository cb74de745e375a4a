"""Networks of every kind do all that a ResNet does: train whole or by the head, go on exactly, explain, compare."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from core.dataset.folders import scan_folders
from core.dataset.images import read_image
from core.errors import RunError
from core.job.job import TrainingJob
from core.model.evaluate import open_split, read_log_probs
from core.model.evidence import METHODS, Evidence
from core.model.explain import MapQuestion, explain
from core.model.predict import Predictor
from core.networks.build import build_model, head_of
from core.networks.table import IMAGENET, inputs_of
from core.recipe.config import TrainConfig
from core.runs.run import Run, create_run
from core.runs.run_data import recorded_folders
from core.training import engine, features
from core.training.checkpoint import load_best, load_checkpoint, save_checkpoint
from core.training.learner import Learner, make_learner
from tests.processes import COLOURS, TINY, make_images

CPU = engine.Compute(torch.device("cpu"), bf16=False, channels_last=True)
SIZE = 64
# Small ones of their kind; Swin has no small one and is saved nowhere.
FAMILIES = {
    "ResNeXt": "resnext26ts",
    "ConvNeXt": "test_convnext",
    "EfficientNet": "test_efficientnet",
    "ViT": "test_vit",
    "Swin": "swin_tiny_patch4_window7_224",
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Tiny nets gain nothing from threads, and on busy cores threads wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("networks") / "data")


@pytest.fixture(scope="module")
def network() -> Callable[[str], nn.Module]:
    """Give a family's network with random weights, built once; whoever trains it trains a copy."""
    built: dict[str, nn.Module] = {}

    def give(family: str) -> nn.Module:
        if family not in built:
            torch.manual_seed(0)
            built[family] = build_model(FAMILIES[family], 3, SIZE)
        return built[family].eval()

    return give


def make_batches(count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(4, 3, SIZE, SIZE, generator=generator), torch.tensor([0, 1, 2, step % 3]))
        for step in range(count)
    ]


def train(learner: Learner, batches: list[tuple[torch.Tensor, torch.Tensor]], first: int = 0) -> None:
    engine.train_epoch(
        learner.trained, batches, learner.optimizer, nn.CrossEntropyLoss(), CPU, average=learner.average,
        set_rate=lambda step: torch.manual_seed(first + step) and None, on_steps=lambda _: True,
    )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_network_learns_and_goes_on_exactly_from_what_was_saved(
    family: str, network: Callable[[str], nn.Module]
) -> None:
    config = TrainConfig.from_dict({"data": "x", **TINY, "lr": 0.01, "ema": 0.9, "weight_decay": 0.01})
    batches = make_batches(2)
    learner = make_learner(copy.deepcopy(network(family)), config)
    train(learner, batches[:1])
    saved = copy.deepcopy(learner.state_dict())
    resumed = make_learner(copy.deepcopy(network(family)), config)
    resumed.load_state_dict(saved)
    for one in (learner, resumed):
        train(one, batches[1:], first=1)
    before, after, again = (net.state_dict() for net in (network(family), learner.network, resumed.network))
    assert all(torch.equal(after[name], again[name]) for name in after)
    assert sum(not torch.equal(before[name], after[name]) for name in after) > len(after) / 2
    ours, theirs = (one.judged_network().state_dict() for one in (learner, resumed))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("family", FAMILIES)
def test_features_through_the_head_are_the_networks_own_answers_and_the_head_learns_from_them(
    family: str, network: Callable[[str], nn.Module]
) -> None:
    config = TrainConfig.from_dict({"data": "x", **TINY, "head_only": True, "weights": "y", "lr": 0.05})
    net = copy.deepcopy(network(family))
    [(images, targets)] = make_batches(1)
    [found] = features.compute_features(net, [(images, targets)], CPU)
    assert found.ndim == 2
    with torch.no_grad():
        torch.testing.assert_close(head_of(net)(found), net(images))
    backbone = features.digest_backbone(net)
    learner = make_learner(net, config)
    before = head_of(net)(found).detach()
    train(learner, [(found, targets)])
    assert features.digest_backbone(net) == backbone
    assert not torch.equal(head_of(net)(found), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_heat_map_has_the_images_size_and_marks_some_places_more_than_others(
    family: str, network: Callable[[str], nn.Module]
) -> None:
    [(images, _)] = make_batches(1)
    for method in METHODS:
        maps = explain(network(family), images[:2], [MapQuestion(0, 0), MapQuestion(1, 2)], method=method)
        assert maps.shape == (2, SIZE, SIZE)
        assert (maps.std(axis=(1, 2)) > 0.01).all(), method


# As a run, from its start to its last page


def make_run(data: Path, name: str, **changes: Any) -> Run:
    values = {"data": str(data), "name": name, **TINY, "image_size": SIZE, "resize_size": SIZE, **changes}
    return create_run(TrainConfig.from_dict(values), data.parent / "runs")


def train_run(run: Run, should_stop: Callable[[], bool] = lambda: False) -> str:
    with run.log_path.open("a", encoding="utf-8") as log:
        return TrainingJob(run, log, should_stop=should_stop).execute().state


@pytest.fixture(scope="module")
def lite0(data: Path) -> Run:
    """Return a run of EfficientNet-Lite0's head from its installed weights."""
    run = make_run(
        data, "lite0", arch="tf_efficientnet_lite0", weights="imagenet", head_only=True, optimizer="adamw", lr=0.01,
        epochs=10,
    )  # fmt: skip
    assert train_run(run) == "finished", run.read_status().message
    return run


def test_a_head_only_run_from_the_installed_weights_learns_without_any_hub(lite0: Run) -> None:
    assert lite0.read_status().best_val_acc == 1
    told = "Weights imagenet: its published weights (efficientnet-lite0-57934424.pth); the head is new"
    assert told in lite0.read_log(400)


def seen_by(network: nn.Module) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    return seen


def test_a_networks_own_normalisation_is_recorded_and_is_what_it_is_fed_everywhere(
    data: Path, lite0: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With ImageNet's mean and deviation these weights lose ten points of top-1."""
    recorded = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    network = lite0.read_json("network.json")
    assert network == {"arch": "tf_efficientnet_lite0", **recorded}
    model, values = load_best(lite0)
    assert {name: values[name] for name in recorded} == recorded
    # At their own size images are neither resized nor cropped.
    path = data / "val" / "2" / "0.png"
    image = read_image(path).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    wanted = (torch.tensor(np.asarray(image)).permute(2, 0, 1) / 255 - 0.5) / 0.5
    predictor = Predictor.from_run(lite0)
    torch.testing.assert_close(predictor.prepare([image])[0], wanted)
    pixels, _ = predictor.explain([image], [[Evidence("2")]])
    assert np.array_equal(pixels[0], np.asarray(image))
    images, _ = next(iter(open_split(lite0, "val").batches))
    torch.testing.assert_close(images[0], wanted)
    folders = recorded_folders(lite0)
    seen = seen_by(model)
    features.load_or_compute(
        model, folders, features.plain_config(lite0.read_config(), values), inputs_of("tf_efficientnet_lite0"), CPU,
        root=data.parent / "elsewhere", key="x", workers=0, progress=lambda *_: True,
    )  # fmt: skip
    assert any(torch.allclose(one, wanted, atol=1e-6) for batch in seen for one in batch)


def test_in_training_it_is_fed_the_same(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {"crop_scale_min": 1.0, "hflip": 0, "rotation": 0, "translate": 0, "jitter": 0, "erasing": 0}
    run = make_run(data, "fed", arch="tf_efficientnet_lite0", epochs=1, **plain)
    batches: list[torch.Tensor] = []
    train_step = engine.train_step

    def look(model: nn.Module, group: Any, *rest: Any, **more: Any) -> Any:
        batches.extend(images for images, _ in group)
        return train_step(model, group, *rest, **more)

    monkeypatch.setattr(engine, "train_step", look)
    assert train_run(run) == "finished", run.read_status().message
    colours = torch.cat(batches).mean(dim=(2, 3))
    for sample in scan_folders(data).train:
        pixels = np.asarray(read_image(data / sample.path)) / 255
        wanted = torch.tensor((pixels.mean(axis=(0, 1)) - 0.5) / 0.5, dtype=torch.float32)
        assert (colours - wanted).abs().amax(dim=1).min() < 0.1


def test_an_older_run_without_a_record_is_imagenets(data: Path) -> None:
    run = make_run(data, "older")
    (run.folder / "network.json").unlink()
    assert run.read_inputs() == IMAGENET


def test_a_network_that_drops_out_goes_on_exactly_too_with_several_batches_a_step(data: Path) -> None:
    options = {
        "arch": "test_vit_relpos",
        "epochs": 1,
        "lr": 0.01,
        "batch_size": 3,
        "accumulate": 2,
        "mixup": 0.2,
    }
    whole, stopped = (make_run(data, name, **options) for name in ("whole", "stopped"))
    assert train_run(whole) == "finished"
    assert train_run(stopped, lambda: bool(stopped.read_metrics()[0])) == "stopped"
    assert train_run(stopped) == "finished"
    assert sum(row["kind"] == "step" for row in stopped.read_metrics()[0]) == 3
    one, other = (load_checkpoint(run.last_path)["model"] for run in (whole, stopped))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_run_of_a_transformer_predicts_explains_and_starts_another_at_another_size(
    data: Path,
) -> None:
    run = make_run(data, "vit", arch="test_vit", epochs=2, optimizer="adamw", lr=0.001)
    assert train_run(run) == "finished", run.read_status().message
    predictor = Predictor.from_run(run)
    image = read_image(data / "val" / "2" / "0.png")
    seen, maps = predictor.explain([image], [[Evidence(name) for name in COLOURS]])
    assert (seen.shape, predictor.sides) == ((1, SIZE, SIZE, 3), {1: 4, 2: 4, 3: 4, 4: 4})
    assert all(heat.shape == (SIZE, SIZE) for heat in maps[0])
    assert max(heat.std() for heat in maps[0]) > 0.01
    log_probs = read_log_probs(open_split(run, "val"))
    assert log_probs is not None
    assert log_probs.shape == (6, 3)
    child = make_run(
        data, "child", arch="test_vit", epochs=1, weights="run:vit", image_size=96, resize_size=96
    )
    assert train_run(child) == "finished", child.read_status().message
    assert any("Weights run:vit: all " in line for line in child.read_log(400))


def test_a_checkpoint_of_a_network_that_is_none_any_more_is_told(
    data: Path, lite0: Run, tmp_path: Path
) -> None:
    values = load_checkpoint(lite0.best_path)
    run = Run(tmp_path)
    save_checkpoint(run.best_path, {**values, "arch": "gone_net"})
    with pytest.raises(
        RunError, match=r"does not contain a model that can be built .*unknown network 'gone_net'"
    ):
        load_best(run)
