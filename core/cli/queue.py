"""The command about the line of waiting runs: `python -m core queue`."""

from __future__ import annotations

import argparse
from typing import Any

from core.errors import RunError
from core.places import own_command
from core.runs.run import default_root, find_run, list_runs
from core.words import format_count, format_duration, format_rough

# Spelt out rather than imported, since a queued job reads this file too and should stay small.
_PRIORITIES = ("high", "normal", "low")
_AFTER = ("go-on", "leave")


def add_commands(commands: Any) -> None:
    """Add the parser of `queue`."""
    queue = commands.add_parser(
        "queue",
        help="show which runs train and wait on this machine, or change the order in which they wait; after a restart of "
        "the machine it lets them wait again",
    )
    queue.add_argument("run", nargs="?", metavar="RUN", help="the id of a waiting run, for the options below")
    change = queue.add_mutually_exclusive_group()
    for to, what in (
        ("first", "start it next"), ("up", "move it one place earlier"), ("down", "move it one place later"),
    ):  # fmt: skip
        change.add_argument(f"--{to}", dest="to", action="store_const", const=to, help=what)
    change.add_argument("--hold", action="store_true", help="hold it until it is released")
    change.add_argument("--release", action="store_true", help="release a held run")
    change.add_argument("--priority", choices=_PRIORITIES, help="runs of high priority go first")
    change.add_argument(
        "--slots", type=int, metavar="N", help="how many runs train at a time on this machine's CPU; 1 to 64"
    )
    queue.set_defaults(command=_queue)
    change.add_argument(
        "--after-restart",
        choices=_AFTER,
        help="whether what trained when the machine was restarted goes on by itself; it does unless you say otherwise",
    )


def _queue(options: argparse.Namespace) -> int:
    from core.queue import order, slots
    from core.queue.turn import revive_queue

    root = default_root()
    if options.after_restart is not None:  # before anything goes on that is to be left
        slots.write_after_restart(root, options.after_restart == "go-on")
    revive_queue(list_runs(root))
    if options.slots is not None:
        slots.write_slots(root, options.slots)
    elif options.run is None:
        asked = options.to or next(
            (word for word in ("hold", "release", "priority") if getattr(options, word)), ""
        )
        if asked:
            raise RunError(f"--{asked} needs a run: {own_command()} queue RUN --{asked}.")
    else:
        run = find_run(options.run, root, failed=True)
        if options.to is not None:
            order.move(run, options.to)
        elif options.hold or options.release:
            order.set_held(run, options.hold)
        elif options.priority is not None:
            order.set_priority(run, options.priority)
    _show(order.read_line(root))
    return 0


def _show(line: Any) -> None:
    from core.queue.forecast import forecast_starts

    names = list(dict.fromkeys([*line.slots.list_names("auto"), *line.slots.list_names("cpu")]))
    print(f"{format_count(len(names), 'slot')}: {', '.join(names)}")
    for run, status in line.running:
        left = f", {format_duration(status.seconds_left)} left" if status.seconds_left else ""
        print(f"{run.id}: trains on {status.slot or 'this machine'}{left}")
    starts, over = forecast_starts(line, list_runs(default_root())), line.find_over()
    for number, one in enumerate(line.waiting, start=1):
        words = [f"place {number}"]
        if one.place.priority:
            words.append("high priority" if one.place.priority > 0 else "low priority")
        if one.place.held:
            words.append(f"on hold; release it: {own_command()} queue {one.run.id} --release")
        elif one.run.id in over:
            words.append(f"held back by the limit of {line.owners[one.run.id]}")
        elif one.run.id in starts:
            start = starts[one.run.id]
            words.append(f"starts in {format_rough(start)}" if start >= 1 else "starts now")
        print(f"{one.run.id}: {', '.join(words)}")
    if not line.running and not line.waiting:
        print("No run trains or waits.")
