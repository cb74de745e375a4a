"""On the Data page: how many images of validation training has too, and a training without that in one click."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.dataset.audit import Audit
from core.errors import UserError
from core.marks.fix_list import list_corrections
from core.marks.leaks import MADE, Leaks, find_leaks, write_leak_list
from core.people.acting import TRAIN, demand
from core.recipe.config import COPIES, NONE
from core.runs.run import Run
from dashboard.access.lock import lock
from dashboard.panels import forms
from dashboard.state import services
from dashboard.text import escape_markdown, format_class, format_count, format_share


def draw_remedy(audit: Audit, folder: Path, run: Run | None, group_by: str) -> None:
    """Say how many images judge nothing new, and offer to train without that; nothing where an audit (in `folder`) found none.

    `group_by` is how the audit kept images together.
    """
    leaks = find_leaks(audit)
    if leaks is None:
        return
    if run is not None and is_closed(run, leaks):
        st.success(
            f"{leaks.describe()}. {escape_markdown(run.id)} was trained without those.",
            icon=":material/task_alt:",
        )
        return
    with st.container(border=True):
        st.markdown(
            f":red[:material/error:] **{leaks.describe()}.** A model knows those already, so the accuracy shown is too high."
        )
        if not audit.val_made and leaks.emptied:
            names = ", ".join(escape_markdown(format_class(name, audit.display)) for name in leaks.emptied)
            st.markdown(
                f"All training images of **{names}** have a copy or another image of their group in validation. Move each group to one "
                "of the two folders, or add images of other groups."
            )
            return
        if audit.val_made and group_by != NONE:
            st.markdown(
                "They belong to classes whose images all look the same, so they are on both sides anyway."
            )
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(
                "Make a split without leaks", icon=":material/call_split:", key="data-no-leaks", **lock(TRAIN)
            ):
                fill_form(audit, leaks, folder, run)
                st.switch_page(st.session_state["pages"]["train"])
            st.caption(describe_remedy(audit, leaks))


def is_closed(run: Run, leaks: Leaks) -> bool:
    """Tell whether a run left all images of training that leak out."""
    try:
        dropped = set(run.read_json("data.json").get("dropped", ()))
    except UserError:
        return False
    return dropped.issuperset(path for path, _ in leaks.train)


def describe_remedy(audit: Audit, leaks: Leaks) -> str:
    """Say what the training that is offered does otherwise."""
    if audit.val_made:
        return "Splits the images again, with those that look the same on one side. Nothing on disk changes."
    count = len(leaks.train)
    share = format_share(count / max(1, audit.count_split("train")))
    return (
        f"Leaves {format_count(count, 'training image')} out ({share}), by a fix list. Validation stays as it is, so that you can "
        "compare with earlier runs. Nothing on disk changes."
    )


def fill_form(audit: Audit, leaks: Leaks, folder: Path, run: Run | None) -> None:
    """Put a training without leaks into the form; where validation is a folder, by a fix list written beside the audit.

    Raises:
        DataError, RunError, OSError: when the list cannot be made.
        NotAllowed: to whoever may not train.
    """
    demand(TRAIN)
    if audit.val_made:
        forms.fill_without_leaks(str(audit.root), run, group_by=COPIES)
        return
    corrections = []
    if run is not None and (run.folder / "data.json").exists():
        data = services.read_data(run)
        trained = {path for paths in data.train_paths.values() for path in paths}
        corrections = list_corrections(run.folder, services.read_marks(run, data).marks, trained)
    place = write_leak_list(folder / MADE, audit, leaks, corrections)
    forms.fill_without_leaks(str(audit.root), run, fixes=str(place.resolve()))
