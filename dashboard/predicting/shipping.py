"""A model handed on from the page: its format, the making as a task, what the check found, and the download."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from core.dataset.export import pack_folder
from core.people.acting import TRAIN
from core.runs.run import Run
from core.runs.tasks import launch_task, read_order, read_task
from core.ship.formats import FORMATS, ONNX
from core.ship.package import read_shipment, shipment_folder
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard, guard_callback
from dashboard.text import escape_markdown


def draw_shipping(run: Run) -> None:
    """Offer to write the run's model for use elsewhere, show how far that is, and what was made last."""
    st.header("Ship this model")
    task = task_folder(run)
    status = read_task(task)
    if status.state in ACTIVE:
        st.markdown(f"Writing it as {FORMATS[read_order(task)[1]['form']].title} and comparing its answers …")
        draw_running(task, "", key="ship")
    else:
        draw_end(status)
        _draw_choice(run)
    guard(_draw_made)(run)


def task_folder(run: Run) -> Path:
    """Return where the writing of a run's model is watched and its result kept."""
    return run.folder / ".ship"


def _draw_choice(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = st.selectbox(
            "Format",
            list(FORMATS),
            format_func=lambda name: FORMATS[name].title,
            key="ship-format",
            persist_state="session",  # while the task runs it is not drawn
            width=180,
        )
        int8 = kind == ONNX and st.toggle(
            "8 bits (int8)",
            key="ship-int8",
            persist_state="session",
            help="Smaller and usually faster. Its cost in accuracy is measured on all validation images.",
        )
        st.button(
            "Export",
            type="primary",
            icon=":material/deployed_code:",
            key="ship-start",
            on_click=guard_callback(launch_task),
            args=(task_folder(run), "export"),
            kwargs={"run": run.id, "form": kind, "int8": bool(int8)},
            **lock(TRAIN, help="It is offered only if it gives the same answers as this page."),
        )
    st.caption(
        f"{FORMATS[kind].use} A model card with figures, limits and a program to use it comes with the file."
    )


def _draw_made(run: Run) -> None:
    made = read_shipment(task_folder(run))
    if made is None:
        return
    folder = shipment_folder(task_folder(run))
    model = folder / made.file
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(model.stat().st_mtime))
    st.markdown(f"**{escape_markdown(made.describe())}** Made {when}.")
    for line in made.found:
        st.markdown(escape_markdown(line))
    with st.container(horizontal=True):
        st.download_button(
            "Save model and card (zip)", lambda: pack_folder(folder), file_name=f"{Path(made.file).stem}.zip",
            mime="application/zip", type="primary", icon=":material/folder_zip:", on_click="ignore", key="ship-zip",
        )  # fmt: skip
        st.download_button(
            f"Save the model alone ({made.size / 1e6:.1f} MB)", model.read_bytes, file_name=made.file,
            mime="application/octet-stream", icon=":material/download:", on_click="ignore", key="ship-model",
        )  # fmt: skip
    if made.epoch != run.read_status().best_epoch:
        st.caption("The best model has changed since. Export it again.")
