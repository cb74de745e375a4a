"""The dashboard: page set-up, navigation, the run chosen for all pages, and errors in words."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value

from core.overview.facts import find_damage, read_recipe
from core.overview.index import recall
from core.palette import TRAIN_WORDS
from core.people.acting import ADMINISTER, MEANINGS, now_acting
from core.runs import jobs
from core.runs.imported import describe_origin
from core.runs.run import Run, default_root
from core.stored.status import ACTIVE
from core.words import tell_names_apart
from dashboard.access.who import base_path, find_acting, sign_in_mode
from dashboard.guard import POLL, forget_elsewhere, guard, guard_callback
from dashboard.lost.tell import tell_lost
from dashboard.signposts import HOME, TITLES
from dashboard.state import address
from dashboard.state.offered import offer_runs
from dashboard.state.status_words import BADGES, DAMAGED
from dashboard.text import escape_markdown
from dashboard.views import (
    bakeoff,
    compare,
    confidence,
    confusion,
    data,
    live,
    people,
    predict,
    runs,
    start,
    train,
    weak,
)
from dashboard.views import map as map_view  # `map` itself is Python's

HERE = Path(__file__).parent
# Less empty space around the page, and columns that wrap where the window is too narrow for them: the key of the
# container around them says how wide they have to stay.
STYLE = """
<style>
.stMainBlockContainer { padding: 3.25rem clamp(1rem, 3vw, 4rem) 4rem; }
[class*="st-key-wide-"] .stColumn { min-width: min(100%, 420px); }
[class*="st-key-medium-"] .stColumn { min-width: min(100%, 250px); }
[class*="st-key-narrow-"] .stColumn { min-width: min(100%, 150px); }
.st-key-beside-matrix .stColumn { min-width: min(100%, 345px); }
.st-key-touch-hint { display: none; }
@media (hover: none) { .st-key-touch-hint { display: flex; } }
.st-key-runs-chosen { min-height: 2.7rem; }
[class*="st-key-choose-"] label p { font-weight: 650; font-size: 1rem; white-space: normal; overflow-wrap: anywhere; }
.ws-run { font-size: .85rem; opacity: .75; margin-bottom: -1.4rem; overflow-wrap: anywhere; }
@media (max-width: 640px) { .ws-run { margin-top: 1rem; } .st-key-confusion-wide { display: none; }
  .st-key-narrow-steps .stColumn { min-width: 100%; } }
@media (max-width: 1100px) {
  .stMainBlockContainer:has(.st-key-sheet-images) { padding-bottom: 54vh; }
  .st-key-sheet-images { position: fixed; right: 0; bottom: 0; z-index: 99; width: min(100vw, 600px); max-height: 50vh;
    overflow-y: auto; padding: 1rem; background: Canvas; border-radius: 14px 14px 0 0;
    box-shadow: 0 -4px 24px rgba(0, 0, 0, .35); }
}
</style>
"""
# What is chosen is told in Streamlit's primary colour, too faint for words on the dark ground and on its own tint. A
# popover lies outside of the element that says which of light and dark it is, so there words have the colour of text.
CHOSEN = f"""
<style>
button[data-selected="true"], [data-testid="stSliderThumbValue"] {{ color: light-dark({TRAIN_WORDS["light"]}, {TRAIN_WORDS["dark"]}) !important; }}
[data-testid="stPopoverBody"] button[data-selected="true"] {{ color: inherit !important; }}
</style>
"""
# The pages by what they are for, in the order of the work.
PAGES = {
    "": [("start", start.render, "home")],
    "Train": [
        ("train", train.render, "model_training"),
        ("live", live.render, "show_chart"),
        ("runs", runs.render, "view_list"),
        ("bake-off", bakeoff.render, "emoji_events"),
    ],
    "Understand": [
        ("confusion", confusion.render, "grid_on"),
        ("weak", weak.render, "troubleshoot"),
        ("map", map_view.render, "scatter_plot"),
        ("confidence", confidence.render, "balance"),
        ("data", data.render, "dataset"),
    ],
    "Use": [
        ("predict", predict.render, "image_search"),
        ("compare", compare.render, "compare_arrows"),
    ],
}
# For administrators, and only where users sign in; whoever opens it otherwise by its address is told why not.
PEOPLE = ("people", people.render, "group")
# Pages whose content belongs to one run, chosen in the sidebar.
NAME = 26  # letters of a run's name that the sidebar shows
RUN_PAGES = ("live", "confusion", "weak", "map", "confidence", "data", "predict")


def main() -> None:
    """Draw the page the URL names."""
    # Streamlit 1.67 leaves the thread in the container of a fragment that ran last. A link clicked at its end reuses
    # the thread: the next page would be drawn into a container that is gone, and the browser show nothing at all.
    context_dg_stack.set(get_default_dg_stack_value())
    # A picture of our own: Streamlit fetches a material icon for the browser's tab from the network.
    st.set_page_config(page_title="Weakspot", page_icon=str(HERE / "icon.png"), layout="wide")
    st.html(STYLE + CHOSEN)
    st.logo(str(HERE / "logo.svg"), size="large")
    recall(default_root())  # thousands of runs are known at once after a start of the server
    groups = {group: [make_page(*page) for page in found] for group, found in PAGES.items()}
    manages = bool(sign_in_mode()) and find_acting().person.may(ADMINISTER)
    groups.setdefault("Manage" if manages else "Use", []).append(make_page(*PEOPLE, hidden=not manages))
    st.session_state["pages"] = {
        page.url_path or "start": page for found in groups.values() for page in found
    }
    first = groups[""][0]
    # Start is where the address ends; who adds its name, as that of other pages, is led there.
    named = st.Page(
        guard(lambda: st.switch_page(first)), title="Start", url_path="start", visibility="hidden"
    )
    # Of more than twelve pages Streamlit would fold the last away.
    page = st.navigation({**groups, "": [first, named]}, expanded=True)
    forget_elsewhere(page.url_path)
    guard(draw_person)()
    guard(tell_lost)(page.url_path)
    if page.url_path in RUN_PAGES:
        guard(draw_run_choice)()
    page.run()


def make_page(name: str, view: Callable[[], None], icon: str, *, hidden: bool = False) -> st.Page:
    """Return a page, `hidden` from the navigation or in it; Start is the one that the address without a name opens."""
    first = name == "start"
    path = HOME if first else name  # never seen: a page of the name "start" leads there
    return st.Page(
        guard(view),
        title=TITLES[name],
        icon=f":material/{icon}:",
        url_path=path,
        default=first,
        visibility="hidden" if hidden else "visible",
    )


def draw_person() -> None:
    """Say in the sidebar who is signed in, and lead to the way out."""
    person = now_acting().person
    if not sign_in_mode():
        return
    with st.sidebar:
        st.caption(
            f":material/person: {escape_markdown(person.name)} · {person.role}", help=MEANINGS[person.role]
        )
        st.html(f'<a href="{base_path()}/sign-out" target="_self" style="color: inherit">Sign out</a>')


def draw_run_choice() -> None:
    """Offer all runs in the sidebar; choosing one changes the URL."""
    selected = address.selected_run()
    if selected is None:
        return
    offered = offer_runs(keep=[selected.id])
    choices = {run.id: run for run in offered.runs}

    def apply_choice() -> None:
        address.choose_run(choices[st.session_state["run-choice"]])

    st.session_state["run-choice"] = selected.id
    st.sidebar.selectbox(
        "Run",
        list(choices),
        format_func=dict(zip(choices, tell_names_apart(list(choices), NAME), strict=True)).__getitem__,
        key="run-choice",
        on_change=guard_callback(apply_choice),
        help=offered.note or None,
    )
    state = jobs.live_status(selected).state
    with st.sidebar:
        st.fragment(guard(draw_state), run_every=POLL if state in ACTIVE else None)(selected, state)
    origin = describe_origin(selected)
    told = f", {html.escape(origin)}" if origin else ""
    # The sidebar is folded away on a narrow screen, and the run has to be known there too.
    st.html(f'<div class="ws-run">Run <b>{html.escape(selected.id)}</b>{told}</div>')


def draw_state(run: Run, before: str) -> None:
    """Say in the sidebar what a run is doing; the page is drawn anew once that is no longer what it was `before`."""
    status = jobs.live_status(run)
    if status.state != before or not run.folder.exists():
        st.rerun()
    if damage := find_damage(run, status, read_recipe(run)):
        st.caption(f"{BADGES[DAMAGED][1]} {DAMAGED}: {escape_markdown(damage)}")
    else:
        st.caption(f"{BADGES[status.state][1]} {escape_markdown(describe_origin(run)) or status.state}")


if __name__ == "__main__":
    main()
