"""A run's note, tags and name: what is said of it in a line, and the dialog in which it is edited."""

from __future__ import annotations

import streamlit as st

from core.people.acting import TRAIN, refusal_of
from core.runs import notes
from core.runs.notes import Note
from core.runs.run import Run
from dashboard.access.lock import lock
from dashboard.guard import guard, guard_callback
from dashboard.state import address
from dashboard.text import escape_markdown

_SAVED = "note-saved"


def describe_note(note: Note) -> str:
    """Return tags and note in Markdown; empty where there are none."""
    tags = " ".join(f":violet-badge[{escape_markdown(tag)}]" for tag in note.tags)
    text = escape_markdown(" ".join(note.text.split()))
    return " ".join(filter(None, (tags, text)))


def draw_note_button(run: Run, words: str = "") -> None:
    """Offer to edit a run's note, tags and name, by `words` or by a picture alone."""
    help = None if words else "Note, tags and name"
    if st.button(words, icon=":material/edit_note:", key=f"note-{run.id}", help=help):
        st.dialog(f"About {run.id}")(guard(_edit))(run)


def _edit(run: Run) -> None:
    note, refusal = notes.read_note(run), refusal_of(TRAIN)
    if refusal:
        st.caption(f":material/lock: {escape_markdown(refusal)}")
    st.text_area(
        "Note", note.text, max_chars=notes.LONGEST, placeholder="What was tried, and what came of it",
        key=f"note-text-{run.id}", disabled=bool(refusal),
    )  # fmt: skip
    st.text_input(
        "Tags", ", ".join(note.tags), help="Separated by commas.", key=f"note-tags-{run.id}", disabled=bool(refusal)
    )  # fmt: skip
    st.text_input(
        "Name", run.id, help="Letters, digits, '.', '_' and '-'.", key=f"note-name-{run.id}", disabled=bool(refusal)
    )  # fmt: skip
    st.button(
        "Save",
        type="primary",
        icon=":material/check:",
        key=f"note-save-{run.id}",
        on_click=guard_callback(_save),
        args=(run,),
        **lock(TRAIN),
    )
    if st.session_state.pop(_SAVED, False):
        st.rerun()  # closes the dialog; what was refused leaves it open, with what was typed


def _save(run: Run) -> None:
    text, tags, name = (str(st.session_state[f"note-{what}-{run.id}"]) for what in ("text", "tags", "name"))
    notes.write_note(run, text=text.strip(), tags=notes.parse_tags(tags))
    renamed = notes.rename(run, name.strip())
    st.session_state[_SAVED] = True
    if renamed != run and st.session_state.get("run") == run.id:
        address.choose_run(renamed)
