"""A way to predict as plain values: which runs are asked, about which views, and whether their weights are averaged; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.reading import take
from core.words import format_count

ABOUT_AVERAGES = (
    "Temperature and confidence threshold were measured for a run's plain predictions. Averages are mostly less sure, "
    "so that the same threshold answers fewer images."
)
ABOUT_SOUP = (
    "A soup's confidences were not measured: it has no temperature and no threshold of its own. Its normalisation "
    "statistics are averages of those of the runs."
)

NONE, FLIP, CROPS = "none", "flip", "crops"


@dataclass(frozen=True)
class Choice:
    """A way to predict: by runs (their ids), about the views of `tta`; with `soup` by the average of the runs' weights."""

    runs: tuple[str, ...]
    tta: str = NONE
    soup: bool = False

    @property
    def is_plain(self) -> bool:
        """Tell whether it is one run asked once about each image."""
        return len(self.runs) == 1 and self.tta == NONE and not self.soup

    def describe(self) -> str:
        """Return its name in words."""
        if self.soup:
            return f"soup of {' + '.join(self.runs)}"
        if len(self.runs) == 1:
            return f"{self.runs[0]}, {'plain' if self.tta == NONE else self.tta}"
        together = f"{format_count(len(self.runs), 'run')} averaged"
        return together if self.tta == NONE else f"{together}, {self.tta}"

    def to_values(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {**asdict(self), "runs": list(self.runs)}

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Choice:
        """Read what `to_values` returned; raises ValueError where it is something else."""
        return take(cls, values)


def list_choices(runs: Sequence[str], soup: Sequence[str] = ()) -> list[Choice]:
    """Return the ways to predict with runs of these ids, the plain way of the first one first.

    `soup` are the runs whose weights are averaged, none where there is no soup.
    """
    first = tuple(runs[:1])
    choices = [Choice(first), Choice(first, FLIP), Choice(first, CROPS)]
    if len(runs) > 1:
        choices += [Choice((run,)) for run in runs[1:]]
        choices += [Choice(tuple(runs)), Choice(tuple(runs), FLIP)]
    return [*choices, Choice(tuple(soup), soup=True)] if soup else choices
