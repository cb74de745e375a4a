"""The search for kinds of images, such as the darkest, that a run is weak on: offered, watched, with a user's own columns."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.csv_table import parse_table
from core.errors import UserError
from core.files import write_text
from core.people.acting import TRAIN, demand
from core.runs.run import FOLD, Run
from core.runs.tasks import launch_task, read_task
from core.slices.columns import take_columns
from core.slices.report import SliceReport
from core.slices.search import list_counting, list_splits
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.explorer.kind_images import draw_report, read_split
from dashboard.guard import guard_callback
from dashboard.state import address, services
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count

TITLES = {FOLD: "All training images", "val": "Validation", "held": "Held back"}
COLUMNS = "columns.csv"  # in the task's folder: what a user told of the images


def draw_kinds(run: Run, data: RunData) -> None:
    """Draw the part of the page."""
    st.header("Kinds of images")
    split = draw_split(run)
    report, folder = None, task_folder(run, split)
    try:
        report = services.read_slice_report(run, split)
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
    status = read_task(folder)
    if status.state in ACTIVE:
        draw_running(folder, "images", key="kinds")
    else:
        draw_end(status)
    if report is not None:
        draw_report(run, report, data)
    if status.state not in ACTIVE:
        draw_start(run, split, report, data)


def draw_split(run: Run) -> str:
    """Offer the images to search, where the run was judged on several; the URL keeps them as `kinds`."""
    splits = list_splits(run)
    split = read_split(splits)
    if len(splits) > 1:
        st.session_state["kinds-split"] = split
        st.segmented_control(
            "Judged images",
            splits,
            format_func=TITLES.__getitem__,
            key="kinds-split",
            required=True,
            on_change=guard_callback(
                lambda: address.set_params(
                    kinds=st.session_state["kinds-split"], kind=address.ANY, kind_page=address.ANY
                )
            ),
        )
    if FOLD not in splits:
        st.caption(
            "With so few images only large differences show. To see smaller ones, judge the run on all its training images, at the top of this page."
        )
    return split


def task_folder(run: Run, split: str) -> Path:
    """Return where the search of a split is watched."""
    return run.folder / f".slices-{split}"


def draw_start(run: Run, split: str, report: SliceReport | None, data: RunData) -> None:
    """Offer to search, also with a user's own columns."""
    paths = list_counting(run, split, services.read_predictions(run, split))["path"]
    if report is None:
        st.markdown(
            "Is the model worse on dark, blurred, small or oddly shaped images, or on a colour? Each kind is compared with the "
            "other images of its classes."
        )
    elif report.digest != services.digest_predictions(run, split):
        st.warning(
            "The images have been judged again since this search. Search again.", icon=":material/update:"
        )
    columns, usable = draw_columns(run, split, paths, data)
    st.button(
        "Look again" if report else "Look for weak kinds",
        type="secondary" if report else "primary",
        icon=":material/filter_alt:",
        key="kinds-search",
        on_click=guard_callback(start_search),
        args=(run, split, columns),
        **lock(
            TRAIN,
            help=f"Measures {format_count(len(paths), 'image')}, each once for all runs. What a scan on Data has measured is reused.",
            disabled=not usable,
        ),
    )


def draw_columns(run: Run, split: str, paths: pd.Series, data: RunData) -> tuple[str, bool]:
    """Take a user's CSV file; return its text, empty without one, and whether a search can begin."""
    with st.expander("Search by columns of your own", icon=":material/table:"):
        st.caption(
            "A CSV file whose first line names its columns: **path**, as in "
            f"{escape_markdown(paths.iloc[0] if len(paths) else 'val/class/image.jpg')}, and any others, such as shop, camera or age. "
            "Words become kinds as they are, numbers by their lowest and highest tenth and fifth."
        )
        file = st.file_uploader("CSV file", key=f"kinds-columns-{run.id}-{split}")
        if file is None:
            return "", True
        content = file.getvalue()
        try:
            found = take_columns(parse_table(file.name, content), list(paths), data.root)
        except UserError as error:
            st.error(escape_markdown(str(error)), icon=":material/error:")
            return "", False
        names = ", ".join(one.name for one in found.properties)
        st.markdown(
            f"{escape_markdown(names)}: {found.matched:,} of {format_count(len(paths), 'judged image')} {'has' if found.matched == 1 else 'have'} a row."
        )
        return content.decode("utf-8-sig"), True


def start_search(run: Run, split: str, columns: str) -> None:
    """Start the search; `columns` is the text of a user's CSV file, empty without one."""
    demand(TRAIN)
    folder = task_folder(run, split)
    path = folder / COLUMNS
    if columns:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, columns)
    launch_task(folder, "slices", run=run.id, split=split, columns=str(path) if columns else "")
