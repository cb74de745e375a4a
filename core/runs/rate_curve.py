"""What the rate finder found, as a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.files import write_text


@dataclass(frozen=True)
class RateCurve:
    """The smoothed loss after a step at each of the rising rates, and the rate suggested, None where none helped.

    The curve ends early where the loss ran away.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None


def write_curve(path: Path, curve: RateCurve) -> None:
    """Write a curve, whole or not at all."""
    write_text(path, json.dumps(asdict(curve)))


def read_curve(path: Path) -> RateCurve | None:
    """Read a curve; None where there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return RateCurve(tuple(values["rates"]), tuple(values["losses"]), values["suggestion"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
