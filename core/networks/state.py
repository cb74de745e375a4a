"""Files of tensors by name, read safely: torch.save's, in any usual wrapping, and safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from core.errors import WeightsError, describe_cause
from core.networks.download import describe_reason
from core.reading import open_plain

State = dict[str, torch.Tensor]
_KEYS = ("model", "state_dict")  # under which files keep a state dict beside other things


def read_state(path: Path) -> State:
    """Read the state dict that a file holds to the CPU, refusing anything that is not tensors.

    Raises:
        WeightsError: when the file is missing or holds none.
    """
    try:
        open_plain(path).close()  # a pipe would be waited for
    except FileNotFoundError:
        raise WeightsError(f"weights: there is no file {path}.") from None
    except OSError as error:
        raise WeightsError(f"weights: {path} is not a weights file ({describe_cause(error)}).") from None
    try:
        state = _read(path)
    except Exception as error:  # torch.load raises a dozen kinds on files that are not its own
        raise WeightsError(f"weights: {path} is not a weights file ({describe_reason(error)}).") from None
    for key in _KEYS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    ):
        raise WeightsError(f"weights: {path} does not contain the state dict of a network.")
    return state


def find_bad_tensor(state: Mapping[str, object], wanted: Mapping[str, torch.Tensor]) -> str:
    """Say which tensor of a state dict a network with the tensors `wanted` cannot compute with, and why; empty where none.

    Where the network has floating-point numbers, so must the file, and every one of them finite: torch would take whole
    numbers and the real part of complex ones without a word.
    """
    for name, own in wanted.items():
        if name not in state:
            continue
        tensor = state[name]
        if not isinstance(tensor, torch.Tensor):
            return f"{name} is not a tensor"
        if tensor.is_meta or tensor.layout != torch.strided:
            return f"{name} has {'no values (a meta tensor)' if tensor.is_meta else 'its values in a sparse form'}"
        if not own.is_floating_point():
            continue
        if tensor.is_quantized or not tensor.is_floating_point():
            return (
                f"{name} has the type {str(tensor.dtype).removeprefix('torch.')}, not floating-point numbers"
            )
        if not torch.isfinite(tensor.float()).all():
            return f"{name} has numbers that are not finite (NaN or infinite)"
    return ""


def _read(path: Path) -> object:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
