"""A run's note, tags and name: what is said of it in a line, and the dialog in which it is edited."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import UserError, describe_error
from core.runs import notes
from core.runs.notes import Note
from core.runs.run import Run
from dashboard.guard import guard
from dashboard.state import address
from dashboard.text import escape_markdown


def describe_note(note: Note) -> str:
    """Return tags and note in Markdown; empty where there are none."""
    tags = " ".join(f":violet-badge[{escape_markdown(tag)}]" for tag in note.tags)
    text = escape_markdown(" ".join(note.text.split()))
    return " ".join(filter(None, (tags, text)))


def draw_note_button(run: Run) -> None:
    """Offer to edit a run's note, tags and name."""
    if st.button("Note", icon=":material/edit_note:", key=f"note-{run.id}", help="Note, tags and name"):
        st.dialog(f"About {run.id}")(guard(_edit))(run)


def _edit(run: Run) -> None:
    note = notes.read_note(run)
    text = st.text_area(
        "Note", note.text, max_chars=notes.LONGEST, placeholder="What was tried, and what came of it",
        key=f"note-text-{run.id}",
    )  # fmt: skip
    tags = st.text_input("Tags", ", ".join(note.tags), help="Separated by commas.", key=f"note-tags-{run.id}")
    name = st.text_input("Name", run.id, help="Letters, digits, '.', '_' and '-'.", key=f"note-name-{run.id}")
    if not st.button("Save", type="primary", icon=":material/check:", key=f"note-save-{run.id}"):
        return
    try:
        notes.write_note(run, replace(note, text=text.strip(), tags=notes.parse_tags(tags)))
        renamed = notes.rename(run, name.strip()) if name.strip() != run.id else run
    except (UserError, OSError) as error:
        st.error(escape_markdown(describe_error(error)), icon=":material/error:")
        return
    if renamed != run and st.session_state.get("run") == run.id:
        address.choose_run(renamed)
    st.rerun()
