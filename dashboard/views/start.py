"""Start: what this is, the two ways to begin, what runs now, and the last runs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

import streamlit as st

from core.cluster.follow import follow
from core.errors import UserError
from core.people.acting import TRAIN
from core.queue.turn import revive_queue
from core.runs import jobs
from core.runs.imported import describe_origin
from core.runs.notes import read_note
from core.runs.run import Run, default_root, list_runs
from core.stored.status import ACTIVE, Status
from dashboard.access.lock import lock
from dashboard.builtin import is_builtin, submit_demo, wanted_data
from dashboard.guard import guard
from dashboard.launch import arrivals_panel, folder_picker
from dashboard.state import address
from dashboard.state.status_words import BADGES, describe_no_best, describe_phase, format_best
from dashboard.text import escape_markdown, format_count

POLL = 2.0
LAST = 5  # runs shown
LOOKED_AT = 50  # newest runs among which the demo is looked for
HOUSE = Path(__file__).resolve().parents[1]
STEPS = (
    ("start-matrix.svg", "Click an error", "The confusion matrix opens the very images behind each cell."),
    (
        "start-heat.svg",
        "See why",
        "Heat maps show what the network looked at, and which training images are nearest.",
    ),
    (
        "start-proof.svg",
        "Prove the fix",
        "Train on what is weak, and let a paired test say whether it got better.",
    ),
)


def render() -> None:
    """Draw the page."""
    st.title("Find the weak spots of your image classifier")
    st.markdown(
        "Weakspot trains an image classifier on your photos and shows which classes it gets wrong, and why. "
        "Then it helps you fix them and prove the improvement."
    )
    draw_steps()
    runs = read_runs()
    draw_ways(find_demo(runs))
    active = any(status.state in ACTIVE for _, status in runs)
    st.fragment(guard(draw_runs), run_every=POLL if active else None)(active)


def read_runs() -> list[tuple[Run, Status]]:
    """Return all runs with their live status, newest first."""
    found = list_runs(default_root())
    if any((revive_queue(found), follow(found))):
        found = list_runs(default_root())
    return [(run, jobs.judge_status(run, status)) for run, status in found]


def draw_steps() -> None:
    """Draw in three pictures what is done here."""
    with st.container(key="narrow-steps"):
        columns = st.columns(len(STEPS), gap="medium")
    for column, (picture, title, text) in zip(columns, STEPS, strict=True):
        with column.container(border=True, height="stretch"):
            st.html(
                f'<img src="{read_picture(picture)}" alt="" style="display: block; width: 100%; max-width: 280px; margin: auto">'
            )
            st.markdown(f"**{title}**  \n{text}")


@cache
def read_picture(name: str) -> str:
    """Return a picture of the dashboard's own as an address that holds all of it; the text beside it says the same."""
    coded = base64.b64encode((HOUSE / name).read_bytes()).decode()
    return f"data:image/svg+xml;base64,{coded}"


def draw_ways(demo_run: tuple[Run, Status] | None) -> None:
    """Draw the two ways to begin, side by side; `demo_run` is the demo where there is one already."""
    pages, data = st.session_state["pages"], wanted_data()
    with st.container(key="medium-ways"):
        own, demo = st.columns(2, gap="medium")
    with own.container(border=True, height="stretch"):
        st.header("Use my images", anchor=False)
        folder = (
            f"The dashboard was opened on **{escape_markdown(Path(data).name)}**."
            if data
            else "A folder with one subfolder for each class."
        )
        st.markdown(f"{folder} The first result takes minutes, even without a GPU.")
        with st.container(horizontal=True):
            chosen = st.button(
                "Train on my images", type="primary", icon=":material/folder_open:", key="start-own"
            )
            if st.button("Browse", icon=":material/folder_open:", key="start-browse"):
                folder_picker.open_picker(data)
                chosen = True
            if st.button("Bring images here", icon=":material/upload:", key="start-bring"):
                arrivals_panel.open_arrivals()
                chosen = True
        if chosen:
            st.switch_page(pages["train"])
    with demo.container(border=True, height="stretch"):
        st.header("Try the demo", anchor=False)
        st.markdown(
            "100 written characters, some of which look alike. It takes about 3 minutes on two cores, and every page fills."
        )
        if demo_run is not None:
            run, status = demo_run
            st.page_link(
                pages["confusion" if status.has_best else "live"],
                label=f"Open the demo {escape_markdown(run.id)}",
                icon=":material/open_in_new:",
                query_params={"run": run.id},
            )
        elif st.button(
            "Start the demo training", icon=":material/play_arrow:", key="start-demo", **lock(TRAIN)
        ):
            run = submit_demo()
            address.choose_run(run)
            st.switch_page(pages["live"], query_params={"run": run.id})


def find_demo(runs: Sequence[tuple[Run, Status]]) -> tuple[Run, Status] | None:
    """Return the newest of some runs that is on the built-in characters and did not fail; None where there is none."""
    for run, status in runs[:LOOKED_AT]:
        try:
            if status.state in ("failed", "crashed") or describe_origin(run):
                continue
            if is_builtin(run.read_config().data) == "glyphs":
                return run, status
        except UserError:
            continue
    return None


def draw_runs(was_active: bool) -> None:
    """Draw what runs on this machine, with its progress, and the last runs."""
    judged = read_runs()
    if was_active != any(status.state in ACTIVE for _, status in judged):
        st.rerun()  # draws the page anew, with or without polling
    if not judged:
        return
    active = [(run, status) for run, status in judged if status.state in ACTIVE]
    if active:
        st.header("On this machine now", anchor=False)
    for run, status in active:
        draw_active(run, status)
    ended = list(islice(list_ended(judged), LAST))
    if ended:
        st.header("Last runs", anchor=False)
    for run, status in ended:
        draw_ended(run, status)
    if len(judged) > len(active) + len(ended):
        st.page_link(
            st.session_state["pages"]["runs"],
            label=f"All {format_count(len(judged), 'run')}",
            icon=":material/view_list:",
        )


def list_ended(judged: Sequence[tuple[Run, Status]]) -> Iterator[tuple[Run, Status]]:
    """Yield the runs that have ended and are not archived."""
    for run, status in judged:
        if status.state not in ACTIVE and not read_note(run).archived:
            yield run, status


def draw_active(run: Run, status: Status) -> None:
    """Draw a run that trains or waits: how far it is, how good, and the way to watch it."""
    with (
        st.container(border=True, key=f"start-active-{run.id}"),
        st.container(horizontal=True, vertical_alignment="center"),
    ):
        share = min(1.0, status.done / status.total) if status.total else 0.0
        words = status.message if status.state == "queued" else describe_phase(status)
        st.progress(share, text=f"**{escape_markdown(run.id)}** · {escape_markdown(words)}")
        if status.has_best:
            st.markdown(f"{format_best(status)} so far", width="content")
        st.page_link(
            st.session_state["pages"]["live"],
            label="Watch it live",
            icon=":material/show_chart:",
            query_params={"run": run.id},
        )


def draw_ended(run: Run, status: Status) -> None:
    """Draw a line for a run that has ended, with the way to its errors."""
    colour, icon = BADGES[status.state]
    result = format_best(status) if status.has_best else describe_no_best(status)
    page, label = ("confusion", "See its errors") if status.has_best else ("live", "See what happened")
    with st.container(horizontal=True, vertical_alignment="center", key=f"start-ended-{run.id}"):
        st.markdown(
            f"**{escape_markdown(run.id)}** &nbsp; :{colour}-badge[{icon} {status.state}] &nbsp; {result}",
            width="content",
        )
        st.page_link(
            st.session_state["pages"][page],
            label=label,
            icon=":material/arrow_forward:",
            query_params={"run": run.id},
        )
