"""Which folders of this machine may be named on a page: with sign-in on, those the server was given."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from core.errors import Refused
from core.people.acting import now_acting
from core.places import expand_home, real_path


def allow_path(given: str | Path) -> Path:
    """Return a path that somebody typed, its ~ filled in, where whoever acts may name it.

    Links are followed before it is judged, so that none leads out.

    Raises:
        Refused: where it leads out of the folders of this server.
    """
    roots = now_acting().roots
    if roots is not None and not is_inside(given, roots):
        raise Refused(
            f"{given}: this server only opens files in its own folders. Ask whoever runs it to start it with --root and this folder."
        )
    return expand_home(given)


def is_inside(given: str | Path, roots: Iterable[Path]) -> bool:
    """Tell whether a path, links followed, is one of some folders or lies in one; these have to be real paths."""
    try:
        real = real_path(given)
    except (ValueError, OSError):  # no path can hold such a letter
        return False
    return any(real == root or root in real.parents for root in roots)
