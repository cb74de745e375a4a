"""Soups: weights averaged into one network, of those runs whose weights go together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import RunError, UserError
from core.model.better import Judges, choose_judges
from core.model.predict import Predictor
from core.model.soup import (
    Loaded,
    choose_greedily,
    describe_starts,
    load_runs,
    mix_soup,
    refuse_soup,
    write_soup,
)
from core.networks.build import build_model
from core.networks.table import IMAGENET
from core.runs import jobs
from core.runs.run import Run, list_runs
from core.runs.seen import Seen, read_seen, write_seen
from core.training.average import average_weights
from core.training.checkpoint import best_values, load_checkpoint, save_checkpoint
from core.verdicts.predictions import read_predictions
from tests.conftest import COLOURS
from tests.made_run import make_run
from tests.toy_net import build_toy

EASY = {"precision": "fp32", "device": "cpu", "workers": 0, "weights": "none"}


@pytest.fixture
def judges(runs_root: Path, tiny_data: Path) -> Judges:
    """Return the validation images of a run on the tiny data."""
    return choose_judges([make_run(runs_root, tiny_data, name="judge", weights="none")])


def keep_model(run: Run, *, seed: int = 0, head: float = 1.0, scale: float = 1.0, **changes: Any) -> Run:
    """Give a run a ResNet18 of random weights, its head and all else multiplied."""
    torch.manual_seed(seed)
    model = build_model("resnet18", 3)
    with torch.no_grad():
        for name, value in model.named_parameters():
            value *= head if name.startswith("fc.") else scale
    options = {
        "arch": "resnet18", "inputs": IMAGENET, "classes": tuple(COLOURS), "display": {}, "image_size": 32,
        "resize_size": 32, **changes,
    }  # fmt: skip
    save_checkpoint(run.best_path, best_values(model, **options))
    return run


def make_modelled(root: Path, data: Path, name: str, **options: Any) -> Run:
    return keep_model(make_run(root, data, name=name, **EASY), **options)


def fit_head(loaded: Loaded, judges: Judges, *, sign: float = 1.0) -> None:
    """Fit a network's head to what it makes of images, so that it is right about all of them; or wrong, where `sign` is -1."""
    from core.dataset.images import read_image

    predictor = loaded.make_predictor()
    head, loaded.model.fc = loaded.model.fc, torch.nn.Identity()
    images = [read_image(judges.folders.root / sample.path) for sample in judges.samples]
    with torch.inference_mode():
        features = loaded.model(predictor.prepare(images).contiguous())
    targets = torch.tensor([sample.target for sample in judges.samples])
    wanted = torch.nn.functional.one_hot(targets, 3).float() - 0.3
    with torch.no_grad():
        head.weight.copy_(sign * 9 * torch.linalg.lstsq(features.clone(), wanted).solution.T)
        head.bias.zero_()
    loaded.model.fc = head


def test_weights_and_statistics_are_averaged_and_counters_kept() -> None:
    one, other = build_toy(seed=0), build_toy(seed=1)
    other.bn1.running_mean += 4.0
    other.bn1.num_batches_tracked += 8
    mean = average_weights([one.state_dict(), other.state_dict()])
    assert torch.allclose(mean["conv1.weight"], (one.conv1.weight + other.conv1.weight) / 2)
    assert torch.equal(mean["bn1.running_mean"], torch.full((8,), 2.0))
    assert int(mean["bn1.num_batches_tracked"]) == 0
    build_toy().load_state_dict(mean)


def test_a_soup_answers_as_the_average_of_the_weights(runs_root: Path, tiny_data: Path) -> None:
    runs = [make_modelled(runs_root, tiny_data, name, seed=n) for n, name in enumerate(("a", "b"))]
    soup = mix_soup(load_runs(runs))
    states = [load_checkpoint(run.best_path)["model"] for run in runs]
    for name in ("conv1.weight", "layer4.1.bn2.running_var", "fc.bias"):
        assert torch.allclose(soup.model.state_dict()[name], (states[0][name] + states[1][name]) / 2)
    assert not soup.model.training
    assert soup.make_predictor().classes == tuple(COLOURS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_size": 64}, "the image size is 32 in one and 64 in the other"),
        ({"classes": ("2", "10", "36")}, "only a knows '35'"),
    ],
)
def test_what_cannot_be_averaged_is_refused_in_words(
    runs_root: Path, tiny_data: Path, changes: dict[str, Any], words: str
) -> None:
    runs = [make_modelled(runs_root, tiny_data, "a"), make_modelled(runs_root, tiny_data, "b", **changes)]
    with pytest.raises(RunError, match=words):
        mix_soup(load_runs(runs))


def test_another_network_is_refused_and_so_is_a_run_on_its_own_or_twice(
    runs_root: Path, tiny_data: Path
) -> None:
    (one,) = load_runs([make_modelled(runs_root, tiny_data, "a")])
    other = Loaded(Run(Path("b")), one.model, {**one.values, "arch": "resnet50"})
    with pytest.raises(RunError, match="the network is resnet18 in one and resnet50 in the other"):
        refuse_soup([one, other])
    with pytest.raises(RunError, match="at least two runs"):
        refuse_soup([one])
    with pytest.raises(RunError, match="a is named twice"):
        load_runs([one.run, one.run])


def test_the_greedy_soup_begins_with_the_best_and_leaves_out_what_makes_it_worse(
    runs_root: Path, tiny_data: Path, judges: Judges
) -> None:
    runs = [make_modelled(runs_root, tiny_data, name) for name in ("wrong", "good", "also")]
    wrong, good, also = loaded = load_runs(runs)
    fit_head(wrong, judges, sign=-2.5)  # outweighs both others together
    fit_head(good, judges)
    fit_head(also, judges)
    calls: list[tuple[int, int]] = []
    chosen = choose_greedily(loaded, judges, progress=lambda *call: not calls.append(call))
    assert chosen == [good, also]
    assert calls == [(6, 18), (12, 18), (18, 18)]
    assert choose_greedily([wrong, good], judges) == [good]
    assert choose_greedily(loaded, judges, progress=lambda *_: False) is None


def test_runs_that_began_apart_are_told(runs_root: Path, tiny_data: Path) -> None:
    def load(weights: str, *names: str) -> list[Loaded]:
        runs = [keep_model(make_run(runs_root, tiny_data, name=name, weights=weights)) for name in names]
        return load_runs(runs)

    scratch, trained = load("none", "a", "b"), load("imagenet", "c", "d")
    assert "did not begin from the same trained weights" in describe_starts(scratch)
    assert "did not begin from the same trained weights" in describe_starts([scratch[0], trained[0]])
    assert describe_starts(trained) == ""


def test_a_soup_that_is_written_is_a_run_like_any_other(runs_root: Path, tiny_data: Path) -> None:
    runs = [make_modelled(runs_root, tiny_data, name, seed=n) for n, name in enumerate(("a", "b"))]
    write_seen(runs[1], Seen(np.array([1], np.uint64), np.array([2], np.uint64)))
    loaded = load_runs(runs)
    made = write_soup(loaded, runs[0], "both", runs_root)
    status = jobs.live_status(made)
    assert (status.state, status.epoch, status.has_best) == ("finished", 0, status.best_val_acc > 0)
    assert status.message.startswith("A soup: the average of the weights of a, b.")
    table = read_predictions(made.predictions_path())
    assert len(table) == 6
    assert status.best_val_acc == (table["true"] == table["predicted"]).mean()
    weights = Predictor.from_run(made).model.state_dict()["fc.weight"]
    assert torch.equal(weights, mix_soup(loaded).model.state_dict()["fc.weight"])
    seen = read_seen(made)
    assert seen is not None
    assert len(seen.trained) == 18 + 1
    assert {1, 2} <= {*seen.trained.tolist(), *seen.chosen.tolist()}
    assert load_checkpoint(made.best_path)["soup"] == ["a", "b"]
    made.write_status(replace(status, best_val_acc=0.5))
    with pytest.raises(
        RunError, match=r"no last\.pt to resume from\. Start a new run from its weights, run:both"
    ):
        jobs.reopen(made, 5)


def test_no_run_is_left_of_a_soup_that_could_not_be_written(runs_root: Path, tiny_data: Path) -> None:
    runs = [make_modelled(runs_root, tiny_data, name) for name in ("a", "b")]
    with pytest.raises(RunError, match="A run named 'a' already exists"):
        write_soup(load_runs(runs), runs[0], "a", runs_root)
    (tiny_data / "val" / "10" / "1.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"val/10/1\.png is empty"):
        write_soup(load_runs(runs), runs[0], "both", runs_root)
    own = read_seen(runs[0])
    assert own is not None
    write_seen(runs[1], Seen(trained=own.chosen))
    with pytest.raises(RunError, match="b was trained on 5 of the 6 images"):
        write_soup(load_runs(runs), runs[0], "both", runs_root)
    assert sorted(run.id for run, _ in list_runs(runs_root)) == ["a", "b"]
