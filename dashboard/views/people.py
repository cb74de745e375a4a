"""People, for administrators: who may sign in, what each takes and may take, and the record of who did what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from core.dataset.export import defuse
from core.errors import UserError
from core.files import format_rows
from core.people.acting import ADMINISTER, demand
from core.people.actions import FILE, HEAD, Action
from core.people.limits import describe_disk, measure_all
from core.people.record import LOOK, Reached, SoughtActions, find_actions
from core.people.users import User, read_users, set_limits, users_path
from core.places import own_command
from core.queue.order import read_line
from core.runs.run import default_root
from dashboard.access.who import sign_in_mode
from dashboard.guard import guard_callback
from dashboard.state import address, kept
from dashboard.state.number_field import draw_number, find_fault
from dashboard.text import escape_markdown, format_count

PAGE = 50  # actions
SAVED = 100_000  # actions in a table that is saved: all that the record keeps, and more
_GB = 10**9
_TURNS, _OF = (
    "people-turns",
    "people-turns-of",
)  # where the pages of the record begin, and what was looked for
# Widths in pixels: what is asked first fits beside the sidebar of a narrow window.
_COLUMNS = {
    "user": st.column_config.TextColumn(pinned=True, width=165),
    "role": st.column_config.TextColumn(width=85),
    "disk": st.column_config.TextColumn(
        help="Runs and images brought here, of the limit where there is one.", width=165
    ),
    "slots": st.column_config.NumberColumn(help="In which runs of this user train at the moment.", width=60),
    "slot limit": st.column_config.NumberColumn("slot limit", width=80),
}
_ACTION_ORDER = ("time", "who", "action", "end", "of", "why", "address")
_ACTION_COLUMNS = {
    name: st.column_config.TextColumn(width=width)
    for name, width in {"who": 110, "action": 105, "end": 65, "why": 260}.items()
}


def render() -> None:
    """Draw the page."""
    st.title("People")
    demand(ADMINISTER)
    if sign_in_mode():
        draw_users()
    else:
        st.info(
            "Nobody signs in to this server, so there are no users to show. Below is what was done here.",
            icon=":material/group_off:",
        )
    draw_record()


def draw_users() -> None:
    """Draw who may sign in with role, use and limits, and offer to change the limits of one."""
    users, root = read_users(users_path()), default_root()
    st.header("Users")
    st.dataframe(
        list_users(users, root),
        hide_index=True,
        column_config=_COLUMNS,
        alt="Users, a row each, with what they use and may use",
        placeholder="–",
    )
    st.caption(f"Users are added and removed on the machine of this server: **{own_command()} users**")
    if users:
        draw_limits(users)


def list_users(users: Mapping[str, User], root: Path) -> dict[str, list[str | float | None]]:
    """Return the columns of the table of users; who has no limit has none in it."""
    held, taken = measure_all(root), read_line(root).count_taken()
    names = sorted(users, key=str.casefold)
    found = [users[name] for name in names]
    return {
        "user": [*names],
        "role": [user.role for user in found],
        "disk": [
            describe_disk(sum(one.bytes for one in held.get(name, [])), user)
            for name, user in zip(names, found, strict=True)
        ],
        "slots": [taken[name] for name in names],
        "slot limit": [user.slots for user in found],
        "runs": [sum(one.is_run for one in held.get(name, [])) for name in names],
        "signs in by": ["password" if user.digest else "provider" for user in found],
    }


def draw_limits(users: Mapping[str, User]) -> None:
    """Offer to change what a user may take."""
    names = sorted(users, key=str.casefold)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Limits of", names, key="people-name", width=240)
        known = users[name]
        # Keys of their own for each user and what is kept, so that a field shows that and nobody else's.
        own = f"{name}-{known.disk}-{known.slots}"
        disk = st.number_input(
            "Disk (GB)",
            0.001,
            value=None if known.disk is None else known.disk / _GB,
            format="%.6g",
            key=f"people-disk-{own}",
            placeholder="no limit",
            width=170,
            help="At the limit the user starts, resumes and brings in nothing more. What trains goes on.",
        )
        slots = draw_number(
            "Slots at a time",
            1,
            None,
            value=known.slots,
            key=f"people-slots-{own}",
            placeholder="no limit",
            width=170,
            help="A GPU each, or one of the CPU's. Further runs of the user wait, and let those of others pass.",
        )
        asked = None if disk is None else max(1, round(disk * _GB))
        st.button(
            "Set the limits",
            type="primary",
            key="people-set",
            disabled=(asked, slots) == (known.disk, known.slots),
            on_click=guard_callback(keep_limits),
            args=(name, asked, slots, known),
        )


def keep_limits(name: str, disk: int | None, slots: float | None, shown: User) -> None:
    """Set what a user may take and say that it is kept.

    Raises:
        UserError: where the slots are no whole number, where other limits than those `shown` hold by now, or as `set_limits`.
    """
    if slots is not None and (fault := find_fault(slots, 1, None)):
        raise UserError(f"Slots at a time {fault}.")
    now = read_users(users_path()).get(name, shown)
    if (now.disk, now.slots) != (shown.disk, shown.slots):
        raise UserError(
            f"Somebody else has changed the limits of {name} meanwhile: {now.describe_limits()}. Set yours again if they still fit."
        )
    limits = User("", disk=disk, slots=None if slots is None else int(slots))
    set_limits(users_path(), name, disk=limits.disk, slots=limits.slots)
    st.toast(
        f"Saved. Limits of {escape_markdown(name)}: {limits.describe_limits()}.", icon=":material/check:"
    )


def draw_record() -> None:
    """Draw who did what, newest first, a page at a time."""
    st.header("Who did what")
    file = default_root() / FILE
    newest = find_actions(file, SoughtActions(), most=PAGE).actions
    if not newest:
        st.caption("Nothing was done yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sought = SoughtActions(
            who=_draw_filter("who", "Person", sorted({one.name for one in newest})),
            what=_draw_filter("what", "Action", sorted({one.what for one in newest})),
        )
        st.download_button(
            "Save as CSV",
            lambda: save_record(file, sought),
            file_name="actions.csv",
            mime="text/csv",
            icon=":material/download:",
            key="people-save",
            on_click="ignore",
            help="All that is looked for, newest first.",
        )
    turns: list[Reached | None] = st.session_state.setdefault(_TURNS, [None])
    if st.session_state.get(_OF) != sought:
        st.session_state[_OF], turns[:] = sought, [None]
    found = find_actions(file, sought, most=PAGE, after=turns[-1])
    draw_actions(found.actions, looked_on=found.further is not None)
    with st.container(horizontal=True):
        st.button(
            "Newer",
            icon=":material/arrow_upward:",
            key="people-newer",
            disabled=len(turns) == 1,
            on_click=guard_callback(turns.pop),
        )
        st.button(
            "Older",
            icon=":material/arrow_downward:",
            key="people-older",
            disabled=found.further is None,
            on_click=guard_callback(turns.append),
            args=(found.further,),
        )


def _draw_filter(name: str, title: str, known: Sequence[str]) -> str:
    """Offer what stands on the newest page, or any other word; the URL keeps it. Return it, empty for any."""
    chosen = address.get_param(name)
    st.session_state[f"people-{name}"] = chosen or None
    st.selectbox(
        title,
        sorted({*known, *([chosen] if chosen else [])}),
        index=None,
        key=f"people-{name}",
        accept_new_options=True,
        placeholder="any",
        width=240,
        on_change=guard_callback(
            lambda: kept.keep(name, str(st.session_state[f"people-{name}"] or ""), address.ANY)
        ),
    )
    return chosen


def draw_actions(found: Sequence[Action], *, looked_on: bool) -> None:
    """Draw actions as a table; where there is none, say whether there may be older ones."""
    if not found:
        older = f"the newest {LOOK // 10**6} MB of the record. Look at older ones" if looked_on else ""
        st.info(f"There is no such action in {older or 'the record'}.", icon=":material/search_off:")
        return
    rows = [one.list_cells() for one in found]
    ends = Counter(one.end for one in found)
    told = ", ".join(f"{count:,} {end}" for end, count in ends.items() if end != "done")
    st.caption(f"{format_count(len(found), 'action')}, newest first{f': {told}' if told else ''}")
    st.dataframe(
        {name: [row[place] for row in rows] for place, name in enumerate(HEAD)},
        hide_index=True,
        column_config=_ACTION_COLUMNS,
        column_order=_ACTION_ORDER,
        alt="Actions, a row each: when, who, from where, what, of what, how it ended, and why it was not done",
        placeholder="–",
    )


def save_record(file: Path, sought: SoughtActions) -> str:
    """Return the actions that are looked for as CSV, without formulas."""
    found = find_actions(file, sought, most=SAVED, look=LOOK * 10).actions
    return format_rows(HEAD, ([defuse(cell) for cell in one.list_cells()] for one in found))
