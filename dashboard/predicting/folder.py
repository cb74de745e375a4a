"""A folder on this machine, asked for by its path."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from core.errors import UserError
from core.people.roots import allow_path
from dashboard.text import escape_markdown


def draw_folder(title: str, suggested: str, *, key: str, help: str) -> Path | None:
    """Let the user name a folder of images; None where there is none of that name, which is said."""
    asked = st.text_input(title, suggested, key=key, help=help, persist_state="session").strip()
    if not asked:
        st.info(
            "Give the path of a folder of images, such as the data set's test/.",
            icon=":material/folder_open:",
        )
        return None
    try:
        images = allow_path(asked)
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/folder_off:")
        return None
    if os.path.isdir(images):  # noqa: PTH112  Path's raises for a name that is too long
        return images
    is_file = os.path.isfile(images)  # noqa: PTH113
    told = "this is a file. Give its folder." if is_file else "there is no such folder on this machine."
    st.warning(f"{escape_markdown(str(images))}: {told}", icon=":material/folder_off:")
    return None
