"""A real Chromium for the browser tests: found, or installed where that is possible (python -m tests.browser)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from playwright.sync_api import Browser, Error, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NEEDED = "The browser tests need a Chromium: install one and name it in WEAKSPOT_CHROMIUM."
# Quiet, without requests of its own, and startable as root in a container.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera that shows a moving clock
    "--use-fake-ui-for-media-stream",
)


def find_chromium() -> str | None:
    """Return the path of the machine's Chromium, the one in $WEAKSPOT_CHROMIUM first; None where there is none."""
    asked = os.environ.get("WEAKSPOT_CHROMIUM")
    return asked or next((path for name in NAMES if (path := shutil.which(name))), None)


def launch(playwright: Playwright) -> Browser:
    """Start the machine's Chromium, else the one Playwright has downloaded."""
    try:
        return playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
    except Error as error:
        raise RuntimeError(f"{str(error).splitlines()[0]} {NEEDED}") from error


def is_usable() -> bool:
    """Tell whether a browser starts."""
    try:
        with sync_playwright() as playwright:
            launch(playwright).close()
    except Exception as error:
        print(f"No browser starts: {error}", file=sys.stderr)
        return False
    return True


def install() -> bool:
    """Install a Chromium by the system's packages, else by Playwright's download; tell whether one starts then."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    commands = [
        [sys.executable, "-m", "playwright", "install", *(["--with-deps"] if root else []), "chromium"]
    ]
    if root and shutil.which("apt-get"):  # Debian has one; where there is none this ends at once
        commands[:0] = [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]]
    for command in commands:
        print(f"Installing Chromium: {' '.join(command)}", flush=True)
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        if is_usable():
            return True
    return False


if __name__ == "__main__":
    if not (is_usable() or install()):
        print(NEEDED, file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 0)
