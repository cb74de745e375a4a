"""Which hyper-parameters go together: what applies to what is chosen, and what excludes what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Values = Mapping[str, Any]  # a config's fields by name, perhaps not all and not all right yet


def _is_augmented(values: Values) -> bool:
    return not values.get("head_only") or (values.get("feature_views") or 0) > 1


# The fields that have a say only where something else is chosen, with what that is and how it is told.
_NEEDS: dict[str, tuple[Callable[[Values], bool], str]] = {
    "momentum": (lambda v: v.get("optimizer") == "sgd", "the optimizer sgd"),
    "step_factor": (lambda v: v.get("schedule") == "step", "the schedule step"),
    "step_epochs": (lambda v: v.get("schedule") == "step", "the schedule step"),
    "warmup_epochs": (
        lambda v: v.get("schedule") in ("step", "cosine"),
        "the schedules step and cosine (onecycle warms up by itself)",
    ),
    "feature_views": (lambda v: bool(v.get("head_only")), "head_only"),
    "focus_factor": (lambda v: bool(v.get("focus")), "classes to specialise on (focus)"),
    "guard": (lambda v: bool(v.get("focus")), "classes to specialise on (focus)"),
    "pair_weight": (lambda v: bool(v.get("pairs")), "pairs to tell apart (pairs)"),
    **{
        field: (lambda v: not v.get("head_only"), "training the whole network, not with head_only")
        for field in ("freeze_epochs", "mixup", "cutmix", "progressive_from")
    },
    **{
        field: (_is_augmented, "feature_views above 1")
        for field in ("crop_scale_min", "hflip", "rotation", "translate", "jitter", "erasing")
    },
}
# Of those, the ones that ask for something when they differ from this: to pass over them silently would mislead.
_OFF: dict[str, float] = {
    "warmup_epochs": 0,
    "feature_views": 1,
    "freeze_epochs": 0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "progressive_from": 0,
}


def applies(field: str, values: Values) -> bool:
    """Tell whether a field has any effect with the other values; a form may hide it where not."""
    return field not in _NEEDS or _NEEDS[field][0](values)


def split_pairs(text: str) -> list[tuple[str, str]]:
    """Return the pairs of class names of a text such as `10:52,29:86`, empty for an empty text.

    Raises:
        ValueError: naming the part that is no pair of two different classes.
    """
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        one, colon, other = (name.strip() for name in part.partition(":"))
        if not (one and colon and other) or ":" in other:
            raise ValueError(
                f"{part!r} is no pair; write two folder names with a colon between, such as 10:52"
            )
        if one == other:
            raise ValueError(f"{part!r} pairs a class with itself; name two different classes")
        pairs.append((one, other))
    return pairs


def find_conflicts(values: Values) -> dict[str, str]:
    """Return what cannot be done together, by field; each value is taken to be right by itself."""
    problems = {
        field: f"goes with {_NEEDS[field][1]} only; set it to {off:g}, got {values[field]!r}"
        for field, off in _OFF.items()
        if values[field] != off and not applies(field, values)
    }
    epochs, size, start = values["epochs"], values["image_size"], values["progressive_from"]
    for field in ("warmup_epochs", "freeze_epochs"):
        if values[field] >= epochs and field not in problems:
            problems[field] = f"must be less than epochs ({epochs}), got {values[field]}"
    if start and not 32 <= start < size:
        problems["progressive_from"] = (
            f"must be 0 (off) or from 32 to less than image_size ({size}), got {start}"
        )
    blurred = [field for field in ("label_smoothing", "mixup", "cutmix") if values[field]]
    if values["focal"] and blurred:
        problems["focal"] = f"goes with labels of one class only; set {blurred[0]} to 0, or this"
    try:
        paired = split_pairs(values["pairs"])
    except ValueError as error:
        problems["pairs"] = str(error)
    else:
        mixing = [field for field in blurred if field != "label_smoothing"]
        if paired and mixing:
            problems["pairs"] = (
                f"goes with images of one class only; set {mixing[0]} to 0, or leave this empty"
            )
    if values["head_only"] and values["weights"] == "none":
        problems["head_only"] = "needs trained weights: the features of a random network say little"
    return problems
