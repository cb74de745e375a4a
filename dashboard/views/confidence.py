"""Confidence: whether a model is right as often as it claims, and above which confidence it should answer at all."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from core.confidence.kept import calibration_path
from core.confidence.measured import Calibration, Estimate
from core.confidence.threshold import UNDECIDED, read_threshold, write_threshold
from core.errors import RunError, UserError
from core.people.acting import TRAIN
from core.runs import jobs
from core.runs.imported import NONE, lacks_model, read_origin
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from core.verdicts.reliability import reliability_bins
from core.verdicts.run_accuracy import ASKED_AGAIN, tell_apart
from core.verdicts.selective import ThresholdEffect, cross_choose, images_to_show, risk_coverage
from dashboard.access.lock import lock
from dashboard.charts import confidence_charts
from dashboard.components.plot import plot
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.panels.answering import describe_choice, load_calibration
from dashboard.state import address, services
from dashboard.state.number_field import take_number
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_accuracy, format_confidence, format_count, format_share

FEW_WRONG = 30  # wrong images, fewer of which leave wide intervals


def render() -> None:
    """Draw the page."""
    st.title("Confidence")
    run = address.selected_run()
    if run is None:
        address.draw_no_run()
        return
    if lacks_model(run):
        refuse_unsure(run)
    elif not run.best_path.exists():
        raise services.lack_model(run)
    calibration = draw_measuring(run)
    if calibration is None:
        return
    draw_finding(run, calibration)
    draw_reliability(calibration)
    draw_threshold(run, calibration)


def refuse_unsure(run: Run) -> None:
    """Raise RunError where a run was imported from a table without confidences."""
    origin = read_origin(run)
    if origin is not None and origin.confidences == NONE:
        raise RunError(
            f"{origin.table} has no confidences, so nothing can be said about them. Import a table that has some: one of the "
            "predicted class, or one for each class."
        )


def draw_measuring(run: Run) -> Calibration | None:
    """Return what was measured of the run's best model; where nothing was, offer it, and draw its progress or end."""
    folder = task_folder(run)
    status = read_task(folder)
    if status.state in ACTIVE:
        draw_running(folder, "images", key="confidence")
        return None
    stale = calibration_path(run).exists()
    try:
        calibration = load_calibration(run)
    except UserError as error:
        calibration, stale = None, False
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
    if calibration is not None:
        return calibration
    draw_end(status)
    soon = jobs.live_status(run).state in ACTIVE
    st.info(
        ("These figures belong to an earlier best model. " if stale else "")
        + "When this model is 90 % sure, is it right nine times in ten? "
        + (
            "Compares the table's confidences with what was right."
            if lacks_model(run)
            else "The best model predicts the validation images once more. A temperature is then fitted so that its confidence matches its accuracy."
        )
        + (" A run does this by itself when it ends." if soon else ""),
        icon=":material/balance:",
    )
    st.button(
        "Measure confidence",
        type="primary",
        icon=":material/balance:",
        key="confidence-measure",
        on_click=guard_callback(launch_task),
        args=(folder, "calibrate"),
        kwargs={"run": run.id},
        **lock(TRAIN),
    )
    return None


def task_folder(run: Run) -> Path:
    """Return where the measuring of a run is watched."""
    return run.folder / ".calibrate"


def draw_finding(run: Run, calibration: Calibration) -> None:
    """Say in words and figures whether the confidences hold."""
    right = calibration.answers.right
    wrong = int((~right).sum())
    with st.container(horizontal=True, gap="medium"):
        for title, value, text in (
            ("Accuracy", format_share(float(right.mean())), describe_accuracy(calibration)),
            ("Mean confidence", format_confidence(float(calibration.answers.raw.mean())), "As the network gives it."),
            ("Temperature", f"{calibration.temperature:.2f}", explain("Temperature")),
            ("Calibration error", f"{calibration.after.ece.value * 100:.1f} %", f"{explain('ECE')} Here over 15 groups of confidence, with the temperature."),
        ):  # fmt: skip
            if title != "Temperature" or not knows_top_only(calibration):
                st.metric(title, value, help=text, width="content")
    how = ASKED_AGAIN.format(precision=calibration.precision)
    if told := tell_apart(run.read_status(), len(right) - wrong, len(right), how):
        st.caption(told)
    st.markdown(f"{describe_gap(calibration)} {describe_scaling(calibration)}")
    if wrong < FEW_WRONG:
        st.info(
            f"Only {wrong} of {len(right):,} validation images {'is' if wrong == 1 else 'are'} wrong, so these figures are rough. Look at the intervals. More validation images would narrow them.",
            icon=":material/info:",
        )
    # A table of HTML, whose cells wrap where the window is narrow.
    st.table(list_figures(calibration), hide_index=True, alt="Figures before and after the temperature")
    said = describe_figures(calibration)
    st.caption(said, help=explain(f"ECE Brier loss AURC {said}"))


def describe_accuracy(calibration: Calibration) -> str:
    """Say what the accuracy is the share of, and who answered."""
    if not calibration.precision:
        return "Share of the images of the table that are right."
    return f"Share of the validation images that the best model gets right, asked again in {calibration.precision}, as on Predict."


def describe_figures(calibration: Calibration) -> str:
    """Say how the figures were measured, and on what."""
    parts = ["Intervals are 95 %, by bootstrap over the images."]
    if not knows_top_only(calibration):
        parts.append(
            "After: each image is judged at a temperature fitted without it (five folds). The change is on the same draws "
            "of images, so it can be clear where the intervals overlap."
        )
    parts.append("Lower is better for every figure.")
    if calibration.precision:
        if calibration.epoch:
            parts.append(
                "The validation images also chose the best epoch, so all of these figures are slightly too good."
            )
        parts.append(f"Measured in {calibration.precision}, as on Predict.")
    else:
        parts.append("The confidences are those of the table.")
    return " ".join(parts)


def describe_gap(calibration: Calibration) -> str:
    """Say whether the model claims more than it keeps, as far as the images can tell."""
    answers, gap = calibration.answers, calibration.overconfidence
    low, high = calibration.overconfidence_interval
    claims = (
        f"On {format_count(len(answers.right), 'validation image')} this model is {format_confidence(float(answers.raw.mean()))} sure on "
        f"average and right on {format_share(float(answers.right.mean()))}"
    )
    points = f"{abs(gap) * 100:.1f} points ({min(abs(low), abs(high)) * 100:.1f}–{max(abs(low), abs(high)) * 100:.1f})"
    if low > 0:
        return f"{claims}: **it is overconfident by {points}**."
    if high < 0:
        return f"{claims}: **it is underconfident by {points}**."
    return f"{claims}: on average its confidence matches its accuracy, within what this many images can show."


def describe_scaling(calibration: Calibration) -> str:
    """Say what the temperature does to the calibration error, and what of it is chance."""
    chance = format_accuracy(*_values(calibration.chance))
    by_chance = f"a perfectly calibrated model would show {chance} on as many images by chance"
    if calibration.note:
        return f"No temperature is used: {calibration.note}. Its calibration error is {_percent(calibration.after.ece)}; {by_chance}."
    verdict = (
        "so these images show no miscalibration any more"
        if calibration.is_mended
        else "so it is still miscalibrated"
    )
    return (
        f"A temperature of {calibration.temperature:.2f} takes the calibration error from {_percent(calibration.before.ece)} "
        f"to {_percent(calibration.after.ece)}; {by_chance}, {verdict}. {describe_help(calibration)}{' Predict uses it.' if calibration.precision else ''}"
    )


def describe_help(calibration: Calibration) -> str:
    """Say whether the temperature makes the loss lower on images it was not fitted to, as far as they can tell."""
    loss = calibration.change.loss
    if loss.high < 0:
        return f"It makes the loss lower by {-loss.value:.3f} ({-loss.high:.3f}–{-loss.low:.3f})."
    return "It may not help on other images: with so few, the change of the loss may be chance."


def list_figures(calibration: Calibration) -> pd.DataFrame:
    """Return the figures before and after, or those that are known, as a table of Markdown, a row each."""
    rows = [
        (_name("Calibration error (ECE)", "gap between confidence and accuracy"), "ece", _percent),
        (_name("Brier score", "squared error of all probabilities, 0 to 2"), "brier", _number),
        (_name("Loss", "what the temperature is fitted by"), "loss", _number),
        (_name("AURC", "errors over all thresholds"), "area", _percent),
    ]
    if knows_top_only(calibration):
        figures = calibration.before
        known = [("ece", rows[0]), ("area", rows[3])]
        return pd.DataFrame(
            {"figure": row[0], "value": _percent(getattr(figures, name))} for name, row in known
        )
    return pd.DataFrame(
        {
            "figure": title,
            "before": write(getattr(calibration.before, name)),
            "after": write(getattr(calibration.after, name)),
            "change": _change(getattr(calibration.change, name), percent=write is _percent),
        }
        for title, name, write in rows
    )


def knows_top_only(calibration: Calibration) -> bool:
    """Tell whether only confidences in the predicted class were known, so that nothing could be fitted."""
    return math.isnan(calibration.before.brier.value)


def draw_reliability(calibration: Calibration) -> None:
    """Draw accuracy by confidence, and how the confidences are spread."""
    answers = calibration.answers
    shown = {"before": answers.raw, **({} if calibration.note else {"after": answers.cross_fitted})}
    st.header("Can its confidence be trusted?")
    with st.container(key="wide-reliability"):
        left, right = st.columns(2, gap="large")
    with left:
        bins = {name: reliability_bins(confidence, answers.right) for name, confidence in shown.items()}
        plot(confidence_charts.reliability_diagram(bins), key="confidence-reliability")
        st.caption(
            "Points below the dashed line mean overconfidence. Bars: 95 % intervals by Wilson's formula.",
            help=explain("Wilson"),
        )
    with right:
        kinds = [
            reliability_bins(answers.cross_fitted[kind], answers.right[kind])
            for kind in (answers.right, ~answers.right)
        ]
        plot(confidence_charts.confidence_histogram(*kinds), key="confidence-histogram")
        st.caption("" if calibration.note else "With the temperature.")


def draw_threshold(run: Run, calibration: Calibration) -> None:
    """Let the user say how often right is right enough, and show above which confidence it is."""
    answers = calibration.answers
    st.header("Answer only when sure")
    wanted = read_wanted(float(answers.right.mean()))
    st.session_state["confidence-wanted"] = 100 * wanted
    st.number_input(
        "Accuracy wanted of what is answered (%)",
        50.0,
        99.9,
        value=None,
        step=0.5,
        format="%.1f",
        key="confidence-wanted",
        on_change=guard_callback(
            lambda: address.set_params(wanted=f"{take_number('The accuracy wanted', 'confidence-wanted'):g}")
        ),
        width=300,
    )
    choice = cross_choose(answers, wanted)
    with st.container(key="wide-threshold"):
        left, right = st.columns(2, gap="large")
    with left:
        names = ("before", "after")[: 1 if calibration.note else 2]
        curves = {
            name: risk_coverage(confidence, answers.right)
            for name, confidence in zip(names, (answers.raw, answers.cross_fitted), strict=False)
        }
        plot(confidence_charts.risk_curves(curves, wanted=wanted, choice=choice), key="confidence-risk")
    with right:
        if choice is None:
            st.warning(
                f"No threshold reaches {format_share(wanted)} on these images: even among the surest answers too many are "
                "wrong. Ask for less, or train a better model.",
                icon=":material/block:",
            )
        else:
            draw_chosen(run, calibration, choice, wanted)
        st.caption(
            "The threshold is chosen on all validation images. Coverage and accuracy are of images that had no part in "
            "choosing it (five folds), so the accuracy can come out below the one wanted. Intervals are 95 %, by Wilson's "
            "formula.",
            help=explain("coverage"),
        )


def read_wanted(accuracy: float) -> float:
    """Return the accuracy wanted (0..1) that the URL names, else 95 %, or 99 % where the model (0..1) has that already."""
    try:
        asked = float(address.get_param("wanted")) / 100
    except ValueError:
        asked = np.nan
    return asked if 0.5 <= asked <= 0.999 else 0.95 if accuracy < 0.95 else 0.99


def draw_chosen(run: Run, calibration: Calibration, choice: ThresholdEffect, wanted: float) -> None:
    """Say what the threshold buys and what it does not, and keep it for Predict where the user wants it."""
    st.markdown(describe_threshold(choice, wanted, int((~calibration.answers.right).sum())))
    if lacks_model(run):
        return  # Predict has no model to ask
    kept = None
    try:
        kept = read_threshold(run, temperature=calibration.temperature)
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
    chosen = kept is not None and kept.value == choice.threshold
    # Both keep their place whatever is chosen: a link that moves while the page is drawn anew loses the click on it.
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Use this threshold in Predict",
            type="primary",
            icon=":material/check:",
            key="confidence-keep",
            on_click=guard_callback(write_threshold),
            args=(run, choice.threshold),
            kwargs={"temperature": calibration.temperature, "wanted": wanted},
            **lock(TRAIN),
        )
        st.page_link(
            st.session_state["pages"]["predict"], label="Go to Predict", icon=":material/image_search:"
        )
    if chosen:
        st.success("Predict uses this threshold.", icon=":material/check:")
    elif kept is None:
        st.caption(
            f"Predict now says “not sure” below {format_share(UNDECIDED)}, since no threshold was chosen."
        )
    elif kept.value:
        st.caption(f"Predict now says “not sure” below {format_share(kept.value)}.")


def describe_threshold(choice: ThresholdEffect, wanted: float, wrong: int) -> str:
    """Say what a threshold chosen for an accuracy does, and how far these images can promise it.

    `wrong` is the number of wrong images among all.
    """
    if choice.threshold == 0:
        words = describe_choice(choice, "Every image can be answered: without a threshold the model")
    else:
        above = f"**{format_share(choice.threshold)}**"
        words = describe_choice(choice, f"Answering only from a confidence of {above} on, the model")
        words += f" Of {wrong:,} wrong answers {choice.answered - choice.right:,} {'is' if choice.answered - choice.right == 1 else 'are'} left."
    low, needed = choice.accuracy[1], images_to_show(wanted)
    if low >= wanted:
        return words
    words += (
        f"\n\nThe interval begins below {format_share(wanted)}: these images suggest it but do not prove it."
    )
    if choice.answered < needed:
        words += (
            f" Even without a single error it would take {needed:,} answered images to show it, and there are only "
            f"{choice.answered:,}."
        )
    return words


def _name(title: str, meaning: str) -> str:
    return f"{title} :small[:gray[{meaning}]]"


def _values(figure: Estimate) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high


def _percent(figure: Estimate) -> str:
    return format_accuracy(*_values(figure))


def _number(figure: Estimate) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def _change(figure: Estimate, *, percent: bool) -> str:
    scale, digits, unit = (100, 1, " points") if percent else (1, 3, "")
    value, low, high = (f"{scale * one:+.{digits}f}".replace("-", "−") for one in _values(figure))
    return f"{value}{unit} ({low} to {high})"
