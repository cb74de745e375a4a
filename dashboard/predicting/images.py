"""Images dropped on the page, one or thousands, or taken by the camera: what they are, as cards or as a table, to save."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.answers.arriving import MAX_BYTES, MAX_FILE, MAX_FILES, unpack_files
from core.answers.batch import Batch, ask_batch, tabulate, write_csv, write_parquet
from core.dataset.images import FORMATS
from core.runs.run import Run
from core.ways.choice import Choice
from dashboard.components.gallery import draw_pager
from dashboard.panels.answering import Answering
from dashboard.predicting.cards import draw_cards
from dashboard.predicting.labelled import draw_offer
from dashboard.predicting.results import draw_table
from dashboard.predicting.strangers import draw_strangers
from dashboard.state import answers
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count, format_duration

FEW = 12  # images that are shown as cards, each with its heat map
NAMED = 5  # files that cannot be read and are told one by one
_BATCH = "predict-batch"
CARDS, TABLE = "Cards", "Table"


def draw_images(run: Run, data: RunData, answering: Answering, choice: Choice) -> None:
    """Take images, and show and offer their predictions."""
    draw_strangers(run)
    files = take_files()
    if not files:
        st.session_state.pop(_BATCH, None)  # they are large
        st.info(
            f"Drop images above: the best model of {escape_markdown(run.id)} names their {len(data.classes)} classes.",
            icon=":material/upload_file:",
        )
        return
    batch = find_batch(run, files, answering.temperature, choice)
    if batch is None:
        return
    table = tabulate(batch, answering.threshold, data.label)
    draw_summary(table)
    if not (table["problem"] == "").any():
        return
    draw_saves(run, table)
    draw_offer(run, data, batch)
    few = len(table) <= FEW
    shown = st.segmented_control(
        "Shown as", [CARDS, TABLE], default=CARDS if few else TABLE, key=f"predict-view-{few}", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    if shown == TABLE:
        draw_table(run, data, batch, table)
        return
    good = [number for number, problem in enumerate(batch.problems) if not problem]
    page = draw_pager(len(good), FEW, key="predict-page")
    draw_cards(run, data, batch, good[page * FEW : (page + 1) * FEW], answering.threshold)
    if not choice.is_plain:
        st.caption(f"The heat map asks {escape_markdown(run.id)} alone about the plain view.")


def take_files() -> list[UploadedFile]:
    """Return what was dropped, and the photo that was taken."""
    # The types are a hint to the file dialog only: a file that is no image gets its message here, with its name.
    files = st.file_uploader(
        "Drop one image, many, or a zip archive of them", accept_multiple_files=True, key="predict-files",
        max_upload_size=MAX_BYTES // 1_000_000,
        help=f"{', '.join(FORMATS)} or ZIP. They stay on this machine.",
    )  # fmt: skip
    st.caption(
        f"At most {MAX_FILE / 1e6:.0f} MB an image. Zip archives: at most {MAX_FILES:,} files and {MAX_BYTES / 1e6:.0f} MB in all, "
        "unpacked. For more, use “A whole test folder”."
    )
    taken = []
    if st.toggle("Use the camera", key="predict-camera-on", help="The photo stays on this machine."):
        photo = st.camera_input("Take a photo", key="predict-camera", width=480)
        taken = [photo] if photo is not None else []
    return [*files, *taken]


def find_batch(run: Run, files: Sequence[UploadedFile], temperature: float, choice: Choice) -> Batch | None:
    """Return what the model says of the files; asked once, with progress, and kept until other files come.

    Raises:
        DataError: where they are too many or too large.
    """
    model, asked_at = answers.load_answers(run, choice, temperature)
    # Another one is another model, or one that has learned to tell strangers since.
    key = (id(model), asked_at, *(file.file_id for file in files))
    known, batch = st.session_state.get(_BATCH, (None, None))
    if known == key:
        found: Batch | None = batch
        return found
    st.session_state.pop(_BATCH, None)
    bar = st.progress(0.0, text="Predicting …")
    stop = st.empty()
    stop.button("Stop", key="predict-stop", icon=":material/stop:")  # any click on the page ends this script
    begun = time.monotonic()

    def show(done: int, total: int) -> bool:
        left = (time.monotonic() - begun) / done * (total - done)
        bar.progress(
            done / total,
            text=f"{done:,} of {format_count(total, 'image')} · about {format_duration(left)} left",
        )
        return True

    arrived = unpack_files([(file.name, file.getvalue()) for file in files])
    batch = ask_batch(model, arrived, temperature=asked_at, few=FEW, progress=show)
    bar.empty()
    stop.empty()
    st.session_state[_BATCH] = (key, batch)
    return batch


def draw_summary(table: pd.DataFrame) -> None:
    """Say how many images there are, of how many the model is not sure, and which files cannot be read."""
    bad = table[table["problem"] != ""]
    good = len(table) - len(bad)
    if good:
        unsure = int((table["sure"] == "no").sum())
        strange = int((table["stranger"] == "yes").sum())
        told = f" **{strange:,}** unlike anything it was trained on." if strange else ""
        count = f"{good:,} of {format_count(len(table), 'file')}" if len(bad) else format_count(good, "image")
        st.markdown(f"**{count} predicted**, not sure of {unsure:,}.{told}")
    for row in bad.head(NAMED).itertuples():
        st.error(
            f"**{escape_markdown(row.image_name)}** {escape_markdown(row.problem)}. It was left out.",
            icon=":material/broken_image:",
        )
    if len(bad) > NAMED:
        st.caption(
            f"{format_count(len(bad) - NAMED, 'more file')} cannot be read; the table and the saved files name them."
        )


def draw_saves(run: Run, table: pd.DataFrame) -> None:
    """Offer all results as CSV and as Parquet."""
    with st.container(horizontal=True):
        st.download_button(
            "Save as CSV",
            lambda: write_csv(table),
            file_name=f"predictions-{run.id}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="predict-csv",
            help="A line for each file. One that cannot be read has the reason in it.",
        )
        st.download_button(
            "Save as Parquet",
            lambda: write_parquet(table),
            file_name=f"predictions-{run.id}.parquet",
            mime="application/vnd.apache.parquet",
            icon=":material/download:",
            on_click="ignore",
            key="predict-parquet",
        )
