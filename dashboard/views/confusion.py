"""Confusion: the matrix of a model, an epoch or a difference, what is confused most, and the images of what is selected."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.runs.imported import describe_origin
from core.runs.run import Run
from core.verdicts import predictions
from core.verdicts.ordering import Order
from core.verdicts.run_accuracy import WRITTEN_AGAIN, tell_apart
from dashboard.charts.matrix_chart import MAX_CLASSES_WITH_TEXT
from dashboard.charts.matrix_colours import Look
from dashboard.charts.matrix_marks import mark_class, outline_cells
from dashboard.components.class_box import draw_class_box
from dashboard.components.plot import Box, Click, LabelClick, plot
from dashboard.explorer import browse, matrices
from dashboard.explorer.levels import draw_levels, find_shown, has_levels
from dashboard.explorer.lists import REORDERED, SEEN, ShownPart, draw_blocks, draw_pairs, name_classes, show
from dashboard.explorer.look import draw_look, keep_view, read_view, restore_look
from dashboard.explorer.matrices import Change, TableFigures, TableSource
from dashboard.explorer.sources import draw_sources, offer_newer
from dashboard.guard import guard, guard_callback
from dashboard.panels.out_of_fold import draw_out_of_fold
from dashboard.panels.specialise import draw_for_images
from dashboard.state import address, kept, services
from dashboard.state.selection import Selection, read_selection, select
from dashboard.state.services import RunData
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_count

BESIDE = 640  # pixels of a matrix of many classes that has its images beside it
TALLEST = 1600
LARGE_CELLS = 12  # classes of a matrix whose cells a finger meets on a phone
SIDES = ("Confused pairs", "Blocks", "Images")
SIDE = "confusion-beside"  # which of them is shown
WIDE = "wide"  # in the URL: the matrix as wide as the page


def render() -> None:
    """Draw the page."""
    st.title("Confusion")
    run = address.selected_run()
    if run is None:
        address.draw_no_run()
        return
    matrices.judge(TableSource(run))  # a run before its first epoch is told before any choice is offered
    data = services.read_data(run)
    restore_look(data.classes)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="confusion-choices"):
        source, other = draw_sources(run)
        by, look, found = draw_look(data)
    judged = matrices.judge(source)
    change = None
    if other is not None:
        try:
            change = matrices.compare(source, other)
        except UserError as error:
            words = f"No difference is shown. {escape_markdown(str(error))}"
            st.warning(words, icon=":material/compare_arrows:")
            other = None
    draw_summary(source, other, judged, change)
    offer_newer(source)
    draw_out_of_fold(run, source.split)
    # A click draws only this part anew: the rest of the page has nothing to do with what is selected.
    st.fragment(guard(draw_explorer))(run, source, other, data, by, look, found)


def draw_explorer(
    run: Run, source: TableSource, other: TableSource | None, data: RunData, by: Order, look: Look, found: str
) -> None:
    """Draw the matrix, and beside it what is confused most or the images of what is selected."""
    if st.session_state.pop(REORDERED, False):
        st.rerun(scope="app")  # the order is chosen outside of what a click draws anew
    selection = read_selection(data.classes) or find_cell(matrices.judge(source))
    wide = address.get_param(WIDE) == "1"
    with st.container(key="beside-matrix"):
        explorer, side = (st.container(), st.container()) if wide else st.columns([6, 5], gap="medium")
    with explorer:
        if len(data.classes) > LARGE_CELLS:
            with st.container(key="touch-hint"):
                st.caption(
                    "Tap the matrix to look closer, then tap a cell. The house above it shows all of it again."
                )
        if has_levels(len(data.classes)):
            draw_levels(
                source, other, data, by, look, selection, found,
                height=TALLEST if wide else BESIDE, summary=summarise(matrices.judge(source), data),
            )  # fmt: skip
        else:
            draw_matrix(source, other, data, by, look, selection, found, wide=wide)
    # On a narrow screen the images of a selection come as a sheet over the matrix: see the page's style.
    with side.container(key="sheet-images" if selection and not wide else "confusion-side"):
        part = find_shown(source, data, by, found)
        draw_side(run, source, other, data, selection, part, wide=wide)


def find_cell(judged: TableFigures) -> Selection:
    """Return the cell of the image that the URL names, where it selects none: a link to an image alone opens it too."""
    path = address.get_param("image")
    if not path:
        return Selection()
    own = judged.table[judged.table["path"] == path]
    if own.empty:
        return Selection()
    true, predicted = (str(own[column].iloc[0]) for column in ("true", "predicted"))
    return Selection((true,), (predicted,))


def draw_side(
    run: Run,
    source: TableSource,
    other: TableSource | None,
    data: RunData,
    selection: Selection,
    part: ShownPart | None,
    *,
    wide: bool,
) -> None:
    """Draw what stands beside the matrix: the images after a selection, else the lists to select from."""
    if st.session_state.get(SEEN) != (run.id, selection):
        st.session_state[SEEN] = (run.id, selection)
        st.session_state[SIDE] = "Images" if selection else SIDES[0]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        shown = st.segmented_control(
            "Beside the matrix", SIDES, key=SIDE, required=True, label_visibility="collapsed"
        )
        st.button(
            "",
            icon=":material/close_fullscreen:" if wide else ":material/open_in_full:",
            key="confusion-wide",
            help="Matrix and images beside each other"
            if wide
            else "The matrix as wide as the page, images below it",
            on_click=guard_callback(address.set_params),
            kwargs={WIDE: address.ANY if wide else "1"},
        )
        if selection:
            st.button(
                "",
                icon=":material/close:",
                key="confusion-close",
                help="Select nothing",
                on_click=guard_callback(select),
                args=(Selection(), data.classes),
            )
    judged = matrices.judge(source)
    if shown == SIDES[0]:
        draw_pairs(judged, data, part)
    elif shown == SIDES[1]:
        draw_blocks(source, data, part)
    else:
        change = matrices.compare(source, other) if other is not None else None
        draw_gallery(run, judged, change, data, selection)


def draw_summary(
    source: TableSource, other: TableSource | None, judged: TableFigures, change: Change | None
) -> None:
    """Say how good the predictions are, or what changed, and what can be done."""
    right, count = int((judged.true == judged.predicted).sum()), len(judged.true)
    name = escape_markdown(str(source))
    judged_here = source.split == "val" and not describe_origin(source.run)
    where = f"{name[0].upper()}{name[1:]}{' on validation' if judged_here else ''}"
    sentence = f"{where}: {predictions.format_rate(right, count)}."
    if other is not None and change is not None:
        one, two = (
            escape_markdown(f"{s.run.id} ({s})" if source.run != other.run else str(s))
            for s in (source, other)
        )
        sentence += f" {format_count(int((change.before != judged.predicted).sum()), 'image', 'is')} predicted as another class than by {two}. {change.verdict.describe(one, two)}"
    if not has_levels(len(judged.support)):
        sentence += (
            " **Click** a cell or a class's name, or drag a block with the box tool, to see its images."
        )
    st.markdown(sentence, help=explain(sentence))
    best = judged_here and not source.epoch
    if best and (told := tell_apart(source.run.read_status(), right, count, WRITTEN_AGAIN)):
        st.caption(told)


def draw_matrix(
    source: TableSource,
    other: TableSource | None,
    data: RunData,
    by: Order,
    look: Look,
    selection: Selection,
    found: str,
    *,
    wide: bool,
) -> None:
    """Draw the matrix; a click or a dragged box selects."""
    order = matrices.order_names(source, by)
    classes = [data.classes[index] for index in order]
    places = {name: place for place, name in enumerate(classes)}
    by_label = {data.label(name): name for name in classes}
    wrong_only = not look.diagonal

    def take_click(click: Click) -> None:
        show(Selection((by_label[str(click.y)],), (by_label[str(click.x)],)), data.classes)

    def take_label(label: LabelClick) -> None:
        chosen = (classes[label.index],)
        show(Selection(chosen) if label.axis == "y" else Selection((), chosen), data.classes)

    def take_box(box: Box) -> None:
        rows, columns = (tuple(classes[first : last + 1]) for first, last in (box.y, box.x))
        show(Selection(rows, columns, wrong_only), data.classes)

    shapes = mark_class(places[found], len(classes)) if found else []
    if selection:
        sides = (
            [places[name] for name in names or classes] for names in (selection.true, selection.predicted)
        )
        shapes += outline_cells(*sides)
    draw = (
        matrices.draw_matrix(source, by, look)
        if other is None
        else matrices.draw_difference(source, other, by, look)
    )
    plot(
        draw,
        key="confusion-matrix",
        on_click=take_click,
        on_label=take_label,
        on_box=take_box,
        shapes=shapes,
        on_zoom=keep_view,
        view=read_view(places, found),
        height=choose_height(len(classes), wide),
        summary=f"{summarise(matrices.judge(source), data)} Arrow keys move from cell to cell, Enter shows the images of one.",
    )


def choose_height(classes: int, wide: bool) -> int | None:
    """Return the height of the matrix in pixels: beside images many classes fit the window, else each has 9; None for its own."""
    if classes <= MAX_CLASSES_WITH_TEXT:
        return None
    return min(250 + 9 * classes, TALLEST) if wide else BESIDE


def summarise(judged: TableFigures, data: RunData) -> str:
    """Say in words what the matrix shows, for those who do not see it."""
    right, count = int((judged.true == judged.predicted).sum()), len(judged.true)
    words = f"{format_count(len(data.classes), 'class')}, {right:,} of {format_count(count, 'image')} right."
    if not judged.pairs.empty:
        first = judged.pairs.iloc[0]
        words += f" Confused most: {data.label(first['true'])} taken for {data.label(first['predicted'])}, {format_count(int(first['count']), 'image')}."
    return words


def draw_gallery(
    run: Run, judged: TableFigures, change: Change | None, data: RunData, selection: Selection
) -> None:
    """Show the images of the selection; of a difference those that came into it and those that left it."""
    if not selection:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            draw_choice(data, selection)
        st.info(
            "Click a cell of the matrix, a class's name, a confused pair or a block, or choose classes here.",
            icon=":material/ads_click:",
        )
        return
    if change is None:
        images = browse.choose_images(judged, selection, data.classes)
    else:
        images = browse.choose_moved(judged, change, selection, data.classes)
    st.markdown(f"**{describe(selection, data)}**: {count_images(images)}")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="confusion-images"):
        with st.popover("Filter", icon=":material/filter_list:"):
            draw_choice(data, selection)
            by = browse.draw_sort(images)
        if not images.empty:
            images = browse.sort_images(images, by)
            browse.draw_export(images, data, f"{run.id}-images")
            if change is None:
                draw_for_images(run, data, images)
            draw_map_link(run, selection)
    if not images.empty:
        browse.draw_images(run, images, data)


def draw_map_link(run: Run, selection: Selection) -> None:
    """Lead to where the images of the one class that is selected lie on the map."""
    names = selection.true or selection.predicted
    if len(names) != 1:
        return
    wrong = selection.wrong_only or (
        bool(selection.true and selection.predicted) and selection.true != selection.predicted
    )
    st.page_link(
        st.session_state["pages"]["map"],
        label="Show on the map",
        icon=":material/scatter_plot:",
        query_params={"run": run.id, "class": names[0], **({"only": "wrong"} if wrong else {})},
    )


def draw_choice(data: RunData, selection: Selection) -> None:
    """Offer the same choice without a mouse."""
    one = {
        kind: names[0] if len(names) == 1 else address.ANY
        for kind, names in (("true", selection.true), ("pred", selection.predicted))
    }
    block = len(selection.true) > 1 or len(selection.predicted) > 1
    keys = {kind: kept.find_key(f"confusion-{kind}", name) for kind, name in one.items()}
    wrong = kept.find_key("confusion-wrong", selection.wrong_only)

    def apply_choice(changed: str, chosen: str) -> None:
        names = {**one, changed: chosen}
        true, predicted = ((name,) if name else () for name in names.values())
        select(Selection(true, predicted, st.session_state[wrong]), data.classes)

    def apply_wrong() -> None:
        select(Selection(selection.true, selection.predicted, st.session_state[wrong]), data.classes)

    for kind, label in (("true", "True class"), ("pred", "Predicted class")):
        draw_class_box(
            label,
            data.classes,
            one[kind],
            partial(apply_choice, kind),
            key=keys[kind],
            label=data.label,
            none="those of the block" if block else "any",
            width=165,
        )
    st.selectbox(
        "Answers",
        [False, True],
        int(selection.wrong_only),
        key=wrong,
        format_func=lambda wrong_only: "errors only" if wrong_only else "all",
        on_change=guard_callback(apply_wrong),
        width=115,
    )


def describe(selection: Selection, data: RunData) -> str:
    """Return a selection in words."""
    true, predicted = selection.true, selection.predicted
    name, guess = name_classes(true, data), name_classes(predicted, data)
    errors = ", errors only" if selection.wrong_only else ""
    if len(true) == len(predicted) == 1:
        return f"{name} predicted right" if true == predicted else f"{name} taken for {guess}"
    if len(true) == 1 and not predicted:
        return f"All of {name}{errors}"
    if len(predicted) == 1 and not true:
        return f"All predicted {guess}{errors}"
    if true == predicted:
        return f"{name} among each other{errors}"
    return f"{name} predicted {guess}{errors}"


def count_images(images: pd.DataFrame) -> str:
    """Return how many images there are in words; of a difference how many came in, left, or moved."""
    count = format_count(len(images), "image")
    if "change" not in images:
        return count
    if images.empty:
        return "no image came in or left"
    kinds = images["change"].value_counts()
    return f"{count} changed, " + ", ".join(
        f"{kinds[kind]:,} {kind}" for kind in browse.MARK_COLOURS if kind in kinds
    )
