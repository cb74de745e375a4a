"""The images of a selection: sorted, 24 at a time, one of them large, and all of them to take away."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import pandas as pd
import streamlit as st

from core.dataset import export
from core.palette import MUTED, TRAIN, VAL
from core.runs.run import Run
from core.verdicts.predictions import list_guesses
from dashboard.components.gallery import (
    PAGE,
    Tile,
    draw_pager,
    draw_steps,
    show_bars,
)
from dashboard.explorer import detail, marking, neighbours
from dashboard.explorer.matrices import Change, TableFigures
from dashboard.guard import guard, guard_callback
from dashboard.state import address, kept
from dashboard.state.selection import Selection
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_confidence, format_count, format_guess

SortBy = Literal["confidence", "loss"]
CAME, LEFT, MOVED = "came in", "left", "moved inside"
# The colours of more and of fewer images in the matrix of a difference.
MARK_COLOURS = {CAME: VAL, LEFT: TRAIN, MOVED: MUTED}
MAX_ARCHIVE = 200_000_000  # bytes: an archive is held in memory until it is saved


def choose_images(judged: TableFigures, selection: Selection, classes: list[str]) -> pd.DataFrame:
    """Return the rows of the predictions table that are in the selection."""
    return judged.table[selection.contains(judged.true, judged.predicted, classes)]


def choose_moved(
    judged: TableFigures, change: Change, selection: Selection, classes: list[str]
) -> pd.DataFrame:
    """Return the images that changed their cell and are or were in the selection.

    Two columns are added: `change` tells whether an image came in, left, or moved from one cell of the selection to
    another; `before` is the class that was predicted before.
    """
    now = selection.contains(judged.true, judged.predicted, classes)
    before = selection.contains(judged.true, change.before, classes)
    rows = np.flatnonzero((judged.predicted != change.before) & (now | before))
    kinds = np.where(now[rows], np.where(before[rows], MOVED, CAME), LEFT)
    names = np.array(classes, dtype=object)[change.before[rows]]
    return judged.table.iloc[rows].assign(change=kinds, before=names)


def sort_images(images: pd.DataFrame, by: SortBy) -> pd.DataFrame:
    """Return the images, highest first; where there are changes, those that came in before those that left."""
    ordered = images.sort_values(by, ascending=False, kind="stable")
    if "change" not in ordered:
        return ordered
    rank = ordered["change"].map({CAME: 0, LEFT: 1, MOVED: 2})
    return ordered.iloc[np.argsort(rank.to_numpy(), kind="stable")]


def draw_sort(images: pd.DataFrame) -> SortBy:
    """Offer what the images are sorted by, where more than one of it is known of them."""
    if images[list(get_args(SortBy))].isna().all().any():
        return "confidence"
    # A kind of widget that the page has already: each further kind is a script more to load before the matrix shows.
    asked = address.get_param("sort")
    now: SortBy = next((by for by in get_args(SortBy) if by == asked), "confidence")
    key = kept.find_key("browse-sort", now)
    chosen: SortBy = st.selectbox(
        "Sorted by",
        get_args(SortBy),
        get_args(SortBy).index(now),
        key=key,
        on_change=guard_callback(lambda: kept.keep("sort", st.session_state[key], "confidence")),
        width=125,
        help="Highest first: the confidence of the predicted class, or the loss, which is high where the true class got little.",
    )
    return chosen


def draw_images(run: Run, images: pd.DataFrame, data: RunData) -> None:
    """Draw a page of the images of a run; one that is opened is shown large."""
    page = draw_pager(len(images), PAGE, key="browse-page")
    marking.draw_marking(
        run,
        data,
        marking.shelve_predictions(images, data, _make_tile),
        key="browse-tiles",
        page=page,
        opener=lambda path: address.set_params(image=path),
        label=f"images of {run.id}",
    )
    show_large(run, images, data)


def show_large(run: Run, images: pd.DataFrame, data: RunData) -> None:
    """Show the image that the URL names large over the page, where it is one of these."""
    if address.get_param("image", list(images["path"])):
        st.dialog("Image", width="large", on_dismiss=guard_callback(detail.close_image))(guard(draw_large))(
            run, images, data
        )


def draw_large(run: Run, images: pd.DataFrame, data: RunData) -> None:
    """Draw the image the URL names: what was predicted for it, why, and which training images are like it."""
    paths = list(images["path"])
    place = paths.index(address.get_param("image", paths) or paths[0])
    row = images.iloc[place]
    draw_steps(paths, place, "browse")
    draw_image(run, data, row)


def draw_image(run: Run, data: RunData, row: pd.Series) -> None:
    """Draw what was predicted for an image, why, and which training images are like it."""
    with st.container(key="medium-large"):
        left, right = st.columns([2, 3], gap="medium")
    with left:
        marking.draw_row(run, data, row)
    with right:
        draw_answer(data, row)
        show_bars([(data.label(name), value) for name, value in list_guesses(row)])
    if not run.best_path.exists():
        st.caption(f":material/block: {escape_markdown(run.id)} has no model, so there are no heat maps.")
        return
    # What takes its time comes last: the picture and the answer are seen meanwhile.
    detail.draw_evidence(run, data, row)
    neighbours.draw_neighbours(run, data, row["path"], row["predicted"], row["true"])


def draw_answer(data: RunData, row: pd.Series) -> None:
    """Say what an image was taken for, and of one that has a label how sure the model was of it."""
    predicted = escape_markdown(data.label(row["predicted"]))
    if not row["true"]:
        st.markdown(f"Taken for **{predicted}**; it has no label.")
        return
    verdict = "predicted right" if row["true"] == row["predicted"] else f"taken for **{predicted}**"
    st.markdown(f"**{escape_markdown(data.label(row['true']))}** {verdict}")
    lines = [f"Confidence in the true class: {format_confidence(row['true_confidence'])}"]
    if not math.isnan(row["loss"]):
        lines.append(f"Loss: {row['loss']:.3f}")
    if "change" in row:
        lines.append(f"Predicted before: {escape_markdown(data.label(row['before']))}")
    st.markdown("  \n".join(lines), help=detail.AS_GIVEN)


def draw_export(images: pd.DataFrame, data: RunData, name: str) -> None:
    """Offer the list as CSV and the images as an archive, each made when it is asked for."""
    with st.popover("Export", icon=":material/download:"):
        st.download_button(
            f"List of {format_count(len(images), 'image')} (CSV)",
            lambda: export.format_image_rows(images, data.label),
            file_name=f"{name}.csv",
            mime="text/csv",
            key="browse-csv",
            icon=":material/table:",
            on_click="ignore",
        )
        draw_archive(images, data, name)


def draw_archive(images: pd.DataFrame, data: RunData, name: str) -> None:
    """Offer to pack the images, and what was packed; the next interaction with the page stops a packing."""
    key = (name, hash(tuple(images["path"])))
    if st.button("Pack the images (zip)", key="browse-pack", icon=":material/folder_zip:"):
        size = export.count_bytes(data.root, images)
        if size > MAX_ARCHIVE:
            st.warning(
                f"These images are {size / 1e6:,.0f} MB; at most {MAX_ARCHIVE / 1e6:,.0f} MB are packed. Select fewer, or save the list.",
                icon=":material/warning:",
            )
            return
        bar = st.progress(0.0, text="Packing …")
        st.button("Stop", key="browse-stop", icon=":material/stop:")
        packed = export.pack_images(
            data.root,
            images,
            progress=lambda done, total: bar.progress(done / total, f"{done:,} of {total:,}"),
        )
        st.session_state["browse-archive"] = (key, packed)
        st.rerun()
    made, packed = st.session_state.get("browse-archive", (None, None))
    if made != key or packed is None:
        st.session_state.pop("browse-archive", None)  # that of another selection: not to be held in memory
        return
    st.download_button(
        f"Save {name}.zip ({len(packed.data) / 1e6:,.1f} MB)",
        packed.data,
        file_name=f"{name}.zip",
        mime="application/zip",
        key="browse-zip",
        icon=":material/download:",
        on_click="ignore",
    )
    if packed.missing:
        named = ", ".join(packed.missing[:5]) + (" …" if len(packed.missing) > 5 else "")
        st.warning(
            f"{format_count(len(packed.missing), 'file', 'is')} gone or cannot be read: {escape_markdown(named)}. "
            f"All are named in {export.MISSING} inside.",
            icon=":material/warning:",
        )


def _make_tile(row: pd.Series, data: RunData, picture: bytes | None) -> Tile:
    lines = [
        f"true {data.label(row.true)}" if row.true else "no label",
        f"predicted {format_guess(data.label(row.predicted), row.confidence)}",
    ]
    mark = getattr(row, "change", "")
    if mark:
        lines.append(f"before {data.label(row.before)}")
    return Tile(
        picture,
        row.path.rsplit("/", 1)[-1],
        tuple(lines),
        alt=row.path,
        mark=mark,
        colour=MARK_COLOURS.get(mark, MUTED),
    )
