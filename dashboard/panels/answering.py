"""How Predict answers: with calibrated confidences or the network's own, and below which it says that it is not sure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from core.confidence.kept import calibration_path, read_calibration
from core.confidence.measured import Calibration
from core.confidence.threshold import UNDECIDED, Threshold, read_threshold, write_threshold
from core.errors import UserError
from core.runs.run import Run
from core.verdicts.selective import ThresholdEffect, cross_choose, judge_threshold
from dashboard.guard import guard_callback
from dashboard.state.number_field import take_number
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_accuracy, format_count, format_share


@dataclass(frozen=True)
class Answering:
    """The temperature that confidences are shown at, and the confidence (0..1) below which the model is not sure."""

    temperature: float
    threshold: float


def load_calibration(run: Run) -> Calibration | None:
    """Return what was measured of a run's best model (not to be changed); None before; RunError where it is damaged."""
    path = calibration_path(run)
    if not path.exists():
        return None
    return _load_calibration(run.folder, path.stat().st_mtime_ns, run.read_status().best_epoch)


@st.cache_resource(max_entries=8, show_spinner=False)
def _load_calibration(folder: Path, stamp: int, epoch: int) -> Calibration | None:  # noqa: ARG001
    return read_calibration(Run(folder))


def draw_answering(run: Run) -> Answering:
    """Say how far the confidences below can be believed, and let the user choose; the threshold is kept with the run."""
    calibration, chosen, problem = None, None, ""
    try:
        calibration = load_calibration(run)
    except UserError as error:
        problem = str(error)
    fitted = calibration is not None and calibration.temperature != 1
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        number = st.container(width=250)
        calibrated = fitted and st.toggle(
            "Calibrated confidences",
            value=True,
            key=f"answering-calibrated-{run.id}",
            persist_state="session",
            help="Off: as the network gives them. So do Confusion, Weak classes and Map; on the first two they were computed when the run "
            "was trained, perhaps in another precision.",
        )
    temperature = calibration.temperature if calibration is not None and calibrated else 1.0
    try:
        chosen = read_threshold(run, temperature=temperature)
    except UserError as error:
        problem = str(error)
    key = f"answering-threshold-{run.id}"
    threshold = UNDECIDED if chosen is None else chosen.value
    st.session_state[key] = 100 * threshold
    number.number_input(
        "Not sure below (% confidence)",
        0.0,
        100.0,
        value=None,
        step=1.0,
        format="%.1f",
        key=key,
        on_change=guard_callback(
            lambda: write_threshold(run, take_number("“Not sure below”", key) / 100, temperature=temperature)
        ),
        help="0: every image is answered. The page Confidence finds the threshold for the accuracy you want.",
    )
    if problem:
        st.warning(escape_markdown(problem), icon=":material/broken_image:")
    words = [describe_limit(chosen), describe_confidence(calibration, temperature)]
    if calibration is not None and threshold:
        wanted = None if chosen is None else chosen.wanted
        known = cross_choose(calibration.answers, wanted) if wanted else None
        words.append(
            describe_choice(
                known or judge_threshold(calibration.answers, threshold, raw=not calibrated),
                "On validation it",
            )
        )
    st.caption(" ".join(words), help=explain(*words))
    if calibration is None:
        st.page_link(
            st.session_state["pages"]["confidence"], label="Measure confidence", icon=":material/balance:"
        )
    return Answering(temperature, threshold)


def describe_limit(chosen: Threshold | None) -> str:
    """Say from which confidence on the model is sure, and who chose that."""
    value = UNDECIDED if chosen is None else chosen.value
    if not value:
        origin = (
            "was set to 0 by hand" if chosen is None or chosen.wanted is None else "chosen on Confidence is 0"
        )
        return f"Every image is answered, however sure: the threshold {origin}."
    words = f"It is “not sure” below a confidence of {format_share(value)}: "
    if chosen is None:
        return f"{words}no threshold was chosen for this model, and below it the model itself says the answer is more likely wrong than right."
    if chosen.wanted is None:
        return f"{words}the threshold was set by hand."
    return f"{words}chosen on Confidence so that {format_share(chosen.wanted)} of the answers are right."


def describe_confidence(calibration: Calibration | None, temperature: float) -> str:
    """Say whether confidences are calibrated, and why not."""
    if calibration is None:
        return "Confidences are not calibrated yet, so it is not known how far to trust them."
    if temperature != 1:
        return f"Confidences are calibrated, temperature {temperature:.2f}."
    if calibration.temperature != 1:
        return "Confidences are as the network gives them, not calibrated."
    return f"Confidences are as the network gives them: {calibration.note}."


def describe_choice(choice: ThresholdEffect, subject: str) -> str:
    """Say what a threshold does, with 95 % intervals; `subject` begins the sentence."""
    kept = (
        f"{subject} answers {format_accuracy(*choice.coverage)} of the {format_count(choice.count, 'image')}"
    )
    if not choice.answered:
        return f"{kept}."
    return f"{kept} and is right on {format_accuracy(*choice.accuracy)} of these."
