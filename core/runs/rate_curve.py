"""What the rate finder found, as a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.files import write_text
from core.reading import read_object, take

_MOST = 10_000_000  # bytes of a curve


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
        return take(RateCurve, read_object(path, most=_MOST))
    except (OSError, ValueError):
        return None
