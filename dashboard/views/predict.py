"""Predict: what images show and why, the predictions of a whole test folder to hand in, and a labelled folder judged."""

from __future__ import annotations

import streamlit as st

from core.errors import RunError
from core.runs.imported import refuse_without_model
from core.stored.damage import find_file_damage
from dashboard.guard import guard
from dashboard.panels.answering import draw_answering
from dashboard.predicting.hand_in import draw_hand_in
from dashboard.predicting.images import draw_images
from dashboard.predicting.labelled import draw_labelled
from dashboard.predicting.shipping import draw_shipping
from dashboard.predicting.ways import draw_ways
from dashboard.state import address, services


def render() -> None:
    """Draw the page."""
    st.title("Predict")
    run = address.selected_run()
    if run is None:
        address.draw_no_run()
        return
    refuse_without_model(run)
    if not run.best_path.exists():
        raise services.lack_model(run)
    if damage := find_file_damage(run.folder, "best.pt"):
        raise RunError(f"{run.id}: {damage}. Put the file back as it was, or train anew.")
    data = services.read_data(run)
    answering = draw_answering(run)
    choice = draw_ways(run)
    images, folder, labelled = st.tabs(["Images", "A whole test folder", "A labelled folder"])
    with images:
        guard(draw_images)(run, data, answering, choice)
    with folder:
        guard(draw_hand_in)(run, data, answering, choice)
    with labelled:
        guard(draw_labelled)(run, data)
    draw_shipping(run)
