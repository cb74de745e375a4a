"""The losses: each against a computation by hand, and that a training minimises the one its config names."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core.errors import ConfigError, DataError
from core.job.job import TrainingJob
from core.recipe.config import TrainConfig
from core.runs.run import create_run
from core.training.losses import FocalLoss, PairLoss, make_loss
from tests.processes import tiny_config

CLASSES = ("2", "10", "35", "86")


def config_of(**values: Any) -> TrainConfig:
    return TrainConfig(data="flowers", **values)


def test_focal_loss_is_cross_entropy_at_0_and_weighs_sure_images_less_above() -> None:
    logits, targets = (
        torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),
        torch.tensor([0, 1, 2, 3, 0, 1]),
    )
    each = nn.functional.cross_entropy(logits, targets, reduction="none")
    assert FocalLoss(0.0)(logits, targets).item() == pytest.approx(each.mean().item())
    weighed = ((1 - (-each).exp()) ** 2 * each).mean()
    assert FocalLoss(2.0)(logits, targets).item() == pytest.approx(weighed.item())
    assert isinstance(make_loss(config_of(focal=2.0), CLASSES), FocalLoss)


def test_focal_loss_does_not_go_with_blurred_labels() -> None:
    with pytest.raises(ConfigError, match="focal: needs labels of a single class; set mixup to 0"):
        config_of(focal=2.0, mixup=0.2)


def test_look_alikes_are_told_apart_by_their_own_logits_alone() -> None:
    # Class 0 is paired with 1 and with 2, so its softmax is over three logits; class 3 stands alone.
    logits = [[1.0, 2.0, 0.5, 9.0], [0.0, 1.0, 9.0, 9.0], [1.0, 2.0, 3.0, 4.0]]
    targets = [0, 1, 3]
    apart = [
        -math.log(math.exp(1.0) / (math.exp(1.0) + math.exp(2.0) + math.exp(0.5))),
        -math.log(math.exp(1.0) / (math.exp(1.0) + math.exp(0.0))),
        0.0,
    ]
    whole = [
        -math.log(math.exp(row[target]) / sum(map(math.exp, row)))
        for row, target in zip(logits, targets, strict=True)
    ]
    loss = make_loss(config_of(pairs=(("2", "10"), ("35", "2")), pair_weight=0.7), CLASSES)
    found = loss(torch.tensor(logits), torch.tensor(targets))
    assert found.item() == pytest.approx((sum(whole) + 0.7 * sum(apart)) / 3, rel=1e-6)


def test_only_the_logits_of_partners_feel_the_pair() -> None:
    logits = torch.zeros(2, 4, requires_grad=True)
    zero = nn.CrossEntropyLoss(reduction="sum")
    loss = PairLoss(zero, [(0, 1)], classes=4, weight=1.0)
    targets = torch.tensor([0, 2])
    (loss(logits, targets) - zero(logits, targets)).backward()
    assert logits.grad is not None
    assert logits.grad.flatten().tolist() == pytest.approx([-0.25, 0.25, 0, 0, 0, 0, 0, 0])


def test_pairs_go_on_top_of_any_loss() -> None:
    assert isinstance(make_loss(config_of(pairs=(("2", "10"),), focal=2.0), CLASSES), PairLoss)
    smooth = make_loss(config_of(pairs=(("2", "10"),), label_smoothing=0.1), CLASSES)
    assert isinstance(smooth, PairLoss)
    assert isinstance(smooth.base, nn.CrossEntropyLoss)
    assert smooth.base.label_smoothing == 0.1
    assert isinstance(make_loss(config_of(), CLASSES), nn.CrossEntropyLoss)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"pairs": (("10", "52"), ("29", "29"))}, "pairs: '29:29' pairs a class with itself"),
        ({"pairs": (("e\u0301", "é"),)}, "pairs a class with itself"),
        ({"pairs": (("10", "52"),), "mixup": 0.2}, "needs images of a single class; set mixup to 0"),
        ({"pairs": (("10", "52"),), "cutmix": 1.0}, "needs images of a single class; set cutmix to 0"),
    ],
)
def test_pairs_that_cannot_be_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_of(**values)


def test_pairs_of_what_is_no_class_are_refused_with_the_classes_there_are() -> None:
    with pytest.raises(
        DataError, match=r"pairs: '7' is not a class of this data\. Its classes are 2, 10, 35, 86"
    ):
        make_loss(config_of(pairs=(("10", "7"),)), CLASSES)


def test_a_training_of_the_head_alone_counts_its_pairs(
    tmp_path: Path, tiny_data: Path, best_model: Path
) -> None:
    first = {}
    for name, pairs in (("without", ()), ("with", (("2", "10"),))):
        config = tiny_config(
            tiny_data, name, weights=str(best_model), head_only=True, epochs=1, pairs=pairs, pair_weight=3.0
        )
        run = create_run(config, tmp_path / "runs")
        assert TrainingJob(run, io.StringIO()).execute().state == "finished"
        first[name] = run.read_metrics()[0][0]["loss"]
    assert first["with"] > first["without"] + 0.1
