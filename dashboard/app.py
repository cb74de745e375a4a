"""The dashboard: page set-up, navigation, the run chosen for all pages, and errors in words."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.delta_generator_singletons import context_dg_stack, get_default_dg_stack_value

from core.errors import UserError
from core.runs import jobs
from core.runs.queue import revive_queue
from core.runs.run import ACTIVE, Run, default_root, iter_runs, list_runs
from dashboard.builtin import wanted_data
from dashboard.guard import guard, guard_callback
from dashboard.state import address
from dashboard.state.status_words import BADGES
from dashboard.views import bakeoff, compare, confidence, confusion, data, live, predict, runs, train, weak

HERE = Path(__file__).parent
# Less empty space around the page, and columns that wrap where the window is too narrow for them: the key of the
# container around them says how wide they have to stay.
STYLE = """
<style>
.stMainBlockContainer { padding: 3.25rem clamp(1rem, 3vw, 4rem) 4rem; }
[class*="st-key-wide-"] .stColumn { min-width: min(100%, 420px); }
[class*="st-key-medium-"] .stColumn { min-width: min(100%, 250px); }
</style>
"""
# Pages whose content belongs to one run, chosen in the sidebar.
RUN_PAGES = ("live", "confusion", "weak", "confidence", "data", "predict")


def main() -> None:
    """Draw the page the URL names."""
    # Streamlit 1.67 leaves the thread in the container of a fragment that ran last. A link clicked at its end reuses
    # the thread: the next page would be drawn into a container that is gone, and the browser show nothing at all.
    context_dg_stack.set(get_default_dg_stack_value())
    # A picture of our own: Streamlit fetches a material icon for the browser's tab from the network.
    st.set_page_config(page_title="Weakspot", page_icon=str(HERE / "icon.png"), layout="wide")
    st.html(STYLE)
    st.logo(str(HERE / "logo.svg"), size="large")
    pages = {
        name: st.Page(guard(view), title=title, icon=icon, url_path=name)
        for name, view, title, icon in (
            ("runs", runs.render, "Runs", ":material/view_list:"),
            ("train", train.render, "Train", ":material/model_training:"),
            ("live", live.render, "Live", ":material/show_chart:"),
            ("confusion", confusion.render, "Confusion", ":material/grid_on:"),
            ("weak", weak.render, "Weak classes", ":material/troubleshoot:"),
            ("confidence", confidence.render, "Confidence", ":material/balance:"),
            ("data", data.render, "Data", ":material/dataset:"),
            ("predict", predict.render, "Predict", ":material/image_search:"),
            ("compare", compare.render, "Compare", ":material/compare_arrows:"),
            ("bake-off", bakeoff.render, "Bake-off", ":material/emoji_events:"),
        )
    }
    st.session_state["pages"] = pages
    home = st.Page(guard(lambda: open_first_page(pages)), title="Weakspot", default=True, visibility="hidden")
    page = st.navigation([home, *pages.values()])
    if page.url_path in RUN_PAGES:
        guard(draw_run_choice)()
    page.run()


def open_first_page(pages: dict[str, st.Page]) -> None:
    """Lead to what matters now: a training that runs, else the user's own new data, else the list of runs."""
    revive_queue(list_runs(default_root()))
    active = [run for run, status in jobs.list_live(default_root()) if status.state in ACTIVE]
    if active:
        st.switch_page(pages["live"], query_params={"run": active[-1].id})
    if wanted_data() and not any(_is_on(run, wanted_data()) for run in iter_runs(default_root())):
        st.switch_page(pages["train"])
    st.switch_page(pages["runs"])


def _is_on(run: Run, data: str) -> bool:
    try:
        return run.read_config().data == data
    except UserError:
        return False


def draw_run_choice() -> None:
    """Offer all runs in the sidebar; choosing one changes the URL."""
    choices = {run.id: run for run in iter_runs(default_root())}
    selected = address.selected_run()
    if selected is None:
        return

    def apply_choice() -> None:
        address.choose_run(choices[st.session_state["run-choice"]])

    st.session_state["run-choice"] = selected.id
    st.sidebar.selectbox("Run", list(choices), key="run-choice", on_change=guard_callback(apply_choice))
    status = jobs.live_status(selected)
    st.sidebar.caption(f"{BADGES[status.state][1]} {status.state}")


if __name__ == "__main__":
    main()
