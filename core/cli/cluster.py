"""Slurm from the command line: the options `--slurm …` of `train`, `resume` and `bake-off`, and the job that Slurm starts."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.terminal import Tee
from core.errors import RunError
from core.files import sweep_drafts
from core.reading import open_at_once
from core.recipe.config import TrainConfig
from core.runs.claim import Taken
from core.runs.journal import Journal
from core.runs.run import Run, default_root, list_runs
from core.stored.status import Status

if TYPE_CHECKING:
    from core.cluster.job import Signals
    from core.cluster.request import SlurmRequest

_FIELDS = ("partition", "account", "qos", "nodes", "gpus", "cpus", "memory", "time")


def add_commands(commands: Any) -> None:
    """Add the parser of the command that Slurm's batch script runs."""
    job = commands.add_parser(
        "slurm-job", help="do the work of a run as a job of Slurm, which `train --slurm` hands it to"
    )
    job.add_argument("folder", type=Path, metavar="FOLDER")
    job.set_defaults(command=_be_job)


def add_slurm_options(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the options by which work goes to Slurm; those that are not given are as in slurm.yaml."""
    parser.add_argument("--slurm", action="store_true", help=f"{what}; see docs/cluster.md")
    group = parser.add_argument_group(
        "with --slurm", "what is not given comes from slurm.yaml, else from the cluster"
    )
    group.add_argument("--partition", metavar="NAME", help="the part of the cluster to use")
    group.add_argument("--account", metavar="NAME", help="whose share of the cluster is used")
    group.add_argument("--qos", metavar="NAME", help="the quality of service")
    group.add_argument(
        "--nodes", type=int, metavar="N", help="how many nodes, 1 to 64; they share --devices evenly"
    )
    group.add_argument(
        "--gpus", type=int, metavar="N", help="GPUs of a node, 0 to 64; with --devices at least one each"
    )
    group.add_argument(
        "--cpus", type=int, metavar="N", help="cores of a node, 1 to 1024; with --devices at least one each"
    )
    group.add_argument("--memory", metavar="16G", help="memory of a node")
    group.add_argument(
        "--time", metavar="02:00:00", help="time limit; a run saves before it and is queued again"
    )


def read_request(options: argparse.Namespace) -> SlurmRequest | None:
    """Return what is asked of Slurm, over the defaults of its file; None where the work stays on this machine.

    Raises:
        RunError: when something is asked of Slurm without --slurm.
        ConfigError: for a value that is wrong.
    """
    from core.cluster.request import SlurmRequest, read_defaults

    given = list_slurm_options(options)
    if not options.slurm:
        if given:
            raise RunError(f"--{next(iter(given))} is an option of Slurm: add --slurm, or leave it out.")
        return None
    return SlurmRequest.from_values({**read_defaults().to_values(), **given})


def list_slurm_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the command line asks of Slurm, by field."""
    return {name: getattr(options, name) for name in _FIELDS if getattr(options, name) is not None}


def hand_to_slurm(config: TrainConfig, options: argparse.Namespace) -> int:
    """Make a run, hand it to Slurm and say which job it is; raises as `submit`."""
    from core.cluster.submit import submit

    request = read_request(options)
    assert request is not None  # else it has raised
    run = submit(config, default_root(), request)
    _tell(run, request)
    return 0


def hand_to_slurm_again(run: Run, options: argparse.Namespace) -> int:
    """Hand a run that has ended to Slurm, with what it asked before where nothing else is asked; raises as `resume`."""
    from core.cluster.request import SlurmRequest, read_defaults
    from core.cluster.submit import read_request as read_earlier
    from core.cluster.submit import resume

    read_request(options)  # refuses what is wrong
    before = read_earlier(run) or read_defaults()
    request = SlurmRequest.from_values({**before.to_values(), **list_slurm_options(options)})
    resume(run, options.epochs, options.devices, request=request)
    _tell(run, request)
    return 0


def follow_slurm() -> list[tuple[Run, Status]]:
    """Write down what Slurm says of the runs that it has, before they are told of; return all runs, as `list_runs` does."""
    found = list_runs(default_root())
    if any(status.job for _, status in found):
        from core.cluster.follow import follow

        if follow(found):
            return list_runs(default_root())
    return found


def _tell(run: Run, request: SlurmRequest) -> None:
    more = request.describe_more(run.read_config().devices)
    words = f"{run.id}: Slurm job {run.read_status().job}. See what it does with the command `runs`."
    print(" ".join(filter(None, (words, more))), flush=True)


def _be_job(options: argparse.Namespace) -> int:
    from core.cluster.job import ask_again, claim_for, obey_slurm, own_id

    run, job = Run(options.folder), own_id(os.environ)
    if not (run.folder / "config.json").is_file():
        raise RunError(
            f"There is no run in {run.folder}. Its folder must be on a disk that this node can reach too."
        )
    try:
        with obey_slurm() as asked:
            with claim_for(run, job):
                status = _work(run, job, asked)
            if status.state == "queued" and asked.at_limit:
                ask_again(run, job)
    except Taken as taken:
        print(f"This job ends without doing anything. {taken}", file=sys.stderr, flush=True)
        return 0
    # To Slurm only what went wrong is a failure; a run that was stopped did what it was asked.
    return 2 if status.state == "failed" else 0


def _work(run: Run, job: str, asked: Signals) -> Status:
    from core.cli.models.track import start_following
    from core.cluster.job import give_back, keep_to_share
    from core.cluster.nodes import list_nodes

    sweep_drafts(run.folder)
    begun = time.time()
    with open(run.log_path, "a", encoding="utf-8", opener=open_at_once) as log:
        console = Tee(log, None)
        slot = f"Slurm job {job} on {list_nodes(os.environ) or socket.gethostname()}"
        console.write(f"{slot}\n")
        run.write_status(replace(run.read_status(), state="running", phase="starting", message="", slot=slot))
        keep_to_share()
        start_following(run)
        status = _train(run, console, asked)
        # Slurm ends the processes that load images too, and a run that misses them fails: not by its own fault.
        cut_off = asked.number and status.state == "failed" and not status.hopeless
        if (asked.obeyed and status.state in ("queued", "stopped")) or cut_off:
            saved = run.last_path.exists() and run.last_path.stat().st_mtime >= begun - 1
            return give_back(run, status, asked, saved=saved)
        return status


def _train(run: Run, console: Tee, asked: Signals) -> Status:
    from core.cluster.nodes import count_nodes

    devices, nodes = run.read_config().devices, count_nodes(os.environ)
    if nodes > 1:
        from core.cli.models.node import launch_nodes

        status = launch_nodes(run, console, lambda: asked.ask(run), devices, nodes)
        asked.ask(run)
        return status
    if devices > 1:
        from core.cli.rank import launch_ranks

        status = launch_ranks(run, console, lambda: asked.ask(run), devices, on_terminal=False)
        asked.ask(run)  # they may have heard Slurm themselves, and ended before the launcher asked
        return status
    from core.job.job import TrainingJob  # torch is loaded only once the run says that it has begun

    training = TrainingJob(run, console, lambda: asked.ask(run))
    if isinstance(training.journal, Journal):
        training.journal.own_state = "queued"  # who looks is never told that it was stopped
    return training.execute()
