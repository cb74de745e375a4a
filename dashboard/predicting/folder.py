"""A folder on this machine, asked for by its path."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

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
    images = allow_path(asked)
    if os.path.isdir(images):  # noqa: PTH112  Path's raises for a name that is too long
        return images
    st.warning(
        f"{escape_markdown(str(images))}: there is no such folder on this machine.",
        icon=":material/folder_off:",
    )
    return None
