"""Runs: every run with its state and result; open, stop, resume, delete."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.recipe.config import TrainConfig
from core.runs import jobs
from core.runs.imported import describe_origin
from core.runs.queue import revive_queue
from core.runs.run import ACTIVE, Run, Status, default_root, list_runs
from dashboard.builtin import submit_demo
from dashboard.components.gallery import draw_pager
from dashboard.components.import_form import draw_import
from dashboard.guard import guard, guard_callback
from dashboard.panels.deletion import confirm_delete
from dashboard.panels.report_panel import draw_report_button, draw_report_panel
from dashboard.state import address
from dashboard.state.status_words import BADGES, format_best, format_epoch, format_left
from dashboard.text import escape_markdown, format_count, format_duration

POLL = 2.0
PAGE = 25  # runs
FEW = 10  # runs that are seen at a glance


@dataclass(frozen=True)
class Row:
    """A run with what its list line shows."""

    run: Run
    status: Status


def render() -> None:
    """Draw the page."""
    st.title("Runs")
    draw_import()
    rows = read_rows()
    if not rows:
        draw_empty()
        return
    active = any(row.status.state in ACTIVE for row in rows)
    words, state = draw_search(rows) if len(rows) > FEW else ("", "")
    st.fragment(guard(draw_list), run_every=POLL if active else None)(active, words, state)


def read_rows() -> list[Row]:
    """Return all runs, newest first."""
    found = list_runs(default_root())
    if revive_queue(found):
        found = list_runs(default_root())
    return [Row(run, jobs.judge_status(run, status)) for run, status in found]


def draw_search(rows: list[Row]) -> tuple[str, str]:
    """Offer to look for runs by their name and state; return what is looked for, empty for any."""
    states = [state for state in BADGES if any(row.status.state == state for row in rows)]
    if st.session_state.get("runs-state") not in states:
        st.session_state["runs-state"] = ""
    with st.container(horizontal=True):
        words = st.text_input(
            "Find a run", key="runs-search", placeholder="A part of its name", icon=":material/search:", width=300,
            persist_state="session",
        )  # fmt: skip
        state = st.selectbox(
            "State", ["", *states], key="runs-state", format_func=lambda state: state or "any", width=150,
            persist_state="session",
        )  # fmt: skip
    return words.strip().casefold(), str(state)


def read_config(run: Run) -> tuple[TrainConfig | None, str]:
    """Return a run's config, or None and why it cannot be used."""
    try:
        return run.read_config(), ""
    except UserError as error:
        return None, str(error)


def draw_empty() -> None:
    """Show what to do when there is no run yet."""
    st.info(
        "There is no run yet. Train on the built-in characters to see every page filled after the first epoch, in half a minute."
    )
    left, right, _ = st.columns([1, 1, 2])
    if left.button("Start the demo training", type="primary", icon=":material/play_arrow:", width="stretch"):
        run = submit_demo()
        address.choose_run(run)
        st.switch_page(st.session_state["pages"]["live"], query_params={"run": run.id})
    if right.button("Train on my own images", icon=":material/folder_open:", width="stretch"):
        st.switch_page(st.session_state["pages"]["train"])


def draw_list(was_active: bool, words: str, state: str) -> None:
    """Draw the runs that are looked for as cards, a page at a time."""
    rows = read_rows()
    if was_active != any(row.status.state in ACTIVE for row in rows):
        st.rerun()  # draws the page anew, with or without polling
    counts = {name: sum(row.status.state == name for row in rows) for name in BADGES}
    st.caption(
        f"{format_count(len(rows), 'run')}: " + ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    )
    found = [row for row in rows if words in row.run.id.casefold() and state in ("", row.status.state)]
    if not found:
        st.info("No run is called so and in this state. Look for another name.", icon=":material/search_off:")
    page = draw_pager(len(found), PAGE, key="runs-page", unit="runs")
    for row in found[page * PAGE : (page + 1) * PAGE]:
        draw_row(row)


def draw_row(row: Row) -> None:
    """Draw one run."""
    status, (config, damage) = row.status, read_config(row.run)
    colour, icon = BADGES[status.state]
    origin = describe_origin(row.run)
    with st.container(border=True, key=f"run-{row.run.id}"), st.container(key=f"medium-{row.run.id}"):
        name, result, actions = st.columns([5, 4, 3], vertical_alignment="center")
        with name:
            st.markdown(f"**{escape_markdown(row.run.id)}** &nbsp; :{colour}-badge[{icon} {status.state}]")
            if origin:
                st.caption(
                    f"{escape_markdown(origin)} · images in "
                    f"{escape_markdown(Path(config.data).name) if config else 'a folder unknown'} · {format_when(status.created)}"
                )
            elif config is not None:
                st.caption(
                    f"{escape_markdown(Path(config.data).name)} · {config.arch} · preset {config.preset}"
                    f"{f' · fix list {escape_markdown(Path(config.fixes).name)}' if config.fixes else ''}"
                    f" · {format_when(status.created)}"
                )
        with result:
            if origin:
                st.markdown(f"**{format_best(status)}**")
                st.caption(f"{format_count(status.val_count, 'prediction')}, no training")
            elif status.has_best:
                st.markdown(f"**{format_best(status)}**, {format_epoch(status)}")
            else:
                st.markdown("no validation yet")
            if not origin:
                st.caption(f"epoch {status.epoch} of {status.epochs} · {format_duration(status.seconds)}")
        with actions:
            draw_actions(row, resumable=config is not None and not status.hopeless)
        if damage:
            st.warning(f"This run is damaged. {escape_markdown(damage)}", icon=":material/broken_image:")
        draw_report_panel([row.run])
        if status.state == "running" and status.total:
            st.progress(min(1.0, status.done / status.total), text=f"{status.phase} · {format_left(status)}")
        if status.state in ("failed", "crashed"):
            st.error(escape_markdown(status.message), icon=icon)
            lines = row.run.read_log(12)
            if lines:
                with st.expander("End of the log"):
                    st.code("\n".join(lines), language=None)
        elif status.state in ("queued", "stopped", "paused") and status.message:
            st.caption(escape_markdown(status.message))


def draw_actions(row: Row, *, resumable: bool) -> None:
    """Draw the buttons a run's state allows."""
    run, status = row.run, row.status
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        if st.button("Open", icon=":material/open_in_new:", key=f"open-{run.id}"):
            known = status.has_best or describe_origin(run)
            page = "live" if status.state in ACTIVE or not known else "confusion"
            address.choose_run(run)
            st.switch_page(st.session_state["pages"][page], query_params={"run": run.id})
        if status.has_best:
            draw_report_button([run])
        if status.state in ACTIVE:
            asked = run.stop_requested()
            stop_help = "Finishes the step, saves and ends."
            st.button(
                "Stop", icon=":material/stop:", key=f"stop-{run.id}", help=stop_help, disabled=asked,
                on_click=guard_callback(jobs.stop), args=(run,),
            )  # fmt: skip
            return
        if status.state != "finished" and resumable:
            resume_help = "Goes on from its last checkpoint."
            st.button(
                "Resume", icon=":material/resume:", key=f"resume-{run.id}", help=resume_help,
                on_click=guard_callback(jobs.resume), args=(run,),
            )  # fmt: skip
        if st.button("", icon=":material/delete:", key=f"delete-{run.id}", help="Delete this run"):
            confirm_delete([run], "Delete this run?", f"**{escape_markdown(run.id)}**")


def format_when(seconds: float) -> str:
    """Return a time as date and minute, local."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
