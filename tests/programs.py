"""Programs of the system that tests run for real: found, or installed where that is possible (python -m tests.programs).

Like the browser they are no Python packages, so nothing pins them; a test that needs one asks `find` for it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# What a test runs, and the package of Debian and Ubuntu that brings it.
PACKAGES: dict[str, str] = {
    "nginx": "nginx",
    "sbatch": "slurm-wlm",
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "munged": "munge",
}
PLACES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def find(program: str) -> str:
    """Return the path of a program that tests run.

    Raises:
        FileNotFoundError: It is not installed; names the package that brings it.
    """
    path = shutil.which(program, path=PLACES)
    if path is None:
        raise FileNotFoundError(f"This test needs {program}: apt-get install {PACKAGES[program]}")
    return path


def install_missing() -> list[str]:
    """Install the packages of the programs that are not there, where that is allowed; return those still missing."""

    def missing() -> list[str]:
        return sorted({PACKAGES[p] for p in PACKAGES if shutil.which(p, path=PLACES) is None})

    if missing() and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {', '.join(missing())} …", flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing()]):
            subprocess.run(["apt-get", *command], check=False, stdout=subprocess.DEVNULL, env=environment)
    return missing()


if __name__ == "__main__":
    if left := install_missing():
        print(f"Some tests need packages that are not installed: {', '.join(left)}.", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 0)
