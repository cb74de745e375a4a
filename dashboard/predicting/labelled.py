"""A folder of labelled images: judged as a task, and then a table that Confusion and Weak classes open."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.answers.batch import Batch
from core.answers.judged import read_judged
from core.answers.keeping import keep_images
from core.dataset.layout import find_split
from core.people.acting import TRAIN, demand
from core.people.roots import allow_path
from core.runs.run import TEST, Run
from core.runs.tasks import launch_task, read_order, read_task
from core.stored.status import ACTIVE
from core.verdicts.predictions import format_rate
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.predicting.folder import draw_folder
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count


def draw_labelled(run: Run, data: RunData) -> None:
    """Offer to judge the run on a folder of labelled images, show how far that is, and how it did."""
    task = find_task(run)
    status = read_task(task)
    if status.state in ACTIVE:
        st.markdown(f"Judging on the images of {escape_markdown(str(read_order(task)[1]['images']))}")
        draw_running(task, "images", key="judge-folder")
    else:
        draw_end(status)
        draw_start(run, data, task)
    draw_judged(run)


def draw_start(run: Run, data: RunData, task: Path) -> None:
    """Let the user choose a folder and where its labels are, and start."""
    images = draw_folder(
        "Folder of labelled images on this machine",
        str(find_split(data.root, "test") or ""),
        key=f"labelled-folder-{run.id}",
        help="In folders named after the classes, or with a table of labels.",
    )
    labels = st.text_input(
        "Table of labels on this machine (CSV, optional)",
        key=f"labelled-table-{run.id}",
        persist_state="session",  # while the task runs it is not drawn
        help="Two columns with a header line, image and label. Without a table, an image's label is the folder it is in.",
    ).strip()
    st.button(
        "Judge on these images",
        icon=":material/fact_check:",
        key="judge-folder-start",
        on_click=guard_callback(judge_folder),
        args=(run, task, images, labels),
        **lock(
            TRAIN,
            disabled=images is None,
            help="It continues when you leave this page. What was judged before is replaced.",
        ),
    )


def judge_folder(run: Run, task: Path, images: Path, labels: str) -> None:
    """Start judging the run on a folder, with a table of its labels where one is named."""
    table = str(allow_path(labels).absolute()) if labels else ""
    launch_task(task, "judge-folder", run=run.id, images=str(images.resolve()), labels=table)


def draw_offer(run: Run, data: RunData, batch: Batch) -> None:
    """Offer to judge the run on images that were dropped in folders named after its classes."""
    from core.answers.labelled import count_labelled

    taken = [one.name for one in batch.arrived if not one.problem]
    count = count_labelled(taken, data.classes, data.display)
    if count and read_task(find_task(run)).state not in ACTIVE:
        st.button(
            f"Judge on the {format_count(count, 'labelled image')}",
            icon=":material/fact_check:",
            key="judge-dropped",
            on_click=guard_callback(judge_dropped),
            args=(run, batch),
            **lock(
                TRAIN,
                help="They are in folders named after classes. How the model does on them, with matrix and weak classes, then appears under “A labelled folder”.",
            ),
        )


def judge_dropped(run: Run, batch: Batch) -> None:
    """Put dropped images on disk and start judging the run on them."""
    demand(TRAIN)
    images = find_task(run) / "images"
    keep_images(batch.arrived, images)
    launch_task(
        find_task(run), "judge-folder", run=run.id, images=str(images), called="the images dropped on Predict"
    )


def find_task(run: Run) -> Path:
    """Return where the judging of a run on labelled images is watched."""
    return run.folder / ".judge-folder"


def draw_judged(run: Run) -> None:
    """Say how the run did on the folder that was judged last, and lead to its matrix and its weak classes."""
    judged = read_judged(run)
    if judged is None:
        return
    st.markdown(f"**{format_rate(judged.right, judged.count)}** on {escape_markdown(judged.images)}.")
    if words := judged.describe_left_out():
        st.caption(escape_markdown(words))
    pages, query = st.session_state["pages"], {"run": run.id, "on": TEST}
    with st.container(horizontal=True):
        st.page_link(
            pages["confusion"], label="Its confusion matrix", icon=":material/grid_on:", query_params=query
        )
        st.page_link(
            pages["weak"], label="Its weak classes", icon=":material/troubleshoot:", query_params=query
        )
