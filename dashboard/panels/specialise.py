"""Specialise on classes: from a weak class to a filled form, and from two runs to what changed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from core.errors import UserError
from core.runs.imported import describe_origin, lacks_model
from core.runs.run import Run, find_run
from core.runs.seen import name_unknowns
from core.verdicts.comparison import compare_focus
from core.verdicts.judged_on import TITLES, JudgedOn, TablePair, describe_images, list_common, load_pair
from core.verdicts.paired import changes_by_class, compare_paired, describe_gain
from core.verdicts.predictions import find_lookalikes, wilson_interval
from dashboard.charts.compare_charts import class_changes
from dashboard.components.class_box import draw_classes_box
from dashboard.components.plot import plot
from dashboard.explorer.before_after import draw_won_and_lost
from dashboard.guard import guard_callback
from dashboard.panels import forms
from dashboard.state import address, services
from dashboard.state.services import RunData
from dashboard.terms import explain
from dashboard.text import escape_markdown, format_accuracy

Pair = tuple[str, str]
PAIRS = 8  # of a selection that are told apart, those confused most


def draw_specialise(
    run: Run,
    data: RunData,
    pairs: Sequence[Pair],
    *,
    key: str,
    classes: Sequence[str] = (),
    known: Sequence[Pair] = (),
) -> None:
    """Offer to train a run's best model on classes (those of the pairs, where none are named) and on look-alikes.

    `known` are more pairs to choose from; `key` tells apart what is offered for different selections.
    """
    if lacks_model(run):
        st.caption(
            f":material/block: {escape_markdown(run.id)} was imported without a model, so there is none to train on."
        )
        return
    named = list(dict.fromkeys(classes or [name for pair in pairs for name in pair]))
    box = f"specialise-{run.id}-{key}"
    chosen = draw_classes_box(
        "Classes to specialise on",
        data.classes,
        st.session_state.get(box, named),
        key=box,
        label=data.label,
        help="The class it is mistaken for is added too; otherwise that class would pay for the gain.",
    )
    told_apart = st.multiselect(
        "Look-alikes to tell apart",
        list(dict.fromkeys([*pairs, *known])),
        default=list(pairs),
        key=f"specialise-pairs-{run.id}-{key}",
        format_func=lambda pair: " / ".join(data.label(name) for name in pair),
        help="Images of both classes count a second time, only for telling these two apart.",
    )
    st.caption(
        "Starts from this run's best model and shows these classes more often. The best epoch is the one that is "
        "best at them without costing the others more than the guard allows; if none is, the model stays as it is."
    )
    has_model = run.best_path.exists()
    if not has_model:
        st.caption(f":material/block: {escape_markdown(run.id)} no longer has a model to start from.")
    with st.container(horizontal=True):
        for text, head_only, icon in (
            ("Specialise the whole network", False, ":material/model_training:"),
            ("Only its head (quick)", True, ":material/bolt:"),
        ):
            button = f"specialise-{'head' if head_only else 'whole'}"
            ready = has_model and 0 < len(chosen) < len(data.classes)
            if st.button(text, icon=icon, key=button, disabled=not ready):
                forms.fill_specialise(run, chosen, told_apart, head_only=head_only)
                st.switch_page(st.session_state["pages"]["train"])


def draw_for_class(run: Run, data: RunData, table: pd.DataFrame, name: str, taken_for: str) -> None:
    """Offer to specialise on a class and the one it is most often taken for."""
    own = find_lookalikes(table[(table["true"] == name) | (table["predicted"] == name)])
    pairs = [pair for pair in own if set(pair) == {name, taken_for}]
    with st.expander("Train on what is weak", icon=":material/fitness_center:"):
        draw_specialise(run, data, pairs, key=name, classes=[name, *filter(None, [taken_for])], known=own)


def draw_for_images(run: Run, data: RunData, images: pd.DataFrame) -> None:
    """Offer to specialise on the classes that a selection of images confuses; nothing where it holds no error."""
    pairs = find_lookalikes(images)[:PAIRS]
    if not pairs:
        return
    with st.popover("Specialise on these", icon=":material/fitness_center:", width="content"):
        draw_specialise(run, data, pairs, key="-".join(":".join(pair) for pair in pairs))


def find_before(run: Run) -> Run | None:
    """Return the run that a specialised or corrected one is to be held against; None where there is none."""
    try:
        config = run.read_config()
        if config.fixes:  # the list lies with the run whose labels were looked at
            owner = Path(config.fixes).parent
            return (
                find_run(owner.name, run.folder.parent)
                if owner.parent == run.folder.parent.resolve()
                else None
            )
        kind, _, name = config.weights.partition(":")
        return find_run(name, run.folder.parent) if kind == "run" and (config.focus or config.pairs) else None
    except UserError:
        return None


def draw_changes(first: Run, second: Run, told: JudgedOn | None = None) -> None:
    """Say class by class what the second run won and lost against the first, and show those images.

    Which of the two is better on all classes is left out where the page says it already of the same images, `told`.
    """
    reads = [partial(services.read_predictions, run) for run in (first, second)]
    common = list_common(reads)
    try:
        data = services.read_data(second)
    except UserError:
        return
    if not common:
        return  # why they are not compared is said above
    st.header(f"What changed from {escape_markdown(first.id)} to {escape_markdown(second.id)}")
    pair = load_pair(reads[0], reads[1], draw_judged_on(common))
    says_more = draw_verdict(second, pair, data, is_told=pair.judged_on == told)
    doubts = {
        escape_markdown(run): escape_markdown(name) for run, name in name_unknowns([first, second]).items()
    }
    imported = sum(bool(describe_origin(run)) for run in (first, second))
    if says_more:
        st.caption(describe_images(pair.judged_on, runs=2, common=common, unknown=doubts, imported=imported))
    changes = changes_by_class(pair.first, pair.second)
    if changes.empty:
        st.info("Both are right and wrong on the same images.", icon=":material/drag_handle:")
        return
    draw_class_changes(first, second, changes, data)
    draw_won_and_lost(first, second, pair, data)


def draw_judged_on(common: Sequence[JudgedOn]) -> JudgedOn:
    """Offer which images decide, where there is a choice; the URL keeps it as `on`."""
    if len(common) == 1:
        return common[0]
    asked = address.get_param("on", list(common))
    st.session_state["changes-on"] = next((split for split in common if split == asked), common[0])
    chosen: JudgedOn | None = st.segmented_control(
        "Judged on",
        common,
        format_func=TITLES.__getitem__,
        key="changes-on",
        required=True,
        on_change=guard_callback(
            lambda: address.set_params(on=st.session_state["changes-on"], image=address.ANY)
        ),
    )
    return chosen or common[0]


def draw_verdict(second: Run, pair: TablePair, data: RunData, *, is_told: bool) -> bool:
    """Say whether a gain is real: on the classes specialised on and on the others, or on all of them unless that is told.

    Return whether anything was said.
    """
    try:
        config = second.read_config()
    except UserError:
        return False  # said where the settings are compared
    tests = compare_focus(config, pair.first, pair.second)
    if tests is None:
        if is_told and not config.fixes:
            return False
        verdict = compare_paired(pair.first, pair.second).describe("before", "after")
        fixed = f" after the fix list {escape_markdown(Path(config.fixes).name)}" if config.fixes else ""
        st.markdown(f"On all classes{fixed}: {verdict}")
        return True
    own, others = tests
    names = ", ".join(escape_markdown(data.label(name)) for name in config.focus)
    st.markdown(
        f"{describe_gain(own, others)}\n"
        f"- On the chosen classes ({names}): {own.describe('before', 'after')}\n"
        f"- On all others: {others.describe('before', 'after')}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Train the control", icon=":material/balance:", key="changes-control"):
            forms.fill_control(second)
            st.switch_page(st.session_state["pages"]["train"])
        st.caption(
            "The same training with no classes chosen. A gain can come from the longer training alone. Compared with this "
            "control you see what choosing the classes won, and what it cost."
        )
    return True


def draw_class_changes(first: Run, second: Run, changes: pd.DataFrame, data: RunData) -> None:
    """Draw the classes that changed, and a table of them with the interval of each figure."""
    labels = [data.label(name) for name in changes["class"]]
    plot(
        class_changes(changes.assign(**{"class": labels}), first=first.id, second=second.id),
        key="compare-changes",
    )
    rights = {name: changes[column] for name, column in ((first.id, "first"), (second.id, "second"))}
    shown = pd.DataFrame({"class": labels, "images": changes["images"]})
    for name, right in rights.items():
        low, high = wilson_interval(right, changes["images"])
        shown[f"right: {name}"] = [
            format_accuracy(*figures) for figures in zip(right / changes["images"], low, high, strict=True)
        ]
    shown["change (points)"] = 100 * (changes["second"] - changes["first"]) / changes["images"]
    shown["95 % interval"] = [
        f"{100 * low:+.0f} to {100 * high:+.0f}"
        for low, high in zip(changes["low"], changes["high"], strict=True)
    ]
    shown["won"], shown["lost"] = changes["won"], changes["lost"]
    st.dataframe(
        shown,
        hide_index=True,
        column_config={"change (points)": st.column_config.NumberColumn(format="%+.1f")},
        alt="Classes that changed",
    )
    said = (
        "Intervals are 95 %: of each share by Wilson's formula, of the change by Clopper and Pearson's for "
        "the images that only one is right on, which holds on few. About one class in twenty lies outside its interval by chance."
    )
    st.caption(said, help=explain(said))
