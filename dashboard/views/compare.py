"""Compare: the curves of two or more runs over each other, their results, and the settings that differ."""

from __future__ import annotations

from typing import get_args

import pandas as pd
import streamlit as st

from core import jobs
from core.comparison import compare_runs, describe_tests, find_differing
from core.runs import Run, RunError, default_root, iter_runs
from core.settings import label_of
from dashboard import charts, services, state
from dashboard.plot import plot
from dashboard.report_panel import draw_report_button, draw_report_panel
from dashboard.specialise import draw_changes
from dashboard.text import escape_markdown, format_duration
from dashboard.views.runs import format_best, format_epoch


def render() -> None:
    """Draw the page."""
    st.title("Compare")
    runs = {run.id: run for run in iter_runs(default_root())}
    if len(runs) < 2:
        st.info(
            f"There {'is one run' if runs else 'is no run'} yet; two are needed to compare. Start another with one setting changed.",
            icon=":material/info:",
        )
        st.page_link(
            st.session_state["pages"]["train"], label="Go to Train", icon=":material/model_training:"
        )
        return
    chosen = [runs[name] for name in draw_choice(list(runs))]
    if len(chosen) < 2:
        st.info("Choose two or more runs above.", icon=":material/compare_arrows:")
        return
    quantities: dict[charts.EpochColumn, str] = charts.COLUMN_TITLES
    quantity = st.segmented_control(
        "Curve", list(get_args(charts.EpochColumn)), format_func=quantities.__getitem__, default="val_acc", required=True, key="compare-quantity",
    )  # fmt: skip
    curves = {run.id: services.read_metrics(run)[0] for run in chosen}
    plot(charts.compare_curves(curves, quantity=quantity or "val_acc"), key="compare-curves")
    draw_results(chosen)
    draw_tests(chosen)
    if len(chosen) == 2:
        draw_changes(*sorted(chosen, key=lambda run: jobs.live_status(run).created))
    draw_settings(chosen)
    draw_report(chosen)


def draw_choice(ids: list[str]) -> list[str]:
    """Let the user choose runs; the URL keeps them as `runs`, newest two where it names none."""
    asked = [name for name in state.get_param("runs").split(",") if name in ids]
    st.session_state["compare-runs"] = asked or ids[:2]
    return st.multiselect(
        "Runs",
        ids,
        key="compare-runs",
        on_change=lambda: state.set_params(runs=",".join(st.session_state["compare-runs"])),
    )


def draw_results(runs: list[Run]) -> None:
    """Draw a table of what came out."""
    rows = []
    for run in runs:
        status = jobs.live_status(run)
        rows.append(
            {
                "run": run.id,
                "state": status.state,
                "best validation accuracy (95 % interval)": f"{format_best(status)}, {format_epoch(status)}"
                if status.has_best
                else "–",
                "epochs": f"{status.epoch} of {status.epochs}",
                "time": format_duration(status.seconds),
                "speed (images/s)": round(status.images_per_second),
            }
        )
    st.subheader("Results")
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Results of the runs")


def draw_tests(runs: list[Run]) -> None:
    """Say for each pair whether one is better on the same images, as far as these images can tell."""
    tables: dict[str, pd.DataFrame | str] = {}
    for run in runs:
        try:
            tables[run.id] = services.read_predictions(run)
        except RunError as error:
            tables[run.id] = str(error)
    verdicts = compare_runs(tables)
    st.subheader("Is one better?")
    st.markdown("\n".join(f"- {verdict.describe(escape_markdown)}" for verdict in verdicts))
    st.caption(describe_tests(verdicts))


def draw_settings(runs: list[Run]) -> None:
    """Draw a table of the settings in which the runs differ."""
    configs = {}
    for run in runs:
        try:
            configs[run.id] = run.read_config()
        except RunError as error:
            st.warning(escape_markdown(str(error)), icon=":material/warning:")
    if len(configs) < 2:
        return
    differing = find_differing(configs)
    st.subheader("Settings that differ")
    if not differing:
        st.info(
            "None: these runs have the same settings. Differences between them are chance or data.",
            icon=":material/info:",
        )
        return
    table = {label_of(field): values for field, values in differing.items()}
    st.dataframe(
        pd.DataFrame(table).T.rename_axis("setting").reset_index(),
        hide_index=True,
        alt="Settings that differ",
    )


def draw_report(runs: list[Run]) -> None:
    """Offer the comparison as a part of a report."""
    st.subheader("Report")
    others = ", ".join(escape_markdown(run.id) for run in runs[1:])
    st.caption(f"On {escape_markdown(runs[0].id)}, the first of the runs chosen, compared with {others}.")
    draw_report_button(runs)
    draw_report_panel(runs)
