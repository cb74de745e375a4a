"""Predict: drop images and see the likeliest classes and why; hand in the predictions of a whole test folder."""

from __future__ import annotations

import io
import time

import pandas as pd
import streamlit as st

from core.runs.imported import refuse_without_model
from core.runs.run import Run
from dashboard.components.gallery import Card, Tile, draw_pager, show_cards
from dashboard.explorer.shipping import draw_shipping
from dashboard.guard import NotYet
from dashboard.panels.answering import Answering, draw_answering
from dashboard.panels.hand_in import draw_hand_in
from dashboard.state import address, services
from dashboard.state.services import RunData, UploadResult
from dashboard.text import escape_markdown, format_confidence, format_count, format_duration, format_share

RESULTS_PER_PAGE = 12
TYPES = ["jpg", "jpeg", "png", "webp", "gif", "tif", "tiff", "bmp"]


def render() -> None:
    """Draw the page."""
    st.title("Predict")
    run = address.selected_run()
    if run is None:
        address.draw_no_run()
        return
    refuse_without_model(run)
    if not run.best_path.exists():
        raise NotYet(run, f"{run.id} has no model yet: it is saved after its first epoch.")
    data = services.read_data(run)
    answering = draw_answering(run)
    uploads, folder = st.tabs(["Images", "A whole test folder"])
    with uploads:
        draw_uploads(run, data, answering)
    with folder:
        draw_hand_in(run, data, answering)
    draw_shipping(run)


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
            number / len(files),
            text=f"{number} of {format_count(len(files), 'image')} · about {format_duration(left)} left",
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
