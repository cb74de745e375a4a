"""Which part of a matrix of very many classes is opened; kept in the URL as the cells that were opened one after the other."""

from __future__ import annotations

import re

from core.verdicts.levels import Steps, open_level
from dashboard.state import address

PART = "part"
WHOLE = "all"  # the part that is all of the matrix though a class is looked for
_CELL = re.compile(r"(\d{1,4})-(\d{1,4})", re.ASCII)


def read_part(classes: int, sought: Steps) -> Steps:
    """Return the part that the URL names, else the one where what is looked for stands; nonsense is the whole."""
    asked = address.get_param(PART)
    if not asked:
        return sought
    steps = read_steps(asked)
    return steps if steps is not None and is_part(classes, steps) else ()


def read_steps(text: str) -> Steps | None:
    """Return the cells of a part as the URL has it; None for what is no such text."""
    found = [_CELL.fullmatch(cell) for cell in text.split("_")]
    steps = tuple((int(cell[1]), int(cell[2])) for cell in found if cell)
    return steps if len(steps) == len(found) else None


def is_part(classes: int, steps: Steps) -> bool:
    """Tell whether a matrix of so many classes has a part that these steps open."""
    try:
        open_level(classes, steps)
    except ValueError:
        return False
    return True


def open_part(steps: Steps) -> None:
    """Write a part to the URL; what was zoomed to inside another is dropped."""
    address.set_params(**{PART: format_part(steps), "zoom": address.ANY})


def format_part(steps: Steps) -> str:
    """Return a part as the URL has it."""
    return "_".join(f"{row}-{column}" for row, column in steps) or WHOLE
