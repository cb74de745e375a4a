"""The one error that is told to its user in words; any other exception is a fault of the program."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path

from core.places import name_place

_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_MANY = (errno.EMFILE, errno.ENFILE)
_WORD, _TEXT = 200, 2500  # letters
_ENDLESS = re.compile(r"\S{1000,}")  # longer than a path needs to be


class UserError(Exception):
    """Something that its user can mend; the text says what happened, why, and what to do.

    What it quotes of a file may be of any length, and is cut so that the rest can be read.
    """

    def __init__(self, text: str) -> None:
        super().__init__(cut(text))


class ConfigError(UserError):
    """A configuration was refused; `problems` maps the field's name to what is wrong with it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = {cut(field): cut(what) for field, what in problems.items()}
        super().__init__("; ".join(f"{field}: {what}" for field, what in self.problems.items()))


class DataError(UserError):
    """The data set cannot be used as it is; the text names the file or folder and the fix."""


class RunError(UserError):
    """Something about a run that its user can mend; the text says what and how."""


class WeightsError(UserError):
    """Weights cannot be had or do not fit; the text says what else there is."""


class Refused(UserError):
    """What was asked is against a rule that somebody set: a role, or a limit."""


def cut(text: str) -> str:
    """Return a text for people: of a word without end its beginning, of a text without end likewise."""
    words = _ENDLESS.sub(lambda word: f"{word[0][:_WORD]}…", text)
    return words if len(words) <= _TEXT else f"{words[:_TEXT]} …"


def describe_error(error: UserError | OSError) -> str:
    """Return in words what its user can mend; of what the system refused also for which file, where it says so."""
    if isinstance(error, UserError):
        return str(error)
    what = describe_cause(error)
    return f"{name_place(error.filename)}: {what}" if isinstance(error.filename, str | Path) else what


def describe_cause(error: OSError) -> str:
    """Return why the system refused, without the file: 'the disk is full'."""
    if is_full(error) and error.strerror == os.strerror(error.errno or 0):
        return "the disk is full"
    if error.errno in _TOO_MANY and error.strerror == os.strerror(error.errno):
        return "too many files are open at once; allow more (ulimit -n 4096) and start again"
    return error.strerror or str(error)


def describe_unreadable(error: Exception) -> str:
    """Return why a file could not be read, without the file: of the system's refusals the cause, else what was wrong with its content."""
    return describe_cause(error) if isinstance(error, OSError) else str(error)


def is_full(error: OSError) -> bool:
    """Tell whether the system refused for want of room on the disk."""
    return error.errno in _FULL


def describe_fault(error: Exception, log: str) -> str:
    """Return in one line that the program itself failed, and where the traceback is to be found."""
    what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".: ")
    return f"An unexpected fault ({what}). The whole error is in {log}."
