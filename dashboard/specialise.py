"""Specialise on classes: from a weak class to a filled form, and from two runs to what changed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.analysis import find_lookalikes
from core.config import TrainConfig
from core.paired import changes_by_class, compare_paired, pair_tables
from core.runs import Run, RunError
from dashboard import forms, services
from dashboard.gallery import Tile, show_tiles
from dashboard.services import RunData
from dashboard.text import escape_markdown

Pair = tuple[str, str]
SHOWN = 12  # images won, and as many lost
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
    named = list(dict.fromkeys(classes or [name for pair in pairs for name in pair]))
    chosen = st.multiselect(
        "Classes to specialise on",
        data.classes,
        default=named,
        key=f"specialise-{run.id}-{key}",
        format_func=data.label,
        help="With a class goes the one it is taken for: else that one pays for its gain.",
    )
    told_apart = st.multiselect(
        "Look-alikes to tell apart",
        list(dict.fromkeys([*pairs, *known])),
        default=list(pairs),
        key=f"specialise-pairs-{run.id}-{key}",
        format_func=lambda pair: " / ".join(data.label(name) for name in pair),
        help="Images of both classes count a second time, by how well these two are told from each other alone.",
    )
    st.caption(
        "Starts from this run's best model and shows these classes more often. The best epoch is the one that is "
        "best at them without costing the others more than the guard allows; if none is, the model stays as it is."
    )
    has_model = run.best_path.exists()
    if not has_model:
        st.caption(f":material/block: {escape_markdown(run.id)} has no model any more to start from.")
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


def draw_changes(first: Run, second: Run) -> None:
    """Say class by class what the second run won and lost against the first, and show those images."""
    try:
        before, after = services.read_predictions(first), services.read_predictions(second)
        data = services.read_data(second)
        both, changes = pair_tables(before, after), changes_by_class(before, after)
    except (RunError, ValueError):
        return  # why they are not compared is said above
    st.subheader(f"What changed from {escape_markdown(first.id)} to {escape_markdown(second.id)}")
    if changes.empty:
        st.info("Both are right and wrong on the same images.", icon=":material/drag_handle:")
        return
    draw_focus(second.read_config(), before, after, data)
    shown = pd.DataFrame(
        {
            "class": [data.label(name) for name in changes["class"]],
            "images": changes["images"],
            f"right: {first.id}": changes["first"],
            f"right: {second.id}": changes["second"],
            "won": changes["won"],
            "lost": changes["lost"],
        }
    )
    st.dataframe(shown, hide_index=True, alt="Classes that changed")
    was, now = both["predicted_first"] == both["true"], both["predicted_second"] == both["true"]
    for title, chosen in (("won", ~was & now), ("lost", was & ~now)):
        rows = both[chosen]
        st.markdown(
            f"**Images {title}: {len(rows)}**" + (f", the first {SHOWN}" if len(rows) > SHOWN else "")
        )
        show_tiles(
            [
                Tile(
                    services.thumbnail(data.root / row.path),
                    f"true {data.label(row.true)}",
                    (
                        f"before {data.label(row.predicted_first)}",
                        f"after {data.label(row.predicted_second)}",
                    ),
                    alt=row.path,
                )
                for row in rows.head(SHOWN).itertuples()
            ],
            side=120,
            label=f"images {title}",
        )


def draw_focus(config: TrainConfig, before: pd.DataFrame, after: pd.DataFrame, data: RunData) -> None:
    """Say whether a specialised run's gain on its chosen classes is real, and what the others paid."""
    chosen = [name.strip() for name in config.focus.split(",") if name.strip()]
    if not chosen:
        return
    names = ", ".join(escape_markdown(data.label(name)) for name in chosen)
    own = compare_paired(before[before["true"].isin(chosen)], after[after["true"].isin(chosen)])
    others = compare_paired(before[~before["true"].isin(chosen)], after[~after["true"].isin(chosen)])
    st.markdown(
        f"- On the chosen classes ({names}): {own.describe('before', 'after')}\n"
        f"- On all others: {others.describe('before', 'after')}"
    )
    st.caption(
        "The best epoch was chosen on these very images, so a gain on them is told somewhat too high; "
        "images held back from both would settle it."
    )
