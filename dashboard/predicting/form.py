"""How the file that is handed in is to be written: as a sample submission has it, or by choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from core.answers.submission import LabelStyle, Sample, read_sample, take_sample
from core.csv_table import parse_table
from core.errors import UserError
from core.files import write_text
from core.people.roots import allow_path
from core.runs.run import Run
from dashboard.text import escape_markdown, format_count

LABELS: dict[LabelStyle, str] = {
    "": "as in the sample, else class folders",
    "folder": "class folders",
    "name": "class names",
}


def draw_form(run: Run, task: Path) -> dict[str, Any] | None:
    """Let the user choose how the file is written; return it as the task takes it, None where the sample cannot be used.

    A sample that was uploaded is kept in the task's folder.
    """
    with st.expander("How the file is written", icon=":material/edit_document:"):
        try:
            path, sample = draw_sample(run, task)
        except UserError as error:
            st.warning(escape_markdown(str(error)), icon=":material/rule:")
            return None
        with st.container(horizontal=True, vertical_alignment="bottom"):
            extension = st.selectbox(
                "Images are called",
                [True, False],
                format_func=lambda whole: "001.jpg" if whole else "001",
                key=f"predict-extension-{run.id}",
                disabled=sample is not None,
                width=180,
                help="By their file names, with or without the extension.",
            )
            labels = st.selectbox(
                "Labels are",
                list(LABELS),
                format_func=LABELS.__getitem__,
                key=f"predict-labels-{run.id}",
                width=300,
            )
        st.caption(describe_form(sample))
    named = {} if sample is None else {"sample": str(path), "sample_name": sample.name}
    return {"extension": extension, "labels": labels, **named}


def draw_sample(run: Run, task: Path) -> tuple[Path | None, Sample | None]:
    """Let the user give a sample submission, as an upload or by its path; return where it lies, and what it says.

    Raises:
        DataError: where it cannot be used.
    """
    upload = st.file_uploader(
        "Sample submission (optional)", key=f"predict-sample-{run.id}", type="csv",
        help="Its columns, line order, and names of images and classes are used.",
    )  # fmt: skip
    if upload is not None:
        content = upload.getvalue()
        sample = take_sample(parse_table(upload.name, content))
        path = task / "sample.csv"
        text = content.decode("utf-8-sig")
        if not path.exists() or path.read_bytes() != text.encode():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        return path, sample
    asked = st.text_input("or its path on this machine", key=f"predict-sample-path-{run.id}").strip()
    if not asked:
        return None, None
    path = allow_path(asked).absolute()
    return path, read_sample(path)


def describe_form(sample: Sample | None) -> str:
    """Say what the file will look like."""
    if sample is None:
        return "Two columns, image_name and pred_label, a line for each image in the folder's natural order (2 before 10)."
    columns = " and ".join(escape_markdown(name) for name in sample.columns)
    return (
        f"As in {escape_markdown(sample.name)}: the columns {columns}, and its {format_count(len(sample.rows), 'line')} in their "
        "order. How it names images is found by comparing it with the folder."
    )
