"""Open the dashboard: the built-in data, a first demo training where there is no run yet, and the server."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core import places
from core.dataset.demo import DEMOS
from core.errors import UserError, describe_error
from core.queue.turn import revive_queue
from core.runs.run import default_root, iter_runs, list_runs
from core.words import format_count
from dashboard.access.modes import SignIn, choose_sign_in
from dashboard.access.who import BASE, MODE, ROOTS
from dashboard.builtin import STARTED_IN, builtin_folder, submit_demo

ADDRESS = "127.0.0.1"
SERVER = Path(__file__).with_name("server.py")


def open_dashboard(
    data: Path | None,
    port: int,
    *,
    address: str = ADDRESS,
    sign_in: str = "",
    roots: Sequence[Path] = (),
    base_path: str = "",
) -> int:
    """Prepare what a first visit needs, then serve until Ctrl-C; return 0, or 2 after a one-line error.

    `sign_in` is a way to sign in, or empty; users may name the files of `roots`, and every address
    begins with `base_path`.
    """
    # Not every shell expands the ~ in `make run DATA=~/pictures`.
    data = data and places.expand_home(data)
    if data is not None and not data.is_dir():
        return _refuse(f"{data}: there is no such folder. Give the one that holds train/<class>/*.")
    lost = next((root for root in map(places.expand_home, roots) if not root.is_dir()), None)
    if lost is not None:
        return _refuse(f"{lost}: there is no such folder. Give --root an existing folder.")
    try:
        mode = choose_sign_in(address, sign_in, base_path)
    except (UserError, OSError) as error:
        return _refuse(describe_error(error))
    if _is_taken(port):
        other = f"weakspot run --port {port + 1}" if places.is_installed() else f"make run PORT={port + 1}"
        return _refuse(
            f"port {port} is in use. If that is Weakspot, open http://{ADDRESS}:{port}; "
            f"otherwise choose another port: {other}"
        )
    root = default_root()
    environment = {"WEAKSPOT_RUNS": str(root), STARTED_IN: _started_in(), BASE: base_path}
    try:
        for name in DEMOS:
            print(f"Built-in data: {builtin_folder(name)}", flush=True)
        print(f"Runs: {root}", flush=True)
        if data is not None:
            environment["WEAKSPOT_DATA"] = str(data.resolve())
        elif next(iter_runs(root), None) is None:
            run = submit_demo()
            print(f"First run: the demo training {run.id} has started; watch it on the Live page.")
    except (UserError, OSError) as error:
        return _refuse(describe_error(error))
    if revived := revive_queue(list_runs(root)):
        print(f"Waiting again after a restart: {format_count(len(revived), 'run')}.")
    if mode.kind:
        environment[MODE] = mode.kind
        environment[ROOTS] = os.pathsep.join(str(places.real_path(root)) for root in roots)
    print(mode.words)
    print(
        f"Open http://{mode.shown}:{port}{base_path} in a browser. Ctrl-C ends the dashboard, not the trainings.",
        flush=True,
    )
    try:
        serve(port, environment, mode)
    except KeyboardInterrupt:
        print("The dashboard has ended. Trainings continue.")
    return 0


def serve(port: int, environment: Mapping[str, str], mode: SignIn) -> None:
    """Be the Streamlit server of the app until a signal ends it; a Ctrl-C comes through as KeyboardInterrupt.

    All paths in `environment` have to be absolute, since the process leaves the folder it was started in.
    """
    import uvicorn.config
    from click.exceptions import Abort
    from streamlit.web.cli import main as run_streamlit

    from core.serve.wire import Impatient

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # heat maps beside a training: see core/__main__.py
    for name in (MODE, ROOTS, BASE):  # what is said at the start alone decides who is let in
        os.environ.pop(name, None)
    os.environ.update(environment)
    # Streamlit obeys a .streamlit/ in the folder it works in, and a folder of images may bring one along. Ours lies
    # beside server.py, where it is obeyed wherever that is started from.
    os.chdir(Path.home() if places.is_installed() else places.HOUSE)
    options = ["--server.port", str(port), "--server.address", mode.address]
    options += ["--server.baseUrlPath", environment.get(BASE, "")]
    if mode.kind:  # by whatever name it is reached: without a session of that very name nobody gets further
        options += ["--server.allowedHosts", "*"]
    # Streamlit starts uvicorn with this and offers no setting for it.
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{Impatient.__module__}:{Impatient.__qualname__}"
    try:
        run_streamlit(["run", str(SERVER), *options], standalone_mode=False)
    except Abort:
        raise KeyboardInterrupt from None


def _started_in() -> str:
    """Return the folder this is started in; empty for the root of the disk, which no one chose and which holds everything."""
    here = Path.cwd()
    return "" if here == here.parent else str(here)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def _refuse(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return 2
