"""Better predictions: which other runs and views answer too, and what each way was measured to gain and to cost."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.people.acting import TRAIN
from core.runs.run import Run, find_run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from core.verdicts.ways import Gain, compare_ways, describe_verdict
from core.ways.choice import ABOUT_AVERAGES, ABOUT_SOUP, Choice, list_choices
from core.ways.offers import Offer, describe_refused
from core.ways.record import Measured, read_measured, task_folder
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.state import address, answers, kept
from dashboard.text import escape_markdown

MOST = (
    9  # other runs, as many as ten folds have: each is a model in memory, and costs as much time as the first
)


def draw_ways(run: Run) -> Choice:
    """Let the user choose how images are predicted, and show what was measured of each way; the plain way by default."""
    kept.restore(("runs", "way"), opened=f"ways-others-{run.id}" not in st.session_state, of=run.id)
    with st.expander("Better predictions", icon=":material/trending_up:"):
        st.caption(
            "Averaging the answers to several views of an image, or of several runs, often raises accuracy, and takes longer. Measure it on your data first."
        )
        runs = _draw_others(run)
        measured = _read(runs)
        known = {} if measured is None else _compare(measured)
        offered = list_choices([one.id for one in runs], measured.soup if measured else ())
        choice = _draw_choice(run, [one for one in offered if run.id in one.runs or one.soup], known)
        _draw_measuring(run, runs, measured)
        if measured is not None:
            _draw_measured(measured, runs)
    if not choice.is_plain:
        about = ABOUT_SOUP if choice.soup else ABOUT_AVERAGES
        st.info(
            f"Images and hand-ins are predicted with **{escape_markdown(choice.describe())}**. {about}",
            icon=":material/trending_up:",
        )
    return choice


def ask_average(run: Run, others: Sequence[Run]) -> dict[str, str]:
    """Return the parameters of an address that predicts with the mean of the answers of a run and others."""
    names = (run.id, *sorted(other.id for other in others))
    return {"run": run.id, "runs": ",".join(names), "way": Choice(names).describe()}


def _draw_others(run: Run) -> list[Run]:
    """Let the user choose other runs, which the URL keeps as `runs`; return the run and these."""
    offers = answers.list_offers(run)
    good = [offer.run for offer in offers if not offer.refusal]
    key = f"ways-others-{run.id}"
    asked = dict.fromkeys(address.get_param("runs").split(","))
    st.session_state[key] = [name for name in asked if name in good][:MOST]  # one that was chosen may be gone
    others = st.multiselect(
        "Runs that answer too",
        good,
        key=key,
        on_change=guard_callback(lambda: _ask_others(run, st.session_state[key])),
        max_selections=MOST,
        disabled=not good,
        placeholder="Choose runs" if good else "No other run has a model of the same classes",
        help="Runs of the same classes. Their confidences are averaged with those of this run.",
    )
    _draw_refused(offers)
    return [run, *(find_run(name, run.folder.parent) for name in sorted(others))]


def _ask_others(run: Run, names: Sequence[str]) -> None:
    """Write to the URL which runs answer, and no way that there is not with them."""
    ids, way = [run.id, *sorted(names)], address.get_param("way")
    offered = [one.describe() for one in list_choices(ids)]
    address.set_params(
        runs=",".join(ids) if names else address.ANY, way=way if way in offered else address.ANY
    )


def _draw_refused(offers: Sequence[Offer]) -> None:
    if refused := describe_refused(offers):
        st.caption(f"Not offered: {escape_markdown(' '.join(refused))}")


def _read(runs: Sequence[Run]) -> Measured | None:
    try:
        return read_measured(runs)
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
        return None


def _compare(measured: Measured) -> dict[Choice, Gain]:
    gains = compare_ways(measured.results)
    return {way.choice: gain for way, gain in zip(measured.ways[1:], gains, strict=True)}


def _draw_choice(run: Run, offered: Sequence[Choice], known: dict[Choice, Gain]) -> Choice:
    key, way = f"ways-choice-{run.id}", address.get_param("way")
    # A run may have been taken out, or its soup be another one now: then the plain way.
    st.session_state[key] = next((one for one in offered if one.describe() == way), offered[0])
    return st.selectbox(
        "Predict with",
        offered,
        key=key,
        on_change=guard_callback(lambda: _ask_way(st.session_state[key], offered[0])),
        format_func=lambda choice: _name(choice, known.get(choice)),
        help="flip: the mirror image is asked about too. crops: the whole image and a closer view are too. averaged: each run "
        "answers, and the mean counts. soup: the runs' weights are averaged into one network, as quick as one run.",
    )


def _ask_way(choice: Choice, plain: Choice) -> None:
    address.set_params(way=address.ANY if choice == plain else choice.describe())


def _name(choice: Choice, gain: Gain | None) -> str:
    if gain is None:
        return choice.describe()
    sure = "" if gain.is_real else ", may be chance"
    return (
        f"{choice.describe()} ({gain.test.difference * 100:+.1f} points{sure}; {gain.times:.1f} × the time)"
    )


def _draw_measuring(run: Run, runs: Sequence[Run], measured: Measured | None) -> None:
    task = task_folder(run)
    status = read_task(task)
    if status.state in ACTIVE:
        st.markdown("Measuring what each way gains")
        draw_running(task, "images", key="ways")
        return
    draw_end(status)
    st.button(
        "Measure what each way gains" if measured is None else "Measure again",
        type="primary" if measured is None else "secondary",
        icon=":material/science:",
        key="ways-start",
        on_click=guard_callback(launch_task),
        args=(task, "ways"),
        kwargs={"runs": [one.id for one in runs]},
        **lock(
            TRAIN,
            help="Each way predicts the held-back images, or the validation images where none are held back. It continues when you leave this page, and the result is kept.",
        ),
    )


def _draw_measured(measured: Measured, runs: Sequence[Run]) -> None:
    results = measured.results
    plain, gains = results[0], compare_ways(results)
    st.markdown(f"**{escape_markdown(describe_verdict(plain.name, gains))}**")
    rows = [(plain.name, plain.accuracy, "", "", plain.seconds * 1000, 1.0)] + [
        (
            gain.way.name,
            gain.way.accuracy,
            gain.points,
            "yes" if gain.is_real else "no",
            gain.way.seconds * 1000,
            gain.times,
        )
        for gain in gains
    ]
    columns = ["way", "accuracy (95 %)", "gain (95 %)", "clearly different", "ms an image", "times the time"]
    st.dataframe(
        pd.DataFrame(rows, columns=columns),
        hide_index=True,
        column_config={
            columns[4]: st.column_config.NumberColumn(format="%.1f"),
            columns[5]: st.column_config.NumberColumn(format="%.1f"),
        },
        alt="What each way to predict gains and costs",
    )
    st.caption(escape_markdown(" ".join([measured.describe_judges(runs), *measured.notes])))
    with st.popover("How was this tested?", icon=":material/help:"):
        st.markdown(
            "By McNemar's exact test of each way against the first on the same images. “Clearly different” means p below 0.05 after "
            f"Holm's correction for all {len(gains)} ways; intervals are each way's own. The time is this machine's, for reading "
            "the image and asking the models."
        )
