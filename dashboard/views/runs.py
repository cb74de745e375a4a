"""Runs: every run with its state, result, note and size; open, stop, resume, and archive or delete many at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.queue.turn import revive_queue
from core.recipe.config import TrainConfig
from core.runs import jobs, notes
from core.runs.imported import describe_origin
from core.runs.notes import Note
from core.runs.run import ACTIVE, Run, Status, default_root, list_runs
from dashboard.builtin import submit_demo
from dashboard.components.gallery import draw_pager
from dashboard.components.import_form import draw_import
from dashboard.components.note_panel import describe_note, draw_note_button
from dashboard.guard import guard, guard_callback
from dashboard.launch.queue_panel import draw_queue
from dashboard.panels.deletion import confirm_delete
from dashboard.panels.report_panel import draw_report_button, draw_report_panel
from dashboard.state import address, disk
from dashboard.state.status_words import BADGES, format_best, format_epoch, format_left
from dashboard.text import escape_markdown, format_bytes, format_count, format_duration

POLL = 2.0
PAGE = 25  # runs
FEW = 10  # runs that are seen at a glance
NAMED = 5  # runs to be deleted that are named one by one


@dataclass(frozen=True)
class Row:
    """A run with what its list line shows."""

    run: Run
    status: Status
    note: Note = field(default_factory=Note)


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
    archived = draw_archived(sum(row.note.archived for row in rows))
    st.fragment(guard(draw_list), run_every=POLL if active else None)(active, words, state, archived)


def read_rows() -> list[Row]:
    """Return all runs, newest first."""
    found = list_runs(default_root())
    if revive_queue(found):
        found = list_runs(default_root())
    return [Row(run, jobs.judge_status(run, status), notes.read_note(run)) for run, status in found]


def draw_search(rows: list[Row]) -> tuple[str, str]:
    """Offer to look for runs by name, tag, note and state; return what is looked for, empty for any."""
    states = [state for state in BADGES if any(row.status.state == state for row in rows)]
    if st.session_state.get("runs-state") not in states:
        st.session_state["runs-state"] = ""
    with st.container(horizontal=True):
        words = st.text_input(
            "Find a run", key="runs-search", placeholder="Name, tag or note", icon=":material/search:", width=300,
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


def draw_archived(count: int) -> bool:
    """Offer to see the runs that were put away, where there are any; return whether these are shown."""
    return bool(count) and st.toggle(
        f"Show the archived ({count})", key="runs-archived", persist_state="session"
    )


def draw_list(was_active: bool, words: str, state: str, archived: bool = False) -> None:
    """Draw the runs that are looked for as cards, a page at a time; the archived ones, or all others."""
    rows = read_rows()
    if was_active != any(row.status.state in ACTIVE for row in rows):
        st.rerun()  # draws the page anew, with or without polling
    draw_queue([(row.run, row.status) for row in rows])
    rows = [row for row in rows if row.note.archived == archived]
    counts = {name: sum(row.status.state == name for row in rows) for name in BADGES}
    st.caption(
        f"{format_count(len(rows), 'run')}: " + ", ".join(f"{n} {name}" for name, n in counts.items() if n)
    )
    found = [row for row in rows if _is_found(row, words) and state in ("", row.status.state)]
    if not rows:
        st.info("All runs are archived. Show them above.", icon=":material/archive:")
    elif not found:
        st.info(
            "No run has this name, tag and state. Try another one.",
            icon=":material/search_off:",
        )
    page = draw_pager(len(found), PAGE, key="runs-page", unit="runs")
    shown = found[page * PAGE : (page + 1) * PAGE]
    if len(found) > 1:
        draw_chosen(shown, archived)
    for row in shown:
        draw_row(row, choosable=len(found) > 1)


def _is_found(row: Row, words: str) -> bool:
    return words in row.run.id.casefold() or row.note.matches(words)


def draw_chosen(shown: list[Row], archived: bool) -> None:
    """Offer what can be done with all runs of this page that are ticked."""
    chosen = [row.run for row in shown if st.session_state.get(f"choose-{row.run.id}")]
    with st.container(horizontal=True, vertical_alignment="center", key="runs-chosen"):
        every = bool(chosen) and len(chosen) == len(shown)
        st.button(
            "Choose none" if every else "Choose all shown",
            icon=":material/check_box:" if every else ":material/select_all:",
            key="runs-choose-all",
            type="tertiary",
            on_click=guard_callback(_choose),
            args=([row.run for row in shown], not every),
        )
        if not chosen:
            return
        st.markdown(f"**{format_count(len(chosen), 'run')}** chosen", width="content")
        st.button(
            "Take out of the archive" if archived else "Archive",
            icon=":material/unarchive:" if archived else ":material/archive:",
            key="runs-archive",
            help="Archived runs are left out of this list. Nothing of them is deleted.",
            on_click=guard_callback(_archive),
            args=(chosen, not archived),
        )
        if st.button("Delete", icon=":material/delete:", key="runs-delete"):
            names = ", ".join(f"**{escape_markdown(run.id)}**" for run in chosen[:NAMED])
            more = f" and {format_count(len(chosen) - NAMED, 'more run')}" if len(chosen) > NAMED else ""
            confirm_delete(chosen, f"Delete {format_count(len(chosen), 'run')}?", names + more)


def _choose(runs: list[Run], chosen: bool) -> None:
    for run in runs:
        st.session_state[f"choose-{run.id}"] = chosen


def _archive(runs: list[Run], archived: bool) -> None:
    notes.archive(runs, archived)
    _choose(runs, False)


def draw_row(row: Row, *, choosable: bool) -> None:
    """Draw one run, with a box to tick where there are others."""
    status, (config, damage) = row.status, read_config(row.run)
    colour, icon = BADGES[status.state]
    origin = describe_origin(row.run)
    with st.container(border=True, key=f"run-{row.run.id}"), st.container(key=f"medium-{row.run.id}"):
        name, result, actions = st.columns([5, 4, 3], vertical_alignment="center")
        with name:
            draw_name(row, f":{colour}-badge[{icon} {status.state}]", choosable=choosable)
            if origin:
                st.caption(
                    f"{escape_markdown(origin)} · images in "
                    f"{escape_markdown(Path(config.data).name) if config else 'a folder unknown'} · {format_when(status.created)}"
                )
            elif config is not None:
                st.caption(
                    f"{escape_markdown(Path(config.data).name)} · {config.arch} · preset {config.preset}"
                    f"{f' · fix list {escape_markdown(Path(config.fixes).name)}' if config.fixes else ''}"
                    f"{describe_parent(config)} · {format_when(status.created)}"
                )
            if said := describe_note(row.note):
                st.markdown(said)
        with result:
            if origin:
                st.markdown(f"**{format_best(status)}**")
                st.caption(f"{format_count(status.val_count, 'prediction')}, no training")
            elif status.has_best:
                st.markdown(f"**{format_best(status)}**, {format_epoch(status)}")
            else:
                st.markdown("no validation yet")
            used = format_bytes(disk.disk_used(row.run))
            st.caption(
                used
                if origin
                else f"epoch {status.epoch} of {status.epochs} · {format_duration(status.seconds)} · {used}"
            )
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


def draw_name(row: Row, badge: str, *, choosable: bool) -> None:
    """Draw a run's name and state, with a box to tick before it."""
    name = f"**{escape_markdown(row.run.id)}** &nbsp; {badge}"
    if choosable:
        st.checkbox(name, key=f"choose-{row.run.id}")
    else:
        st.markdown(name)


def describe_parent(config: TrainConfig) -> str:
    """Say which run's best model a run starts from; empty where it starts from none."""
    parent = config.weights.removeprefix("run:") if config.weights.startswith("run:") else ""
    return f" · starts from {escape_markdown(parent)}" if parent else ""


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
        draw_note_button(run)
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
