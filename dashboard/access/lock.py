"""What a control takes to be off, with the reason in its hover, where whoever looks may not do what it does."""

from __future__ import annotations

from typing import TypedDict

from core.people.acting import refusal_of


class Lock(TypedDict):
    """Two arguments of a widget."""

    disabled: bool
    help: str | None


def lock(role: str, *, help: str | None = None, disabled: bool = False) -> Lock:
    """Return `disabled` and `help` of a control whose action takes a role; the action itself refuses too."""
    refusal = refusal_of(role)
    return {"disabled": disabled or bool(refusal), "help": refusal or help}
