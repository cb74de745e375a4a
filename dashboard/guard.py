"""Errors of a page in words: what happened, why and what to do, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from core import jobs
from core.config import ConfigError
from core.runs import ACTIVE, Run, RunError

POLL = 2.0
_P = ParamSpec("_P")


class NotYet(RunError):
    """What a page needs of a run is still to come; the page looks again by itself."""

    def __init__(self, run: Run, message: str) -> None:
        super().__init__(message)
        self.run = run


def guard(draw: Callable[_P, None]) -> Callable[_P, None]:
    """Return a page, or a fragment of one, that shows its errors as messages."""

    def draw_guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except NotYet as error:
            draw_not_yet(error)
        except (RunError, ConfigError, FileNotFoundError) as error:
            st.info(str(error), icon=":material/info:")
        except Exception as error:
            logging.getLogger("weakspot").exception("A page failed")
            st.error(
                f"This page could not be drawn: {type(error).__name__}: {error}. Nothing is lost. Reload it; if it "
                "stays, the whole error is in the terminal that runs the dashboard.",
                icon=":material/error:",
            )

    return draw_guarded


def draw_not_yet(error: NotYet) -> None:
    """Show what is missing, and while the run goes on look again until its next epoch is done."""
    run, known = error.run, jobs.live_status(error.run)
    if known.state not in ACTIVE:
        st.info(
            f"{error} The run is {known.state}. Resume it on the Runs page, or choose another run.",
            icon=":material/info:",
        )
        return
    st.info(f"{error} It is {known.state}; this page fills by itself.", icon=":material/hourglass_top:")

    def look() -> None:
        status = jobs.live_status(run)
        st.progress(
            min(1.0, status.done / status.total) if status.total else 0.0, text=f"{run.id}: {status.phase}"
        )
        if status.best_epoch != known.best_epoch or status.state != known.state:
            st.rerun()

    st.fragment(look, run_every=POLL)()
