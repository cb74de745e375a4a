"""Lets many people use one dashboard for long, beside a training, and tells what it held: `python -m tests.soak`.

Each session is a page of a real Chromium with a socket of its own. It goes from page to page as people do, clicks cells,
opens images and looks at heat maps. `python -m tests.soak heat` does so with one session, again and again. The tables go
into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from playwright.async_api import Error, Page, async_playwright

from benchmarks.engine import describe_machine
from benchmarks.pages import train_beside
from benchmarks.sections import write_section
from core.runs.run import Run
from core.training.checkpoint import save_checkpoint
from tests.browser import ARGUMENTS, find_chromium
from tests.dashboards import serve
from tests.made_run import make_run, measure_confidence
from tests.pages.apps import PAGES
from tests.processes import REPOSITORY, make_images, tiny_config

REPORT = REPOSITORY / "docs" / "reliability.md"
GROWTH = 50.0  # MB that the server may take more at the end
PATIENCE = 60_000  # ms for a page
PAUSES = (2.0, 8.0)  # seconds that a person looks at a page
HEAT_STEPS = 500  # heat maps, and as many predictions
MOST_ERRORS = 5  # after which one session is given up: each may have taken a minute
FAULTS = ("could not be drawn", "unexpected fault", "Traceback", "Connection error")
RUN = "made"
FIRST_ROUND = "the first round, all at once"


@dataclass
class Seen:
    """What was measured: seconds of each opening by page, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def note(self, name: str, seconds: float) -> None:
        """Note how long a page took."""
        self.seconds.setdefault(name, []).append(seconds)


def make_workshop(folder: Path) -> tuple[Path, Run]:
    """Make a data set and a run on it with a model of random weights, as people who look at a run find it."""
    import torch

    from core.networks.build import build_model
    from core.networks.table import IMAGENET
    from core.training.checkpoint import best_values
    from tests.conftest import COLOURS, make_tiny_data

    data = make_tiny_data(folder / "tiny")
    run = make_run(folder / "runs", data, name=RUN)
    torch.manual_seed(0)
    values = best_values(
        build_model("resnet18", 3), arch="resnet18", inputs=IMAGENET, classes=tuple(COLOURS), display={}, image_size=32,
        resize_size=32,
    )  # fmt: skip
    save_checkpoint(run.best_path, values)
    measure_confidence(run)
    make_run(folder / "runs", data, name="second", lr=0.5)
    return data, run


async def open_first(page: Page, url: str) -> None:
    """Open the run's Confusion page as a link to it does."""
    await page.goto(f"{url}/confusion?run={RUN}")
    await rest(page)


async def rest(page: Page) -> None:
    """Wait until the page's script has ended, and raise where it shows a fault."""
    await page.get_by_role("heading", level=1).first.wait_for(timeout=PATIENCE)
    await page.wait_for_selector(
        '[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=PATIENCE
    )
    words = await page.locator("body").inner_text()
    if found := [fault for fault in FAULTS if fault in words]:
        raise AssertionError(f"{page.url} says: {found[0]}")


async def go_to(page: Page, name: str) -> None:
    """Go to a page by the sidebar, as one session does."""
    link = page.get_by_test_id("stSidebarNav").locator(f'a[href$="/{"" if name == "start" else name}"]')
    await link.first.click(timeout=PATIENCE)
    await page.get_by_role("heading", level=1, name=re.compile(re.escape(PAGES[name]))).wait_for(
        timeout=PATIENCE
    )
    await rest(page)


async def open_image(page: Page, number: int) -> None:
    """Open an image that was taken for another class, with its heat maps."""
    path = ("val/10/2.png", "val/35/1.png")[number % 2]
    label = path.split("/")[1]
    await page.goto(
        f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}/weak?run={RUN}&class={label}&image={path}"
    )
    await page.get_by_alt_text(f"Grad-CAM of {path} for 2", exact=True).wait_for(timeout=PATIENCE)
    await rest(page)


async def click_cell(page: Page) -> None:
    """Go to the matrix and click in the middle of it."""
    await go_to(page, "confusion")
    graph = page.locator(".weakspot-plot .main-svg").first
    await graph.wait_for(timeout=PATIENCE)
    box = await graph.bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await page.wait_for_timeout(500)
    await rest(page)


async def timed(seen: Seen, name: str, act: Callable[[], Awaitable[None]]) -> None:
    """Do one thing, note how long it took, and what went wrong."""
    begun = time.monotonic()
    try:
        await act()
    except (Error, AssertionError) as error:
        seen.errors.append(f"{name}: {' '.join(str(error).split())[:200]}")
        return
    seen.note(name, time.monotonic() - begun)


@dataclass
class Together:
    """Where people wait until all of them have seen every page, from when on is measured."""

    people: int
    arrived: int = 0
    all_here: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Wait for all others."""
        self.arrived += 1
        if self.arrived == self.people:
            self.all_here.set()
        await self.all_here.wait()


async def live(
    page: Page, seen: Seen, url: str, seconds: float, chance: random.Random, warm: Together
) -> None:
    """Be one person: see each page once, wait for all others, and go on at random for so many seconds."""
    page.on("pageerror", lambda error: seen.errors.append(f"in the browser: {error}"))
    await timed(seen, FIRST_ROUND, lambda: open_first(page, url))
    names = list(PAGES)
    for name in names:
        await timed(seen, FIRST_ROUND, lambda name=name: go_to(page, name))  # type: ignore[misc]
    await timed(seen, FIRST_ROUND, lambda: open_image(page, 0))
    await warm.wait()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(chance.uniform(*PAUSES))
        draw, name = chance.random(), chance.choice(names)
        if draw < 0.15:
            await timed(seen, "an image with heat maps", lambda: open_image(page, chance.randrange(2)))
        elif draw < 0.3:
            await timed(seen, "a click on a cell", lambda: click_cell(page))
        else:
            await timed(seen, name, lambda name=name: go_to(page, name))  # type: ignore[misc]


def measure_memory(pid: int) -> float:
    """Return the MB that a process has for itself."""
    return float(psutil.Process(pid).memory_full_info().uss) / 1e6


async def use(url: str, pid: int, sessions: int, seconds: float, seen: Seen) -> tuple[float, float]:
    """Let so many people use the dashboard; return the server's MB once all had seen every page, and at the end."""
    warm = Together(sessions)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        pages = [await browser.new_page(viewport={"width": 1440, "height": 900}) for _ in range(sessions)]
        people = [
            asyncio.create_task(live(page, seen, url, seconds, random.Random(number), warm))
            for number, page in enumerate(pages)
        ]
        await warm.all_here.wait()
        before = measure_memory(pid)
        await asyncio.gather(*people)
        after = measure_memory(pid)
        await browser.close()
    return before, after


async def repeat(url: str, pid: int, data: Path, times: int, seen: Seen) -> tuple[float, float]:
    """Look at so many heat maps and predict as many images in one session; return the server's MB before and after.

    What was seen once is kept by the server, so each image is a new one.
    """
    warm = max(2, times // 10)
    before = 0.0
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        page = await browser.new_page(viewport={"width": 1440, "height": 900})
        await open_first(page, url)
        await go_to(page, "predict")
        for number in range(warm + times):
            if number == warm:
                before = measure_memory(pid)
            content = make_picture(data, number)
            await timed(
                seen, "a prediction with its heat map", lambda n=number, c=content: predict(page, n, c)
            )  # type: ignore[misc]
            if len(seen.errors) >= MOST_ERRORS:
                seen.errors.append(f"given up after {number + 1} of {warm + times} pictures")
                break
        after = measure_memory(pid)
        await browser.close()
    return before, after


def make_picture(data: Path, number: int) -> bytes:
    """Return a picture that no other number gives."""
    import io

    from PIL import Image

    with Image.open(data / "val" / "2" / "1.png") as known:
        picture = known.convert("RGB")
    picture.putpixel((0, 0), (number % 256, number // 256, 7))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


async def predict(page: Page, number: int, content: bytes) -> None:
    """Drop a picture on Predict, wait for its answer and heat map, and take it away."""
    name = f"photo-{number}.png"
    drop = page.get_by_test_id("stFileUploaderDropzoneInput").first
    await drop.set_input_files([{"name": name, "mimeType": "image/png", "buffer": content}])
    card = page.locator(".ws-card", has_text=name)
    await card.wait_for(timeout=PATIENCE)
    # Until the heat map is there, the picture itself stands in its place.
    await card.get_by_alt_text(re.compile(f"^Grad-CAM of {re.escape(name)} for ")).wait_for(timeout=PATIENCE)
    await rest(page)
    await page.get_by_role("button", name=f"Remove {name}", exact=True).click(timeout=PATIENCE)
    await card.wait_for(state="detached", timeout=PATIENCE)


def describe(title: str, how: str, seen: Seen, before: float, after: float) -> str:
    """Return the section: each page's median and p95, the errors, and the memory."""
    lines = [
        f"## {title}",
        "",
        f"{how} Written {describe_machine()}.",
        "",
        "| what | times | median | 95 % within |",
        "|---|---|---|---|",
    ]
    for name, found in sorted(seen.seconds.items()):
        lines.append(
            f"| {PAGES.get(name, name)} | {len(found)} | {statistics.median(found):.1f} s | {find_p95(found):.1f} s |"
        )
    if not seen.seconds:
        return "\n".join([f"## {title}", "", "Nothing was seen.", *(f"- {error}" for error in seen.errors)])
    every = [one for name, found in seen.seconds.items() if name != FIRST_ROUND for one in found]
    lines.append(
        f"| **all but the first round** | {len(every)} | {statistics.median(every):.1f} s | {find_p95(every):.1f} s |"
    )
    lines += [
        "",
        f"Errors: {len(seen.errors)}. Memory of the server: {before:.0f} MB once all had been seen, {after:.0f} MB at the end.",
    ]
    return "\n".join([*lines, *(f"- {error}" for error in seen.errors[:20])])


def find_p95(found: list[float]) -> float:
    """Return the time that 95 of 100 took at most."""
    return sorted(found)[min(len(found) - 1, round(0.95 * len(found)))]


def main() -> int:
    """Use the dashboard, tell what was measured, and return 1 where anything went wrong or memory grew."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("kind", nargs="?", choices=["people", "heat"], default="people")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--times", type=int, default=HEAT_STEPS, help="predictions with heat maps, of heat")
    parser.add_argument("--no-report", action="store_true", help="leave docs/reliability.md as it is")
    options = parser.parse_args()
    seen = Seen()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, _ = make_workshop(folder)
        with serve(folder, data) as server:
            pid = server.process.pid
            if options.kind == "heat":
                before, after = asyncio.run(repeat(server.url, pid, data, options.times, seen))
                title = f"{options.times} predictions with heat maps in one session"
                how = "`python -m tests.soak heat` drops one picture after another on Predict; a tenth as many came before the first measure."
            else:
                beside = Run(folder / "beside")
                shutil.copytree(server.runs / RUN, beside.folder)
                config = tiny_config(make_images(folder / "images"), "beside")
                (beside.folder / "config.json").write_text(config.to_json(), encoding="utf-8")
                with train_beside(beside):
                    found = use(server.url, pid, options.sessions, options.minutes * 60, seen)
                    before, after = asyncio.run(found)
                title = f"{options.sessions} people for {options.minutes:g} minutes"
                how = "`make soak` lets sessions of a real Chromium go through one dashboard with a training beside it on the same machine."
    section = describe(title, how, seen, before, after)
    print(section)
    if not options.no_report:
        write_section(f"soak-{options.kind}", section, REPORT)
    if after - before > GROWTH:
        print(f"The server grew by {after - before:.0f} MB, and {GROWTH:.0f} are allowed.", file=sys.stderr)
    return 1 if seen.errors or after - before > GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
