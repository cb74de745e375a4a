"""Confusion: the matrix, its most confused pairs, and the images of the cell that is selected."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import analysis
from core.runs import Run
from dashboard import charts, services, state
from dashboard.gallery import PAGE, Tile, draw_pager, show_tiles
from dashboard.plot import Click, plot
from dashboard.services import RunData
from dashboard.text import escape_markdown, format_confidence, format_share

PAIRS = 12


def render() -> None:
    """Draw the page."""
    st.title("Confusion")
    run = state.selected_run()
    if run is None:
        state.draw_no_run()
        return
    table, data = services.read_predictions(run), services.read_data(run)
    right = int((table["true"] == table["predicted"]).sum())
    st.markdown(
        f"Best model on validation: {analysis.format_rate(right, len(table))}. **Click a cell** to see its images."
    )
    draw_matrix(table, data)
    draw_pairs(table, data)
    draw_choice(data)
    draw_gallery(run, table, data)


def draw_matrix(table: pd.DataFrame, data: RunData) -> None:
    """Draw the matrix; a click selects a cell."""
    counts = analysis.confusion_matrix(table, data.classes)
    with st.container(horizontal=True, gap="medium"):
        normalise = st.toggle(
            "Share of the row",
            key="confusion-share",
            persist_state="session",
            help="Colour by the share of the true class's images instead of their number.",
        )
        diagonal = st.toggle(
            "Show right answers",
            value=True,
            key="confusion-diagonal",
            persist_state="session",
            help="The diagonal: images predicted as what they are.",
        )
    labels = data.labels
    by_label = dict(zip(labels, data.classes, strict=True))
    true, predicted = selected_cell(data)

    def select(click: Click) -> None:
        state.set_params(true=by_label[str(click.y)], pred=by_label[str(click.x)], page=state.ANY)

    figure = charts.confusion_matrix(
        counts,
        labels,
        normalise=normalise,
        diagonal=diagonal,
        selected=(data.label(true), data.label(predicted)) if true and predicted else None,
    )
    plot(figure, key="confusion-matrix", on_click=select)


def draw_pairs(table: pd.DataFrame, data: RunData) -> None:
    """List the most confused pairs; each is a button that selects its cell."""
    pairs = analysis.most_confused(table).head(PAIRS)
    st.subheader("Most confused")
    if pairs.empty:
        st.success(
            "Every validation image is predicted right. There is nothing to confuse.", icon=":material/check:"
        )
        return
    with st.container(key="medium-pairs"):
        columns = st.columns(3)
    for number, pair in enumerate(pairs.itertuples()):
        text = f"**{escape_markdown(data.label(pair.true))}** taken for **{escape_markdown(data.label(pair.predicted))}** · {pair.count}"
        columns[number % 3].button(
            text,
            key=f"pair-{number}",
            help=f"{pair.count} validation images, {format_share(pair.share)} of the true class",
            width="stretch",
            on_click=state.set_params,
            kwargs={"true": pair.true, "pred": pair.predicted, "page": state.ANY},
        )


def draw_choice(data: RunData) -> None:
    """Offer the same choice without a mouse."""
    true, predicted = selected_cell(data)
    st.session_state["confusion-true"], st.session_state["confusion-pred"] = true, predicted

    def apply_choice() -> None:
        state.set_params(
            true=st.session_state["confusion-true"], pred=st.session_state["confusion-pred"], page=state.ANY
        )

    st.subheader("Images")
    left, right = st.columns(2)
    for column, label, key in (
        (left, "True class", "confusion-true"),
        (right, "Predicted class", "confusion-pred"),
    ):
        column.selectbox(
            label,
            [state.ANY, *data.classes],
            key=key,
            format_func=lambda name: data.label(name) if name else "any",
            on_change=apply_choice,
        )


def draw_gallery(run: Run, table: pd.DataFrame, data: RunData) -> None:
    """Show the images of the selection, most confident first, 24 at a time."""
    true, predicted = selected_cell(data)
    if not true and not predicted:
        st.info(
            "Click a cell of the matrix, a confused pair, or choose classes above.",
            icon=":material/ads_click:",
        )
        return
    chosen = table
    if true:
        chosen = chosen[chosen["true"] == true]
    if predicted:
        chosen = chosen[chosen["predicted"] == predicted]
    chosen = chosen.sort_values("confidence", ascending=False, kind="stable")
    st.markdown(
        f"**{describe(true, predicted, data)}**: {len(chosen)} validation {'image' if len(chosen) == 1 else 'images'}"
    )
    if chosen.empty:
        return
    page = draw_pager(len(chosen), PAGE, key="confusion-page")
    shown = chosen.iloc[page * PAGE : (page + 1) * PAGE]
    show_tiles(
        [
            Tile(
                services.thumbnail(data.root / row.path),
                row.path.rsplit("/", 1)[-1],
                (
                    f"true {data.label(row.true)}",
                    f"predicted {data.label(row.predicted)}, {format_confidence(row.confidence)}",
                ),
                alt=row.path,
            )
            for row in shown.itertuples()
        ],
        label=f"images of {run.id}",
    )


def selected_cell(data: RunData) -> tuple[str, str]:
    """Return the true and the predicted class the URL names; ANY where it names none of the run's."""
    return state.get_param("true", data.classes), state.get_param("pred", data.classes)


def describe(true: str, predicted: str, data: RunData) -> str:
    """Return a selection in words."""
    name, guess = escape_markdown(data.label(true)), escape_markdown(data.label(predicted))
    if true and true == predicted:
        return f"{name} predicted right"
    if true and predicted:
        return f"{name} taken for {guess}"
    return f"All of {name}" if true else f"All predicted {guess}"
