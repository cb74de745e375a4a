"""Ends a job that does not answer a stop: one whose disk of images hangs, or whose loading processes do, asks nothing any more."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psutil

from core.runs.journal import Journal
from core.words import format_duration

# Seconds without a sign of life, once a stop was asked for, after which a job counts as stuck. Where the longest time
# between two signs was longer, as with large steps on a slow machine, it gets a multiple of that.
PATIENCE = 120.0
_TIMES = 5
_SAVING = 900.0  # the same of a job that has seen the stop and saves
_LOOK = 0.5  # seconds between two looks
EXIT_CODE = 1  # of a job that was stopped


@contextmanager
def end_when_stuck(journal: Journal) -> Iterator[None]:
    """End this process, with its children and in words, if its work is asked to stop while this lasts and gives no sign."""
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(journal, done), daemon=True, name="watchdog")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=10)


def _watch(journal: Journal, done: threading.Event) -> None:
    longest, last, since = 0.0, journal.heard, 0.0
    while not done.wait(_LOOK):
        now = time.monotonic()
        longest, last = max(longest, journal.heard - last), journal.heard
        state = journal.find_request()
        if not state:
            since = 0.0
            continue
        since = since or now
        patience = _SAVING if journal.obeys else max(PATIENCE, _TIMES * longest)
        if now - max(since, last) > patience and not done.is_set():
            _end(journal, state, now - last)


def _end(journal: Journal, state: str, silent: float) -> None:
    saved = " Resume goes on from its last checkpoint." if journal.run.last_path.exists() else ""
    message = (
        f"{state.capitalize()} as asked, but by force: it had given no sign for {format_duration(silent)}, most likely "
        f"because the disk with its images does not answer.{saved}"
    )
    with suppress(OSError):
        journal.write(message)
    with suppress(OSError):
        journal.run.clear_requests()
        ended = replace(
            journal.status, state=state, phase=state, message=message, ended=time.time(), seconds_left=0.0
        )
        journal.run.write_status(ended)
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    os._exit(EXIT_CODE)
