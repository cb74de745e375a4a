"""The panel of a report without a browser: what makes its PDF, and what then saves it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.report import paper
from core.runs.run import Run
from core.runs.tasks import read_order
from dashboard.panels.report_panel import report_folder
from tests.pages.apps import Open, set_state


@pytest.fixture
def page(run: Run) -> Path:
    """A report that was made after all that the run holds."""
    page = report_folder([run]) / "report" / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("<h1>first</h1>", encoding="utf-8")
    set_state(Run(report_folder([run])), "finished")
    return page


def open_panel(open_page: Open) -> AppTest:
    app = open_page("runs")
    return app.button(key="report-first").click().run()


def test_a_pdf_is_made_by_a_task_and_then_saved(
    open_page: Open, run: Run, page: Path, no_jobs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(paper.ASKED, sys.executable)  # any program: no job runs here
    app = open_panel(open_page)
    app.button(key="report-print-first").click().run()
    assert read_order(report_folder([run])) == ("report-pdf", {"page": str(page)})
    assert app.button(key="report-first-stop").label == "Stop"
    page.with_suffix(".pdf").write_bytes(b"%PDF" + bytes(200_000))
    set_state(Run(report_folder([run])), "finished")
    app.run()
    (button,) = [one for one in app.get("download_button") if "PDF" in one.proto.label]
    assert button.proto.label == "Save as PDF (0.2 MB)"
    assert not [one for one in app.button if one.key == "report-print-first"]


def test_without_a_browser_the_button_says_what_to_do(
    open_page: Open, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(paper.ASKED, raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(paper, "_usual_places", lambda *_: [])
    button = open_panel(open_page).button(key="report-print-first")
    assert button.disabled
    assert "open it in a browser and print it" in button.help
