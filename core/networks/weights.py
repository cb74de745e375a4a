"""Initial weights: from a file in any usual form, from an earlier run, or as they were published."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from core.errors import WeightsError
from core.networks.build import head_name, is_in_head
from core.networks.efficientnet_names import has_lukemelas_names, rename_lukemelas
from core.networks.published import load_published
from core.networks.state import State, find_bad_tensor, read_state
from core.places import expand_home

# What DataParallel, torch.compile, training frameworks and those who train an encoder put before a network's own names.
_WRAPPERS = ("module.", "_orig_mod.", "model.", "backbone.", "encoder.")


@dataclass(frozen=True)
class Fit:
    """How weights fit a network: of its `total` tensors `count` were loaded; `head` tells whether its last layer was.

    The last layer of the file has `outputs`, 0 where it has none.
    """

    count: int
    total: int
    head: bool
    unused: tuple[str, ...]
    outputs: int = 0

    def __str__(self) -> str:
        fits = (
            f"all {self.total} tensors fit"
            if self.count == self.total
            else f"{self.count} of {self.total} tensors fit"
        )
        head = "" if self.head else "; the head is new"
        first = (
            f"; {len(self.unused)} of the file are not used, first {self.unused[0]}" if self.unused else ""
        )
        return f"{fits}{head}{first}"


def load_initial_weights(
    model: nn.Module,
    arch: str,
    weights: str,
    best_of: Callable[[str], Path],
    *,
    image_size: int,
    progress: Callable[[int, int], bool],
) -> str | None:
    """Load what the config's `weights` names and say how it fits; `best_of` gives the path of a run's best model.

    None when `progress(megabytes done, in all)`, which is asked while weights are downloaded, said to end.

    Raises:
        WeightsError: when they cannot be had or do not fit.
    """
    if weights == "none":
        return "random"
    if weights == "imagenet":
        return load_published(model, arch, image_size, progress=progress)
    path = best_of(weights.removeprefix("run:")) if weights.startswith("run:") else expand_home(weights)
    return str(load_weights_file(model, path))


def load_weights_file(model: nn.Module, path: Path) -> Fit:
    """Load a state dict from a file into a network and say how it fits; a head of another size stays fresh.

    The file is one of torch.save, which may hold it under `model` or `state_dict`, or of safetensors. Names may be
    torchvision's, timm's or, for an EfficientNet, lukemelas', behind those of wrappers.

    Raises:
        WeightsError: when the file is missing, is no state dict or is of another network.
    """
    wanted, head = model.state_dict(), head_name(model)
    ways = _name_in_ways(model, read_state(path))
    fits = {
        way: {k: v for k, v in s.items() if k in wanted and v.shape == wanted[k].shape}
        for way, s in ways.items()
    }
    best = max(ways, key=lambda way: len(fits[way]))
    state, fitting = ways[best], fits[best]
    # Files of the first PyTorch versions lack BatchNorm's counter, and nothing here reads it.
    missing = [
        name
        for name in wanted
        if name not in fitting and not is_in_head(name, head) and not name.endswith("num_batches_tracked")
    ]
    if missing:
        raise WeightsError(
            f"weights: {path} belongs to another network: {len(missing)} of {len(wanted)} tensors do not fit, "
            f"first {_describe_misfit(missing[0], wanted, state)}."
        )
    unused = tuple(name for name in state if name not in wanted and not is_in_head(name, head))
    last = state.get(f"{head}.weight")
    outputs = len(last) if last is not None and last.ndim else 0
    if beyond := _find_beyond(unused, wanted):
        raise WeightsError(
            f"weights: {path} belongs to a larger network of the same kind: it has {beyond}, which this one lacks. "
            "Choose the network that the file belongs to."
        )
    if problem := find_bad_tensor(fitting, wanted):
        raise WeightsError(f"weights: {path} cannot be used: {problem}.")
    model.load_state_dict(fitting, strict=False)
    return Fit(len(fitting), len(wanted), any(is_in_head(name, head) for name in fitting), unused, outputs)


def _name_in_ways(model: nn.Module, state: Mapping[str, torch.Tensor]) -> dict[str, State]:
    """Return a state dict under each of the names it may go by in a network."""
    wanted = model.state_dict()
    plain = {_unwrap(name, wanted): value for name, value in state.items()}
    ways = {"as it is": plain}
    if has_lukemelas_names(plain) and hasattr(model, "blocks"):
        ways["lukemelas"] = rename_lukemelas(plain, model)
    # timm's own reading of older and foreign names, which also fits what depends on the image size to another size.
    read = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if read is not None:
        with contextlib.suppress(Exception):  # it meets weights that it was not written for
            ways["timm"] = dict(read(dict(plain), model))
    return ways


def _find_beyond(unused: Sequence[str], wanted: Mapping[str, object]) -> str:
    """Return the first of a file's unused tensors that lies where the network has its own layers, in a layer it has not.

    So does `layer1.2.conv1.weight` of a ResNet34 in a ResNet18, all of whose tensors fit. What lies elsewhere, such as the
    neck of a detector, or is of a layer that is there, such as a buffer of an older version, does no harm.
    """
    places = {name.rpartition(".")[0] for name in wanted}
    places |= {place[:at] for place in places for at, letter in enumerate(place) if letter == "."}
    tops = {place.partition(".")[0] for place in places}
    for name in unused:
        top, dot, _ = name.partition(".")
        if dot and top in tops and name.rpartition(".")[0] not in places:
            return name
    return ""


def _unwrap(name: str, wanted: Mapping[str, object]) -> str:
    while name not in wanted and name.startswith(_WRAPPERS):
        name = re.sub(r"^\w+\.", "", name)
    return name


def _describe_misfit(name: str, wanted: State, state: State) -> str:
    if name not in state:
        return f"{name}, which it lacks"
    sizes = ["×".join(map(str, tensors[name].shape)) for tensors in (wanted, state)]
    return f"{name}, which is {sizes[1]} and not {sizes[0]}"
