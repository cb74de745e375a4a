"""How the matrix is looked at: order, colours, what is left out, the class looked for; kept in the URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import streamlit as st

from core.verdicts.ordering import ORDERS, Order
from dashboard.charts.matrix_colours import VALUES, Look, Values
from dashboard.charts.matrix_marks import window_around
from dashboard.components.class_box import draw_class_box
from dashboard.components.plot import View
from dashboard.guard import guard_callback
from dashboard.state import address, kept
from dashboard.state.number_field import draw_number, take_whole
from dashboard.state.part import PART
from dashboard.state.services import RunData

ORDER_TITLES: dict[Order, str] = {
    "name": "Name",
    "recall": "Recall, lowest first",
    "support": "Images, most first",
    "similarity": "Similarity",
}
VALUE_TITLES: dict[Values, str] = {"count": "Images", "row": "Share of row", "column": "Share of column"}
# What of the URL says how the page is looked at.
PARAMS = ("order", "colour", "log", "right", "least", "find", "zoom", PART, "wide", "sort")
WHOLE = "all"  # the zoom that shows all of the matrix though a class is looked for
_T = TypeVar("_T", bound=str)
MOST_LEAST = 999_999_999  # of the fewest images in a cell
_WHOLE_NUMBER = re.compile("[1-9][0-9]{0,8}")  # Python itself reads no number of 5,000 digits
AROUND = "confusion-around"  # the classes of the block that was chosen last: what the matrix is zoomed to


def restore_look(classes: Sequence[str]) -> None:
    """Bring back how the page was looked at before it was left, but for a class that another run had and this one has not."""
    opened = "confusion-order" not in st.session_state  # a widget's state goes with its page
    asked = address.get_param("find")
    kept.restore(PARAMS, opened=opened)
    if not asked and address.get_param("find") not in (address.ANY, *classes):
        address.set_params(find=address.ANY, zoom=address.ANY, **{PART: address.ANY})


def draw_look(data: RunData) -> tuple[Order, Look, str]:
    """Offer how the matrix is drawn; return it, and the class that is looked for."""
    by = _choose(
        "Order", "order", "confusion-order", ORDER_TITLES, read_order(), width=170,
        help="Similarity puts classes that are confused next to each other, as blocks.",
    )  # fmt: skip
    asked = address.get_param("colour")
    coloured: Values = next((values for values in VALUES if values == asked), "count")
    values = _choose(
        "Colour by", "colour", "confusion-values", VALUE_TITLES, coloured, width=150,
        help="Images, or their share of the true class (row) or of the predicted class (column).",
    )  # fmt: skip
    found = _choose_class(data)
    with st.popover("More", icon=":material/tune:"):
        log = kept.draw_switch("Logarithmic colours", "log", key="confusion-log")
        right = kept.draw_switch(
            "Right answers", "right", key="confusion-diagonal", default=True, help="The diagonal."
        )
        least = _choose_least()
    return by, Look(values=values, log=log, diagonal=right, least=least), found


def read_order() -> Order:
    """Return the order of the classes that the URL asks for."""
    asked = address.get_param("order")
    return next((order for order in ORDERS if order == asked), "name")


def _choose(
    title: str, name: str, key: str, titles: Mapping[_T, str], now: _T, *, width: int, help: str
) -> _T:
    """Offer one of some values, of which the first is the default; the URL keeps it under `name`."""
    st.session_state[key] = now
    chosen: _T = st.selectbox(
        title,
        list(titles),
        key=key,
        format_func=titles.__getitem__,
        width=width,
        help=help,
        on_change=guard_callback(_keep(name, key, next(iter(titles)))),
    )
    return chosen


def _choose_class(data: RunData) -> str:
    found = address.get_param("find", data.classes)

    def take(name: str) -> None:
        st.session_state.pop(AROUND, None)
        address.set_params(find=name, zoom=address.ANY, **{PART: address.ANY})

    draw_class_box(
        "Find a class",
        data.classes,
        found,
        take,
        key="confusion-find",
        label=data.label,
        none="none",
        width=190,
    )
    return found


def _choose_least() -> int:
    asked = address.get_param("least")
    value = int(asked) if is_least(asked) else 1
    label, key = "Fewest images in a cell", kept.find_key("confusion-least", value)
    draw_number(
        label,
        1,
        MOST_LEAST,
        value=value,
        key=key,
        help="Cells with fewer wrong images are hidden.",
        on_change=guard_callback(lambda: kept.keep("least", str(take_whole(label, key, 1, MOST_LEAST)), "1")),
    )
    return value


def is_least(asked: str) -> bool:
    """Tell whether the URL's fewest images in a cell is a number that is meant for it."""
    return bool(_WHOLE_NUMBER.fullmatch(asked)) and int(asked) <= MOST_LEAST


def _keep(name: str, key: str, default: object) -> Callable[..., None]:
    """Return a callback that writes a widget's value to the URL, where the default is left out."""

    def write() -> None:
        value = str(st.session_state[key])
        zoom = {"zoom": address.ANY, PART: address.ANY} if name == "order" else {}  # classes move
        address.set_params(**{name: address.ANY if value == str(default) else value}, **zoom)

    return write


def read_view(places: dict[str, int], found: str) -> View | None:
    """Return what the matrix is zoomed to: what the URL says, else the surroundings of what is looked for."""
    if address.get_param("zoom") == WHOLE:
        return None
    if view := read_zoom(len(places)):
        return view
    names: Sequence[str] = (found,) if found else st.session_state.get(AROUND, ())
    sought = [places[name] for name in names if name in places]
    window = window_around(min(sought), max(sought), len(places)) if sought else None
    return View(window, (window[1], window[0])) if window else None


def read_zoom(classes: int) -> View | None:
    """Return what a user zoomed to of a matrix of so many classes a side, as the URL says it; None for the whole."""
    asked = address.get_param("zoom")
    return _parse_view(asked, classes) if asked else None


def keep_view(view: View | None) -> None:
    """Write what a user zoomed to into the URL."""
    if view is None:
        address.set_params(
            zoom=WHOLE if address.get_param("find") or st.session_state.get(AROUND) else address.ANY
        )
    else:
        address.set_params(zoom=format_view(view))


def format_view(view: View) -> str:
    """Return a stretch of the matrix as the URL has it."""
    return "_".join(f"{end:.1f}" for end in (min(view.x), max(view.x), min(view.y), max(view.y)))


def _parse_view(text: str, classes: int) -> View | None:
    try:
        left, right, top, bottom = (float(end) for end in text.split("_"))
    except ValueError:
        return None
    ends = (left, right, top, bottom)
    if not all(-classes < end < 2 * classes for end in ends) or left >= right or top >= bottom:
        return None
    return View((left, right), (bottom, top))  # the first row is at the top
