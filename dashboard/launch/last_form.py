"""What the form held last, kept beside the runs: it is there again after a reload of the page or a restart of the server."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from core.errors import ConfigError, UserError
from core.files import write_text
from core.people.acting import TRAIN, now_acting
from core.people.roots import allow_path
from core.places import expand_home
from core.recipe.config import TrainConfig
from core.runs.run import default_root
from dashboard.panels import forms

_WRITTEN = "last-form-written"


def restore_form(wanted: str) -> bool:
    """Fill the form as it was last; False where it was not yet, was on another folder than `wanted`, or its folder is gone."""
    config = read_last()
    if config is None or (wanted and expand_home(config.data) != expand_home(wanted)):
        return False
    try:
        if not allow_path(config.data).is_dir():
            return False
    except (UserError, OSError):
        return False
    forms.fill_form(config)
    return True


def keep_form(config: TrainConfig | None) -> None:
    """Keep what the form holds where it is right and has changed; where that cannot be written, nothing is lost but this.

    What goes on from a run is of that run's page, and would be no form to begin with.
    """
    if not now_acting().person.may(TRAIN):  # it is one form for everybody
        return
    if config is None or config.focus or config.pairs or config.weights.startswith("run:"):
        return
    if st.session_state.get(_WRITTEN) == config:
        return
    st.session_state[_WRITTEN] = config
    try:
        default_root().mkdir(parents=True, exist_ok=True)
        write_text(last_path(), replace(config, name="", group="").to_json())
    except OSError:
        return


def read_last() -> TrainConfig | None:
    """Return what the form held last; None where nothing is kept that can be read."""
    try:
        return TrainConfig.from_json(last_path().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ConfigError):
        return None


def last_path() -> Path:
    """Return where the form is kept."""
    return default_root() / ".form.json"
