"""The form that makes a run of a table of predictions from another program: columns recognised, to be corrected."""

from __future__ import annotations

import re

import pandas as pd
import streamlit as st

from core.csv_table import Table, parse_table
from core.errors import UserError
from core.imports.classes import AUTO, KINDS
from core.imports.columns import ROLES, suggest_roles
from core.imports.made import make_run
from core.imports.reading import understand_table
from core.people.acting import TRAIN, refusal_of
from core.people.roots import allow_path
from core.places import real_path
from core.runs.run import Run, default_root
from dashboard.access.lock import lock
from dashboard.builtin import wanted_data
from dashboard.components.import_weights import ask_model, draw_weights, read_weights
from dashboard.guard import guard
from dashboard.text import escape_markdown

PREVIEW = 5  # rows
_DONE = "import-done"  # the run that was made last and what its table was taken for, until the next one
_TITLES = {"path": "Path", "true": "True class", "predicted": "Predicted class", "confidence": "Confidence"}
_HELPS = {
    "path": "Relative to the folder of images, absolute, or a file name that only one image has.",
    "true": "None: the folder that each image is in.",
    "predicted": "None: the class with the highest probability.",
    "confidence": "Of the predicted class, from 0 to 1. Columns named after the classes, with or without prob_, are found automatically.",
}
# What the command's options, which errors of an import name, are called in the form.
FIELDS = {
    "--data": "Folder of the images",
    **{f"--{role}-column": title for role, title in _TITLES.items()},
    "--classes": "Classes are given",
    "--weights": "Weights of its model",
    "--arch": "Network of the weights",
    "--image-size": "Image size",
    "--resize-size": "Resized to",
    "--mean": "Mean of red, green, blue",
    "--std": "Deviation of red, green, blue",
}
_CLASSES = {AUTO: "find out", "names": "by names", "numbers": "by numbers from 0"}


def draw_import() -> None:
    """Draw the form, folded away; a run that it makes stands in the list at once."""
    with st.expander("Import predictions", icon=":material/upload_file:", key="import"):
        st.fragment(guard(draw_form))()


def draw_form() -> None:
    """Draw the table's upload, what its columns are, its first rows and the button."""
    st.caption(
        "Trained elsewhere? A table of predictions (CSV, one row per image) becomes a run, and every page of analysis works. Heat maps "
        "and new predictions need the model's weights too."
    )
    if refusal := refusal_of(TRAIN):
        st.caption(f":material/lock: {escape_markdown(refusal)}")
        return
    with st.container(key="medium-import"):
        left, right = st.columns(2)
    file = left.file_uploader(
        "Table of predictions (CSV)", key="import-file", help="It stays on this machine."
    )
    folder = right.text_input("Folder of the images", wanted_data(), key="import-data").strip()
    name = right.text_input("Name of the run", key="import-name", placeholder="the name of the table").strip()
    if file is not None:
        draw_table(parse_table(file.name, file.getvalue()), file.file_id, folder, name)
    draw_done()


def draw_table(table: Table, key: str, folder: str, name: str) -> None:
    """Draw the columns of a table to choose from, its first rows, and the button that makes a run of it."""
    columns = draw_columns(table, key)
    classes = columns.pop("classes")
    st.dataframe(
        pd.DataFrame(
            table.rows[:PREVIEW],
            columns=pd.Index([head or " " * place for place, head in enumerate(table.head, start=1)]),
        ),
        hide_index=True,
        alt="The first rows of the table",
    )
    st.caption(f"The first {min(PREVIEW, len(table.rows))} of {len(table.rows):,} rows.")
    weights = draw_weights()
    if not st.button(
        "Import", type="primary", icon=":material/upload_file:", key="import-start", **lock(TRAIN)
    ):
        return
    st.session_state.pop(_DONE, None)
    if not folder:
        st.error("Give the folder of the images.", icon=":material/folder_off:")
        return
    try:
        with st.spinner("Finding the images …"):
            reading = understand_table(table, real_path(allow_path(folder)), columns=columns, classes=classes)
        model = ask_model(read_weights(weights), reading) if weights else None
        run = make_run(reading, default_root(), name=name, model=model)
    except UserError as error:
        st.error(escape_markdown(name_fields(str(error))), icon=":material/error:")
        return
    st.session_state[_DONE] = (run, reading.notes if model is None else (*reading.notes, model.note))
    st.rerun()  # of the whole page: the list has one more


def name_fields(text: str) -> str:
    """Return what an import was refused for, with the fields of the form in place of the command's options."""
    return re.sub(r"--[a-z-]+", lambda option: FIELDS.get(option[0], option[0]), text)


def draw_columns(table: Table, key: str) -> dict[str, str]:
    """Offer the columns, those recognised chosen; return that of each role, '' for none, and how `classes` are given."""
    found, chosen = suggest_roles(table), {}
    options = ["", *(head for head in table.head if head)]
    with st.container(horizontal=True, key="import-columns"):
        for role in ROLES:
            chosen[role] = st.selectbox(
                _TITLES[role],
                options,
                options.index(found[role]),
                key=f"import-{role}-{key}",
                format_func=lambda head: head or "none",
                help=_HELPS[role],
                width=190,
            )
        chosen["classes"] = st.selectbox(
            "Classes are given",
            KINDS,
            key=f"import-classes-{key}",
            format_func=_CLASSES.__getitem__,
            help="Numbers count the classes in alphabetical order, where 10 comes before 2.",
            width=190,
        )
    return chosen


def draw_done() -> None:
    """Say what the table was taken for that was imported last, and lead to its errors."""
    done: tuple[Run, tuple[str, ...]] | None = st.session_state.get(_DONE)
    if done is None or not done[0].folder.exists():
        return
    run, notes = done
    said = "\n".join(f"- {escape_markdown(note)}" for note in notes)
    st.success(f"**{escape_markdown(run.id)}** is imported.\n{said}", icon=":material/check_circle:")
    st.page_link(
        st.session_state["pages"]["confusion"],
        label="See its errors",
        icon=":material/grid_on:",
        query_params={"run": run.id},
    )
