"""Feeds the readers of tests/fuzz.py with inputs that reach ever more lines of our code, which libFuzzer draws.

Atheris has to be installed (requirements-fuzz.txt). It watches which branches an input takes, and goes on from those that
take new ones. libFuzzer ends its process at the first fault, so each search is a process of its own.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".test-artifacts" / "fuzz"  # inputs that were a fault
# What is watched: our own readers, and what they are made of that is Python.
WATCHED = ["core", "csv", "json", "tarfile", "zipfile", "yaml", "PIL"]
_SLOWEST, _MEMORY = 10, 4000  # seconds of an input, and MB of the process
_COUNT = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_START = 90.0  # seconds that a process may take beyond its time: it loads torch


def is_installed() -> bool:
    """Tell whether inputs can be drawn so."""
    return importlib.util.find_spec("atheris") is not None


def search(seconds: float, passed_over: Collection[str]) -> tuple[int, dict[str, str]]:
    """Search for so long; return how many inputs were read, and what went wrong by the name of the reader.

    Those `passed_over` are left out.
    """
    KEPT.mkdir(parents=True, exist_ok=True)
    count, faults = 0, dict[str, str]()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 1:
        begun, names = time.time(), [*passed_over, *faults]
        try:
            done = _start(left, names)
        except subprocess.TimeoutExpired:
            faults["guided search"] = "its process did not end in its time"
            break
        count += sum(map(int, _COUNT.findall(done.stderr)))
        found = max(KEPT.iterdir(), key=lambda path: path.stat().st_mtime, default=None)
        if found is None or found.stat().st_mtime < begun:
            if done.returncode:
                faults["guided search"] = _find_words(done.stdout, done.stderr)
            break
        name = _name_target(found, names)
        faults[name] = f"{_find_words(done.stdout, done.stderr)} (the input: {found.relative_to(ROOT)})"
    return count, faults


def _start(seconds: float, passed_over: Collection[str]) -> subprocess.CompletedProcess[str]:
    """Be done with a process that searches for so long; what it leaves in its folder of temporary files goes with that."""
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.fuzz_guided", str(round(seconds)), *passed_over],
            cwd=ROOT, env=os.environ | {"TMPDIR": folder}, check=False, capture_output=True, text=True, errors="replace",
            timeout=seconds + _START,
        )  # fmt: skip


def _find_words(told: str, complained: str) -> str:
    """Return the lines in which a process said what ended it: an exception's, or libFuzzer's own."""
    if "Uncaught Python exception" in told:
        return " ".join(told.rpartition("Uncaught Python exception: ===")[2].split())[:1500]
    lines = complained.splitlines()
    return " ".join([line for line in lines if "ERROR: libFuzzer" in line] or lines[-5:])[:1500]


def _name_target(file: Path, passed_over: Collection[str]) -> str:
    from tests.fuzz import targets

    data, left = file.read_bytes(), [one for one in targets() if one.name not in passed_over]
    return left[data[0] % len(left)].name if data else "guided search"


def main() -> None:
    """Search in this process for argv[1] seconds among all readers but those named after it; libFuzzer ends it."""
    logging.disable(logging.CRITICAL)
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=WATCHED):  # before anything of ours is loaded
        from tests.fuzz import judge, targets
    left = [one for one in targets() if one.name not in sys.argv[2:]]

    def feed(data: bytes) -> None:
        try:
            if data:  # its first byte says who reads the rest
                judge(left[data[0] % len(left)], data[1:])
        except (
            BaseException
        ):  # libFuzzer keeps what took too long or ended the process, and not each of these
            (KEPT / f"fault-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise

    with tempfile.TemporaryDirectory() as folder:
        for number, target in enumerate(left):
            for place, seed in enumerate(target.seeds):
                (Path(folder) / f"{number}-{place}").write_bytes(bytes([number]) + seed)
        options = [
            f"-max_total_time={sys.argv[1]}", f"-timeout={_SLOWEST}", f"-rss_limit_mb={_MEMORY}", f"-artifact_prefix={KEPT}/",
            "-verbosity=0", "-print_final_stats=1",
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], folder, *options], feed)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
