"""The command line: `python -m core demo | train | find-rate | evaluate | runs | stop | pause | resume`.

The commands about data are in `data_commands`, those that ask a run's model in `model_commands`, the others in
modules called after them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO

from core.cli.bakeoff import add_commands as add_bakeoff_commands
from core.cli.bakeoff import stop_bakeoff
from core.cli.data import add_commands as add_data_commands
from core.cli.model import add_commands as add_model_commands
from core.cli.networks import add_commands as add_networks_command
from core.cli.options import add_config_options, preset_help, read_changes
from core.cli.report import add_commands as add_report_command
from core.errors import UserError, describe_os_error
from core.recipe.config import TrainConfig
from core.recipe.presets import PRESETS, from_preset
from core.runs.run import Run, default_root, find_run, iter_runs

# Threads of torch that wait for each other spin by default, which starves every other process on few cores: a page
# that computes heat maps beside a training took nine times as long. It must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 2 after a one-line error on stderr (1 when a run ended by a stop, 130 on Ctrl-C)."""
    options = build_parser().parse_args(arguments)
    try:
        result: int = options.command(options)
        return result
    except (UserError, ValueError) as error:
        return _fail(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(describe_os_error(error))
    except KeyboardInterrupt:
        return _fail("interrupted", 128 + signal.SIGINT)


def _fail(message: str, code: int = 2) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage, which names every option there is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(prog="python -m core", description="Weakspot's command line.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="make a built-in data set")
    demo.add_argument("name", choices=("digits", "glyphs"))
    demo.add_argument("folder", type=Path, metavar="DIR")
    demo.set_defaults(command=_demo)

    train = commands.add_parser("train", help="train a run here, with a progress bar; Ctrl-C stops and saves")
    train.add_argument("--preset", choices=tuple(PRESETS), default="seed", help=preset_help())
    add_config_options(train)
    train.set_defaults(command=_train)

    find_rate = commands.add_parser(
        "find-rate",
        help="try rising learning rates, a step each, and suggest one; no run is made or touched",
    )
    find_rate.add_argument("--preset", choices=tuple(PRESETS), default="seed", help=preset_help())
    find_rate.add_argument(
        "--steps",
        type=int,
        choices=range(10, 1001),
        default=100,
        metavar="N",
        help="rates to try, 10 to 1000",
    )
    find_rate.add_argument("--json", action="store_true", help="as JSON")
    find_rate.add_argument("--task", type=Path, help=argparse.SUPPRESS)  # what the dashboard launches
    add_config_options(find_rate)
    find_rate.set_defaults(command=_find_rate)

    evaluate = commands.add_parser("evaluate", help="write the predictions table of a run's best model")
    _add_run(evaluate)
    evaluate.add_argument("--split", choices=("val", "train", "held"), default="val")
    evaluate.set_defaults(command=_evaluate)

    add_model_commands(commands, _bar)

    runs = commands.add_parser("runs", help="list all runs")
    runs.add_argument("--json", action="store_true", help="as JSON")
    runs.set_defaults(command=_runs)

    stop = commands.add_parser(
        "stop", help="ask a run, or all of a bake-off, to finish its step, save and end"
    )
    which = stop.add_mutually_exclusive_group(required=True)
    which.add_argument("run", nargs="?", metavar="RUN", help="a run's id, or latest")
    which.add_argument("--group", metavar="NAME", help="all runs of the bake-off of this name")
    stop.set_defaults(command=_stop)

    pause = commands.add_parser(
        "pause", help="ask a run to finish its step, save and free the machine until it is resumed"
    )
    _add_run(pause)
    pause.set_defaults(command=_pause)

    resume = commands.add_parser("resume", help="go on with a run here, also with one that has finished")
    _add_run(resume)
    resume.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="train to N epochs in all; the schedule is drawn anew over them",
    )
    resume.set_defaults(command=_resume)

    add_networks_command(commands)
    add_bakeoff_commands(commands)
    add_data_commands(commands, _bar)
    add_report_command(commands, _bar)

    job = commands.add_parser("job")  # what the dashboard launches; not for people, so it has no help
    job.add_argument("folder", type=Path)
    job.set_defaults(command=_job)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id, or latest")


def _demo(options: argparse.Namespace) -> int:
    from core.dataset.demo import make_demo

    make_demo(options.name, options.folder, _bar("images"))
    print(options.folder)
    return 0


def _train(options: argparse.Namespace) -> int:
    from core.runs import jobs

    run = jobs.prepare(_read_config(options), default_root())
    jobs.claim_process(run)
    print(run.id, flush=True)
    return _work(run, sys.stderr)


def _read_config(options: argparse.Namespace) -> TrainConfig:
    changes = read_changes(options)
    folder = Path(changes["data"]).expanduser().resolve()
    config = from_preset(options.preset, **{**changes, "data": str(folder)})
    # The commonest slip, a folder that is not there or is locked, need not leave a failed run behind.
    with os.scandir(folder):
        return config


def _find_rate(options: argparse.Namespace) -> int:
    from core.runs.tasks import perform_task
    from core.training.rate_curve import RateCurve, write_curve

    def search(progress: Callable[[int, int], bool]) -> RateCurve | None:
        config = _read_config(options)
        from core.training.rate_finder import find_rate

        return find_rate(config, root=default_root(), progress=progress, steps=options.steps)

    def work(progress: Callable[[int, int], bool]) -> str | None:
        if (curve := search(progress)) is None:
            return None
        write_curve(options.task / "curve.json", curve)
        return f"{len(curve.rates)} rates are tried."

    if options.task is not None:
        return perform_task(options.task, work)
    curve = search(_bar("steps"))
    assert curve is not None
    if options.json:
        print(json.dumps(dataclasses.asdict(curve)))
        return 0
    for rate, loss in zip(curve.rates, curve.losses, strict=True):
        print(f"{rate:.2e}  {loss:.4f}")
    print("No rate lowered the loss." if curve.suggestion is None else f"Suggestion: {curve.suggestion:.2g}")
    return 0


def _resume(options: argparse.Namespace) -> int:
    from core.runs import jobs

    run = find_run(options.run, default_root())
    jobs.resume(run, options.epochs, here=True)
    return _work(run, sys.stderr)


def _stop(options: argparse.Namespace) -> int:
    from core.runs import jobs

    if options.group is not None:
        return stop_bakeoff(options.group)
    run = find_run(options.run, default_root())
    jobs.stop(run)
    print(f"{run.id}: stop asked for; it finishes its step and saves.")
    return 0


def _pause(options: argparse.Namespace) -> int:
    from core.runs import jobs

    run = find_run(options.run, default_root())
    jobs.pause(run)
    print(f"{run.id}: pause asked for; it finishes its step, saves and frees the machine.")
    return 0


def _job(options: argparse.Namespace) -> int:
    from core.runs import jobs

    run = Run(options.folder)
    jobs.claim_process(run)
    return _work(run, None)


def _work(run: Run, terminal: TextIO | None) -> int:
    """Be the job of a run that this process has claimed: wait for the turn, train, tell the end.

    The log gets all that the terminal gets.
    """
    from core.runs import jobs

    asked: list[int] = []

    def ask_stop(number: int, _: FrameType | None) -> None:
        if asked:  # a second Ctrl-C means now
            raise KeyboardInterrupt
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_stop)
    tell = None if terminal is None else lambda line: print(line, file=terminal, flush=True)
    if not jobs.wait_for_turn(run, should_stop=lambda: bool(asked), tell=tell):
        return 1
    from core.train import TrainingJob  # torch is loaded only when it is this run's turn

    with run.log_path.open("a", encoding="utf-8") as log:
        console = _Tee(log, terminal)
        status = TrainingJob(run, console, should_stop=lambda: bool(asked)).execute()
    return {"finished": 0, "stopped": 1, "paused": 1}.get(status.state, 2)


class _Tee:
    """A text stream that writes to the log and, where there is one, to the terminal."""

    def __init__(self, log: TextIO, terminal: TextIO | None) -> None:
        self._streams = [log] if terminal is None else [log, terminal]

    def write(self, text: str) -> int:
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self._streams:
            stream.flush()


def _evaluate(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.model.evaluate import evaluate_run
    from core.verdicts.predictions import format_rate

    outcome = evaluate_run(run, options.split, progress=_bar("images"))
    assert outcome is not None
    right = int((outcome.top_index[:, 0] == outcome.target).sum())
    print(
        f"{options.split} accuracy {format_rate(right, len(outcome.target))}, loss {outcome.loss.mean():.4f}"
    )
    print(run.predictions_path(options.split))
    return 0


def _bar(unit: str) -> Callable[[int, int], bool]:
    from tqdm import tqdm

    bar = tqdm(unit=unit, delay=0.001)  # drawn with the first figure, so that an error before it stands alone

    def show(done: int, total: int) -> bool:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()
        return True

    return show


def _runs(options: argparse.Namespace) -> int:
    from core.runs import jobs

    rows: list[dict[str, Any]] = []
    for run in iter_runs(default_root()):
        status = jobs.live_status(run)
        rows.append({"id": run.id, **dataclasses.asdict(status), "seconds": round(status.seconds, 1)})
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    if not rows:
        print("No runs yet. Start one: python -m core train --data DIR")
        return 0
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        best = (
            f"{row['best_val_acc']:.2%} at epoch {row['best_epoch']}" if row["best_epoch"] else "no epoch yet"
        )
        print(f"{row['id']:<{width}}  {row['state']:<8}  epoch {row['epoch']}/{row['epochs']}  {best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
