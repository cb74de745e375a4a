"""Errors in words: what a user can mend in one line, a fault of the program with the place of its traceback."""

from __future__ import annotations

import argparse
import errno
from typing import Any

import pytest

from core.__main__ import main
from core.errors import (
    ConfigError,
    DataError,
    RunError,
    UserError,
    WeightsError,
    describe_error,
    describe_fault,
)


@pytest.mark.parametrize("kind", [ConfigError, DataError, RunError, WeightsError])
def test_each_error_told_in_words_is_of_the_one_kind_and_no_fault_is(kind: type[Exception]) -> None:
    assert issubclass(kind, UserError)
    assert not issubclass(kind, (ValueError, RuntimeError, TypeError, OSError))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RunError("what, why and what to do"), "what, why and what to do"),
        (ConfigError({"lr": "must be a number"}), "lr: must be a number"),
        (PermissionError(13, "Permission denied", "/locked"), "/locked: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.ENOSPC, "No space left on device", "last.pt"), "last.pt: the disk is full"),
        (OSError("neither file nor number"), "neither file nor number"),
    ],
)
def test_what_a_user_can_mend_is_told_in_words(error: UserError | OSError, words: str) -> None:
    assert describe_error(error) == words


def test_a_fault_is_told_in_one_line_that_names_its_kind_and_where_all_of_it_is() -> None:
    assert describe_fault(ValueError("shapes (2,)\nand (3,)."), "train.log") == (
        "An unexpected fault (ValueError: shapes (2,) and (3,)). The whole error is in train.log."
    )
    assert describe_fault(KeyError(), "it").startswith("An unexpected fault (KeyError). ")


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, TypeError])
def test_a_command_tells_no_fault_in_one_line(kind: type[Exception]) -> None:
    def fail(_: argparse.Namespace) -> int:
        raise kind("not for its user to mend")

    def add_failing_command(commands: Any) -> None:
        commands.add_parser("fail").set_defaults(command=fail)

    with pytest.raises(kind, match="not for its user"):
        main(["fail"], add_first=add_failing_command)


def test_what_an_error_quotes_is_cut_so_that_the_rest_can_be_read() -> None:
    long = "x" * 100_000
    assert str(DataError(f"The column {long} is twice there. Rename one.")) == (
        f"The column {'x' * 200}… is twice there. Rename one."
    )
    assert len(str(DataError("many words " * 10_000))) < 3000
    refused = ConfigError({long: "is no setting", "lr": f"must be a number, got {long}"})
    assert all(len(field) + len(what) < 500 for field, what in refused.problems.items())
    path = "/a" * 499
    assert str(DataError(f"{path}: is empty.")) == f"{path}: is empty."
