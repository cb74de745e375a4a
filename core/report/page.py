"""A report on a run, to hand in or to pass on: one HTML file that needs nothing else, its figures and its tables."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from core import palette
from core.dataset.export import format_table
from core.errors import RunError, describe_error
from core.files import draft_folder, replace_folder
from core.report.examples import Examples, find_weak
from core.report.facts import PAGE, read_facts
from core.report.figures import DARK, LIGHT
from core.report.parts import Parts, gather_parts
from core.runs.run import Run

MAX_BYTES = 10_000_000

Progress = Callable[[int, int], bool]


class _Stopped(Exception):
    """The progress told to stop."""


def write_report(
    runs: Sequence[Run], out: Path, *, overwrite: bool = False, progress: Progress | None = None
) -> Path | None:
    """Write a report on the first run, compared with the others, into the folder `out` and return its page.

    The folder gets report.html, which needs no other file and has less than 10 MB, figures/*.png and tables/*.csv; it
    is made whole or not at all. `progress(done, total)` is called after each step and ends the work by returning
    False: then None is returned.

    Raises:
        RunError: when a run cannot be reported, or `out` is taken or cannot be written.
    """
    _check_out(out, overwrite)
    ids = [run.id for run in runs]
    if len(set(ids)) < len(ids):
        raise RunError("A run is named twice. Name each run once.")
    facts = [read_facts(run) for run in runs]
    done, total = 0, 7 + len(find_weak(facts[0])) + (len(facts) > 1)

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None and not progress(done, total):
            raise _Stopped

    try:
        step()
        parts = gather_parts(facts, step)
        page = fit_page(parts)
        step()
        with draft_folder(out) as draft:
            _write_files(draft, page, parts)
            replace_folder(draft, out)
    except _Stopped:
        return None
    except OSError as error:
        raise RunError(f"The report cannot be written: {describe_error(error)}.") from None
    if progress is not None:
        progress(total, total)
    return out / PAGE


def fit_page(parts: Parts, limit: int = MAX_BYTES) -> str:
    """Return the page, with as many of its example images as leave it smaller than `limit` bytes.

    Raises:
        RunError: when it is larger without any.
    """
    for examples in _thin_out(parts.examples):
        page = _template().render(
            parts.values, figures=parts.figures, examples=examples, light=LIGHT, dark=DARK, palette=palette
        )
        if len(page.encode()) < limit:
            return page
    raise RunError(
        f"The report would be larger than {limit / 1e6:.0f} MB even without example images. Report on fewer runs."
    )


def _thin_out(examples: Examples) -> list[Examples]:
    """Return the examples, then fewer of them, then none."""
    note = "Example images are left out to keep this page small; they are in the folder figures."
    fewer = [replace(weak, errors=weak.errors[:1], alike=()) for weak in examples.weak]
    none = [replace(weak, errors=(), alike=()) for weak in examples.weak]
    missing = f"{examples.missing} {note}".strip()
    return [
        examples,
        replace(examples, weak=tuple(fewer), missing=missing),
        Examples((), (), tuple(none), missing),
    ]


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["uri"] = _make_uri
    environment.filters["quote_css"] = quote_css
    return environment.get_template(PAGE)


def _make_uri(image: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def quote_css(text: str) -> str:
    """Return a text as a string of a style sheet, in which no letter of it can end the string or the sheet."""
    letters = (one if one.isalnum() or one == " " else f"\\{ord(one):x} " for one in text)
    return f'"{"".join(letters)}"'


def _check_out(out: Path, overwrite: bool) -> None:
    if not out.parent.is_dir():
        raise RunError(
            f"{out} cannot be made: there is no folder {out.parent}. Make it, or choose another --out."
        )
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / PAGE).is_file():  # whatever it is, it is not ours to replace
        raise RunError(f"{out} already exists and is not a report. Choose another folder with --out.")
    if not overwrite:
        raise RunError(f"{out} already has a report. Add --overwrite to replace it, or choose another --out.")


def _write_files(folder: Path, page: str, parts: Parts) -> None:
    for name in ("figures", "tables"):
        (folder / name).mkdir()
    for name, figure in parts.figures.items():
        (folder / "figures" / f"{name}.png").write_bytes(figure.light)
    for name, sheet in parts.sheets.items():
        (folder / "figures" / f"{name}.png").write_bytes(sheet)
    for name, table in parts.tables.items():
        (folder / "tables" / f"{name}.csv").write_text(format_table(table), encoding="utf-8")
    (folder / PAGE).write_text(page, encoding="utf-8")
