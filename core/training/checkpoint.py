"""Checkpoints: the best model to use and the last state to go on from, saved atomically and loaded safely."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from core.errors import RunError, UserError
from core.files import write_file
from core.networks.build import build_model, head_name
from core.networks.download import describe_reason
from core.networks.state import find_bad_tensor
from core.networks.table import InputFormat
from core.reading import open_plain
from core.runs.imported import refuse_without_model
from core.runs.run import Run
from core.stored.records import check_network

FORMAT = 1
_LARGEST_SIDE = 8192  # pixels; no network here takes larger images


def save_checkpoint(path: Path, values: dict[str, Any]) -> None:
    """Save tensors and plain Python values atomically: a crash leaves the earlier file whole.

    Raises:
        OSError: when it cannot be written.
    """

    def write(file: IO[bytes]) -> None:
        try:
            torch.save({"format": FORMAT, **values}, file)
        except (
            RuntimeError
        ) as error:  # of a full disk torch tells the place in the file that it did not reach
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise

    write_file(path, write)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint to the CPU, refusing anything that is not tensors and plain values.

    Raises:
        RunError: when it is missing, damaged or of another version.
        OSError: when the system does not let it be read, or it is not a regular file.
    """
    try:
        file = open_plain(path)
    except FileNotFoundError:
        raise RunError(
            f"{path.parent.name}: there is no {path.name} yet; it is saved after the first epoch."
        ) from None
    with file:
        try:
            values = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises a dozen kinds on damaged files
            raise RunError(
                f"{path.parent.name}: {path.name} is damaged ({type(error).__name__}). Put it back as it was, or start a new run."
            ) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise RunError(
            f"{path.parent.name}: {path.name} is not a checkpoint of this version. Start a new run."
        )
    return values


def best_values(
    model: nn.Module,
    *,
    arch: str,
    inputs: InputFormat,
    classes: tuple[str, ...],
    display: dict[str, str],
    **figures: Any,
) -> dict[str, Any]:
    """Return what best.pt holds: all that is needed to predict, on any machine, without the data."""
    return {
        "model": model.state_dict(),
        "arch": arch,
        "head": head_name(model),
        **inputs.to_values(),
        "classes": list(classes),
        "display": dict(display),
        **figures,
    }


def load_best(run: Run) -> tuple[nn.Module, dict[str, Any]]:
    """Return a run's best model in evaluation mode on the CPU, and the other values of its checkpoint.

    Raises:
        RunError: when it has none that can be used.
    """
    refuse_without_model(run)
    values = load_checkpoint(run.best_path)
    try:
        _check_best(values)
        state = values.pop("model")
        model = build_model(values["arch"], len(values["classes"]), values["image_size"])
        if problem := find_bad_tensor(state, model.state_dict()):
            raise ValueError(problem)
        model.load_state_dict(state)
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError, UserError) as error:
        raise RunError(
            f"{run.id}: {run.best_path.name} does not contain a model that can be built ({describe_reason(error)}). "
            "Train the run again, or put the file back as it was."
        ) from None
    return model.eval(), values


def _check_best(values: dict[str, Any]) -> None:
    """Check what a best.pt says about its model; raises ValueError saying what in it cannot be."""
    classes, display = values.get("classes"), values.get("display", {})
    if not (isinstance(classes, list) and all(isinstance(name, str) and name for name in classes)):
        raise ValueError("classes must be a list of names")
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise ValueError("classes must be two different names or more")
    if not isinstance(display, dict):
        raise ValueError("display must give names")
    for name in ("image_size", "resize_size"):
        if not (type(values.get(name)) is int and 1 <= values[name] <= _LARGEST_SIDE):
            raise ValueError(f"{name} must be a number of pixels, got {values.get(name)!r:.80}")
    if not isinstance(values.get("arch"), str) or not isinstance(values.get("model"), dict):
        raise ValueError("arch must name a network, and model hold its tensors")
    check_network(values)
