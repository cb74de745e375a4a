"""Errors of a page in words: what happened, why and what to do, never a traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, ParamSpec

import streamlit as st

from core.errors import RunError, UserError, describe_error, describe_fault
from core.people.acting import LOOK, acting
from core.runs import jobs
from core.runs.run import Run
from core.stored.status import ACTIVE
from dashboard.access.who import find_acting
from dashboard.text import escape_markdown

POLL = 2.0
_P = ParamSpec("_P")
_INFO, _ERROR = ":material/info:", ":material/error:"
_TOLD = "told-by-callbacks"  # messages until they are shown
_KEPT = "kept-told"  # those that a toast cuts, until the next action or another page
_PAGE = "told-on"  # the page that was drawn last
_TOAST = 100  # letters that a toast shows whole


@dataclass(frozen=True)
class _Message:
    words: str
    icon: str
    duration: Literal["long", "infinite"]  # what went wrong stays until it is closed


@dataclass
class _Kept:
    """A message that stays where it was shown first: at the top of a page, or of the fragment its button is in."""

    message: _Message
    drawn_by: str = ""


class NotYet(RunError):
    """What a page needs of a run is still to come; the page looks again by itself."""

    def __init__(self, run: Run, message: str) -> None:
        super().__init__(message)
        self.run = run


def guard(draw: Callable[_P, None]) -> Callable[_P, None]:
    """Return a page, or a fragment of one, that shows its errors as messages."""

    def draw_guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
        who = find_acting()
        if not who.person.may(LOOK):  # the session has ended since the page was opened
            st.info("You are not signed in any more. Reload the page to sign in.", icon=":material/lock:")
            return
        _show_told(f"{draw.__module__}.{draw.__qualname__}")
        try:
            with acting(who):
                draw(*args, **kwargs)
        except NotYet as error:
            draw_not_yet(error)
        except UserError as error:
            st.info(escape_markdown(str(error)), icon=_INFO)
        except Exception as error:
            words = _describe(
                error, "This part of the page could not be drawn. Nothing is lost. Reload the page."
            )
            st.error(escape_markdown(words), icon=_ERROR)

    return draw_guarded


def guard_callback(act: Callable[..., object]) -> Callable[..., None]:
    """Return a callback that tells its errors as messages, over the page as it was.

    They are shown by what is drawn next: what a callback itself shows in a fragment would replace the top of the page.
    """

    def act_guarded(*args: object, **kwargs: object) -> None:
        st.session_state.pop(_KEPT, None)
        try:
            with acting(find_acting()):
                act(*args, **kwargs)
        except UserError as error:
            _tell(_Message(str(error), _INFO, "long"))
        except Exception as error:
            words = _describe(error, "That did not work. Nothing was lost.")
            _tell(_Message(words, _ERROR, "infinite"))

    return act_guarded


def _tell(message: _Message) -> None:
    st.session_state.setdefault(_TOLD, []).append(message)
    if len(message.words) > _TOAST:
        st.session_state.setdefault(_KEPT, []).append(_Kept(message))


def _show_told(drawn_by: str) -> None:
    """Show what callbacks told: all of it as toasts once, and long words whole by whoever draws first, as long as they hold."""
    for message in st.session_state.pop(_TOLD, []):
        st.toast(escape_markdown(message.words), icon=message.icon, duration=message.duration)
    for kept in st.session_state.get(_KEPT, ()):
        kept.drawn_by = kept.drawn_by or drawn_by
        if kept.drawn_by == drawn_by:
            st.warning(escape_markdown(kept.message.words), icon=kept.message.icon)


def forget_elsewhere(page: str) -> None:
    """Drop what actions on another page told; a whole run of the script begins with it."""
    if st.session_state.get(_PAGE, page) != page:
        st.session_state.pop(_KEPT, None)
    st.session_state[_PAGE] = page


def shown_page() -> str:
    """Return the name in the address of the page that was drawn last: in a callback the one that was acted on."""
    return str(st.session_state.get(_PAGE, ""))


def _describe(error: Exception, what: str) -> str:
    """Return what the system refused, or that the program failed at `what`; then its traceback goes to the log."""
    if isinstance(error, OSError):
        return describe_error(error)
    logging.getLogger("weakspot").error(what, exc_info=error)
    return f"{what} {describe_fault(error, 'the terminal that runs the dashboard')}"


def draw_not_yet(error: NotYet) -> None:
    """Show what is missing, and while the run goes on look again until its next epoch is done."""
    run, known = error.run, jobs.live_status(error.run)
    missing = escape_markdown(str(error))
    if known.state not in ACTIVE:
        ended = known.state == "finished" or known.hopeless
        advice = "Choose" if ended else "Resume it on the Runs page, or choose"
        # Of a run that has no epoch, what is missing tells how it ended.
        told = not known.has_best and known.state in ("failed", "crashed", "stopped")
        state = "" if told else f" It has {known.state}:"
        st.info(
            f"{missing}{state} {escape_markdown(known.message)} {advice} another run.",
            icon=":material/info:",
        )
        return
    st.info(f"{missing} It is {known.state}; this page updates by itself.", icon=":material/hourglass_top:")

    def look() -> None:
        status = jobs.live_status(run)
        st.progress(
            min(1.0, status.done / status.total) if status.total else 0.0, text=f"{run.id}: {status.phase}"
        )
        if status.best_epoch != known.best_epoch or status.state != known.state:
            st.rerun()

    st.fragment(guard(look), run_every=POLL)()
