"""The one error that is told to its user in words; any other exception is a fault of the program."""

from __future__ import annotations

from collections.abc import Mapping


class UserError(Exception):
    """Something that its user can mend; the text says what happened, why, and what to do."""


class ConfigError(UserError):
    """A configuration was refused; `problems` maps the field's name to what is wrong with it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{field}: {what}" for field, what in self.problems.items()))


class DataError(UserError):
    """The data set cannot be used as it is; the text names the file or folder and the fix."""


class RunError(UserError):
    """Something about a run that its user can mend; the text says what and how."""


class WeightsError(UserError):
    """Weights cannot be had or do not fit; the text says what else there is."""


def describe_os_error(error: OSError) -> str:
    """Return in one line what the system refused, and for which file where it says so."""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
