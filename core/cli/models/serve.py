"""The command `python -m core serve RUN`: answer over HTTP with a run's best model."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.terminal import add_run
from core.places import own_command
from core.runs.run import default_root, find_run

if TYPE_CHECKING:
    from core.serve.app import Service

PORT = 8600


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    serve = commands.add_parser(
        "serve", help="answer over HTTP with a run's best model: images in, classes out"
    )
    add_run(serve)
    serve.add_argument(
        "--port",
        type=_read_port,
        default=PORT,
        metavar="N",
        help=f"default: {PORT}; 0 takes any that is free",
    )
    serve.add_argument(
        "--address",
        default="127.0.0.1",
        metavar="A",
        help="default: 127.0.0.1, which this machine alone reaches",
    )
    serve.add_argument(
        "--token-file", type=Path, metavar="FILE",
        help="answer only requests with the token in this file (or in WEAKSPOT_TOKEN); required for any address but 127.0.0.1",
    )  # fmt: skip
    serve.add_argument(
        "--rate", type=_read_rate, default=0, metavar="N", help="requests a minute that one address may make; default: any number"
    )  # fmt: skip
    serve.set_defaults(command=_serve)


def _read_port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 65535, got {text!r}")
    return int(text)


def _read_rate(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 1,000,000, got {text!r}")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.serve.gate import Gate, read_token, refuse_exposure

    token = read_token(options.token_file, os.environ)
    from core.serve.app import Service  # brings torch
    from core.serve.limits import Limits
    from core.serve.served import load_served
    from core.serve.server import open_socket

    with open_socket(options.address, options.port) as opened:
        refuse_exposure(opened.getsockname()[0], token)
        served = load_served(run)
        if served.calibration_error is None:
            advice = f"Measure them: {own_command()} calibrate {run.id}"
            print(f"Its confidences were not measured. {advice}", flush=True)
        _answer(
            Service(served, gate=Gate(token), limits=Limits(rate=options.rate)),
            opened,
            f"{run.id}, epoch {served.epoch},",
            bool(token),
        )
    return 0


def _answer(service: Service, opened: socket.socket, what: str, asks_token: bool) -> None:
    """Serve until Ctrl-C or SIGTERM, saying where and to whom."""
    from PIL import Image

    from core.serve.server import make_server, name_place

    # What Pillow warns of is refused, or read within the limits.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends the server as Ctrl-C does
    opened.listen()  # from here on a client waits rather than being turned away
    whom = "whoever sends the token" if asks_token else "this machine only"
    try:
        print(f"{what} answers {whom} on {name_place(opened)} (see /docs). Ctrl-C ends it.", flush=True)
        make_server(service).run(sockets=[opened])
    except KeyboardInterrupt:
        print("The server has ended.", flush=True)
    finally:
        signal.signal(signal.SIGTERM, before)
        service.close()
