"""All that is marked in a data set: its images, the list to take away, training without the errors, a corrected copy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core.dataset.label_report import ACTIONS as FIX_ACTIONS
from core.marks.fix_list import format_marks, list_corrections, write_fix_list
from core.marks.marks import Mark
from core.people.acting import TRAIN, demand, now_acting
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.gallery import PAGE, Tile, draw_pager
from dashboard.components.marking import Item
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.explorer import marking, opened
from dashboard.guard import guard_callback
from dashboard.state import address, services
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count

# Of the table's columns, in pixels: beside each other they fit the page on a usual screen, what was said first.
WIDTHS = {
    "mark": 105, "label": 130, "right class": 130, "image": 190, "tags": 90, "model": 85, "answer": 120, "sure (%)": 65,
    "marked": 125,
}  # fmt: skip
KINDS = {
    "": "All marked",
    "relabel": "To be relabelled",
    "drop": "Left out",
    "unsure": "Unsure",
    "right": "Label right",
    "tag": "With tags",
}


def draw_marked(run: Run, train: Callable[[Run, Path], None]) -> None:
    """Draw the part of the page; `train(run, list)` fills the form to train the run with a fix list."""
    data = services.read_data(run)
    known = services.read_marks(run, data)
    st.header("Marked images")
    if not known.marks:
        st.info(
            "Nothing is marked yet. Point at an image in any gallery and say what is wrong with its label, or review "
            "images one by one with keys. Your marks belong to the data set and all of its runs. The images themselves are never changed.",
            icon=":material/sell:",
        )
        return
    st.markdown(f"**{known.describe()}** They belong to the data set, so all of its runs share them.")
    marks = choose_marks(list(known.marks.values())[::-1])
    page = draw_pager(len(marks), PAGE, key="marked-page", param="marked_page")
    shelf = shelve_marks(marks, data)
    marking.draw_marking(
        run, data, shelf, key="marked", page=page, label="marked images", opener=opened.open_from("marked")
    )
    opened.draw_opened(run, data, shelf, "marked")
    with st.expander("As a table"):
        st.dataframe(
            tabulate(marks, data),
            hide_index=True,
            height=min(420, 40 + 35 * len(marks)),
            column_config={name: st.column_config.Column(width=width) for name, width in WIDTHS.items()},
            alt="Marked images",
        )
    trained = [path for paths in data.train_paths.values() for path in paths]
    with st.container(horizontal=True, vertical_alignment="center"):
        draw_training(run, known.marks, trained, train)
        st.download_button(
            "Save the list (CSV)",
            lambda: format_marks(known.marks.values()),
            file_name="marks.csv",
            mime="text/csv",
            icon=":material/download:",
            key="marked-save",
            on_click="ignore",
            help="A fix list that the setting “fixes” of a training takes, with who marked what and why. Paths are relative to the data folder.",
        )
        draw_copy(run, data)
    others = [
        mark for mark in known.marks.values() if mark.action in FIX_ACTIONS and mark.path not in set(trained)
    ]
    if others:
        st.caption(
            f"{format_count(len(others), 'mark', 'is')} on images that {escape_markdown(run.id)} did not train on. "
            "A training never changes those, so that all runs are judged on the same images and labels; a corrected copy does."
        )


def choose_marks(marks: Sequence[Mark]) -> list[Mark]:
    """Offer which marks are shown, and return them."""
    kind = address.get_param("marked", list(KINDS)) or ""
    st.session_state["marked-kind"] = kind
    st.selectbox(
        "Show",
        list(KINDS),
        key="marked-kind",
        format_func=KINDS.__getitem__,
        width=220,
        on_change=guard_callback(
            lambda: address.set_params(marked=st.session_state["marked-kind"], marked_page=address.ANY)
        ),
    )
    return [mark for mark in marks if not kind or mark.action == kind or (kind == "tag" and bool(mark.tags))]


def shelve_marks(marks: Sequence[Mark], data: RunData) -> marking.Shelf:
    """Return marked images as a shelf."""

    def make(number: int, side: int) -> Item:
        mark = marks[number]
        picture = services.thumbnail(data.root / mark.path, side) if side else None
        tile = Tile(picture, f"label {data.label(mark.given)}", (mark.path,), alt=mark.path)
        guesses = tuple(dict.fromkeys(name for name in (mark.to, mark.predicted, mark.given) if name))
        return Item(tile, mark.path, mark.given, guesses, mark.predicted, mark.confidence)

    return marking.Shelf([mark.path for mark in marks], make)


def tabulate(marks: Sequence[Mark], data: RunData) -> pd.DataFrame:
    """Return marks as a table to read, with who said so and why."""
    return pd.DataFrame(
        {
            "mark": [KINDS[mark.action].lower() if mark.action else "" for mark in marks],
            "label": [data.label(mark.given) for mark in marks],
            "right class": [data.label(mark.to) if mark.to else "" for mark in marks],
            "image": [mark.path for mark in marks],
            "tags": [" ".join(mark.tags) for mark in marks],
            "model": [mark.run for mark in marks],
            "answer": [data.label(mark.predicted) if mark.predicted else "" for mark in marks],
            "sure (%)": [
                None if math.isnan(mark.confidence) else round(100 * mark.confidence, 1) for mark in marks
            ],
            "marked": [time.strftime("%Y-%m-%d %H:%M", time.localtime(mark.at)) for mark in marks],
        }
    )


def draw_training(
    run: Run, marks: dict[str, Mark], trained: Sequence[str], train: Callable[[Run, Path], None]
) -> None:
    """Offer to train the run once more with its labels corrected."""
    corrections = list_corrections(run.folder, marks, set(trained))
    if st.button(
        "Train with these fixes",
        type="primary",
        icon=":material/model_training:",
        key="marked-train",
        **lock(
            TRAIN,
            disabled=not corrections,
            help=f"Fills the form with the settings of {escape_markdown(run.id)} and {format_count(len(corrections), 'label')} to correct. "
            "Afterwards Compare shows the two side by side, on the same validation images."
            if corrections
            else "Relabel or leave out an image that this run trained on; then you can train again without the error.",
        ),
    ):
        demand(TRAIN)
        train(run, write_fix_list(run.folder, marks, set(trained)))
        st.switch_page(st.session_state["pages"]["train"])


def draw_copy(run: Run, data: RunData) -> None:
    """Offer to write the data set anew with its labels corrected, and show how far that is."""
    folder = run.folder / ".corrected"
    status = read_task(folder)
    if status.state in ACTIVE:
        draw_running(folder, "images", key="marked-copy")
        return
    with st.popover("Write a corrected copy", icon=":material/folder_copy:"):
        st.markdown("A new folder with the labels as you marked them. The original stays as it is.")
        target = st.text_input(
            "New folder", str(data.root.with_name(f"{data.root.name}-corrected")), key="marked-target"
        )
        link = st.toggle(
            "Links instead of copies",
            key="marked-link",
            help="Takes no space on the same disk. Editing an image in one folder then changes both.",
        )
        st.button(
            "Write it",
            icon=":material/save:",
            key="marked-write",
            on_click=guard_callback(launch_task),
            args=(folder, "corrected-copy"),
            kwargs={"run": run.id, "target": target, "link": link, "owner": now_acting().person.name},
            **lock(TRAIN),
        )
    draw_end(status)
    if status.state == "finished":
        st.success(escape_markdown(status.message), icon=":material/check_circle:")
