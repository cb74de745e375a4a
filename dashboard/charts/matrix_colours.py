"""The colours of confusion matrices and of differences of two: what is coloured, by which scale, with which ticks."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

Values = Literal["count", "row", "column"]
VALUES: tuple[Values, ...] = get_args(Values)

# The low ends let the page show through, which makes them faint on light and on dark.
ERROR_SCALE = (
    (0.0, "rgba(240, 150, 40, 0.22)"),
    (0.5, "rgba(238, 129, 28, 0.95)"),
    (1.0, "rgba(208, 38, 32, 1)"),
)
CORRECT_SCALE = ((0.0, "rgba(11, 154, 135, 0.10)"), (1.0, "rgba(11, 154, 135, 0.70)"))
# Fewer images, as many, more images: blue and orange are told apart by everyone.
CHANGE_SCALE = (
    (0.0, "rgba(37, 104, 190, 1)"),
    (0.49, "rgba(47, 127, 209, 0.25)"),
    (0.5, "rgba(123, 135, 148, 0.20)"),
    (0.51, "rgba(240, 150, 40, 0.25)"),
    (1.0, "rgba(214, 90, 14, 1)"),
)

# Recall from 0 to 1.
RECALL_SCALE = (
    (0.0, "rgba(208, 38, 32, 1)"),
    (0.5, "rgba(238, 129, 28, 0.75)"),
    (0.9, "rgba(240, 190, 90, 0.30)"),
    (1.0, "rgba(11, 154, 135, 0.55)"),
)

# A line that keeps a title clear of the first tick below it; one of blanks takes no room.
_BLANK = "<span style='color: rgba(0, 0, 0, 0)'>.</span>"
# What a full colour stands for at least, so that a lone error is no alarm: images, or a share.
LEAST_TOP = {"count": 3.0, "row": 0.2, "column": 0.2}
UNITS = {"count": "images", "row": "share of row", "column": "share of column"}


@dataclass(frozen=True)
class Look:
    """How a matrix is drawn.

    `values` coloured are images, shares of the row (of the true class) or of the column (of the predicted class);
    `log` colours by their logarithm; without `diagonal` right answers are left out, and so are errors of fewer than
    `least` images.
    """

    values: Values = "count"
    log: bool = False
    diagonal: bool = True
    least: int = 1


@dataclass(frozen=True)
class Scale:
    """Values to places 0..1 on a colour scale; `low` is 0 unless it is logarithmic."""

    low: float
    top: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float64], look: Look) -> "Scale":
        """Return the scale for values that are drawn with a look."""
        top = max(float(values.max(initial=0.0)), LEAST_TOP[look.values])
        # A little below the smallest, whose cells would otherwise be at 0, where right and wrong meet.
        low = 0.8 * min(float(values.min(initial=top)), top / 3) if look.log else 0.0
        return cls(low, top)

    def place(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the places of values."""
        if not self.low:
            return values / self.top
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.maximum(values, self.low) / self.low) / math.log(self.top / self.low))

    def ticks(self, values: Values) -> list[tuple[float, str]]:
        """Return places and texts of some round values on the scale."""
        if self.low:
            exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.top)) + 1)
            found = [factor * 10.0**exponent for exponent in exponents for factor in (1, 3)]
            round_values = [value for value in found if self.low * 0.999 <= value <= self.top * 1.001]
        else:
            rough = self.top / 3
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * 0.999)
            if values == "count":
                step = max(1.0, step)
            round_values = [step * n for n in range(int(self.top / step + 0.001) + 1)]
        places = self.place(np.array(round_values)).tolist()
        if values == "count":
            return [(at, f"{value:,.0f}") for at, value in zip(places, round_values, strict=True)]
        return [(at, f"{100 * value:.3g} %") for at, value in zip(places, round_values, strict=True)]


def colour(
    figure: go.Figure,
    scale: list[tuple[float, str]],
    ticks: list[tuple[float, str]],
    title: str,
    *,
    low: float,
) -> go.Figure:
    """Colour a matrix from `low` to 1 and put the scale with its ticks beside it; return the figure."""
    figure.update_traces(
        zmin=low,
        zmax=1,
        colorscale=scale,
        colorbar={
            "title": {"text": f"{title}<br>{_BLANK}", "side": "top"},
            "thickness": 12,
            "len": 260,
            "lenmode": "pixels",
            "y": 1,
            "yanchor": "top",
            "tickvals": [at for at, _ in ticks],
            "ticktext": [text for _, text in ticks],
        },
    )
    return figure
