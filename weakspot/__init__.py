"""Weakspot from Python: `import weakspot`, then train, evaluate, predict, explain and compare; see core/api.py."""

from __future__ import annotations

import sys
from typing import Any


def __getattr__(name: str) -> Any:
    """Return one of the functions of core/api.py, which is loaded with the first of them."""
    if name.startswith("_"):
        raise AttributeError(name)
    from weakspot.__main__ import HOUSE

    if str(HOUSE) not in sys.path:
        sys.path.insert(0, str(HOUSE))
    from core import api

    if name not in api.__all__:
        raise AttributeError(f"weakspot has no {name!r}; it has {', '.join(api.__all__)}.")
    return getattr(api, name)
