"""The settings of a training out of a file into the form, and those of a run into a file."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.errors import ConfigError
from core.recipe.config import TrainConfig
from core.recipe.config_text import read_settings_text, write_settings
from core.recipe.presets import from_preset
from core.recipe.settings import label_of
from core.runs.run import Run
from dashboard.guard import guard_callback
from dashboard.panels import forms
from dashboard.text import escape_markdown

_TURN = "settings-file-turn"


def draw_settings_file() -> None:
    """Take a file of settings and offer to put them into the form, or say which of its fields are wrong."""
    with st.popover("Settings from a file", icon=":material/upload_file:"):
        sent = st.file_uploader(
            "Drop the settings of a run, JSON or YAML",
            type=["json", "yaml", "yml"],
            key=f"settings-file-{st.session_state.get(_TURN, 0)}",
            max_upload_size=1,
        )
        if sent is None:
            return
        try:
            config = read_settings(sent.name, sent.getvalue(), str(st.session_state["form-data"]))
        except ConfigError as error:
            for field, problem in error.problems.items():
                st.error(f"**{label_of(field)}** {escape_markdown(problem)}", icon=":material/error:")
            return
        st.button(
            "Use these settings",
            type="primary",
            icon=":material/check:",
            key="settings-file-use",
            on_click=guard_callback(_use),
            args=(config,),
        )


def draw_save(run: Run) -> None:
    """Offer the settings of a run as a file, for `train --config` or the form of another dashboard."""
    st.download_button(
        "Save the settings (JSON)",
        write_settings(run.read_config()),
        file_name=f"{run.id}-settings.json",
        mime="application/json",
        icon=":material/download:",
        key="save-settings",
        on_click="ignore",
    )


def read_settings(name: str, content: bytes, data: str) -> TrainConfig:
    """Return the config that a file describes; what it leaves out is its preset's, and its folder the form's.

    Raises:
        ConfigError: naming each field that is unknown or wrong.
    """
    try:
        values = read_settings_text(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError:
        raise ConfigError({"config": f"{name} is not text"}) from None
    preset = str(values.pop("preset", "seed"))
    return replace(from_preset(preset, **{"data": data, **values}), name="", group="")


def _use(config: TrainConfig) -> None:
    forms.fill_form(config)
    st.session_state[_TURN] = int(st.session_state.get(_TURN, 0)) + 1
