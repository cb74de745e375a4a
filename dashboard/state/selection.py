"""Which cells of the matrix are selected: one, a row, a column or a block; kept in the URL, whatever the order."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dashboard.state import address

WRONG = "wrong"


@dataclass(frozen=True)
class Selection:
    """The cells of some true classes (rows) and some predicted ones (columns); no classes of a kind mean any.

    With `wrong_only` the right answers among them are left out.
    """

    true: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    wrong_only: bool = False

    def __bool__(self) -> bool:
        """Tell whether anything is selected."""
        return bool(self.true or self.predicted)

    def contains(
        self, true: npt.NDArray[np.intp], predicted: npt.NDArray[np.intp], classes: Sequence[str]
    ) -> npt.NDArray[np.bool_]:
        """Return which images are in the selection, from the indices (N,) of their true and predicted classes."""
        inside = np.ones(len(true), dtype=bool)
        for names, codes in ((self.true, true), (self.predicted, predicted)):
            if names:
                inside &= _are_among(names, classes)[codes]
        return inside & (true != predicted) if self.wrong_only else inside


def read_selection(classes: list[str]) -> Selection:
    """Return what the URL selects; what it names wrongly is left out."""
    wrong_only = address.get_param("only") == WRONG
    rows, _, columns = address.get_param("block").partition(".")
    if rows:
        try:
            return Selection(unpack_names(rows, classes), unpack_names(columns or rows, classes), wrong_only)
        except ValueError:
            return Selection()
    true, predicted = address.get_param("true", classes), address.get_param("pred", classes)
    return Selection((true,) if true else (), (predicted,) if predicted else (), wrong_only)


def select(selection: Selection, classes: list[str]) -> None:
    """Write a selection to the URL: a class or none of each kind by name, more as a block."""
    values = {
        "true": address.ANY,
        "pred": address.ANY,
        "block": address.ANY,
        "page": address.ANY,
        "image": address.ANY,
    }
    values["only"] = WRONG if selection.wrong_only else address.ANY
    if len(selection.true) <= 1 and len(selection.predicted) <= 1:
        values |= {"true": "".join(selection.true), "pred": "".join(selection.predicted)}
    else:
        sides = (names or tuple(classes) for names in (selection.true, selection.predicted))
        rows, columns = (pack_names(names, classes) for names in sides)
        values["block"] = rows if rows == columns else f"{rows}.{columns}"
    address.set_params(**values)


def pack_names(names: Sequence[str], classes: Sequence[str]) -> str:
    """Return a subset of the classes as a bit a class, in letters fit for a URL: 2 for 10 classes, 167 for 1,000."""
    bits = np.packbits(_are_among(names, classes))
    return base64.urlsafe_b64encode(bits.tobytes()).decode().rstrip("=")


def unpack_names(text: str, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that `pack_names` packed, in their order.

    Raises:
        ValueError: when the text is not of that many classes, or names none.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError(f"{text!r} is no block of classes") from None
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8))
    if len(data) != -(-len(classes) // 8) or not bits.any() or bits[len(classes) :].any():
        raise ValueError(f"{text!r} is no block of {len(classes)} classes")
    return tuple(classes[int(index)] for index in np.flatnonzero(bits))


def _are_among(names: Sequence[str], classes: Sequence[str]) -> npt.NDArray[np.bool_]:
    chosen = set(names)
    return np.array([name in chosen for name in classes], dtype=bool)
