"""EfficientNet's tensors under timm's names, from the names that lukemelas' EfficientNet-PyTorch gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import nn

_ENDS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
# In a block that begins by widening, and in one that does not; there the numbers of the norms differ.
_WIDENING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}


def has_lukemelas_names(state: Mapping[str, torch.Tensor]) -> bool:
    """Tell whether a state dict has the names of that EfficientNet."""
    return "_conv_stem.weight" in state and "_blocks.0._depthwise_conv.weight" in state


def rename_lukemelas(state: Mapping[str, torch.Tensor], model: nn.Module) -> dict[str, torch.Tensor]:
    """Return a state dict under the names of timm's EfficientNet `model`; what has no counterpart keeps its name.

    There blocks are counted through, here in stages.
    """
    places = [
        f"blocks.{stage}.{block}"
        for stage, blocks in enumerate(model.get_submodule("blocks").children())
        for block, _ in enumerate(blocks.children())
    ]
    widening = {name.split(".")[1] for name in state if name.endswith("._expand_conv.weight")}
    renamed = {}
    for name, tensor in state.items():
        found = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if found is None:
            first, _, last = name.partition(".")
            renamed[f"{_ENDS.get(first, first)}.{last}"] = tensor
            continue
        number, part, last = found.groups()
        parts = {**(_WIDENING if number in widening else _PLAIN), **_SQUEEZE}
        place = places[int(number)] if int(number) < len(places) else f"_blocks.{number}"
        renamed[f"{place}.{parts.get(part, part)}.{last}"] = tensor
    return renamed
