"""Training images unlike their class, as a gallery, the furthest first; each says how far and what it is most like."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.landscape.table import list_strangers
from core.runs.run import Run
from dashboard.components.gallery import PAGE, Tile, draw_pager
from dashboard.components.marking import Item
from dashboard.explorer import marking
from dashboard.mapping.look import Look
from dashboard.state import address, services
from dashboard.state.area import find_inside, unpack_area
from dashboard.state.landscape import Landscape
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count


def find_strangers(landscape: Landscape, look: Look, area: str) -> pd.DataFrame:
    """Return the training images unlike their class, furthest first; of the class that is looked at and in the area drawn."""
    found = list_strangers(landscape.table)
    if look.name:
        found = found[found["true"] == look.name]
    corners = unpack_area(area)
    if corners is None:
        return found
    return found[find_inside(corners, found[["x", "y"]].to_numpy(dtype=np.float64))]


def draw_strangers(run: Run, found: pd.DataFrame, landscape: Landscape, data: RunData, look: Look) -> None:
    """Say how many training images are unlike their class, and show them."""
    count = int((landscape.table["split"] == "train").sum())
    whose = f" of {escape_markdown(data.label(look.name))}" if look.name else ""
    where = "In the area drawn: " if unpack_area(address.get_param("area")) is not None else ""
    if found.empty:
        st.success(
            f"{where}{'no' if where else 'No'} training image{whose} stands far from its class.",
            icon=":material/check:",
        )
        return
    st.markdown(
        f"**{where}{format_count(len(found), 'training image', 'is')} unlike {'its' if len(found) == 1 else 'their'} class"
        f"{whose}.** Check whether each shows what its folder says, and mark those that do not."
    )
    st.caption(
        f"Of {count:,} training images, those at least twice as far from the others of their class as is usual in it, "
        "by the network's features. The furthest come first."
    )
    classes = dict(zip(landscape.table["path"], landscape.table["true"], strict=True))
    page = draw_pager(len(found), PAGE, key="strangers-page")
    rows = list(found.itertuples())

    def make(number: int, side: int) -> Item:
        row = rows[number]
        picture = services.thumbnail(data.root / row.path, side) if side else None
        said = say_nearest(row.nearest, row.true, classes, data)
        tile = Tile(
            picture, data.label(row.true), (f"{row.far:.1f} times as far as usual", *said), alt=row.path
        )
        guesses = tuple(dict.fromkeys(filter(None, (classes.get(row.nearest), row.true))))
        return Item(tile, row.path, row.true, guesses)

    marking.draw_marking(
        run,
        data,
        marking.Shelf(list(found["path"]), make),
        key="strangers-tiles",
        page=page,
        opener=lambda path: address.set_params(image=path),
        label="training images unlike their class",
    )


def say_nearest(nearest: str, true: str, classes: dict[str, str], data: RunData) -> tuple[str, ...]:
    """Return a line that says of which class the nearest image is, where that is known."""
    name = classes.get(nearest)
    if name is None:
        return ()
    return ("nearest to one of its own class" if name == true else f"nearest to one of {data.label(name)}",)
