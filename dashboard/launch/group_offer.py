"""On the Train page: file names that seem to tell groups, and keeping those on one side in one click."""

from __future__ import annotations

import streamlit as st

from core.recipe.config import COPIES, NAME, TrainConfig
from dashboard.guard import guard_callback
from dashboard.panels import forms
from dashboard.state import data_folder
from dashboard.text import escape_markdown


def draw_group_offer(config: TrainConfig) -> None:
    """Offer to keep images together whose file names begin alike, where images are split off and most share a beginning."""
    found = data_folder.summarise_data(config)
    if not found.beginning or config.group_by != COPIES:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f":material/burst_mode: Most images share the beginning of their name with others of their class, such as "
            f"“{escape_markdown(found.beginning)}”. If that is one film, object or patient, keep its images on one side of the "
            "split, or validation is easier than new images are."
        )
        st.button(
            "Keep them together",
            icon=":material/join:",
            key="keep-together",
            on_click=guard_callback(forms.set_field),
            args=("group_by", NAME),
        )
