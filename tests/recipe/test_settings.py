"""Which runs are seeds of the same thing, and what tells the others apart."""

from __future__ import annotations

from core.recipe.config import TrainConfig
from core.recipe.presets import from_preset
from core.recipe.settings import (
    find_differing,
    format_setting,
    group_by_settings,
    label_settings,
    settings_of,
)


def config(**values: object) -> TrainConfig:
    return TrainConfig.from_dict({"data": "flowers", **values})


def test_runs_that_differ_in_seed_and_name_alone_belong_together() -> None:
    runs = {
        "a": config(name="a", seed=0),
        "b": config(name="b", seed=1, group="bake"),
        "c": config(name="c", seed=1, lr=0.01),
    }
    assert group_by_settings(runs) == [["a", "b"], ["c"]]


def test_what_has_no_effect_does_not_tell_runs_apart() -> None:
    assert settings_of(config(optimizer="adamw", momentum=0.5)) == settings_of(config(optimizer="adamw"))
    assert settings_of(config(momentum=0.5)) != settings_of(config())
    assert settings_of(from_preset("seed", data="flowers")) == settings_of(config(preset="demo"))
    assert find_differing([config(optimizer="adamw", momentum=0.5), config()]) == ["optimizer"]


def test_names_are_no_settings_that_differ() -> None:
    assert find_differing([config(name="a", group="g"), config(name="b")]) == []
    assert find_differing([config(seed=1), config(lr=0.1)]) == ["lr", "seed"]


def test_a_label_is_as_short_as_it_can_be() -> None:
    sgd, adamw = config(arch="resnet50"), config(arch="resnet50", optimizer="adamw", lr=0.0001)
    assert label_settings([sgd, adamw]) == ["sgd", "adamw"]
    other = config(arch="resnet18")
    assert label_settings([sgd, adamw, other]) == ["resnet50 · sgd", "resnet50 · adamw", "resnet18 · sgd"]
    assert label_settings([sgd, config(arch="resnet50", lr=0.1)]) == [
        "resnet50 · lr 0.001",
        "resnet50 · lr 0.1",
    ]
    slow = config(arch="resnet50", momentum=0.5)
    assert label_settings([sgd, slow, adamw]) == [
        "sgd · lr 0.001 · momentum 0.9",
        "sgd · lr 0.001 · momentum 0.5",
        "adamw · lr 0.0001",
    ]
    assert label_settings([sgd, config(arch="resnet50", seed=3)]) == ["resnet50", "resnet50"]


def test_classes_in_a_label_are_written_as_they_are_typed() -> None:
    other = config(arch="resnet50", focus=["2"], pairs=[["2", "10"]])
    special = config(arch="resnet50", focus=["10", "cat, domestic"], pairs=[["a:b", "10"]])
    assert label_settings([other, special])[1] == ('resnet50 · focus 10,"cat, domestic" · pairs "a:b":10')


def test_classes_are_read_by_their_labels() -> None:
    special = config(focus=["10", "a:b"], pairs=[["10", "a:b"], ["10", "2"]])
    label = {"10": "10 · tulip", "a:b": "a:b", "2": "2 · rose"}.__getitem__
    assert format_setting(special, "focus", label) == "10 · tulip, a:b"
    assert format_setting(special, "pairs", label) == "10 · tulip and a:b; 10 · tulip and 2 · rose"
    assert format_setting(config(), "focus") == format_setting(config(), "pairs") == "–"
