"""Head-only training: features are what the backbone says, kept and found again, and the run is one like any other."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from core.dataset.folders import scan_folders
from core.job.job import TrainingJob
from core.model.evaluate import evaluate_run
from core.networks.build import build_model, freeze_backbone, head_of
from core.networks.table import IMAGENET, InputFormat
from core.networks.weights import load_weights_file
from core.recipe.config import TrainConfig
from core.runs import jobs
from core.runs.run import Run, create_run
from core.training import features, loaders
from core.training.batches import open_source
from core.training.checkpoint import load_best, load_checkpoint
from core.training.engine import Compute, set_training
from core.training.learner import make_learner
from core.verdicts.predictions import read_predictions
from tests.forks import Start, fork_server
from tests.processes import TINY, make_images, wait_until

CPU = Compute(torch.device("cpu"), bf16=False, channels_last=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data, a weights file and runs, emptied at the end."""
    folder = tmp_path_factory.mktemp("features")
    make_images(folder / "data")
    torch.manual_seed(7)
    torch.save(build_model("resnet18", 5).state_dict(), folder / "weights.pt")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def launch() -> Iterator[Start]:
    with fork_server() as begin:
        yield begin


def make_config(place: Path, **changes: Any) -> TrainConfig:
    weights = str(place / "weights.pt")
    values = {"data": str(place / "data"), **TINY, "head_only": True, "weights": weights, "lr": 0.05}
    return TrainConfig.from_dict({**values, **changes})


def make_run(place: Path, name: str, **changes: Any) -> Run:
    return create_run(make_config(place, name=name, **changes), place / "runs")


def train_on(run: Run, launch: Start, epochs: int | None = None) -> None:
    launch(run, epochs).join(400)
    assert run.read_status().state == "finished", run.read_status().message


@pytest.fixture(scope="module")
def trained(place: Path, launch: Start) -> Run:
    run = make_run(place, "trained", epochs=25)
    train_on(run, launch)
    return run


@pytest.fixture(scope="module")
def network(place: Path) -> nn.Module:
    net = build_model("resnet18", 3)
    load_weights_file(net, place / "weights.pt")
    return net


def compute_all(
    network: nn.Module,
    place: Path,
    root: Path,
    key: str = "key",
    stop_after: int | None = None,
    **changes: Any,
) -> tuple[features.Features | None, list[int]]:
    config = make_config(place, **changes)
    told: list[int] = []

    def progress(done: int, total: int) -> bool:
        assert total == 18 * config.feature_views + 6
        told.append(done)
        return stop_after is None or done < stop_after

    found = features.load_or_compute(
        network, scan_folders(place / "data"), config, IMAGENET, CPU, root=root, key=key, workers=0, progress=progress
    )  # fmt: skip
    return found, told


def kept_files(root: Path) -> list[Path]:
    return sorted((root / features.FOLDER).glob("*"))


def test_features_through_the_head_are_the_networks_own_logits(
    network: nn.Module, place: Path, tmp_path: Path
) -> None:
    found, told = compute_all(network, place, tmp_path)
    assert found is not None
    assert (found.train.shape, found.val.shape) == ((18, 1, 512), (6, 512))
    assert told == [6, 12, 18, 24]
    folders = scan_folders(place / "data")
    table = loaders.ImageTable(folders.root, folders.val, loaders.eval_transforms(32, 32, IMAGENET))
    images = torch.stack([table[0, index][0] for index in range(6)])
    with torch.no_grad():
        torch.testing.assert_close(head_of(network)(found.val), network.eval()(images))


def test_kept_features_are_found_again_and_damaged_ones_made_anew(
    network: nn.Module, place: Path, tmp_path: Path
) -> None:
    first, _ = compute_all(network, place, tmp_path)
    again, told = compute_all(network, place, tmp_path)
    assert first is not None
    assert again is not None
    assert told == []
    assert torch.equal(first.train, again.train)
    [path] = kept_files(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    anew, told = compute_all(network, place, tmp_path)
    assert anew is not None
    assert told[-1] == 24
    assert torch.equal(first.train, anew.train)


def test_a_stop_leaves_nothing_behind(network: nn.Module, place: Path, tmp_path: Path) -> None:
    found, told = compute_all(network, place, tmp_path, stop_after=12)
    assert (found, told) == (None, [6, 12])
    assert kept_files(tmp_path) == []


def test_several_views_are_several_augmented_images_and_an_epoch_takes_one_of_each(
    network: nn.Module, place: Path, tmp_path: Path
) -> None:
    found, _ = compute_all(network, place, tmp_path, feature_views=3)
    assert found is not None
    assert found.train.shape == (18, 3, 512)
    assert not torch.equal(found.train[:, 0], found.train[:, 1])
    folders = scan_folders(place / "data")
    source = features.FeatureBatches(found, folders, make_config(place, feature_views=3))
    first, again, second = (torch.cat([x for x, _ in source.train(epoch)]) for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    known = {tuple(row.tolist()) for row in found.train.flatten(0, 1)}
    assert {tuple(row.tolist()) for row in first} <= known
    resumed = torch.cat([x for x, _ in source.train(1, first_batch=1)])
    assert torch.equal(resumed, second[6:])


def test_the_key_depends_on_weights_data_transforms_views_and_precision(
    network: nn.Module, place: Path
) -> None:
    config = make_config(place)
    backbone = features.digest_backbone(network)

    def key(
        backbone: str = backbone,
        data: str = "d",
        inputs: InputFormat = IMAGENET,
        compute: Compute = CPU,
        **changes: Any,
    ) -> str:
        return features.features_key(backbone, data, dataclasses.replace(config, **changes), inputs, compute)

    same = {key(), key(lr=0.1), key(epochs=3), key(hflip=0.1), key(seed=4), key(batch_size=2)}
    other = [
        key(backbone="b"), key(data="e"), key(inputs=dataclasses.replace(IMAGENET, interpolation="bicubic")), key(compute=dataclasses.replace(CPU, bf16=True)), key(resize_size=40),
        key(feature_views=2), key(feature_views=2, hflip=0.1), key(feature_views=2, seed=4),
    ]  # fmt: skip
    assert same == {key()}
    assert len({key(), *other}) == 1 + len(other)


def test_an_image_changed_in_place_gives_other_features(place: Path, tmp_path: Path) -> None:
    data = make_images(tmp_path / "data")
    image = data / "train/2/1.png"

    def repaint(colour: str) -> None:
        with image.open("wb") as file:
            Image.new("RGB", (32, 32), colour).save(file, "BMP")  # whatever it shows, it has as many bytes

    def compute_again() -> None:
        config = make_config(place, data=str(data))
        learner = make_learner(build_model("resnet18", 3), config)
        load_weights_file(learner.network, place / "weights.pt")
        open_source(
            learner,
            scan_folders(data),
            config,
            IMAGENET,
            CPU,
            workers=0,
            root=tmp_path,
            progress=lambda *_: True,
        )

    repaint("red")
    compute_again()
    first = kept_files(tmp_path)
    compute_again()
    assert kept_files(tmp_path) == first
    repaint("blue")
    compute_again()
    assert len(kept_files(tmp_path)) == 2


@pytest.mark.parametrize(("views", "key"), [(1, "c9bbe67383d3b6278f82f227"), (2, "bd911494070c0da075a92a55")])
def test_features_kept_earlier_are_found_again(views: int, key: str) -> None:
    config = TrainConfig(data="x", head_only=True, feature_views=views)
    assert features.features_key("b", "d", config, IMAGENET, CPU) == key


def test_the_digest_is_of_the_backbone_and_not_of_the_head(place: Path) -> None:
    net = build_model("resnet18", 3)
    before = features.digest_backbone(net)
    nn.init.zeros_(head_of(net).weight)
    assert features.digest_backbone(net) == before
    net.get_buffer("bn1.running_mean").add_(1)
    assert features.digest_backbone(net) != before


def test_a_head_only_run_learns_and_is_a_run_like_any_other(trained: Run) -> None:
    rows = [row for row in trained.read_metrics()[0] if row["kind"] == "epoch"]
    assert len(rows) == 25
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert trained.read_status().best_val_acc > 0.5
    network, values = load_best(trained)
    assert values["classes"] == ["2", "10", "35"]
    assert isinstance(head_of(network), nn.Linear)


def test_its_best_model_says_of_the_images_what_the_head_said_of_the_features(trained: Run) -> None:
    written = read_predictions(trained.predictions_path())
    evaluate_run(trained)
    again = read_predictions(trained.predictions_path())
    assert list(written["predicted"]) == list(again["predicted"])
    assert (written["loss"] - again["loss"]).abs().max() < 1e-3


def test_it_leaves_the_backbone_as_it_was_loaded(trained: Run, network: nn.Module) -> None:
    assert features.digest_backbone(load_best(trained)[0]) == features.digest_backbone(network)
    assert set(load_checkpoint(trained.last_path)["model"]) == {"weight", "bias"}


def test_a_second_run_computes_no_features(place: Path, launch: Start, trained: Run) -> None:
    before = {path: path.read_bytes() for path in kept_files(place / "runs")}
    again = make_run(place, "again", epochs=2, ema=0.9)
    train_on(again, launch)
    assert {path: path.read_bytes() for path in kept_files(place / "runs")} == before
    assert again.read_status().best_val_acc > 0


def test_a_killed_head_only_run_ends_as_one_that_was_not(place: Path, launch: Start) -> None:
    options = {"epochs": 6, "feature_views": 2, "save_minutes": 0.0, "optimizer": "ranger"}
    whole, killed = (make_run(place, name, **options) for name in ("whole", "killed"))
    train_on(whole, launch)
    process = launch(killed)
    wait_until(lambda: len(killed.read_metrics()[0]) >= 5, "some steps are trained", 400)
    process.kill()
    process.join()
    assert jobs.live_status(killed).state == "crashed"
    train_on(killed, launch)
    one, other = (load_checkpoint(run.last_path)["model"] for run in (whole, killed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_it_is_extended_from_its_own_folder_when_the_run_it_began_from_is_gone(
    place: Path, launch: Start, trained: Run
) -> None:
    parent = Run(shutil.copytree(trained.folder, trained.folder.with_name("parent")))
    run = make_run(place, "child", weights="run:parent", focus=["35"], epochs=1)
    train_on(run, launch)
    shutil.rmtree(parent.folder)
    train_on(run, launch, 2)
    assert features.digest_backbone(load_best(run)[0]) == features.digest_backbone(load_best(trained)[0])


def test_one_stopped_in_its_first_epoch_goes_on_exactly_though_its_weights_became_others(
    place: Path, launch: Start, network: nn.Module
) -> None:
    weights = shutil.copy(place / "weights.pt", place / "own.pt")
    options = {"epochs": 2, "weights": str(weights), "save_minutes": 0.0}
    whole, stopped = (make_run(place, name, **options) for name in ("undisturbed", "moved-on"))
    train_on(whole, launch)
    with stopped.log_path.open("a") as log:
        job = TrainingJob(stopped, log, should_stop=lambda: bool(stopped.read_metrics()[0]))
        assert job.execute().state == "stopped"
    assert not stopped.best_path.exists()
    torch.save(build_model("resnet18", 5).state_dict(), weights)
    train_on(stopped, launch)
    one, other = (load_checkpoint(run.last_path)["model"] for run in (whole, stopped))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert features.digest_backbone(load_best(stopped)[0]) == features.digest_backbone(network)


def test_a_frozen_backbone_keeps_its_statistics_too() -> None:
    net = build_model("resnet18", 3)
    freeze_backbone(net, True)
    set_training(net)
    before = features.digest_backbone(net)
    net(torch.randn(4, 3, 32, 32)).sum().backward()
    assert features.digest_backbone(net) == before
    assert [name for name, p in net.named_parameters() if p.grad is not None] == ["fc.weight", "fc.bias"]
    freeze_backbone(net, False)
    set_training(net)
    net(torch.randn(4, 3, 32, 32))
    assert features.digest_backbone(net) != before


def test_batch_statistics_can_be_kept_while_the_weights_learn() -> None:
    net = build_model("resnet18", 3)
    set_training(net, keep_statistics=True)
    before = net.bn1.running_mean.clone()
    net(torch.randn(4, 3, 32, 32) + 5).sum().backward()
    assert torch.equal(net.bn1.running_mean, before)
    assert net.bn1.weight.grad is not None
    set_training(net)
    net(torch.randn(4, 3, 32, 32) + 5)
    assert not torch.equal(net.bn1.running_mean, before)
