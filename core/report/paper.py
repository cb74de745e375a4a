"""A report on paper: its page printed to a PDF by a browser of this machine, without a window and without a network."""

from __future__ import annotations

import base64
import io
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil
from PIL import Image

from core.errors import RunError, describe_error
from core.files import draft_folder, write_bytes, write_text
from core.words import format_duration

LIMIT = 120.0  # seconds that a browser may take; a report of a hundred classes takes about ten
ASKED = "WEAKSPOT_CHROMIUM"  # the browser to use instead of what is found
_LOOK = 0.1  # seconds between two looks at the browser
_NAMES = (
    "google-chrome", "google-chrome-stable", "chromium", "chromium-browser", "microsoft-edge",
    "microsoft-edge-stable", "brave-browser", "chrome", "msedge",
)  # fmt: skip
_MAC = ("Google Chrome", "Chromium", "Microsoft Edge", "Brave Browser")
_WINDOWS = ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe", "Chromium/Application/chrome.exe")  # fmt: skip
_OPTIONS = (
    "--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-pdf-header-footer", "--print-to-pdf-no-header",  # the second is what older ones call it
)  # fmt: skip
_WEBP = re.compile(r"data:image/webp;base64,([A-Za-z0-9+/=]+)")
_FOR_SCREENS = re.compile(r'<source media="screen[^>]*>')

Progress = Callable[[int, int], bool]


def find_browser(
    environment: Mapping[str, str] = os.environ, *, system: str = platform.system()
) -> Path | None:
    """Return the browser that prints: what $WEAKSPOT_CHROMIUM names, else a Chrome, Chromium or Edge that is installed."""
    if asked := environment.get(ASKED):
        return Path(asked)
    for name in _NAMES:
        if found := shutil.which(name, path=environment.get("PATH")):
            return Path(found)
    return next((path for path in _usual_places(environment, system) if path.is_file()), None)


def print_report(page: Path, *, progress: Progress | None = None, limit: float = LIMIT) -> Path | None:
    """Print a report's page to a PDF beside it, of the same name, and return that; it is made whole or not at all.

    `progress(done, total)`, of its two steps, is called ten times a second, and ends the work by returning False: then None is returned.
    It takes `limit` seconds at most.

    Raises:
        RunError: when there is no browser, it fails or takes too long, or the PDF cannot be written.
    """
    browser = find_browser()
    if browser is None:
        raise RunError(
            f"No Chrome, Chromium or Edge was found to make the PDF. Open {page} in a browser and print it, "
            f"or name a browser in {ASKED}."
        )
    target = page.with_suffix(".pdf")
    try:
        with draft_folder(target) as draft:
            write_text(draft / page.name, prepare_page(page.read_text(encoding="utf-8")))
            made = draft / target.name
            if not _print(browser, draft / page.name, made, progress, limit):
                return None
            if not made.is_file() or not made.read_bytes().startswith(b"%PDF"):
                raise RunError(f"{browser} made no PDF. Open {page} in a browser and print it.")
            write_bytes(target, made.read_bytes())
    except OSError as error:
        raise RunError(f"The PDF cannot be made: {describe_error(error)}. The page is {page}.") from None
    if progress is not None:
        progress(2, 2)
    return target


def prepare_page(page: str) -> str:
    """Return the page without figures for dark screens, and with its photos as JPEG, which a PDF holds as they are.

    A browser writes other photos into a PDF uncompressed, which makes it several times as large.
    """
    return _WEBP.sub(_make_jpeg, _FOR_SCREENS.sub("", page))


def _make_jpeg(found: re.Match[str]) -> str:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(found[1])), formats=["WEBP"]) as image:
        image.convert("RGB").save(buffer, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _print(browser: Path, page: Path, pdf: Path, progress: Progress | None, limit: float) -> bool:
    """Let the browser print, with a profile of its own: another that is open would take the page over and print nothing."""
    end = time.monotonic() + limit
    with tempfile.TemporaryDirectory(prefix="weakspot-", ignore_cleanup_errors=True) as profile:
        command = [str(browser), *_OPTIONS, f"--user-data-dir={profile}", f"--print-to-pdf={pdf.absolute()}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # it refuses to start as root with one
        process = psutil.Popen(
            [*command, page.absolute().as_uri()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
        try:
            while process.poll() is None:
                if progress is not None and not progress(1, 2):
                    return False
                if time.monotonic() > end:
                    raise RunError(
                        f"{browser} took longer than {format_duration(limit)} to make the PDF and was ended. "
                        "Try again, or open the page in a browser and print it."
                    )
                time.sleep(_LOOK)
        finally:
            _end(process)
    return True


def _end(process: psutil.Popen) -> None:
    """End a browser that still runs, with the processes that it has started."""
    family: list[psutil.Process] = [process]
    with suppress(psutil.NoSuchProcess):  # it may end by itself at any moment
        family += process.children(recursive=True)
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(family, timeout=10)


def _usual_places(environment: Mapping[str, str], system: str) -> list[Path]:
    if system == "Darwin":
        return [Path(f"/Applications/{name}.app/Contents/MacOS/{name}") for name in _MAC]
    if system == "Windows":
        folders = [environment.get(name) for name in ("ProgramFiles", "ProgramFiles(x86)", "LOCALAPPDATA")]
        return [Path(folder) / name for name in _WINDOWS for folder in folders if folder]
    return []
