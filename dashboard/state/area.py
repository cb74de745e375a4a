"""An area drawn on a map, as the URL holds it: its corners in letters, so that a link reopens it and Back takes it away."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_LETTERS = (
    string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
)  # as base64 has them for URLs
_STEPS = len(_LETTERS) ** 2  # places on an axis: two letters each
_MARGIN = 0.1  # of the map's side: how far outside of it a corner can lie
_MOST = 150  # corners; a lasso seldom has half as many
Corners = npt.NDArray[np.float64]


def pack_area(x: Sequence[float], y: Sequence[float]) -> str:
    """Return the corners of an area on a map from 0 to 1, four letters each; empty where it has fewer than three."""
    corners = np.column_stack([x, y]).astype(np.float64) if len(x) else np.zeros((0, 2))
    if len(corners) < 3:
        return ""
    if len(corners) > _MOST:
        corners = corners[np.linspace(0, len(corners) - 1, _MOST).round().astype(int)]
    shares = (corners + _MARGIN) / (1 + 2 * _MARGIN)
    places = (shares.clip(0, 1) * (_STEPS - 1)).round().astype(int).ravel()
    return "".join(_LETTERS[place // 64] + _LETTERS[place % 64] for place in places.tolist())


def unpack_area(text: str) -> Corners | None:
    """Return the corners (K, 2) that `pack_area` packed; None of nonsense or nothing."""
    if len(text) % 4 or not 12 <= len(text) <= 4 * _MOST or not set(text) <= set(_LETTERS):
        return None
    digits = np.array([_LETTERS.index(letter) for letter in text]).reshape(-1, 2, 2)
    places = digits[..., 0] * 64 + digits[..., 1]
    return np.asarray(places / (_STEPS - 1) * (1 + 2 * _MARGIN) - _MARGIN, dtype=np.float64)


def find_inside(corners: Corners, places: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Return which places (N, 2) lie in the area of these corners (K, 2), (N,)."""
    from matplotlib.path import (
        Path,
    )  # here, since it loads in a tenth of a second that no page should wait for

    inside: npt.NDArray[np.bool_] = Path(corners).contains_points(places)
    return inside


def outline_area(corners: Corners) -> dict[str, Any]:
    """Return the outline of an area as a shape of a chart."""
    steps = " L ".join(f"{x:.4f},{y:.4f}" for x, y in corners.tolist())
    return {"type": "path", "path": f"M {steps} Z", "line": {"width": 2}, "opacity": 0.9}
