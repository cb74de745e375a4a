"""The config: the presets are what they are called, and nothing wrong gets in."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from core.errors import ConfigError
from core.recipe.config import SETTINGS, TrainConfig
from core.recipe.presets import PRESET_HELP, PRESET_TITLES, PRESETS, from_preset
from core.words import format_number

FIELDS = [field.name for field in dataclasses.fields(TrainConfig)]
CHOICES = {field: setting.choices for field, setting in SETTINGS.items() if setting.choices}
RANGES = {field: setting.span for field, setting in SETTINGS.items() if setting.span}


def problems_of(**values: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({"data": "flowers", **values})
    return caught.value.problems


def test_the_preset_seed_is_the_reports_recipe() -> None:
    config = dataclasses.asdict(from_preset("seed", data="flowers"))
    recipe = {
        "arch": "resnext50_32x4d",
        "weights": "imagenet",
        "image_size": 224,
        "resize_size": 256,
        "crop_scale_min": 0.08,
        "hflip": 0.5,
        "rotation": 15.0,
        "translate": 0.1,
        "jitter": 0.3,
        "erasing": 0.5,
        "optimizer": "sgd",
        "lr": 0.001,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "schedule": "constant",
        "batch_size": 32,
        "epochs": 25,
    }
    assert {field: config[field] for field in recipe} == recipe


def test_the_preset_seed_is_the_default() -> None:
    assert from_preset("seed", data="flowers") == TrainConfig(data="flowers")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid_described_and_remembered(preset: str) -> None:
    assert from_preset(preset, data="flowers").preset == preset
    assert PRESET_HELP[preset].endswith(".")


def test_the_preset_demo_needs_no_download() -> None:
    assert from_preset("demo", data="digits").weights == "none"


def test_a_preset_can_be_changed_in_some_fields() -> None:
    config = from_preset("demo", data="digits", epochs=2)
    assert (config.epochs, config.image_size) == (2, 32)


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        ConfigError, match=r"preset: must be one of seed, demo, small, quick, fast, strong, got 'best'"
    ):
        from_preset("best", data="flowers")


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_a_sentence_of_help(field: str) -> None:
    text = SETTINGS[field].help
    assert text[0].isalpha()
    assert text.endswith(".")


def test_every_number_has_a_range_and_the_defaults_are_within() -> None:
    numbers = {field.name for field in dataclasses.fields(TrainConfig) if field.type in ("int", "float")}
    assert set(RANGES) == numbers
    config = TrainConfig(data="flowers")
    assert all(low <= getattr(config, field) <= high for field, (low, high) in RANGES.items())


@pytest.mark.parametrize("config", [TrainConfig(data="flowers"), from_preset("demo", data="Blümchen/ä b")])
def test_json_gives_back_the_same_config(config: TrainConfig) -> None:
    assert TrainConfig.from_json(config.to_json()) == config


def test_json_holds_every_field_in_order() -> None:
    assert list(json.loads(TrainConfig(data="flowers").to_json())) == FIELDS


def test_classes_are_lists_in_json_and_tuples_in_code() -> None:
    values = {"data": "x", "focus": ["cat, domestic", "a:b"], "pairs": [["a:b", "10"], ["10", "c"]]}
    config = TrainConfig.from_json(json.dumps(values))
    assert config.focus == ("cat, domestic", "a:b")
    assert config.pairs == (("a:b", "10"), ("10", "c"))
    written = json.loads(config.to_json())
    assert {field: written[field] for field in values} == values


def test_the_json_of_older_runs_in_which_classes_stood_in_one_text_still_opens() -> None:
    config = TrainConfig.from_json('{"data": "x", "focus": "10, 29,", "pairs": "10:52, 29 : 86"}')
    assert config == TrainConfig(
        data="x", group_by="none", focus=("10", "29"), pairs=(("10", "52"), ("29", "86"))
    )
    plain = TrainConfig.from_json('{"data": "x", "focus": "", "pairs": ""}')
    assert plain == TrainConfig(data="x", group_by="none")  # such a run split its images one by one
    assert TrainConfig.from_json('{"data": "x", "focus": "\\"10\\""}').focus == ('"10"',)


@pytest.mark.parametrize("value", ["10,29", [10], [""], [["10"]], None, 7, {"10": 1}], ids=repr)
def test_what_is_no_list_of_class_names_is_refused(value: object) -> None:
    assert problems_of(focus=value)["focus"].startswith("must be a list of class names, got ")


@pytest.mark.parametrize(
    "value", ["1:2", ["1:2"], ["12"], [["1"]], [["1", "2", "3"]], [["1", ""]], None], ids=repr
)
def test_what_is_no_list_of_pairs_is_refused(value: object) -> None:
    assert problems_of(pairs=value)["pairs"].startswith("must be a list of pairs of class names, got ")


@pytest.mark.parametrize("text", ["10", "1:2:3", ":2"])
def test_text_of_pairs_in_json_that_holds_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="pairs: must be a list of pairs of class names"):
        TrainConfig.from_json(json.dumps({"data": "x", "pairs": text}))


def test_whole_numbers_are_taken_for_floats() -> None:
    config = TrainConfig.from_json('{"data": "flowers", "lr": 1, "rotation": 0}')
    assert (config.lr, type(config.lr), type(config.rotation)) == (1.0, float, float)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "is not JSON"),
        ("{'data': 'flowers'}", "is not JSON"),
        ('{"data": "flowers"', "is not JSON"),
        ('{"epochs": ' + "9" * 5000 + "}", "is not JSON"),  # more digits than Python converts
        ("[1, 2]", "must be a JSON object"),
        ("null", "must be a JSON object"),
    ],
)
def test_text_that_is_no_json_object_is_refused(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_json(text)
    assert what in caught.value.problems["config"]


def test_an_unknown_field_is_refused_with_the_nearest_known_name() -> None:
    assert problems_of(epoch=3) == {"epoch": "unknown field; did you mean epochs?"}


def test_an_unknown_field_like_no_other_is_refused_with_all_known_names() -> None:
    assert all(field in problems_of(zzz=3)["zzz"] for field in FIELDS)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("epochs", True, "a whole number"),
        ("epochs", "25", "a whole number"),
        ("epochs", 25.0, "a whole number"),
        ("epochs", None, "a whole number"),
        ("lr", "0.1", "a number"),
        ("lr", False, "a number"),
        ("arch", 18, "a text"),
        ("name", ["a"], "a text"),
        ("data", None, "a text"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(field: str, value: object, kind: str) -> None:
    assert problems_of(**{field: value}) == {field: f"must be {kind}, got {value!r}"}


@pytest.mark.parametrize(("field", "value"), [("epochs", "25"), ("epochs", True), ("name", 7)])
def test_a_wrong_type_is_refused_in_code_as_well_as_in_json(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{field}: must be "):
        TrainConfig(data="flowers", **{field: value})


@pytest.mark.parametrize("field", RANGES)
@pytest.mark.parametrize("side", [0, 1], ids=["below", "above"])
def test_a_number_outside_its_range_is_refused_and_the_bounds_are_named(field: str, side: int) -> None:
    low, high = RANGES[field]
    value = (low - 1, high + 1)[side]
    problem = problems_of(**{field: type(getattr(TrainConfig(data="flowers"), field))(value)})[field]
    assert problem.startswith(f"must be from {format_number(low)} to {format_number(high)}, got ")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400], ids=["nan", "inf", "huge"])
@pytest.mark.parametrize("field", ["lr", "hflip"])
def test_a_number_that_is_none_or_endless_is_refused(field: str, value: float) -> None:
    assert problems_of(**{field: value})[field].startswith("must be from ")


@pytest.mark.parametrize("field", CHOICES)
def test_a_choice_that_does_not_exist_is_refused_with_those_there_are(field: str) -> None:
    assert problems_of(**{field: "best"}) == {
        field: f"must be one of {', '.join(CHOICES[field])}, got 'best'"
    }


@pytest.mark.parametrize("arch", ["wide_resnet101_2", "tf_efficientnet_lite0", "convnext_tiny.in12k_ft_in1k"])
def test_a_network_is_one_of_torchvisions_or_of_timms(arch: str) -> None:
    assert TrainConfig(data="x", arch=arch).arch == arch


def test_a_network_that_does_not_exist_is_refused_with_the_nearest() -> None:
    told = problems_of(arch="resnet51")["arch"]
    assert told.startswith("unknown network 'resnet51'; did you mean resnet")


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"image_size": 102, "resize_size": 102}, "image_size", "must be a multiple of 4 for swin_tiny"),
        ({"progressive_from": 128}, "progressive_from", "needs a network that takes images of any size"),
    ],
)
def test_what_a_network_that_is_built_for_a_size_does_not_go_with_is_told(
    values: dict[str, Any], field: str, words: str
) -> None:
    told = problems_of(arch="swin_tiny_patch4_window7_224", **values)
    assert list(told) == [field]
    assert told[field].startswith(words)


def test_weights_that_nobody_published_are_refused_before_the_start() -> None:
    assert problems_of(arch="darknet17", weights="imagenet")["weights"] == (
        "there are no published weights of darknet17; choose none (from scratch), an earlier run's or a file"
    )


def test_a_batch_of_one_is_refused_where_normalisation_would_have_one_value() -> None:
    small = {"image_size": 32, "resize_size": 32, "batch_size": 1}
    told = problems_of(arch="resnet18", **small)
    assert told == {"batch_size": "must be at least 2 for resnet18 and images of 32 pixels, got 1"}
    assert list(problems_of(arch="resnet18", batch_size=1, progressive_from=32)) == ["batch_size"]
    assert TrainConfig(data="x", arch="resnet18", batch_size=1, image_size=48).batch_size == 1
    for arch in ("test_convnext", "test_vit"):  # which have no batch normalisation
        assert TrainConfig(data="x", arch=arch, **small).batch_size == 1


def test_validation_images_smaller_than_the_networks_are_refused() -> None:
    assert "must be at least image_size (224)" in problems_of(resize_size=223)["resize_size"]


def test_single_images_of_32_pixels_are_refused_as_no_network_can_train_on_them() -> None:
    assert "at least 2" in problems_of(batch_size=1, image_size=32)["batch_size"]
    assert TrainConfig(data="flowers", batch_size=1, image_size=33).batch_size == 1


@pytest.mark.parametrize("name", ["run 1", "-run", ".run", "a/b", "..", "rün", "a\n", "x" * 81])
def test_a_name_that_is_no_plain_folder_name_is_refused(name: str) -> None:
    assert repr(name) in problems_of(name=name)["name"]


def test_the_name_latest_is_refused_since_it_means_the_newest_run() -> None:
    assert "newest" in problems_of(name="latest")["name"]


@pytest.mark.parametrize("name", ["", "a", "0.1_run-A", "x" * 80])
def test_a_plain_name_is_taken(name: str) -> None:
    assert TrainConfig(data="flowers", name=name).name == name


@pytest.mark.parametrize("field", ["data", "weights"])
def test_what_a_run_cannot_do_without_must_not_be_empty(field: str) -> None:
    assert problems_of(**{field: ""})[field].startswith("is empty; give ")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainConfig.from_dict({"arch": "vgg", "epochs": 0})
    assert set(caught.value.problems) == {"arch", "epochs", "data"}
    assert all(f"{field}: {what}" in str(caught.value) for field, what in caught.value.problems.items())


def test_every_preset_has_a_title_and_a_help() -> None:
    assert set(PRESET_TITLES) == set(PRESET_HELP) == set(PRESETS)
