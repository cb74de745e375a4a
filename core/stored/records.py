"""What the files of a run folder must hold: one that holds anything else is damaged, and is told with what and why."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from core.words import shorten

MB = 1_000_000
# A thousand times what such a file has; what lists every image of a data set may be large.
SIZES = {"config.json": 10 * MB, "status.json": MB, "data.json": 1000 * MB, "seen.json": 1000 * MB}
MOST = 100 * MB  # of any other
FIGURES = 2000 * MB  # of metrics.jsonl
_ROW = 10 * MB  # of a line of it
_LARGE = 1e15  # no count is as large
_LATEST = (
    1e11  # seconds, the year 5138: no clock shows a later time, and no library of dates knows one much later
)
_MOST_EPOCHS = 1_000_000
_MOST_PID = 2**31 - 1
_JOB = re.compile(r"(\d+([_+]\d+)?)?", re.ASCII)  # of Slurm, as squeue names it; it is handed to scancel
_MOST_OF = {
    **dict.fromkeys(("epoch", "epochs", "best_epoch", "extended_from"), _MOST_EPOCHS),
    **{"best_val_acc": 1.0, "pid": _MOST_PID, "done": _LARGE, "total": _LARGE, "val_count": _LARGE},
}
INTERPOLATIONS = ("bilinear", "bicubic", "nearest", "nearest-exact", "lanczos", "box", "hamming")
_NUMBERS = ("loss", "acc", "lr", "train_loss", "train_acc", "val_loss", "val_acc", "seconds", "val_seconds")


def check_data(values: Mapping[str, Any]) -> None:
    """Check a record of a data set, data.json; raises ValueError saying what in it cannot be.

    A record of an older version lacks some of what `run_data.describe_data` writes now. It may list a million images,
    so each is looked at once and quickly.
    """
    for name in ("root", "classes", "display", "val_made", "train", "skipped", "sizes"):
        if name not in values:
            raise ValueError(f"{name} is missing")
    classes, display = values["classes"], values["display"]
    if not (_are_texts(classes) and len(set(classes)) == len(classes) > 0 and "" not in classes):
        raise ValueError("classes must be a list of different names")
    if not (isinstance(display, dict) and _are_texts(list(display.values()))):
        raise ValueError("display must give names as texts")
    known = set(classes)
    for split in ("train", "val", "held"):
        pairs = _list_pairs(values, split)
        if odd := {name for _, name in pairs} - known:
            raise ValueError(f"{split} names {shorten(repr(min(odd)))}, which is not one of its classes")
        _check_paths([path for path, _ in pairs])
    for name in ("skipped", "left_out"):
        _list_pairs(values, name)
    for name in ("dropped", "relabelled"):
        if not _are_texts(values.get(name, [])):
            raise ValueError(f"{name} must be a list of texts")
    sizes, contents = values["sizes"], values.get("contents", {})
    if not (isinstance(sizes, dict) and all(type(size) is int for size in sizes.values())):
        raise ValueError("sizes must give whole numbers")
    if not (isinstance(contents, dict) and _are_texts(list(contents.values()))):
        raise ValueError("contents must give texts")
    kept = values.get("kept") or {}
    if not isinstance(kept, dict) or any(
        type(kept.get(name, 0)) is not int for name in ("groups", "images", "moved")
    ):
        raise ValueError("kept must give whole numbers")
    groups = values.get("groups", {})
    if not (isinstance(groups, dict) and _are_texts(list(groups.values()))):
        raise ValueError("groups must give texts")
    if type(values["val_made"]) is not bool:
        raise ValueError(f"val_made must be true or false, got {shorten(repr(values['val_made']))}")
    if type(values["root"]) is not str or not values["root"]:
        raise ValueError(f"root must be the path of a folder, got {shorten(repr(values['root']))}")
    if type(values.get("test_count", 0)) is not int or not isinstance(values.get("fingerprint", ""), str):
        raise ValueError("test_count must be a whole number, and fingerprint a text")
    if not isinstance(values.get("fold", ""), str):
        raise ValueError(f"fold must be a text, got {shorten(repr(values['fold']))}")
    share = values.get("val_fraction")
    if share is not None and not _is_finite(share):
        raise ValueError(f"val_fraction must be a number, got {shorten(repr(share))}")


def check_network(values: Mapping[str, Any]) -> None:
    """Check how a network takes images, of network.json or a checkpoint; raises ValueError saying what in it cannot be."""
    if "mean" not in values:
        return  # of an older version
    for name in ("mean", "std"):
        numbers = values.get(name)
        if not (isinstance(numbers, list | tuple) and len(numbers) == 3 and all(map(_is_finite, numbers))):
            raise ValueError(f"{name} must be three numbers, got {shorten(repr(numbers))}")
    if not all(number > 0 for number in values["std"]):
        raise ValueError(f"std must be above 0, got {shorten(repr(values['std']))}")
    if values.get("interpolation") not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {shorten(repr(values.get('interpolation')))}"
        )


def check_environment(values: Mapping[str, Any]) -> None:
    """Check what a run was computed on; raises ValueError saying what in it cannot be."""
    for name, kind in (("device", str), ("compute", str), ("threads", int)):
        if name in values and type(values[name]) is not kind:
            raise ValueError(f"{name} must be {'a text' if kind is str else 'a whole number'}")
    earlier = values.get("earlier", [])
    if not isinstance(earlier, list) or not all(isinstance(one, dict) for one in earlier):
        raise ValueError("earlier must be a list of objects")
    for name, value in values.items():
        if name != "earlier" and not isinstance(value, str | int | float):
            raise ValueError(f"{shorten(name)} must be a text or a number, got {shorten(repr(value))}")


CHECKS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "data.json": check_data,
    "network.json": check_network,
    "environment.json": check_environment,
}


def find_status_problem(values: Mapping[str, Any], defaults: Mapping[str, Any], states: Sequence[str]) -> str:
    """Say which value is none that a status can have; empty where all are.

    `defaults` are those of its fields, whose kinds the values must have, and `states` those that it may be in.
    """
    for name, default in defaults.items():
        value, kind = values[name], type(default)
        if value is default:
            continue
        if kind is str and type(value) is not str:
            return f"{name} must be a text, got {shorten(repr(value))}"
        if kind is bool and type(value) is not bool:
            return f"{name} must be true or false, got {shorten(repr(value))}"
        if kind is int and not (type(value) is int and 0 <= value <= _find_most(name)):
            return f"{name} must be a whole number from 0, got {shorten(repr(value))}"
        if kind is float and not (_is_finite(value) and _find_least(name) <= value <= _find_most(name)):
            return f"{name} must be a number, got {shorten(repr(value))}"
    if values["state"] not in states:
        return f"state must be one of {', '.join(states)}, got {shorten(repr(values['state']))}"
    if not _JOB.fullmatch(values["job"]):
        return f"job must be the number of a Slurm job, got {shorten(repr(values['job']))}"
    return ""


def _find_least(name: str) -> float:
    return 0.0 if name == "best_val_acc" else -_LATEST


def _find_most(name: str) -> float:
    return _MOST_OF.get(name, _LATEST)


def is_row(row: object) -> bool:
    """Tell whether what a line of metrics.jsonl holds is a row of figures, whose values are what they are named."""
    if not isinstance(row, dict) or row.get("kind") not in ("step", "epoch"):
        return False
    marks = [row[name] for name in ("step", "epoch") if name in row]
    if not _is_finite(row.get(row["kind"])) or not all(
        _is_finite(mark) and 0 <= mark < _LARGE for mark in marks
    ):
        return False
    if row["kind"] == "epoch" and not (type(row["epoch"]) is int and 1 <= row["epoch"] <= _MOST_EPOCHS):
        return False
    counts = row.get("val_correct") or []  # of an older version it has none
    if not (isinstance(counts, list) and all(type(count) is int and 0 <= count < _LARGE for count in counts)):
        return False
    speed = row.get("images_per_second", 0.0)
    return _is_finite(speed) and all(_is_number(row.get(name, 0.0)) for name in _NUMBERS)


def is_line(line: bytes) -> bool:
    """Tell whether a line of metrics.jsonl is short enough to be one of ours."""
    return len(line) <= _ROW


def _list_pairs(values: Mapping[str, Any], name: str) -> Sequence[Sequence[str]]:
    pairs = values.get(name, [])
    if not isinstance(pairs, list):
        raise ValueError(f"{name} must be a list, got {shorten(repr(pairs))}")
    whole = set(map(type, pairs)) <= {list} and set(map(len, pairs)) <= {2}
    if whole and set(map(type, chain.from_iterable(pairs))) <= {str}:
        return pairs
    odd = next(pair for pair in pairs if not (type(pair) is list and len(pair) == 2 and _are_texts(pair)))
    raise ValueError(f"{name} must hold pairs of texts, got {shorten(repr(odd))}")


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is str for value in values)


def _check_paths(paths: Sequence[str]) -> None:
    """Refuse a path that is none inside a data folder; a million are looked at as one text, and one by one where that is odd."""
    text = "\0/" + "/\0/".join(paths) + "/"
    if paths and ("/../" in text or "\0//" in text or text.count("\0") > len(paths)):
        for path in paths:
            if not path or path.startswith("/") or "\0" in path or "/../" in f"/{path}/":
                raise ValueError(f"{shorten(repr(path))} is not a path inside a data folder")


def _is_number(value: object) -> bool:
    return type(value) in (int, float)  # a loss may be no number at all, which is what NaN says


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)
