"""What the tests of jobs share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest


@pytest.fixture
def sleeper() -> Iterator[psutil.Process]:
    """A process that lives as long as the test."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()
