"""The form of a table of labels: where it and its images lie, and which column is which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

import streamlit as st

from core.arrivals.label_table import Columns, suggest_columns
from core.csv_table import read_head
from core.errors import Refused, UserError, describe_error
from core.files import write_file
from core.people.acting import TRAIN, demand, keep_refusal, now_acting
from core.people.roots import allow_path
from dashboard.access.lock import lock
from dashboard.guard import guard_callback
from dashboard.text import escape_markdown

NONE = "– none –"
_REFUSED = "arrivals-refused"  # what was refused last


def draw_table_form(begin: Callable[..., None], task: Path) -> None:
    """Ask for a folder of images, a table and its columns; `begin(kind, **parameters)` starts the task that makes the folder.

    A table that is dropped is kept in the folder of that `task`.
    """
    with st.container(horizontal=True, gap="medium"):
        images = st.text_input(
            "Folder of the images", key="arrivals-images", width=420, persist_state="session"
        )
        place = st.text_input("CSV with the labels", key="arrivals-table", width=420, persist_state="session")
    sent = st.file_uploader("Or drop the CSV", type=["csv", "tsv"], key="arrivals-csv")
    if sent is not None and now_acting().person.may(TRAIN):
        place = str(_keep_table(sent.name, sent.getvalue(), task))
    if not images.strip() or not place.strip():
        st.caption(
            "One line per image: its name, with or without the extension, and its label. A column may name the split."
        )
        return
    try:
        folder, table = allow_path(images.strip()), allow_path(place.strip())
        head = read_head(table)
    except (UserError, OSError) as error:
        asked = (images, place)
        if (
            isinstance(error, Refused) and st.session_state.get(_REFUSED) != asked
        ):  # kept once, not at each look
            st.session_state[_REFUSED] = asked
            keep_refusal("bring in images", f"{images}, {place}", str(error))
        st.error(escape_markdown(describe_error(error)), icon=":material/error:")
        return
    if len(head) < 2:
        st.error(
            f"{escape_markdown(table.name)} has only one column. It needs one for the image and one for the label."
        )
        return
    columns = _ask_columns(head)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = st.text_input(
            "Name of the data set", table.stem, key=f"arrivals-table-name-{table.name}", width=300
        )
        skip = st.toggle(
            "Leave out rows without an image",
            key="arrivals-skip",
            help="Otherwise such a row is an error, and no folder is made.",
        )
        st.button(
            "Make the folder",
            type="primary",
            icon=":material/folder_copy:",
            key="arrivals-arrange",
            on_click=guard_callback(begin),
            args=("arrange",),
            kwargs={
                "images": str(folder.resolve()),
                "table": str(table.resolve()),
                "columns": asdict(columns),
                "name": name,
                "skip_missing": skip,
            },
            **lock(
                TRAIN, help="A link to each image in the folder of its class. The images stay where they are."
            ),
        )


def _ask_columns(head: tuple[str, ...]) -> Columns:
    """Let the user say which column is which; those that are called as usual are chosen already."""
    known = suggest_columns(head) or Columns(head[0], head[1])
    key = "-".join(head)
    with st.container(horizontal=True, gap="medium"):
        image = st.selectbox("Image", head, head.index(known.image), key=f"arrivals-image-{key}", width=200)
        label = st.selectbox("Label", head, head.index(known.label), key=f"arrivals-label-{key}", width=200)
        choices = [NONE, *head]
        split = st.selectbox(
            "Split", choices, choices.index(known.split or NONE), key=f"arrivals-split-{key}", width=200,
            help="The column that says train, val or test; none: validation is split off training.",
        )  # fmt: skip
    return Columns(image, label, "" if split == NONE else split)


def _keep_table(name: str, data: bytes, task: Path) -> Path:
    """Write a table that was dropped where the task can read it."""
    demand(TRAIN)
    folder = task / "table"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PurePosixPath(name.replace("\\", "/")).name
    if not path.exists() or path.read_bytes() != data:
        write_file(path, partial(_write, data))
    return path


def _write(data: bytes, file: IO[bytes]) -> None:
    file.write(data)
