"""A report at one click: made in a process of its own, then to be saved as one page, as PDF or with all its files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.dataset.export import pack_folder
from core.report.facts import PAGE
from core.report.paper import find_browser
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback

HELP = (
    "One HTML file that opens without a network: data, transforms, network, settings, curves, matrix, weak classes "
    "with heat maps, environment. Figures and tables come as PNG and CSV."
)


def draw_report_button(runs: Sequence[Run]) -> None:
    """Draw the button that makes a report on the first run, compared with the others, and opens its panel."""
    key = _key(runs)
    st.button(
        "Report",
        icon=":material/description:",
        key=f"report-{key}",
        help=HELP,
        on_click=guard_callback(_open),
        args=(runs,),
    )


def draw_report_panel(runs: Sequence[Run]) -> None:
    """Draw the progress or the end of the report on these runs, once its button was pressed or while it is made."""
    key, folder = _key(runs), report_folder(runs)
    status = read_task(folder)
    if status.state in ACTIVE:
        draw_running(folder, "steps", key=f"report-{key}")
        return
    if not st.session_state.get(f"report-open-{key}"):
        return
    if status.state == "stopped":
        st.info("Stopped. Nothing new was made.", icon=":material/stop_circle:")
    else:
        draw_end(status)
    page = folder / "report" / PAGE
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if page.exists():
            _draw_downloads(runs, page, key)
        if not _is_current(runs, page):
            st.button(
                "Make it again",
                icon=":material/refresh:",
                key=f"report-anew-{key}",
                on_click=guard_callback(_make),
                args=(runs,),
            )
    if page.exists() and not _is_current(runs, page):
        st.caption("The run has continued since this report was made.")


def report_folder(runs: Sequence[Run]) -> Path:
    """Return where the making of the report on these runs is watched; the report is in its folder `report`."""
    others = "/".join(run.id for run in runs[1:])
    mark = f"-{hashlib.blake2b(others.encode(), digest_size=6).hexdigest()}" if others else ""
    return runs[0].folder / f".report{mark}"


def _draw_downloads(runs: Sequence[Run], page: Path, key: str) -> None:
    name = f"{runs[0].id}-report"
    st.download_button(
        f"Save the page ({page.stat().st_size / 1e6:.1f} MB)",
        page.read_bytes,
        file_name=f"{name}.html",
        mime="text/html",
        key=f"report-page-{key}",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
        help="One HTML file with everything in it: it opens in any browser.",
    )
    _draw_pdf(runs, page, key)
    st.download_button(
        "Save page, figures and tables (zip)",
        lambda: pack_folder(page.parent),
        file_name=f"{name}.zip",
        mime="application/zip",
        key=f"report-zip-{key}",
        icon=":material/folder_zip:",
        on_click="ignore",
    )
    st.caption(f"made {time.strftime('%Y-%m-%d %H:%M', time.localtime(page.stat().st_mtime))}")


def _draw_pdf(runs: Sequence[Run], page: Path, key: str) -> None:
    """Draw what saves the report as PDF; before that, what makes it, where a browser of this machine can."""
    pdf = page.with_suffix(".pdf")
    if pdf.exists():
        st.download_button(
            f"Save as PDF ({pdf.stat().st_size / 1e6:.1f} MB)",
            pdf.read_bytes,
            file_name=f"{runs[0].id}-report.pdf",
            mime="application/pdf",
            key=f"report-pdf-{key}",
            icon=":material/picture_as_pdf:",
            on_click="ignore",
        )
        return
    found = find_browser() is not None
    st.button(
        "Make a PDF",
        icon=":material/picture_as_pdf:",
        key=f"report-print-{key}",
        disabled=not found,
        help="Printed by the browser of the machine that the dashboard runs on, which takes seconds."
        if found
        else "There is no Chrome, Chromium or Edge on the machine that the dashboard runs on. "
        "Save the page, open it in a browser and print it.",
        on_click=guard_callback(launch_task),
        args=(report_folder(runs), "report-pdf"),
        kwargs={"page": str(page)},
    )


def _open(runs: Sequence[Run]) -> None:
    st.session_state[f"report-open-{_key(runs)}"] = True
    if not _is_current(runs, report_folder(runs) / "report" / PAGE):
        _make(runs)


def _make(runs: Sequence[Run]) -> None:
    launch_task(report_folder(runs), "report", runs=[run.id for run in runs])


def _is_current(runs: Sequence[Run], page: Path) -> bool:
    """Tell whether there is a report, made after all that it tells of was written."""
    if not page.exists():
        return False
    sources = (path for run in runs for path in (run.predictions_path(), run.metrics_path, run.best_path))
    return all(path.stat().st_mtime <= page.stat().st_mtime for path in sources if path.exists())


def _key(runs: Sequence[Run]) -> str:
    return "+".join(run.id for run in runs)
