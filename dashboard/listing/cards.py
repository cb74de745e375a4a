"""Runs as cards: state, result, progress and last words of each, with a button for all that its state allows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.cluster.follow import go_on
from core.people.acting import TRAIN
from core.places import own_command
from core.runs import jobs
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.note_panel import describe_note, draw_note_button
from dashboard.guard import guard_callback
from dashboard.listing.chosen import choose, draw_actions
from dashboard.listing.rows import Row
from dashboard.panels.deletion import confirm_delete
from dashboard.panels.report_panel import draw_report_button, draw_report_panel
from dashboard.state import address
from dashboard.state.status_words import BADGES, describe_no_best, describe_phase, format_best, format_epoch
from dashboard.text import escape_markdown, format_bytes, format_count, format_duration, label_markdown

NAMED = 3  # runs that start from another which are named one by one


def draw_cards(shown: Sequence[Row], archived: bool, *, choosable: bool) -> None:
    """Draw runs as cards, with what can be done with those that are ticked where they are `choosable`."""
    if choosable:
        draw_chosen(shown, archived)
    for row in shown:
        draw_card(row, choosable=choosable)


def draw_chosen(shown: Sequence[Row], archived: bool) -> None:
    """Offer to tick all cards, and what can be done with all that are ticked."""
    chosen = [row.run for row in shown if st.session_state.get(f"choose-{row.run.id}")]
    with st.container(horizontal=True, vertical_alignment="center", key="runs-chosen"):
        every = bool(chosen) and len(chosen) == len(shown)
        st.button(
            "Choose none" if every else "Choose all shown",
            icon=":material/check_box:" if every else ":material/select_all:",
            key="runs-choose-all",
            type="tertiary",
            on_click=guard_callback(choose),
            args=([row.run for row in shown], not every),
        )
        if chosen:
            draw_actions(chosen, archived)


def draw_card(row: Row, *, choosable: bool = False) -> None:
    """Draw one run, with a box to tick where there are others."""
    status = row.status
    colour, icon = BADGES[row.state]
    with st.container(border=True, key=f"run-{row.run.id}"), st.container(key=f"medium-{row.run.id}"):
        name, result, actions = st.columns([5, 3, 4], vertical_alignment="center")
        with name:
            draw_name(row, f":{colour}-badge[{icon} {row.state}]", choosable=choosable)
            if described := describe(row):
                st.caption(described)
            if said := describe_note(row.facts.note):
                st.markdown(said)
        with result:
            draw_result(row)
        with actions:
            draw_buttons(row)
        if row.damage:
            st.warning(
                f"This run is damaged. {escape_markdown(row.damage.rstrip('.'))}. {advise(row)}",
                icon=":material/broken_image:",
            )
        draw_report_panel([row.run])
        if status.state == "running" and status.total:
            st.progress(min(1.0, status.done / status.total), text=describe_phase(status))
        draw_last_words(row)


def advise(row: Row) -> str:
    """Say what can be done about a run that is damaged."""
    if row.damage.startswith("predictions-val") and row.run.best_path.exists():
        return f"Its model is there, so the table can be written again: {own_command()} evaluate {escape_markdown(row.run.id)}"
    return "Put the file back as it was, or delete the run."


def draw_name(row: Row, badge: str, *, choosable: bool) -> None:
    """Draw a run's name and state, with a box to tick before it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if choosable:
            st.checkbox(label_markdown(row.run.id), key=f"choose-{row.run.id}", width="content")
        else:
            st.markdown(f"**{escape_markdown(row.run.id)}**", width="content")
        st.markdown(badge, width="content")


def describe(row: Row) -> str:
    """Return what a run was made of, as Markdown; empty where nothing is known of it."""
    recipe, when = row.facts.recipe, format_when(row.status.created)
    if row.facts.owner:
        when = f"{when} by {escape_markdown(row.facts.owner)}"
    if row.facts.origin:
        images = escape_markdown(row.data_name) or "an unknown folder"
        return f"{escape_markdown(row.facts.origin)} · images in {images} · {when}"
    if recipe.damage:
        return ""
    parts = [escape_markdown(row.data_name), recipe.arch, f"preset {recipe.preset}"]
    if recipe.fixes:
        parts.append(f"fix list {escape_markdown(Path(recipe.fixes).name)}")
    if recipe.parent:
        parts.append(f"starts from {escape_markdown(recipe.parent)}")
    if row.children:
        more = len(row.children) - NAMED
        names = ", ".join(escape_markdown(name) for name in row.children[:NAMED])
        parts.append(f"goes on in {names}{f' and {more} more' if more > 0 else ''}")
    return " · ".join([*parts, when])


def draw_result(row: Row) -> None:
    """Draw how good a run is, and what it took."""
    status, used = row.status, format_bytes(row.facts.disk)
    if row.facts.origin:
        st.markdown(f"**{format_best(status)}**")
        st.caption(f"{format_count(status.val_count, 'prediction')}, no training")
        st.caption(used)
        return
    if status.has_best:
        st.markdown(f"**{format_best(status)}**, {format_epoch(status)}")
    else:
        st.markdown(describe_no_best(status))
    st.caption(f"epoch {status.epoch} of {status.epochs} · {format_duration(status.seconds)} · {used}")


def draw_last_words(row: Row) -> None:
    """Say why a run ended where it did not end well."""
    status = row.status
    if status.state in ("failed", "crashed"):
        if status.message not in row.damage:  # of a status that cannot be read it says no more than that
            st.error(escape_markdown(status.message), icon=BADGES[status.state][1])
        lines = row.run.read_log(12)
        if lines:
            with st.expander("End of the log"):
                st.code("\n".join(lines), language=None, wrap_lines=True)
    elif status.state in ("queued", "stopped", "paused") and status.message:
        st.caption(escape_markdown(status.message))


def draw_buttons(row: Row) -> None:
    """Draw the buttons a run's state allows."""
    run, status = row.run, row.status
    with st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        if st.button("Open", icon=":material/open_in_new:", key=f"open-{run.id}"):
            known = status.has_best or row.facts.origin
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
                "Stop",
                icon=":material/stop:",
                key=f"stop-{run.id}",
                on_click=guard_callback(jobs.stop),
                args=(run,),
                **lock(TRAIN, help=stop_help, disabled=asked),
            )
            return
        if status.state != "finished" and not row.facts.recipe.damage and not status.hopeless:
            resume_help = "Goes on from its last checkpoint."
            st.button(
                "Resume",
                icon=":material/resume:",
                key=f"resume-{run.id}",
                on_click=guard_callback(go_on),
                args=(run,),
                **lock(TRAIN, help=resume_help),
            )
        if st.button(
            "",
            icon=":material/delete:",
            key=f"delete-{run.id}",
            **lock(jobs.role_to_delete(run), help="Delete this run"),
        ):
            confirm_delete([run], "Delete this run?", f"**{escape_markdown(run.id)}**")


def format_when(seconds: float) -> str:
    """Return a time as date and minute, local."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
