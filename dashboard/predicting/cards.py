"""Predicted images as cards: the picture, where the network found evidence, and the likeliest classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.runs.run import Run
from dashboard.components.gallery import Card, Tile, show_cards
from dashboard.predicting.strangers import MARK
from dashboard.state import services
from dashboard.state.services import RunData
from dashboard.terms import explain
from dashboard.text import format_confidence, format_share

if TYPE_CHECKING:
    from core.answers.batch import Batch
    from core.model.predict import Prediction


def draw_cards(run: Run, data: RunData, batch: Batch, numbers: Sequence[int], threshold: float) -> None:
    """Draw the images of these numbers as cards."""
    stamp = run.best_path.stat().st_mtime_ns
    cards = []
    for number in numbers:
        one, prediction = batch.arrived[number], batch.answers[number]
        assert prediction is not None
        picture, heat = services.explain_upload(run.folder, stamp, one.content, prediction.classes[0])
        cards.append(make_card(data, one.name, prediction, picture, heat, threshold))
    show_cards(cards, side=380, label="predictions")
    st.caption(
        "Right picture: where the network found evidence for its first choice (Grad-CAM).",
        help=explain("Grad-CAM"),
    )


def make_card(
    data: RunData, name: str, prediction: Prediction, picture: bytes, heat: bytes, threshold: float
) -> Card:
    """Return the card of one predicted image; below the threshold (0..1) it says "not sure", and the best guess; of a stranger too."""
    best, confidence = data.label(prediction.classes[0]), prediction.confidences[0]
    bars = tuple(
        (data.label(one), value)
        for one, value in zip(prediction.classes, prediction.confidences, strict=True)
    )
    pictures = (
        Tile(picture, name, alt=name),
        Tile(heat, f"Evidence for {best}", alt=f"Grad-CAM of {name} for {best}"),
    )
    line = f"Confidence {format_confidence(confidence)}"
    if prediction.strange:
        return Card(f"{MARK}. Best guess: {best}", (line,), pictures, bars)
    if confidence < threshold:
        return Card(
            f"Not sure. Best guess: {best}", (f"{line}, below {format_share(threshold)}",), pictures, bars
        )
    return Card(best, (line,), pictures, bars)
