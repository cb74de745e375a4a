"""The engine against the plain loop a student would write: the same recipe gives the same losses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.reference import make_loaders, train_step
from core.dataset.folders import scan_folders
from core.networks.build import build_model
from core.networks.table import IMAGENET
from core.recipe.presets import from_preset
from core.training import engine
from core.training.batches import ImageBatches
from core.training.learner import make_learner
from core.training.loaders import train_transforms
from core.training.optim import set_rate


def test_in_fp32_the_preset_seed_gives_the_plain_loops_losses_step_for_step(tiny_data: Path) -> None:
    config = from_preset(
        "seed",
        data=str(tiny_data),
        weights="none",
        image_size=64,
        resize_size=73,
        batch_size=6,
        precision="fp32",
    )
    compute = engine.choose_compute("cpu", "fp32")
    source = ImageBatches(scan_folders(tiny_data), config, IMAGENET, compute, workers=0)
    torch.manual_seed(0)
    plain = build_model(config.arch, 3).train()
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.001, momentum=0.9)
    torch.manual_seed(0)
    learner = make_learner(compute.place_model(build_model(config.arch, 3)), config)
    wanted, got = [], []
    for epoch in range(2):
        wanted += [train_step(plain, images, labels, optimizer) for images, labels in source.train(epoch)]

        def on_steps(figures: list[engine.StepFigures]) -> bool:
            got.extend(figure.loss for figure in figures)
            return True

        engine.train_epoch(
            learner.trained, source.train(epoch), learner.optimizer, nn.CrossEntropyLoss(), compute,
            set_rate=lambda step: set_rate(learner.optimizer, step, 6, config), on_steps=on_steps,
        )  # fmt: skip
    assert len(got) == 6
    # The layouts add up in another order, so the last digits may differ.
    assert got == pytest.approx(wanted, rel=2e-4)


def test_the_plain_loops_transforms_are_the_engines(tiny_data: Path) -> None:
    config = from_preset("seed", data=str(tiny_data))
    train, _ = make_loaders(tiny_data, size=224, workers=0)
    assert repr(train.dataset.transform) == repr(train_transforms(config, IMAGENET))
