"""The line of runs that wait on this machine: place and start of each, moved, held and cancelled by buttons."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import streamlit as st

from core.people.acting import ADMINISTER, TRAIN, refusal_of
from core.queue import forecast, order, slots
from core.queue.order import Line, Waiting
from core.runs import jobs
from core.runs.run import Run, default_root
from core.stored.status import ACTIVE, Status
from core.words import format_rough
from dashboard.access.lock import lock
from dashboard.guard import guard_callback
from dashboard.state.number_field import draw_number, take_whole
from dashboard.text import escape_markdown, format_count

_SLOTS = "Runs at a time on the CPU"
SHOWN = 20  # waiting runs that are drawn


def draw_queue(found: list[tuple[Run, Status]]) -> None:
    """Draw the line of runs, where any trains or waits here, and always for whoever may set the slots.

    `found` are all runs with their live statuses, newest first.
    """
    may_set = not refusal_of(ADMINISTER)
    if not may_set and not any(status.state in ACTIVE for _, status in found):
        return
    line = order.make_line(found, slots.read_slots(default_root()))
    if not may_set and not line.waiting and not line.running:  # they are on another machine
        return
    # To forecast a start means to read what comparable runs took: not where none waits for one.
    starts, over = forecast.forecast_starts(line, found) if line.waiting else {}, line.find_over()
    with st.expander(
        _describe(line), icon=":material/low_priority:", key="queue", expanded=bool(line.waiting)
    ):
        for number, one in enumerate(line.waiting[:SHOWN]):
            told = one.status.message if one.run.id in over else ""
            own = [other for other in line.waiting if line.owners[other.run.id] == line.owners[one.run.id]]
            _draw_waiting(one, number, own, starts.get(one.run.id), told)
        if len(line.waiting) > SHOWN:
            st.caption(f"{format_count(len(line.waiting) - SHOWN, 'more run')} behind these.")
        _draw_slots(line)
        _draw_restart()


def _describe(line: Line) -> str:
    if not line.running and not line.waiting:
        return "Queue: no run trains or waits"
    held = sum(one.place.held for one in line.waiting)
    words = f"Queue: {format_count(len(line.running), 'run')} training, {len(line.waiting)} waiting"
    return f"{words}, {held} of them on hold" if held else words


def _draw_waiting(one: Waiting, number: int, own: Sequence[Waiting], start: float | None, limit: str) -> None:
    """Draw a waiting run with its buttons.

    `own` are the waiting runs of its user, `limit` says which limit of theirs it waits for, empty for none.
    """
    run, held, role = one.run, one.place.held, order.role_to_place(one.run)
    at = own.index(one)
    with st.container(horizontal=True, vertical_alignment="center", key=f"queue-{run.id}"):
        st.markdown(f"{number + 1}. **{escape_markdown(run.id)}**")
        if one.place.priority:
            high = one.place.priority > 0
            st.badge("high priority" if high else "low priority", color="orange" if high else "gray")
        if held:
            st.caption("on hold", width="content")
        elif start is not None:
            st.caption(f"starts in {format_rough(start)}" if start >= 1 else "starts now", width="content")
        elif not limit:
            st.caption("start not known", width="content", help="No comparable run has been timed here yet.")
        if limit and not held:
            st.caption(escape_markdown(limit), width="content")
        with st.container(horizontal=True, gap="small", width="content"):  # together where the line is broken
            for to, icon, words in (
                ("first", "vertical_align_top", "Move to the front"),
                ("up", "arrow_upward", "Move up"),
                ("down", "arrow_downward", "Move down"),
            ):
                target = order.find_target(at, to, len(own))
                taken = own[target].place.priority
                if taken != one.place.priority:
                    words += f" and take over {_name_priority(taken)} priority"
                takes = ADMINISTER if order.gains_high(own, at, to) else role
                _draw_button(
                    run, to, icon, f"{words}: {run.id}", order.move, (run, to), takes, disabled=target == at
                )
            icon, words = ("play_arrow", "Release") if held else ("pause", "Hold")
            _draw_button(run, "hold", icon, f"{words}: {run.id}", order.set_held, (run, not held), role)
            _draw_button(run, "cancel", "close", f"Cancel: {run.id}", jobs.stop, (run,), TRAIN)
            _draw_priority(one, role)


def _draw_priority(one: Waiting, role: str) -> None:
    """Offer the priorities that whoever looks may give a run."""
    key, now = f"queue-priority-{one.run.id}", _name_priority(one.place.priority)
    st.session_state[key] = now
    may_prefer = not refusal_of(ADMINISTER)
    names = [name for name in order.PRIORITIES if name == now or name != "high" or may_prefer]
    with st.popover(
        "Priority", type="tertiary", **lock(role, help=f"Set the priority: {escape_markdown(one.run.id)}")
    ):
        st.radio(
            "Priority", names, key=key, format_func=str.capitalize, on_change=guard_callback(_keep_priority), args=(one.run,),
            help="Runs of high priority go before those of all users, runs of low priority after them. Only an administrator "
            "gives high priority.",
        )  # fmt: skip


def _name_priority(value: int) -> str:
    return next(name for name, known in order.PRIORITIES.items() if known == value)


def _keep_priority(run: Run) -> None:
    order.set_priority(run, st.session_state[f"queue-priority-{run.id}"])


def _draw_button(
    run: Run,
    name: str,
    icon: str,
    words: str,
    act: Callable[..., None],
    args: tuple[object, ...],
    role: str,
    *,
    disabled: bool = False,
) -> None:
    st.button(
        "", icon=f":material/{icon}:", key=f"queue-{name}-{run.id}", type="tertiary", on_click=guard_callback(act), args=args,
        **lock(role, help=escape_markdown(words), disabled=disabled),
    )  # fmt: skip


def _draw_slots(line: Line) -> None:
    """Offer to change how many runs train at a time on the CPU."""
    if line.slots.gpus:
        st.caption(f"One run trains on each of {format_count(len(line.slots.gpus), 'GPU')}.")
    if st.session_state.get("queue-slots-kept") != line.slots.cpu:
        st.session_state["queue-slots"] = st.session_state["queue-slots-kept"] = line.slots.cpu
    draw_number(
        _SLOTS, 1, slots.MOST, key="queue-slots", width=220, on_change=guard_callback(_keep_slots),
        **lock(ADMINISTER, help=f"They share the {format_count(os.cpu_count() or 1, 'core')} of this machine, so each takes longer. "
        "Runs that are already training are not changed."),
    )  # fmt: skip


def _draw_restart() -> None:
    """Offer that what trains when the machine is restarted goes on by itself, or does not."""
    st.session_state["queue-restart"] = slots.goes_on_after_restart(default_root())
    st.checkbox(
        "After a restart of the machine trainings go on by themselves",
        key="queue-restart",
        on_change=guard_callback(_keep_restart),
        **lock(ADMINISTER, help="From their last save, as soon as the dashboard starts. Those that wait always wait again. A training that "
        "was killed without a restart is left as it is."),
    )  # fmt: skip


def _keep_restart() -> None:
    slots.write_after_restart(default_root(), bool(st.session_state["queue-restart"]))


def _keep_slots() -> None:
    slots.write_slots(default_root(), take_whole(_SLOTS, "queue-slots", 1, slots.MOST))
