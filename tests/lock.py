"""Writes deploy/requirements.lock, what the image is installed from: `python -m tests.lock`, by `make lock`.

Each package that the program needs stands there in its pinned version with the SHA-256 digest of its wheel for Linux, as
the package index that pip is set up with tells them. torch and torchvision are left out with what CUDA brings: they are
other files on each index that has builds of them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "deploy" / "requirements.lock"
PYTHON = "3.11"  # of the image
# pip takes no wheel for an older system unless it is told so.
GLIBC = ("2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")
MACHINE = "x86_64"  # openTSNE has no wheel for another, and the image no compiler
SOURCES = ("grad-cam",)  # it has no wheel; the Dockerfile names it too
BUILDS = re.compile(r"torch|torchvision|triton|nvidia-.*|cuda-.*")
HEAD = """\
# What the image is installed from, each wheel by its digest; made by `make lock` from requirements.txt and constraints.txt.
# torch and torchvision are missing: they are other files on each index that has builds of them.
"""


def read_pins() -> dict[str, str]:
    """Return the pinned versions by name, as they are for the image's Python."""
    pins = {}
    for name in ("requirements.txt", "constraints.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith(("#", "-")):
                wanted = Requirement(line)
                if wanted.marker is None or wanted.marker.evaluate({"python_version": PYTHON}):
                    pins[canonicalize_name(wanted.name)] = str(wanted.specifier).removeprefix("==")
    return pins


def list_needed() -> list[str]:
    """Return the names of all that requirements.txt brings, as the installed packages tell it, but for builds of torch."""
    found, ahead = set[str](), [(name, frozenset[str]()) for name in _read_names()]
    done = set[tuple[str, frozenset[str]]]()
    while ahead:
        name, extras = ahead.pop()
        if (name, extras) in done:
            continue
        done.add((name, extras))
        if not BUILDS.fullmatch(name):
            found.add(name)
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue  # of another system
        for need in map(Requirement, needs):
            if _applies(need, extras):
                ahead.append((canonicalize_name(need.name), frozenset(need.extras)))
    return sorted(found)


def _read_names() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")]


def _applies(need: Requirement, extras: Iterable[str]) -> bool:
    if need.marker is None:
        return True
    linux = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0", "sys_platform": "linux"}
    linux |= {"platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
    return any(need.marker.evaluate({**linux, "extra": extra}) for extra in ("", *extras))


def ask_digests(wanted: list[str], *, sources: bool = False) -> dict[str, str]:
    """Return the digest of each package's wheel by name, or of its source; `wanted` are name==version. Needs the network."""
    with tempfile.TemporaryDirectory() as folder:
        listed, report = Path(folder) / "wanted.txt", Path(folder) / "report.json"
        listed.write_text("\n".join(wanted), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
            "--quiet",
        ]
        command += ["--target", folder, "--report", str(report), "-r", str(listed)]
        if sources:
            command.append("--no-binary=:all:")
        else:
            systems = [*(f"manylinux_{version}" for version in GLIBC), "manylinux2014", "linux"]
            command += ["--only-binary=:all:", f"--python-version={PYTHON}"]
            command += [f"--platform={system}_{MACHINE}" for system in systems]
        subprocess.run(command, check=True)
        told = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        canonicalize_name(one["metadata"]["name"]): one["download_info"]["archive_info"]["hashes"]["sha256"]
        for one in told
    }


def main() -> int:
    """Ask the index and write the file; return 1 where a package is not pinned."""
    pins, needed = read_pins(), list_needed()
    if lacking := [name for name in needed if name not in pins]:
        print(f"Not pinned: {', '.join(lacking)}. Add them to constraints.txt.", file=sys.stderr)
        return 1
    wanted = {name: f"{name}=={pins[name]}" for name in needed}
    digests = ask_digests([pin for name, pin in wanted.items() if name not in SOURCES])
    digests |= ask_digests([wanted[name] for name in SOURCES], sources=True)
    lines = [f"{pin} \\\n    --hash=sha256:{digests[name]}" for name, pin in wanted.items()]
    LOCK.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"Written: {LOCK.relative_to(ROOT)}, {len(lines)} packages.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
