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
    from core.model.predict import Pixels, Prediction

_MAPPED = "predict-mapped"  # of which cards the heat maps were shown


def draw_cards(run: Run, data: RunData, batch: Batch, numbers: Sequence[int], threshold: float) -> None:
    """Draw the images of these numbers as cards: first with their classes, then, as soon as they are there, with heat maps."""
    stamp = run.best_path.stat().st_mtime_ns
    place = st.empty()
    looks = [_look(run, stamp, batch, number) for number in numbers]
    answers = [answer for number in numbers if (answer := batch.answers[number]) is not None]
    names = [batch.arrived[number].name for number in numbers]

    def draw(heats: Sequence[bytes | None]) -> None:
        cards = [
            make_card(data, name, answer, picture, heat, threshold)
            for name, answer, (picture, _), heat in zip(names, answers, looks, heats, strict=True)
        ]
        with place.container():
            show_cards(cards, side=380, label="predictions")

    if st.session_state.get(_MAPPED) != (id(batch), *numbers):  # later they are known, and nothing flickers
        draw([None] * len(numbers))
    draw(
        [
            services.explain_upload(run.folder, stamp, seen, answer.classes[0])
            for (_, seen), answer in zip(looks, answers, strict=True)
        ]
    )
    st.session_state[_MAPPED] = (id(batch), *numbers)
    st.caption(
        "Right picture: where the network found evidence for its first choice (Grad-CAM).",
        help=explain("Grad-CAM"),
    )


def _look(run: Run, stamp: int, batch: Batch, number: int) -> tuple[bytes, Pixels]:
    """Return an image of a batch for its card, and what the network sees of it."""
    seen = batch.seen[number]
    if seen is not None:
        return batch.thumbnails[number], seen
    return services.look_at_upload(run.folder, stamp, batch.arrived[number].content)


def make_card(
    data: RunData, name: str, prediction: Prediction, picture: bytes, heat: bytes | None, threshold: float
) -> Card:
    """Return the card of one predicted image; below the threshold (0..1) it says "not sure", and the best guess; of a stranger too."""
    best, confidence = data.label(prediction.classes[0]), prediction.confidences[0]
    bars = tuple(
        (data.label(one), value)
        for one, value in zip(prediction.classes, prediction.confidences, strict=True)
    )
    pictures = (
        Tile(picture, name, alt=name),
        Tile(picture, "Computing heat maps …", alt=name)
        if heat is None
        else Tile(heat, f"Evidence for {best}", alt=f"Grad-CAM of {name} for {best}"),
    )
    line = f"Confidence {format_confidence(confidence)}"
    if prediction.strange:
        return Card(f"{MARK}. Best guess: {best}", (line,), pictures, bars)
    if confidence < threshold:
        return Card(
            f"Not sure. Best guess: {best}", (f"{line}, below {format_share(threshold)}",), pictures, bars
        )
    return Card(best, (line,), pictures, bars)
