"""The report on paper: printed by the machine's own browser, no page half empty, and told in words where that fails."""

from __future__ import annotations

import shutil
import stat
import time
from pathlib import Path

import numpy as np
import psutil
import pypdfium2
import pytest

from core.__main__ import main
from core.errors import RunError
from core.report import paper
from core.report.page import quote_css, write_report
from core.report.paper import find_browser, prepare_page, print_report
from core.runs.tasks import launch_task, read_task
from tests.browser import find_chromium
from tests.conftest import make_tiny_data
from tests.made_run import make_run

pytestmark = pytest.mark.slow(40)
LEAST = 1 / 3  # of a page's height that is filled, on every page but the last


@pytest.fixture(autouse=True)
def browser(monkeypatch: pytest.MonkeyPatch) -> None:
    if found := find_chromium():
        monkeypatch.setenv(paper.ASKED, found)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, best_model: Path) -> Path:
    """The page of a report on two runs, with heat maps and photos."""
    place = tmp_path_factory.mktemp("paper")
    data = make_tiny_data(place / "pictures")
    first = make_run(place / "runs", data, name="roses-A")
    shutil.copy(best_model, first.best_path)
    page = write_report([first, make_run(place / "runs", data, name="second", lr=0.5)], place / "out")
    assert page is not None
    return page


@pytest.fixture(scope="module")
def pdf(report: Path) -> pypdfium2.PdfDocument:
    with pytest.MonkeyPatch.context() as patch:
        if found := find_chromium():
            patch.setenv(paper.ASKED, found)
        made = print_report(report)
    assert made == report.with_suffix(".pdf")
    return pypdfium2.PdfDocument(made)


def read_text(pdf: pypdfium2.PdfDocument, number: int) -> str:
    return str(pdf[number].get_textpage().get_text_range())


def measure_fill(page: pypdfium2.PdfPage) -> float:
    """Return how far down the page reaches, between the lines at its head and its foot, 0..1."""
    drawn = np.asarray(page.render(scale=0.5).to_pil().convert("L")) < 245
    rows = np.flatnonzero(drawn.any(axis=1))
    head, foot = 0.06 * page.get_height() / 2, 0.94 * page.get_height() / 2
    inside = rows[(rows > head) & (rows < foot)]
    return float((inside.max() - head) / (foot - head)) if len(inside) else 0.0


def test_a_small_report_is_a_few_full_pages_of_a4(pdf: pypdfium2.PdfDocument) -> None:
    assert 3 <= len(pdf) <= 9
    assert [round(side) for side in pdf[0].get_size()] in ([595, 842], [594, 842], [595, 841])
    filled = [round(measure_fill(page), 2) for page in pdf]
    assert min(filled[:-1]) >= LEAST, filled


def test_every_section_is_printed_and_every_page_has_its_number_and_the_name_of_the_run(
    pdf: pypdfium2.PdfDocument,
) -> None:
    pages = [read_text(pdf, number) for number in range(len(pdf))]
    for section in (
        "Data",
        "Transforms",
        "Hyper-parameters",
        "Confusion matrix",
        "Weak classes",
        "Comparison",
    ):
        assert any(section in page for page in pages), section
    for number, page in enumerate(pages):
        assert f"{number + 1} of {len(pages)}" in page
        assert "roses-A" in page


def test_the_paper_is_white_whatever_the_screen(pdf: pypdfium2.PdfDocument) -> None:
    for page in pdf:
        corner = page.render(scale=0.25).to_numpy()[:3, :3, :3]
        assert corner.min() == 255


def test_no_heading_stands_alone_at_the_foot_of_a_page(pdf: pypdfium2.PdfDocument) -> None:
    headings = ("Data", "Transforms", "Network", "Hyper-parameters", "Training", "Results", "Weak classes")
    for number in range(len(pdf)):
        lines = [line.strip() for line in read_text(pdf, number).splitlines() if line.strip()]
        shown = [line for line in lines if not line.endswith(f"of {len(pdf)}")]
        assert not shown[-1].endswith(headings), shown[-1]


def test_photos_are_printed_as_jpeg_and_nothing_for_dark_screens(report: Path) -> None:
    page = prepare_page(report.read_text(encoding="utf-8"))
    assert "image/webp" not in page
    assert "<source" not in page
    assert page.count("data:image/jpeg;base64,/9j/") == report.read_text(encoding="utf-8").count("image/webp")


def test_a_name_cannot_leave_its_string_in_the_style_sheet() -> None:
    assert quote_css('a"</style>\\\n') == '"a\\22 \\3c \\2f style\\3e \\5c \\a "'


# Where it fails


def test_without_a_browser_the_page_is_named_and_what_to_do(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(paper.ASKED, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(paper, "_usual_places", lambda *_: [])
    with pytest.raises(RunError, match=r"report\.html in a browser and print it"):
        print_report(report)


def test_browsers_are_found_at_their_usual_places(tmp_path: Path) -> None:
    edge = tmp_path / "Microsoft" / "Edge" / "Application" / "msedge.exe"
    edge.parent.mkdir(parents=True)
    edge.touch()
    environment = {"PATH": "", "ProgramFiles(x86)": str(tmp_path)}
    assert find_browser(environment, system="Windows") == edge
    assert find_browser({"PATH": ""}, system="Linux") is None
    assert find_browser({**environment, paper.ASKED: "/my/own"}, system="Windows") == Path("/my/own")


def make_program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return str(path)


def copy_page(report: Path, folder: Path) -> Path:
    folder.mkdir()
    return Path(shutil.copy(report, folder))


def test_a_browser_that_hangs_is_ended_with_its_children(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = copy_page(report, tmp_path / "out")
    monkeypatch.setenv(paper.ASKED, make_program(tmp_path / "hangs", "sleep 61 & sleep 61"))
    before = psutil.Process().children(recursive=True)
    with pytest.raises(RunError, match=r"longer than 1 s to make the PDF"):
        print_report(page, limit=1)
    assert psutil.Process().children(recursive=True) == before
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("script", "told"), [("exit 0", "made no PDF. Open"), (None, "The PDF cannot be made: .*no-browser")]
)
def test_a_browser_that_makes_nothing_is_told(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, told: str
) -> None:
    page = copy_page(report, tmp_path / "out")
    program = str(tmp_path / "no-browser") if script is None else make_program(tmp_path / "empty", script)
    monkeypatch.setenv(paper.ASKED, program)
    with pytest.raises(RunError, match=told):
        print_report(page)
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]


def test_a_print_that_is_stopped_leaves_nothing(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = copy_page(report, tmp_path / "out")
    monkeypatch.setenv(paper.ASKED, make_program(tmp_path / "hangs", "exec sleep 61"))
    begun, before = time.monotonic(), psutil.Process().children(recursive=True)
    assert print_report(page, progress=lambda *_: time.monotonic() < begun + 0.3) is None
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]
    assert psutil.Process().children(recursive=True) == before


# From the command line and from the dashboard


def test_the_command_prints_it_too(
    runs_root: Path,
    tiny_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_run(runs_root, tiny_data)
    monkeypatch.chdir(tmp_path)
    assert main(["report", "latest", "--pdf"]) == 0
    assert capsys.readouterr().out.split() == ["first-report/report.html", "first-report/report.pdf"]
    assert (tmp_path / "first-report" / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_task_prints_it(report: Path, tmp_path: Path) -> None:
    page, task = copy_page(report, tmp_path / "out"), tmp_path / "task"
    launch_task(task, "report-pdf", page=str(page))
    end = time.monotonic() + 90
    while read_task(task).state not in ("finished", "failed", "crashed") and time.monotonic() < end:
        time.sleep(0.2)
    assert read_task(task).message == str(page.with_suffix(".pdf"))
    assert page.with_suffix(".pdf").exists()
