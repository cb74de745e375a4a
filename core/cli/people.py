"""The commands about who may sign in to the dashboard, and what was done there: `users` and `actions`."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from core.errors import UserError
from core.people.acting import MEANINGS, ROLES
from core.people.actions import FILE, HEAD, read_actions
from core.people.limits import parse_size
from core.people.users import LONGEST, add_user, find_user, read_users, remove_user, set_limits, users_path
from core.places import own_command
from core.runs.run import default_root
from core.words import format_count


def add_commands(commands: Any) -> None:
    """Add the parsers of `users` and `actions`."""
    users = commands.add_parser("users", help="manage who may sign in to the dashboard, and with which role")
    what = users.add_subparsers(required=True, metavar="add|remove|list|quota")
    add = what.add_parser(
        "add",
        help="add a user, or change the role and password of one; the password is asked for, or read from stdin",
    )
    add.add_argument("name", metavar="NAME")
    roles = "; ".join(f"{role} {meaning}" for role, meaning in MEANINGS.items())
    add.add_argument("--role", choices=ROLES, default=ROLES[0], help=f"{roles}; default: {ROLES[0]}")
    add.add_argument(
        "--provider",
        action="store_true",
        help="NAME is an email address that an OpenID provider signs in, so there is no password",
    )
    add.set_defaults(command=_add)
    remove = what.add_parser("remove", help="remove a user, whose sessions end at once")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(command=_remove)
    what.add_parser("list", help="list the users with their roles and limits").set_defaults(command=_list)
    quota = what.add_parser(
        "quota",
        help="limit what a user may take of the disk and of the slots to train in; alone it shows that",
    )
    quota.add_argument("name", metavar="NAME", nargs="?", help="left out, the limits of all users are listed")
    quota.add_argument(
        "--disk",
        type=_read_size,
        metavar="SIZE",
        help="all runs of the user and images brought in, such as 50G: at the limit nothing more is begun",
    )
    quota.add_argument(
        "--slots",
        type=_read_count,
        metavar="N",
        help="slots to train in at a time (a GPU each, or one of the CPU's): further runs wait",
    )
    quota.add_argument("--none", action="store_true", help="take away both limits first")
    quota.set_defaults(command=_limit)
    actions = commands.add_parser("actions", help="show who did what in the dashboard, when and from where")
    actions.add_argument(
        "--last", type=_read_count, default=50, metavar="N", help="how many; default: 50, 0 for all"
    )
    actions.add_argument("--csv", action="store_true", help="as a table for other programs")
    actions.set_defaults(command=_show)


def _add(options: argparse.Namespace) -> int:
    file = users_path()
    known = options.name in read_users(file)
    password = None if options.provider else read_password(options.name)
    add_user(file, options.name, options.role, password)
    print(f"{options.name} {'has now' if known else 'is added with'} the role {options.role}. Users: {file}")
    return 0


def _remove(options: argparse.Namespace) -> int:
    remove_user(users_path(), options.name)
    print(f"{options.name} can no longer sign in.")
    return 0


def _list(_: argparse.Namespace) -> int:
    users = read_users(users_path())
    for name, user in sorted(users.items()):
        limits = "" if (user.disk, user.slots) == (None, None) else f", at most {user.describe_limits()}"
        print(f"{name}: {user.role}, {'by password' if user.digest else 'by a provider'}{limits}")
    if not users:
        print(f"There are no users yet. Add the first: {own_command()} users add NAME --role {ROLES[-1]}")
    return 0


def _limit(options: argparse.Namespace) -> int:
    name, file = options.name, users_path()
    changes = options.disk is not None or options.slots is not None or options.none
    if name is None:
        if changes:
            raise UserError(f"A limit is for one user: {own_command()} users quota NAME --disk SIZE.")
        return _list(options)
    known = find_user(read_users(file), name)
    disk, slots = (None, None) if options.none else (known.disk, known.slots)
    if changes:
        disk = disk if options.disk is None else options.disk
        slots = slots if options.slots is None else options.slots
        set_limits(file, name, disk=disk, slots=slots)
    print(f"{name}: {find_user(read_users(file), name).describe_limits()}")
    return 0


def read_password(name: str) -> str:
    """Return a password typed twice at the terminal, or the first line of what is piped in.

    Raises:
        UserError: when the two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline(LONGEST + 2).rstrip("\r\n")
    password = getpass.getpass(f"Password of {name}: ")
    if getpass.getpass("Once more: ") != password:
        raise UserError("The two passwords differ. Nothing was changed.")
    return password


def _read_count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, got {text!r}")
    return int(text)


def _read_size(text: str) -> int:
    try:
        return parse_size(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _show(options: argparse.Namespace) -> int:
    file = default_root() / FILE
    found = list(read_actions(file))
    shown = found[-options.last :] if options.last else found
    if options.csv:
        from core.dataset.export import defuse  # brings pandas
        from core.files import format_rows

        print(format_rows(HEAD, ([defuse(cell) for cell in one.list_cells()] for one in shown)), end="")
        return 0
    for one in shown:
        when, who, address, what, of, end, why = one.list_cells()
        told = "" if end == "done" else f" – {end}{f': {why}' if why else ''}"
        print(f"{when}  {who} ({address}): {what} {of}{told}")
    print(f"{format_count(len(shown), 'action')} of {len(found):,}, kept in {file}")
    return 0
