"""Who acts, what that person may do, and the one door that every action of a page goes through."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from core.errors import Refused, UserError, describe_error
from core.people.actions import Action, keep_action

_P = ParamSpec("_P")
_T = TypeVar("_T")
LOOK, TRAIN, ADMINISTER = "look", "train", "administer"
ROLES = (LOOK, TRAIN, ADMINISTER)  # each may do what those before it may
MEANINGS = {
    LOOK: "sees everything and predicts",
    TRAIN: "also starts, stops and resumes work, marks images, writes notes and deletes runs of their own",
    ADMINISTER: "also archives and deletes any run, sets limits and changes the settings of the server",
}


class NotAllowed(Refused):
    """The person who asks may not do this; the text says which role it takes."""


@dataclass(frozen=True)
class Person:
    """Who acts: a user by name, or with an empty name whoever sits at this machine; `address` is where from."""

    name: str = ""
    role: str = ADMINISTER
    address: str = ""

    def may(self, role: str) -> bool:
        """Tell whether this person may do what takes a role."""
        return self.role in ROLES and ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True)
class Acting:
    """A person at work: the folders whose files may be named (None: all), and the file that keeps what was done."""

    person: Person = field(default_factory=Person)
    roots: tuple[Path, ...] | None = None
    kept_in: Path | None = None
    within: bool = False  # inside an action that was allowed: its parts are not asked nor kept anew


NOBODY = Acting(Person("", "", ""), roots=())
_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)
_otherwise = Acting()  # who acts where nobody was named: the command line's user


def now_acting() -> Acting:
    """Return who acts in this thread."""
    return _acting.get() or _otherwise


@contextmanager
def acting(who: Acting) -> Iterator[None]:
    """Let somebody act until the end of the block."""
    token = _acting.set(who)
    try:
        yield
    finally:
        _acting.reset(token)


def demand_names() -> None:
    """Let nobody act unnamed in this process from now on: a path that forgets to say who acts is refused."""
    global _otherwise
    _otherwise = NOBODY


def refusal_of(role: str) -> str:
    """Say why the person who acts may not do what takes a role; empty where that is allowed."""
    person = now_acting().person
    if person.may(role):
        return ""
    if person.role not in ROLES:
        return "You are no longer signed in. Sign in again."
    return f"This needs the role {role}; {person.name} has the role {person.role}. Ask an administrator."


def demand(role: str) -> None:
    """Ask before a file is written for an action that takes a role; raises NotAllowed where that is refused."""
    if refusal := refusal_of(role):
        raise NotAllowed(refusal)


def keep_refusal(what: str, of: str, why: str) -> None:
    """Keep that something was refused to the person who acts, before it became an action."""
    who = now_acting()
    asked = Action.now(who.person.name, who.person.address, what, of)
    keep_action(who.kept_in, asked.ended("refused", why))


def needs(
    role: str | Callable[..., str],
    what: str,
    of: Callable[..., str],
    made: Callable[..., str] | None = None,
) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Make an action of a function: it takes a role, and is kept with who did it and whether it was refused.

    `role` may depend on what is asked; `of` names what it is done to, and `made` what came of it, which is kept in its place.
    """

    def make(act: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(act)
        def act_allowed(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            who = now_acting()
            if who.within:
                return act(*args, **kwargs)
            asked = Action.now(who.person.name, who.person.address, what, of(*args, **kwargs))
            refusal = refusal_of(role(*args, **kwargs) if callable(role) else role)
            if refusal:
                keep_action(who.kept_in, asked.ended("refused", refusal))
                raise NotAllowed(refusal)
            try:
                with acting(replace(who, within=True)):
                    done = act(*args, **kwargs)
            except Exception as error:
                end = "refused" if isinstance(error, Refused) else "failed"
                keep_action(who.kept_in, asked.ended(end, _tell(error)))
                raise
            keep_action(who.kept_in, asked.of_made(made(done)) if made else asked)
            return done

        return act_allowed

    return make


def _tell(error: Exception) -> str:
    """Return why an action was not done: of a fault of the program its kind alone, since its text may hold anything."""
    return describe_error(error) if isinstance(error, (UserError, OSError)) else type(error).__name__
