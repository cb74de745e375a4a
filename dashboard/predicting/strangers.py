"""Whether Predict tells images that are unlike anything the model was trained on: learned by a task, and said how."""

from __future__ import annotations

import streamlit as st

from core.errors import UserError
from core.people.acting import TRAIN
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.state import services
from dashboard.text import escape_markdown, format_count, format_share

MARK = "Unlike anything it was trained on"


def draw_strangers(run: Run) -> None:
    """Say how strangers are told, or offer to learn it, or show how far that is."""
    task = run.folder / ".strangers"
    status = read_task(task)
    if status.state in ACTIVE:
        st.markdown("Learning to recognise images that are unlike anything the model was trained on")
        draw_running(task, "images", key="strangers")
        return
    known = None
    try:
        if run.strangers_path.exists():  # else the page would wait for the model
            known = services.load_predictor(run).strangers
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
    if known is not None:
        from core.model.strangers import KEPT

        st.caption(
            f"“{MARK}”: no training image is near enough. What is near enough was chosen by "
            f"{format_count(known.count, 'validation image')}, of which {format_share(KEPT)} pass. So about 1 in 20 of your own images "
            "that do show a class will be marked too."
        )
        return
    draw_end(status)
    st.button(
        "Recognise images that show none of the classes",
        icon=":material/person_search:",
        key="strangers-start",
        on_click=guard_callback(launch_task),
        args=(task, "strangers"),
        kwargs={"run": run.id},
        **lock(
            TRAIN,
            help="A classifier names one of its classes whatever you show it. This compares each image with all training images and tells you when none is close. All images of the run go through the network once.",
        ),
    )
