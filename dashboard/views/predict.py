"""Predict: drop images and see the likeliest classes and why; hand in the predictions of a whole test folder."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.runs.run import Run
from dashboard.components.gallery import Card, Tile, draw_pager, show_cards
from dashboard.guard import NotYet
from dashboard.panels.answering import Answering, draw_answering
from dashboard.state import address, services
from dashboard.state.services import RunData, UploadResult
from dashboard.text import escape_markdown, format_confidence, format_duration, format_share

RESULTS_PER_PAGE = 12
TYPES = ["jpg", "jpeg", "png", "webp", "gif", "tif", "tiff", "bmp"]


def render() -> None:
    """Draw the page."""
    st.title("Predict")
    run = address.selected_run()
    if run is None:
        address.draw_no_run()
        return
    if not run.best_path.exists():
        raise NotYet(run, f"{run.id} has no model yet: it is saved after its first epoch.")
    data = services.read_data(run)
    answering = draw_answering(run)
    uploads, folder = st.tabs(["Images", "A whole test folder"])
    with uploads:
        draw_uploads(run, data, answering)
    with folder:
        draw_folder(run, data, answering)


def draw_uploads(run: Run, data: RunData, answering: Answering) -> None:
    """Take images, and show and offer their predictions."""
    # The types are a hint to the file dialog only: a file that is no image gets its message here, with its name.
    files = st.file_uploader(
        "Drop one or many images", accept_multiple_files=True, key="predict-files",
        help=f"{', '.join(TYPES).upper()}, at most 50 MB each. They stay on this machine.",
    )  # fmt: skip
    if not files:
        st.info(
            f"Drop images above: the best model of {run.id} names their {len(data.classes)} classes.",
            icon=":material/upload_file:",
        )
        return
    results = predict_all(run, files, answering.temperature)
    problems = [result for result in results if result.problem]
    good = [result for result in results if not result.problem]
    for result in problems:
        st.error(
            f"**{escape_markdown(result.name)}** {escape_markdown(result.problem)}. It was left out.",
            icon=":material/broken_image:",
        )
    if not good:
        return
    st.download_button(
        f"Save {len(results)} results as CSV",
        results_csv(results, answering.threshold),
        file_name=f"predictions-{run.id}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    page = draw_pager(len(good), RESULTS_PER_PAGE, key="predict-page")
    show_cards(
        [
            result_card(r, data, answering.threshold)
            for r in good[page * RESULTS_PER_PAGE : (page + 1) * RESULTS_PER_PAGE]
        ],
        side=380,
        label="predictions",
    )
    st.caption("Right picture: where the network found evidence for its first choice (Grad-CAM).")


def predict_all(run: Run, files: list, temperature: float) -> list[UploadResult]:  # type: ignore[type-arg]
    """Predict uploaded files one by one, with progress; what was predicted before comes from the cache."""
    stamp = run.best_path.stat().st_mtime_ns
    begun, results = time.monotonic(), []
    bar = st.progress(0.0, text="Predicting …")
    for number, file in enumerate(files, start=1):
        results.append(services.predict_upload(run.folder, stamp, file.name, file.getvalue(), temperature))
        left = (time.monotonic() - begun) / number * (len(files) - number)
        bar.progress(
            number / len(files), text=f"{number} of {len(files)} images · about {format_duration(left)} left"
        )
    bar.empty()
    return results


def result_card(result: UploadResult, data: RunData, threshold: float) -> Card:
    """Return the card of one predicted image; below the threshold (0..1) it says "not sure", and the best guess."""
    assert result.prediction is not None
    best = data.label(result.prediction.classes[0])
    bars = tuple(
        (data.label(name), value)
        for name, value in zip(result.prediction.classes, result.prediction.confidences, strict=True)
    )
    pictures = (
        Tile(result.picture, result.name, alt=result.name),
        Tile(result.heat, f"Evidence for {best}", alt=f"Grad-CAM of {result.name} for {best}"),
    )
    confidence = result.prediction.confidences[0]
    sure = f"{format_confidence(confidence)} sure"
    if confidence < threshold:
        return Card(
            f"Not sure. Best guess: {best}", (f"{sure}, below {format_share(threshold)}",), pictures, bars
        )
    return Card(best, (sure,), pictures, bars)


def results_csv(results: list[UploadResult], threshold: float) -> str:
    """Return all results as CSV: image_name, pred_label, confidence, sure, top1…top5 with confidences, problem."""
    from core.model.predict import say_sure

    rows = []
    for result in results:
        row: dict[str, object] = {"image_name": result.name, "pred_label": "", "confidence": "", "sure": ""}
        if result.prediction is not None:
            row |= {
                "pred_label": result.prediction.classes[0],
                "confidence": round(result.prediction.confidences[0], 6),
                "sure": say_sure(result.prediction.confidences[0], threshold),
            }
            for rank, (name, value) in enumerate(
                zip(result.prediction.classes, result.prediction.confidences, strict=True), start=1
            ):
                row |= {f"top{rank}": name, f"top{rank}_confidence": round(value, 6)}
        row["problem"] = result.problem
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.insert(len(frame.columns) - 1, "problem", frame.pop("problem"))
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False)
    return buffer.getvalue()


def draw_folder(run: Run, data: RunData, answering: Answering) -> None:
    """Predict every image of a folder into the file that is handed in."""
    test = data.root / "test"
    folder = st.text_input(
        "Folder of images on this machine", str(test) if test.is_dir() else "", key=f"predict-folder-{run.id}",
        help="Every image in it, also in its sub-folders, becomes a line of image_name,pred_label.",
    ).strip()  # fmt: skip
    if not folder:
        st.info(
            "Give the path of a folder of images, such as the data set's test/.",
            icon=":material/folder_open:",
        )
        return
    out, details = run.folder / "prediction.csv", run.folder / "prediction-details.csv"
    start, stop = st.columns([1, 4])
    if start.button("Predict the folder", type="primary", icon=":material/play_arrow:", width="stretch"):
        # Any click ends the script at its next progress line, and each file is written whole or not at all.
        stop.button("Stop", icon=":material/stop:", key="predict-stop")
        predict_folder(run, Path(folder).expanduser(), out, details, answering)
    if out.exists():
        draw_saved(out, details, answering.threshold)


def draw_saved(out: Path, details: Path, threshold: float) -> None:
    """Offer the file to hand in and the one with confidences, as they were made last."""
    content = out.read_bytes()
    count = content.count(b"\n") - 1
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(out.stat().st_mtime))
    shown = out
    with st.container(horizontal=True):
        st.download_button(
            f"Save prediction.csv ({count:,} images, made {when})", content, file_name="prediction.csv",
            mime="text/csv", icon=":material/download:", on_click="ignore", key="predict-save",
        )  # fmt: skip
        # An older version made the hand-in file alone.
        if details.exists() and details.stat().st_mtime >= out.stat().st_mtime:
            shown = details
            st.download_button(
                "Save with confidences", details.read_bytes(), file_name=details.name, mime="text/csv",
                icon=":material/download:", on_click="ignore", key="predict-save-details",
                help="image_name, pred_label, confidence (0 to 1) and sure (yes or no).",
            )  # fmt: skip
    table = pd.read_csv(shown, dtype=str, keep_default_na=False)
    if shown == details:
        unsure = int((table["sure"] == "no").sum())
        stale = (table["sure"] == "yes") != (table["confidence"].astype(float) >= threshold)
        st.caption(
            f"Not sure of {unsure:,} of {count:,} images; prediction.csv has the best guess for these too."
            + (" The threshold has changed since: predict the folder again." if stale.any() else "")
        )
    st.dataframe(table.head(200), hide_index=True, height=300, alt="The first 200 predictions")


def predict_folder(run: Run, folder: Path, out: Path, details: Path, answering: Answering) -> None:
    """Predict a folder with progress, and tell what was left out."""
    from core.model.predict import find_images, predict_files

    try:
        paths = find_images([folder])
    except UserError as error:
        st.error(escape_markdown(str(error)), icon=":material/folder_off:")
        return
    begun = time.monotonic()
    bar = st.progress(0.0, text="Loading the model …")

    def show(done: int, total: int) -> None:
        left = (time.monotonic() - begun) / done * (total - done)
        bar.progress(done / total, text=f"{done:,} of {total:,} images · about {format_duration(left)} left")

    bad = predict_files(
        services.load_predictor(run), paths, out, details=details, temperature=answering.temperature,
        min_confidence=answering.threshold, progress=show,
    ).bad  # fmt: skip
    bar.empty()
    st.success(
        f"{len(paths) - len(bad):,} images predicted in {format_duration(time.monotonic() - begun)}.",
        icon=":material/check:",
    )
    for item in bad[:20]:
        what = escape_markdown(f"{Path(item.path).name} {item.reason}.")
        st.warning(f"{what} It was left out.", icon=":material/broken_image:")
    if len(bad) > 20:
        st.warning(f"And {len(bad) - 20} more files.", icon=":material/broken_image:")
