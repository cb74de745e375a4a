"""A run on several nodes of Slurm: the command `node`, which starts the processes of one of them, and its start on all."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.cli.rank import tell_end
from core.places import launch_command
from core.runs.journal import Console
from core.runs.run import Run
from core.stored.status import Status


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    node = commands.add_parser(
        "node", help="start the processes of a run on one node of several, as srun does"
    )
    node.add_argument("folder", type=Path, metavar="FOLDER")
    node.add_argument("--nodes", type=int, required=True, help="how many there are")
    node.add_argument("--port", type=int, required=True, help="where they meet on the first of them")
    node.set_defaults(command=_be_node)


def launch_nodes(
    run: Run, console: Console, should_stop: Callable[[], bool], devices: int, nodes: int
) -> Status:
    """Train a run that this process has claimed on all nodes of its job of Slurm's; return its last status."""
    from core.cluster.nodes import find_port, run_on_nodes

    console.write(f"{devices} processes on {nodes} nodes.\n")
    words = ["node", str(run.folder.resolve()), "--nodes", str(nodes), "--port", str(find_port())]
    why = run_on_nodes(run, launch_command(words), nodes, should_stop=should_stop)
    return tell_end(run, console, why)


def _be_node(options: argparse.Namespace) -> int:
    from core.cluster.nodes import NodeFailure, find_place
    from core.parallel.launcher import Meeting, launch_group

    place, run = find_place(os.environ), Run(options.folder)
    for number in (signal.SIGTERM, signal.SIGUSR1):  # who leads hears it too, saves, and lets all end
        signal.signal(number, lambda *_: None)
    failure = launch_group(
        run,
        launch_command(["rank", str(run.folder.resolve())]),
        run.read_config().devices // options.nodes,
        should_stop=lambda: False,
        meeting=Meeting(place.address, options.port, place.number, options.nodes),
    )
    if failure is not None:
        print(NodeFailure(failure.why, failure.lost, failure.time).write(), flush=True)
    return 0  # any other code means that this node cannot tell
