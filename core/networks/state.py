"""Files of tensors by name, read safely: torch.save's, in any usual wrapping, and safetensors."""

from __future__ import annotations

from pathlib import Path

import torch

from core.errors import WeightsError
from core.networks.download import describe_reason

State = dict[str, torch.Tensor]
_KEYS = ("model", "state_dict")  # under which files keep a state dict beside other things


def read_state(path: Path) -> State:
    """Read the state dict that a file holds to the CPU, refusing anything that is not tensors.

    Raises:
        WeightsError: when the file is missing or holds none.
    """
    try:
        state = _read(path)
    except FileNotFoundError:
        raise WeightsError(f"weights: there is no file {path}.") from None
    except Exception as error:  # torch.load raises a dozen kinds on files that are not its own
        raise WeightsError(f"weights: {path} is no weights file ({describe_reason(error)}).") from None
    for key in _KEYS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(
        isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in state.items()
    ):
        raise WeightsError(f"weights: {path} holds no state dict of a network.")
    return state


def _read(path: Path) -> object:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
