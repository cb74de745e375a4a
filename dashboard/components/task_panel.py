"""The progress, stop and end of work that goes on in a process of its own."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.people.acting import TRAIN
from core.runs import jobs
from core.runs.run import Run
from core.runs.tasks import read_task, role_to_stop, stop_task
from core.stored.status import ACTIVE, Status
from dashboard.access.lock import lock
from dashboard.guard import guard, guard_callback
from dashboard.text import escape_markdown, format_duration

POLL = 1.0


def draw_running(folder: Path, unit: str, *, key: str) -> None:
    """Draw the progress of the active task in a folder until it ends, then the page anew.

    `unit` is what is counted, empty where that changes on the way.
    """

    def look() -> None:
        status = read_task(folder)
        if status.state not in ACTIVE:
            st.rerun()
        stopping = Run(folder).stop_requested()
        share = min(1.0, status.done / status.total) if status.total else 0.0
        st.progress(share, text="Stopping …" if stopping else describe_progress(status, unit))
        if stopping:
            st.button(
                "End now",
                icon=":material/dangerous:",
                key=f"{key}-kill",
                on_click=guard_callback(jobs.kill),
                args=(Run(folder),),
                **lock(TRAIN, help="Ends the process at once; its latest work may be lost."),
            )
        else:
            st.button(
                "Stop",
                icon=":material/stop:",
                key=f"{key}-stop",
                on_click=guard_callback(stop_task),
                args=(folder,),
                **lock(role_to_stop(folder)),
            )

    st.fragment(guard(look), run_every=POLL)()


def describe_progress(status: Status, unit: str) -> str:
    """Return how far an active task is, in words."""
    if not status.total:
        return "Starting …"
    if status.done >= status.total:
        return f"All {status.total:,} {unit} have been read. Finishing …" if unit else "Finishing …"
    left = f" · about {format_duration(status.seconds_left)} left" if status.seconds_left else ""
    return f"{status.done:,} of {f'{status.total:,} {unit}'.rstrip()}{left}"


def draw_end(status: Status) -> None:
    """Say why a task ended, where it did not finish."""
    message = escape_markdown(status.message)
    if status.state == "stopped":
        st.info(message, icon=":material/stop_circle:")
    elif status.state in ("failed", "crashed"):
        st.error(message, icon=":material/error:")
