"""Many predicted images as a table to sort and to filter; the image that is chosen in it is looked at in detail."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pandas as pd
import streamlit as st

from core.answers.arriving import Arrived
from core.answers.batch import Batch
from core.files import write_bytes
from core.runs.run import Run
from core.verdicts.predictions import list_guesses
from dashboard.components.class_box import draw_classes_box
from dashboard.components.gallery import Card, Tile, show_cards
from dashboard.explorer import detail
from dashboard.state import services
from dashboard.state.services import RunData
from dashboard.text import format_confidence, format_count

SHOWN = ("all", "not sure", "sure", "strangers", "cannot be read")
ORDERS = ("least sure first", "surest first", "as they came")
OPENED = 50  # images that were looked at in detail and stay on disk


def draw_table(run: Run, data: RunData, batch: Batch, table: pd.DataFrame) -> None:
    """Draw the filter, the table and the image that is chosen in it."""
    rows = choose_rows(table, data)
    st.caption(
        f"{format_count(len(rows), 'image')} of {len(table):,}. Click a column's name to sort by it. Tick a line to see its image, with the evidence for its class."
    )
    shown = pd.DataFrame(
        {
            "": [to_address(batch.thumbnails[number]) for number in rows.index],
            "image": rows["image_name"],
            "class": rows["pred_name"],
            "confidence": rows["confidence"] * 100,
            "sure": rows["sure"],
            "stranger": rows["stranger"],
            "next likeliest": [
                data.label(name) if name else "" for name in rows.get("top2", pd.Series("", index=rows.index))
            ],
            "problem": rows["problem"],
        }
    )
    # What no image has takes no width from the others.
    shown = shown.drop(columns=[name for name in ("stranger", "problem") if not shown[name].any()])
    event = st.dataframe(
        shown,
        hide_index=True,
        height=min(620, 90 + 48 * len(shown)),
        row_height=48,
        column_config={
            "": st.column_config.ImageColumn(width="small"),
            "confidence": st.column_config.ProgressColumn(format="%.1f %%", min_value=0, max_value=100),
        },
        on_select="rerun",
        selection_mode="single-row",
        key="predict-table",
        placeholder="–",
        alt="Predicted images",
    )
    chosen = [place for place in event["selection"]["rows"] if place < len(rows)]
    if chosen and not rows["problem"].iloc[chosen[0]]:
        draw_opened(run, data, batch.arrived[int(rows.index[chosen[0]])], rows.iloc[chosen[0]])


def choose_rows(table: pd.DataFrame, data: RunData) -> pd.DataFrame:
    """Return the rows that the user wants to see, in the order wanted."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.selectbox("Show", SHOWN, key="predict-shown", width=170)
        order = st.selectbox("Order", ORDERS, key="predict-order", width=190)
        named = set(table["pred_label"])
        found = [name for name in data.classes if name in named]
        key = "predict-classes"
        known = [name for name in st.session_state.get(key, ()) if name in named]
        classes = draw_classes_box("Classes", found, known, key=key, label=data.label, width=420)
    rows = {
        "all": table,
        "not sure": table[table["sure"] == "no"],
        "sure": table[table["sure"] == "yes"],
        "strangers": table[table["stranger"] == "yes"],
        "cannot be read": table[table["problem"] != ""],
    }[shown]
    if classes:
        rows = rows[rows["pred_label"].isin(classes)]
    if order == ORDERS[-1]:
        return rows
    return rows.sort_values("confidence", ascending=order == ORDERS[0], kind="stable")


def draw_opened(run: Run, data: RunData, one: Arrived, row: pd.Series) -> None:
    """Draw an image in detail: its likeliest classes, and heat maps as on every page."""
    path = keep_opened(run, one.content)
    # Nobody knows its true class: what it was taken for stands there, so that no error is claimed.
    known = row.copy()
    known["path"], known["true"], known["predicted"] = str(path), row["pred_label"], row["pred_label"]
    bars = tuple((data.label(name), value) for name, value in list_guesses(known) if name)
    with st.container(key="medium-opened"):
        picture, evidence = st.columns([2, 5], gap="large")
    with evidence:
        detail.draw_evidence(run, data, known)
    with picture:
        tile = Tile(services.thumbnail(path, 1024), one.name, alt=one.name)
        line = f"Confidence {format_confidence(float(row['confidence']))}"
        show_cards([Card(str(row["pred_name"]), (line,), (tile,), bars)], side=200, label="the image")


def keep_opened(run: Run, content: bytes) -> Path:
    """Write an image to where the detail view can read it, under a name of our own; those opened long ago go."""
    folder = run.folder / ".predict" / "opened"
    path = folder / hashlib.sha256(content).hexdigest()[:24]
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        old = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)
        for file in old[: max(0, len(old) - OPENED)]:
            file.unlink(missing_ok=True)
        write_bytes(path, content)
    return path


def to_address(picture: bytes) -> str | None:
    """Return a WebP picture as an address that holds it; None of none."""
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}" if picture else None
