"""Errors of a page in words: what happened, why and what to do, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

from core.errors import RunError, UserError, describe_os_error
from core.runs import jobs
from core.runs.run import ACTIVE, Run
from dashboard.text import escape_markdown

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
        except UserError as error:
            st.info(escape_markdown(str(error)), icon=":material/info:")
        except OSError as error:
            st.error(escape_markdown(describe_os_error(error)), icon=":material/error:")
        except Exception as error:
            logging.getLogger("weakspot").exception("A page failed")
            what = escape_markdown(f"{type(error).__name__}: {error}".rstrip("."))
            st.error(
                f"This page could not be drawn: {what}. Nothing is lost. Reload it; if it stays, the whole error is "
                "in the terminal that runs the dashboard.",
                icon=":material/error:",
            )

    return draw_guarded


def try_to(action: Callable[[Run], None], run: Run) -> None:
    """Do something to a run, as a button's callback; what speaks against it is shown as a message."""
    try:
        action(run)
    except UserError as error:
        st.toast(escape_markdown(str(error)), icon=":material/info:")


def draw_not_yet(error: NotYet) -> None:
    """Show what is missing, and while the run goes on look again until its next epoch is done."""
    run, known = error.run, jobs.live_status(error.run)
    missing = escape_markdown(str(error))
    if known.state not in ACTIVE:
        advice = "Choose" if known.state == "finished" else "Resume it on the Runs page, or choose"
        st.info(
            f"{missing} It has {known.state}: {escape_markdown(known.message)} {advice} another run.",
            icon=":material/info:",
        )
        return
    st.info(f"{missing} It is {known.state}; this page fills by itself.", icon=":material/hourglass_top:")

    def look() -> None:
        status = jobs.live_status(run)
        st.progress(
            min(1.0, status.done / status.total) if status.total else 0.0, text=f"{run.id}: {status.phase}"
        )
        if status.best_epoch != known.best_epoch or status.state != known.state:
            st.rerun()

    st.fragment(look, run_every=POLL)()
