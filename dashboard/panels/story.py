"""What a form that another page filled in is ready for, and in what it differs from the run it came from."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.errors import UserError
from core.recipe.config import TrainConfig
from core.recipe.settings import find_differing, format_setting, label_of
from core.runs.run import Run
from dashboard.text import escape_markdown

_KEY = "form-story"


@dataclass(frozen=True)
class _Story:
    words: str  # Markdown
    run: Run


def tell(words: str, run: Run) -> None:
    """Keep for the form what it is ready to do (Markdown, "specialise x on y."), and the run it came from."""
    st.session_state[_KEY] = _Story(words, run)


def forget() -> None:
    """Forget it: the form is filled in anew."""
    st.session_state.pop(_KEY, None)


def draw_story(config: TrainConfig | None) -> None:
    """Say above a form that was filled in what it is ready for, and what is not as it was in that run."""
    story = st.session_state.get(_KEY)
    if story is None:
        return
    st.success(f"**Ready to {story.words}**", icon=":material/task_alt:")
    if config is None:
        return
    try:
        before = story.run.read_config()
    except UserError:
        return  # it was deleted meanwhile
    changed = [
        f"{label_of(field)} {escape_markdown(format_setting(before, field))} → "
        f"{escape_markdown(format_setting(config, field))}"
        for field in find_differing([before, config])
    ]
    if changed:
        st.caption(f"Different from {escape_markdown(story.run.id)}: {' · '.join(changed)}")
