"""What `make run` starts: the built-in data, a first demo training where there is no run yet, and the server."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

from core.dataset.demo import DEMOS
from core.errors import describe_error
from core.recipe.presets import from_preset
from core.runs import jobs
from core.runs.run import default_root, iter_runs
from dashboard.builtin import builtin_folder

ADDRESS = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Prepare what a first visit needs, then become the Streamlit server; return 2 after a one-line error."""
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Open the Weakspot dashboard.")
    parser.add_argument("--data", type=Path, help="a folder of images with train/<class>/* to open it on")
    parser.add_argument("--port", type=int, default=8501)
    options = parser.parse_args()
    # Not every shell expands the ~ in `make run DATA=~/pictures`.
    data = options.data and Path(os.path.expanduser(options.data))  # noqa: PTH111  Path's raises for an unknown ~name
    if data is not None and not data.is_dir():
        return _refuse(f"{data}: there is no such folder. Give the one that holds train/<class>/*.")
    if _is_taken(options.port):
        return _refuse(
            f"port {options.port} is in use. If that is Weakspot, open http://{ADDRESS}:{options.port}; "
            f"otherwise choose another port: make run PORT={options.port + 1}"
        )
    try:
        for name in DEMOS:
            print(f"Built-in data: {builtin_folder(name).relative_to(ROOT)}", flush=True)
    except OSError as error:
        return _refuse(describe_error(error))
    environment = {
        "OMP_WAIT_POLICY": "passive",
        **os.environ,
    }  # heat maps beside a training: see core/__main__.py
    if data is not None:
        environment["WEAKSPOT_DATA"] = str(data.resolve())
    elif next(iter_runs(default_root()), None) is None:
        run = jobs.submit(from_preset("demo", data=str(builtin_folder("digits"))), default_root())
        print(f"First run: the demo training {run.id} has started; watch it on the Live page.")
    print(
        f"Open http://{ADDRESS}:{options.port} in a browser. Ctrl-C ends the dashboard, not the trainings.",
        flush=True,
    )
    os.chdir(ROOT)  # Streamlit reads .streamlit/config.toml from where it starts
    command = ["-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(options.port)]
    # This process is the server from here on.
    return os.execve(sys.executable, [sys.executable, *command], environment)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def _refuse(why: str) -> int:
    print(f"error: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
