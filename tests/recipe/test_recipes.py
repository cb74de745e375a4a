"""Recipes: what goes together is told, presets hold it, and every option does to training what it says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from core.errors import ConfigError
from core.recipe.config import TrainConfig, applies
from core.recipe.presets import PRESETS, from_preset
from core.words import format_number

OFF = {
    "clip_norm": 0.0, "warmup_epochs": 0, "freeze_epochs": 0, "head_only": False, "feature_views": 1,
    "progressive_from": 0, "label_smoothing": 0.0, "mixup": 0.0, "cutmix": 0.0, "ema": 0.0, "patience": 0,
    "head_lr_factor": 1.0, "focus": (), "pairs": (), "class_balance": False, "focal": 0.0,
}  # fmt: skip


def problems_of(**values: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        TrainConfig(data="flowers", **values)
    return caught.value.problems


def applying(**values: Any) -> set[str]:
    config = dataclasses.asdict(TrainConfig(data="flowers", **values))
    return {field for field in config if applies(field, config)}


def test_everything_new_is_off_in_the_reports_recipe() -> None:
    config = dataclasses.asdict(from_preset("seed", data="flowers"))
    assert {field: config[field] for field in OFF} == OFF


def test_the_presets_fast_and_strong_fit_the_head_first_then_train_all_with_the_statistics_it_knows() -> None:
    for preset in ("fast", "strong"):
        config = from_preset(preset, data="flowers")
        assert config.head_first
        assert config.keep_statistics
        assert config.layer_decay < 1
        assert config.epochs < from_preset("seed", data="flowers").epochs


def test_the_preset_strong_uses_what_makes_for_accuracy() -> None:
    config = from_preset("strong", data="flowers")
    assert all((config.label_smoothing, config.cutmix, config.ema))


@pytest.mark.parametrize("preset", [name for name in PRESETS if PRESETS[name].get("weights") != "none"])
def test_every_preset_with_trained_weights_can_train_the_head_alone(preset: str) -> None:
    config = from_preset(preset, data="flowers", head_only=True)
    assert (config.mixup, config.progressive_from) == (0.0, 0)


def test_momentum_applies_to_sgd_alone() -> None:
    assert "momentum" in applying()
    assert not {"momentum"} & (applying(optimizer="adamw") | applying(optimizer="ranger"))


@pytest.mark.parametrize(
    ("schedule", "fields"),
    [
        ("constant", set()),
        ("step", {"step_factor", "step_epochs", "warmup_epochs"}),
        ("cosine", {"warmup_epochs"}),
        ("onecycle", set()),
    ],
)
def test_each_schedule_has_its_own_settings(schedule: str, fields: set[str]) -> None:
    assert {"step_factor", "step_epochs", "warmup_epochs"} & applying(schedule=schedule) == fields


def test_images_are_augmented_in_head_only_training_when_there_are_several_views() -> None:
    assert "hflip" in applying()
    assert "hflip" not in applying(head_only=True)
    assert "hflip" in applying(head_only=True, feature_views=2)
    assert not {"mixup", "cutmix", "freeze_epochs", "progressive_from"} & applying(head_only=True)


def test_what_applies_can_be_asked_of_a_form_that_is_not_filled_in_yet() -> None:
    assert applies("lr", {})
    assert not applies("hflip", {"head_only": True, "feature_views": None})


@pytest.mark.parametrize(
    ("values", "field", "what"),
    [
        ({"warmup_epochs": 2}, "warmup_epochs", "step or cosine"),
        ({"warmup_epochs": 2, "schedule": "onecycle"}, "warmup_epochs", "warms up by itself"),
        ({"warmup_epochs": 5, "epochs": 5, "schedule": "cosine"}, "warmup_epochs", r"less than epochs (5)"),
        ({"freeze_epochs": 25}, "freeze_epochs", "less than epochs (25)"),
        ({"feature_views": 2}, "feature_views", "head_only"),
        ({"progressive_from": 224}, "progressive_from", "less than image_size (224)"),
        ({"progressive_from": 31}, "progressive_from", "from 32"),
        ({"head_only": True, "weights": "none"}, "head_only", "trained weights"),
        ({"head_only": True, "mixup": 0.2}, "mixup", "not head_only"),
        ({"head_only": True, "cutmix": 1.0}, "cutmix", "not head_only"),
        ({"head_only": True, "freeze_epochs": 1}, "freeze_epochs", "not head_only"),
        ({"head_only": True, "progressive_from": 64}, "progressive_from", "not head_only"),
    ],
)
def test_what_cannot_be_done_together_is_refused_with_its_field(
    values: dict[str, Any], field: str, what: str
) -> None:
    problems = problems_of(**values)
    assert set(problems) == {field}
    assert what in problems[field]
    asked = values.get(field)
    shown = format_number(asked) if isinstance(asked, (int, float)) else repr(asked)
    assert problems[field].endswith((f"got {shown}", "little"))
