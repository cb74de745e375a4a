"""Who looks at a page: whoever sits at this machine, or the user of a session where signing in is demanded."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import streamlit as st

from core.people.acting import ADMINISTER, LOOK, NOBODY, Acting, Person
from core.people.actions import FILE, Action, keep_action
from core.people.sessions import Sessions
from core.people.users import users_path
from core.places import own_folder, real_path, uploads_folder
from core.runs.run import default_root
from dashboard.access.provided import Provided

# Of the environment that the server is started in.
MODE, ROOTS, BASE = "WEAKSPOT_SIGN_IN", "WEAKSPOT_ROOTS", "WEAKSPOT_BASE_PATH"
PASSWORD, PROVIDER = "password", "provider"  # the ways to sign in
COOKIE = "weakspot-session"
SENDER = "x-weakspot-user"  # the header in which the gate tells Streamlit who is signed in; its config.toml names it too


def sign_in_mode() -> str:
    """Return how users of this server sign in; empty where nobody does."""
    return os.environ.get(MODE, "")


def base_path() -> str:
    """Return the path that every address of this server begins with, such as /weakspot; empty for none."""
    return os.environ.get(BASE, "")


@cache
def open_provided() -> Provided:
    """Return whom a provider has signed in to this server, which its gate and its pages share."""
    return Provided(users_path())


@cache
def open_sessions() -> Sessions:
    """Return the sessions of this server, which its gate and its pages share."""
    return Sessions(users_path())


def find_acting() -> Acting:
    """Return who acts on the page that is being drawn, as of now: a session may have ended since it was opened."""
    kept_in, mode = default_root() / FILE, sign_in_mode()
    if not mode:
        return Acting(Person("", ADMINISTER, "this machine"), None, kept_in)
    person = _find_provided() if mode == PROVIDER else _find_signed_in()
    if person is None or not person.may(LOOK):
        return NOBODY
    return Acting(person, list_roots(), kept_in)


def keep_sign(what: str, who: str, address: str, end: str = "done") -> None:
    """Keep among the actions that somebody came in or left: beside the runs, where those that they do stand too."""
    asked = Action.now(who, address, what, "")
    keep_action(default_root() / FILE, replace(asked, end=end))


def list_roots() -> tuple[Path, ...]:
    """Return the folders whose files users may name: runs, built-in data and uploads, the data opened, and each --root."""
    given = (os.environ.get("WEAKSPOT_DATA", ""), *os.environ.get(ROOTS, "").split(os.pathsep))
    return _follow(
        (str(default_root()), str(own_folder() / "data"), str(uploads_folder()), *filter(None, given))
    )


@cache
def _follow(folders: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(map(real_path, folders)))


def _find_signed_in() -> Person | None:
    return open_sessions().find_person(st.context.cookies.get(COOKIE, ""))


def _find_provided() -> Person | None:
    return open_provided().find_person(st.context.cookies.to_dict(), str(st.context.ip_address or ""))
