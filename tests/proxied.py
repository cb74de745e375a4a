"""A real nginx before a dashboard, as deploy/nginx.conf has it."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from tests.dashboards import ROOT
from tests.programs import find

BASE = "/weakspot"  # as deploy/nginx.conf has it


def find_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Proxy:
    """The nginx of deploy/nginx.conf in front of the dashboard on a port; `url` is what its users open."""

    def __init__(self, behind: int, folder: Path, port: int = 0) -> None:
        self.port = port or find_port()
        told = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
        for ours, theirs in (
            ("listen 8080", f"listen 127.0.0.1:{self.port}"),
            (":8501", f":{behind}"),
        ):
            assert ours in told
            told = told.replace(ours, theirs)
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
            told = told.replace("http {", f"http {{\n    {kind}_temp_path {folder / kind};", 1)
        config = folder / "nginx.conf"
        config.write_text(f"pid {folder / 'nginx.pid'};\ndaemon off;\nuser root;\n{told}", encoding="utf-8")
        command = [find("nginx"), "-c", str(config), "-e", str(folder / "error.log")]
        self.process = subprocess.Popen(command)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        self.stop()
        raise TimeoutError((folder / "error.log").read_text())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{BASE}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
