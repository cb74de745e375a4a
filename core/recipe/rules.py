"""What is wrong with a config: its values one by one, and what cannot be done together."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.networks.table import Network, describe_unknown, find_network
from core.recipe.class_names import normalise, write_pairs
from core.recipe.setting import Setting, Values
from core.splits.fold import read_fold
from core.words import format_number, shorten

LEAST_A_DEVICE = 2  # images of a batch, since batch normalisation cannot learn from one
SIZE_STEP = 16  # pixels between the image sizes of a run whose images grow
# What has no place where fitting the head is the whole training (head_only with head_first), with the value it must have.
FIT_ALONE = {"epochs": 1, "feature_views": 1, "ema": 0.0, "focal": 0.0, "label_smoothing": 0.0}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def fits_alone(values: Values) -> bool:
    """Tell whether fitting the head is the whole training."""
    return bool(values.get("head_only") and values.get("head_first"))


def find_problems(settings: Mapping[str, Setting], values: Values) -> dict[str, str]:
    """Return what is wrong with a config's values, by field; empty where nothing is."""
    wrong = {name: one.find_wrong_type(values[name]) for name, one in settings.items()}
    if any(wrong.values()):
        return {name: what for name, what in wrong.items() if what}
    problems = {name: what for name, one in settings.items() if (what := one.find_problem(values[name]))}
    problems.update(
        {
            name: f"contains a NUL character or half a letter, which no path or name can: {shorten(repr(values[name]))}"
            for name in settings
            if not _can_be_kept(values[name])
        }
    )
    problems.update(_find_wrong_texts(values))
    size = values["image_size"]
    if "resize_size" not in problems and values["resize_size"] < size:
        problems["resize_size"] = (
            f"must be at least image_size ({size}) or the centre crop pads, got {values['resize_size']}"
        )
    network = find_network(values["arch"])
    if network is None:
        problems["arch"] = describe_unknown(values["arch"])
    else:
        problems = {**_find_misfits(network, values), **problems}
    return problems or _find_conflicts(settings, values)


def _can_be_kept(value: object) -> bool:
    """Tell whether a value's texts can be written down and read again, as the JSON of a run's folder."""
    if isinstance(value, tuple):
        return all(map(_can_be_kept, value))
    if not isinstance(value, str):
        return True
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def _find_misfits(network: Network, values: Values) -> dict[str, str]:
    """Return what a network does not go with, by field."""
    problems = {}
    size, start = values["image_size"], values["progressive_from"]
    if problem := network.find_problem(size):
        problems["image_size"] = problem
    if start and (network.built or SIZE_STEP % (network.step or size)):
        problems["progressive_from"] = (
            f"needs a network that takes images of any size; set it to 0 for {network.name}, got {start}"
        )
    elif start >= 32 and (problem := network.find_problem(start)):
        problems["progressive_from"] = problem
    smallest = start or size
    if values["batch_size"] == 1 and not 0 < network.lone <= smallest:
        # Batch normalisation cannot train on one value a channel, which is all that a map of one cell has.
        problems["batch_size"] = (
            f"must be at least 2 for {network.name} and images of {smallest} pixels, got 1"
        )
    if values["weights"] == "imagenet" and not network.weights:
        problems["weights"] = (
            f"there are no published weights of {network.name}; choose none (from scratch), an earlier run's or a file"
        )
    return problems


def _find_wrong_texts(values: Values) -> dict[str, str]:
    problems = {}
    if not values["data"]:
        problems["data"] = "is empty; give the folder that holds train/"
    for field in ("name", "group"):
        if values[field] and not _NAME.fullmatch(values[field]):
            problems[field] = (
                f"may contain letters, digits, '.', '_' and '-' (at most 80), got {shorten(repr(values[field]), 100)}"
            )
    if values["name"] == "latest":
        problems["name"] = "'latest' stands for the newest run; choose another name"
    if not values["group_by"]:
        problems["group_by"] = "is empty; give copies, name, none or the path of a CSV"
    try:
        read_fold(values["fold"])
    except ValueError as error:
        problems["fold"] = f"{error}, got {shorten(repr(values['fold']))}"
    if not values["weights"]:
        problems["weights"] = "is empty; give imagenet, none, run:<id> or a file"
    return problems


def _find_conflicts(settings: Mapping[str, Setting], values: Values) -> dict[str, str]:
    """Return what cannot be done together, by field; each value is right by itself."""
    # What is off by default and is not now was asked for: to pass over it silently would mislead.
    problems = {
        name: f"needs {one.needs.words}; otherwise set this to {format_number(one.off)}, got {format_number(values[name])}"
        for name, one in settings.items()
        if one.needs and one.is_off(one.default) and not one.is_off(values[name]) and not one.applies(values)
    }
    epochs, size, start = values["epochs"], values["image_size"], values["progressive_from"]
    for field in ("warmup_epochs", "freeze_epochs"):
        if values[field] >= epochs and field not in problems:
            problems[field] = f"must be less than epochs ({epochs}), got {values[field]}"
    if start and not 32 <= start < size:
        problems["progressive_from"] = (
            f"must be 0 (off) or from 32 to less than image_size ({size}), got {start}"
        )
    devices = values["devices"]
    if devices > 1 and values["batch_size"] < LEAST_A_DEVICE * devices and "devices" not in problems:
        problems["devices"] = (
            f"each device needs {LEAST_A_DEVICE} images per batch; set batch_size to at least "
            f"{LEAST_A_DEVICE * devices} (now {values['batch_size']}), or lower this, got {devices}"
        )
    mixing = [field for field in ("mixup", "cutmix") if values[field]]
    blurred = ["label_smoothing", *mixing] if values["label_smoothing"] else mixing
    if values["focal"] and blurred:
        problems["focal"] = f"needs labels of a single class; set {blurred[0]} to 0, or this"
    twins = [pair for pair in values["pairs"] if normalise(pair[0]) == normalise(pair[1])]
    if twins:
        problems["pairs"] = (
            f"{write_pairs(twins[:1])!r} pairs a class with itself; name two different classes"
        )
    elif values["pairs"] and mixing:
        problems["pairs"] = f"needs images of a single class; set {mixing[0]} to 0, or leave this empty"
    if values["head_only"] and values["weights"] == "none":
        problems["head_only"] = "needs trained weights: the features of a random network say little"
    elif values["head_first"] and values["weights"] == "none":
        problems["head_first"] = "needs trained weights: the features of a random network say little"
    elif fits_alone(values):
        problems.update(_find_more_than_a_fit(values))
    return problems


def _find_more_than_a_fit(values: Values) -> dict[str, str]:
    """Return what has no place where fitting the head is the whole training, which takes one pass and no steps."""
    return {
        field: f"must be {value} with head_only and head_first, which fit the head once, got {values[field]!r}"
        for field, value in FIT_ALONE.items()
        if values[field] != value
    }
