"""A fold as it is written, 2/5: which of how many equal parts of the training images validates a run."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_FOLDS = 20
_FOLD = re.compile(r"([1-9]\d?)/([1-9]\d?)")


@dataclass(frozen=True)
class Fold:
    """The fold of this `number`, from 1, of so many."""

    number: int
    count: int

    def __str__(self) -> str:
        """Return it as a config has it: 2/5."""
        return f"{self.number}/{self.count}"

    @property
    def words(self) -> str:
        """Return it as it is read: fold 2 of 5."""
        return f"fold {self.number} of {self.count}"


def read_fold(text: str) -> Fold | None:
    """Return the fold that a config names; None where it names none.

    Raises:
        ValueError: saying what a fold has to be, where this is none.
    """
    if not text:
        return None
    found = _FOLD.fullmatch(text)
    fold = Fold(int(found[1]), int(found[2])) if found else None
    if fold is None or not (2 <= fold.count <= MOST_FOLDS and fold.number <= fold.count):
        raise ValueError(f"must be a fold of 2 to {MOST_FOLDS}, such as 2/5 for the second of five, or empty")
    return fold
