"""Tables from spreadsheets and other programs: labels of images, predictions, fix lists, in every coding and with every slip."""

from __future__ import annotations

from pathlib import Path

from core.answers.submission import take_sample
from core.arrivals.label_table import match_rows, suggest_columns
from core.csv_table import read_head, read_table
from core.dataset.export import defuse
from core.dataset.label_report import read_fixes
from core.errors import UserError
from core.imports.columns import find_columns
from tests.arrivals.sending import image_bytes
from tests.corpus.case import REFUSED, Case, write

NAMES = ("rose.png", "=1+1.png", "a,b.png", "rösé.png")
LONG = b"x" * 11_000_000


def read(path: Path) -> str:
    """Read a file as each table that may be handed in; say what it is as labels, as predictions, as a sample and as a fix list."""
    images = path.parent / "images"
    images.mkdir()
    for name in NAMES:
        (images / name).write_bytes(image_bytes())
    said = []
    for read_one in (_read_labels, _read_predictions, _read_sample, _read_fix_list):
        try:
            said.append(read_one(path, images))
        except UserError as error:
            said.append(f"{REFUSED}{error}")
    assert all(path.name in words for words in said if words.startswith(REFUSED)), said
    return "\n".join(said)


def _read_labels(path: Path, images: Path) -> str:
    table = read_table(path)
    assert read_head(path) == table.head
    columns = suggest_columns(table.head)
    if columns is None:
        return f"Labels: which columns is asked of {', '.join(table.head)}"
    rows = match_rows(table, columns, images)
    return "Labels: " + "; ".join(f"{row.path} is {row.label} ({row.split})" for row in rows)


def _read_predictions(path: Path, images: Path) -> str:
    columns = find_columns(read_table(path), ("a", "b"), {})
    return f"Predictions: {columns.path}, {columns.predicted}"


def _read_sample(path: Path, images: Path) -> str:
    return "Sample: " + "; ".join(defuse(cell) for row in take_sample(read_table(path)).rows for cell in row)


def _read_fix_list(path: Path, images: Path) -> str:
    return f"Fixes: {len(read_fixes(path))}"


PLAIN = "image,label\nrose.png,a\n"
TOLD = ("Labels: rose.png is a (train)",)
BOMB = b"image,label\nrose.png," + b"a" * 11_000_000 + b"\n"

CASES: dict[str, Case] = {
    name: Case(write("labels.csv", content if isinstance(content, bytes) else content.encode()), says)
    for name, (content, says) in {
        "plain": (PLAIN, TOLD),
        "with a BOM": ("\ufeff" + PLAIN, TOLD),
        "UTF-16 as Excel saves it": (PLAIN.encode("utf-16"), TOLD),
        "semicolons": (PLAIN.replace(",", ";"), TOLD),
        "tabs": (PLAIN.replace(",", "\t"), TOLD),
        "line ends of Windows": (PLAIN.replace("\n", "\r\n"), TOLD),
        "line ends of old Macs": (PLAIN.replace("\n", "\r"), ("labels.csv",)),
        "no line end at the end": (PLAIN.rstrip(), TOLD),
        "empty lines": ("\n\n" + PLAIN + "\n\n", TOLD),
        "empty lines and semicolons": ("\r\n\r\n" + PLAIN.replace(",", ";"), TOLD),
        "Latin-1": ("image,label\nrösé.png,a\n".encode("latin-1"), ("Labels: rösé.png is a",)),
        "quotes and a comma in a name": ('image,label\n"a,b.png","a ""b"""\n', ('Labels: a,b.png is a "b" (train)',)),
        "a newline in a label": ('image,label\nrose.png,"a\nb"\n', ("Labels: rose.png is a\nb (train)",)),
        "a quote that is not closed": ('image,label\n"rose.png,a\n', (f"{REFUSED}labels.csv, line 2 is not valid CSV", "Check its double quotes.")),
        "formulas": ("image,label\n=1+1.png,=cmd|' /C calc'!A0\n", ("Labels: =1+1.png is =cmd|' /C calc'!A0 (train)", "Sample: '=1+1.png; '=cmd")),
        "HTML": ("image,label\nrose.png,<script>window.hit=1</script>\n", ("Labels: rose.png is <script>window.hit=1</script> (train)",)),
        "empty": (b"", (f"{REFUSED}labels.csv has no rows. The first line names the columns",)),
        "a head alone": ("image,label\n", (f"{REFUSED}labels.csv has no rows",)),
        "no head": ("rose.png,a\n=1+1.png,b\n", ("Labels: =1+1.png is b", "has a column for 1 of 2 classes")),
        "a column less": ("image\nrose.png\n", ("Labels: which columns is asked of image", f"{REFUSED}labels.csv has 1 column")),
        "other columns": ("x,y,z\n1,2,3\n", ("Labels: which columns is asked of x, y, z", "no column is named like a path")),
        "two columns of one name": ("image,label,label\nrose.png,a,b\n", (f"{REFUSED}labels.csv has two columns called 'label'. Rename one of them.",)),
        "a cell more": ("image,label\nrose.png,a,b\n", (f"{REFUSED}labels.csv, line 2 has 3 cells, but the first line names 2 columns",)),
        "a cell less": ("image,label\nrose.png\n", (f"{REFUSED}labels.csv, line 2 has 1 cell, but the first line names 2 columns",)),
        "no label": ("image,label\nrose.png,\n", (f"{REFUSED}labels.csv: line 2, column label is empty",)),
        "two labels for an image": ("image,label\nrose.png,a\nrose.png,b\n", ("line 3, column label: rose.png has 'a' on line 2 and 'b' here",)),
        "an image there is not": ("image,label\ntulip.png,a\n", ("line 2, column image: there is no image 'tulip.png'",)),
        "a path that leads out": ("image,label\n../../etc/passwd,a\n", ("line 2, column image: there is no image '../../etc/passwd'",)),
        "a split of no known name": ("image,label,split\nrose.png,a,later\n", ("line 2, column split: 'later' is not train, val or test",)),
        "a workbook": (b"PK\x03\x04" + bytes(99), (f"{REFUSED}labels.csv is an Excel workbook or an archive. Save the table as CSV.",)),
        "a Parquet file": (b"PAR1" + bytes(99), (f"{REFUSED}labels.csv is a Parquet file. Save the table as CSV.",)),
        "an image": (image_bytes(), (f"{REFUSED}labels.csv is not text. Save the table as CSV.",)),
        "zeros": (bytes(1000), (f"{REFUSED}labels.csv is not text. Save the table as CSV.",)),
        "a cell of 11 MB": (BOMB, (f"{REFUSED}labels.csv, line 2 is not valid CSV", )),
        "a million columns": (b"a," * 1_000_000 + b"b\n1\n", ("labels.csv",)),
        "a hundred thousand rows": ("image,label\n" + "rose.png,a\n" * 100_000, TOLD),
    }.items()
}  # fmt: skip
