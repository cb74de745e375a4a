"""How deep in its network a parameter lies, by stage."""

from __future__ import annotations

import re
from typing import Any

from torch import nn

from core import torchvision_ops  # noqa: F401  timm imports torchvision
from core.networks.build import is_in_head


def backbone_depths(model: nn.Module, head: str) -> dict[str, int]:
    """Return the stage of each parameter of a network but its head's, by name, from 0 at the images."""
    names = [name for name, _ in model.named_parameters() if not is_in_head(name, head)]
    matcher: Any = getattr(model, "group_matcher", None)
    if matcher is None:  # a network of torchvision's
        return {name: int(match[1]) if (match := re.match(r"layer(\d)\.", name)) else 0 for name in names}
    from timm.models import group_parameters  # here, since importing it takes a second

    found: dict[str, int] = group_parameters(model, matcher(coarse=True), reverse=True)
    order = sorted({found[name] for name in names})
    return {name: order.index(found[name]) for name in names}
