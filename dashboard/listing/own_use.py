"""What the user who is signed in takes of the disk and of the slots, beside what that may be."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.people.acting import now_acting
from core.people.limits import describe_use, list_held, read_limits
from core.queue.order import make_line
from core.queue.slots import read_slots
from core.runs.run import default_root
from dashboard.listing.rows import Row


def draw_own_use(rows: Sequence[Row]) -> None:
    """Say in a line what the user takes; nothing where nobody signs in."""
    name, root = now_acting().person.name, default_root()
    if not name:
        return
    line = make_line([(row.run, row.status) for row in rows], read_slots(root))
    used = sum(one.bytes for one in list_held(name, root))
    user = read_limits().get(name)
    st.caption(
        f":material/person: You use {describe_use(used, line.count_taken()[name], user)}.",
        help="Your runs and the images that you brought here, and the slots in which your runs train now. A slot is a GPU, or "
        "one of the CPU's.",
    )
