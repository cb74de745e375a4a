"""Specialise on classes: from a weak class to a filled form, and from two runs to what changed."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis import format_interval, wilson_interval
from core.comparison import compare_focus
from core.config import TrainConfig
from core.focus import focus_names
from core.paired import changes_by_class, pair_tables
from core.runs import Run, RunError
from dashboard import forms, services
from dashboard.compare_charts import class_changes
from dashboard.gallery import Tile, show_tiles
from dashboard.plot import plot
from dashboard.services import RunData
from dashboard.text import escape_markdown

SHOWN = 12  # images won, and as many lost


def draw_specialise(run: Run, data: RunData, name: str, confused_with: str) -> None:
    """Offer to train a run's best model on a class and what it is taken for."""
    with st.expander("Train on what is weak", icon=":material/fitness_center:"):
        classes = st.multiselect(
            "Classes to specialise on",
            data.classes,
            default=[member for member in (name, confused_with) if member],
            key=f"specialise-{run.id}-{name}",
            format_func=data.label,
            help="With a class goes the one it is taken for: else that one pays for its gain.",
        )
        st.caption(
            "Starts from this run's best model and shows these classes more often. The best epoch is the one that is "
            "best at them without costing the others more than the guard allows; if none is, the model stays as it is."
        )
        with st.container(horizontal=True):
            for text, head_only, icon in (
                ("Specialise the whole network", False, ":material/model_training:"),
                ("Only its head (quick)", True, ":material/bolt:"),
            ):
                key = f"specialise-{'head' if head_only else 'whole'}"
                if st.button(text, icon=icon, key=key, disabled=not 0 < len(classes) < len(data.classes)):
                    forms.fill_specialise(run, classes, head_only=head_only)
                    st.switch_page(st.session_state["pages"]["train"])


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
    changes = changes.assign(**{"class": [data.label(name) for name in changes["class"]]})
    plot(class_changes(changes, first=first.id, second=second.id), key="compare-changes")
    shown = pd.DataFrame(
        {
            "class": changes["class"],
            "images": changes["images"],
            **{
                f"right: {run.id} (95 % interval)": _describe_right(changes[column], changes["images"])
                for column, run in (("first", first), ("second", second))
            },
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


def _describe_right(right: pd.Series, images: pd.Series) -> list[str]:
    low, high = wilson_interval(right, images)
    return [f"{count} ({format_interval(*ends)})" for count, *ends in zip(right, low, high, strict=True)]


def draw_focus(config: TrainConfig, before: pd.DataFrame, after: pd.DataFrame, data: RunData) -> None:
    """Say whether a specialised run's gain on its chosen classes is real, and what the others paid."""
    tests = compare_focus(config, before, after)
    if tests is None:
        return
    names = ", ".join(escape_markdown(data.label(name)) for name in focus_names(config))
    own, others = tests
    st.markdown(
        f"- On the chosen classes ({names}): {own.describe('before', 'after')}\n"
        f"- On all others: {others.describe('before', 'after')}"
    )
    st.caption(
        "The best epoch was chosen on these very images, so a gain on them is told somewhat too high; "
        "images held back from both would settle it."
    )
