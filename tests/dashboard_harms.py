"""The dashboard is killed while jobs that it started are at work (see `tests.chaos`), with a real browser on its page."""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace

from playwright.sync_api import Page, expect

from core.runs import jobs
from core.runs.run import Run
from tests.dashboards import Dashboard, browse, open_page, settle
from tests.harmed import Place
from tests.looks import BAD

_LONGEST = 6.0  # seconds of such a job, most of them to start
_TRIES = 4
_PATIENCE = 120_000  # ms


def kill_the_dashboard(place: Place, run: Run, chance: random.Random) -> None:
    """Start a job from a page and kill the dashboard at a random moment with -9: the job goes on, and is shown right."""
    _kill(place, run, chance, job_too=False)


def kill_both(place: Place, run: Run, chance: random.Random) -> None:
    """Start a job from a page and kill the dashboard and the job at random moments; the page offers to resume it."""
    _kill(place, run, chance, job_too=True)


def _kill(place: Place, run: Run, chance: random.Random, *, job_too: bool) -> None:
    run.write_status(replace(run.read_status(), state="stopped", phase="stopped"))
    server = Dashboard(place.root.parent, place.data)
    try:
        with browse(server) as page:
            open_page(page, server, f"live?run={run.id}")
            page.get_by_role("button", name="Resume").click()
            page.wait_for_timeout(chance.uniform(0, _LONGEST) * 1000)
            server.process.kill()
            server.process.wait()
            if job_too:
                time.sleep(chance.uniform(0, 2.0))
                jobs.kill(run)
            server.start()
            _see_to_the_end(page, server, run)
    finally:
        server.process.kill()
        server.process.wait()
        server.log.close()
        jobs.kill(run)
    place.assert_nobody_left()


def _see_to_the_end(page: Page, server: Dashboard, run: Run) -> None:
    """Look at the run until the page says that it has finished, and resume it where the page offers that."""
    for _ in range(_TRIES):
        open_page(page, server, f"live?run={run.id}")
        done, resume = (
            page.get_by_text(re.compile("^Finished:")),
            page.get_by_role("button", name="Resume", exact=True),
        )
        expect(done.or_(resume).first).to_be_visible(timeout=_PATIENCE)
        words = page.locator("body").inner_text()
        assert not [bad for bad in BAD if bad in words], words[:400]
        if done.first.is_visible():
            return
        resume.click()
        settle(page)
    raise AssertionError(f"after {_TRIES} times it is still {jobs.live_status(run).state}")
