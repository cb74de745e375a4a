"""Which predictions are shown, and which they are compared with: models and epochs, chosen and kept in the URL."""

from __future__ import annotations

import streamlit as st

from core.runs import jobs
from core.runs.imported import describe_origin
from core.runs.run import FOLD, TEST, Run
from core.stored.status import ACTIVE
from dashboard.explorer.matrices import TableSource
from dashboard.guard import POLL, guard, guard_callback
from dashboard.state import address
from dashboard.state.offered import offer_runs

JUDGED_ON = {"val": "Validation", FOLD: "All training images", TEST: "A labelled folder"}
ABOUT = {
    FOLD: "each is judged by a model that was fitted without it.",
    TEST: "the images that were judged on Predict.",
}


def list_others(run: Run) -> list[str]:
    """Return on which images a run was judged beside validation."""
    return [split for split in (FOLD, TEST) if run.predictions_path(split).exists()]


def draw_judged_on(run: Run) -> str:
    """Offer on which images the run is judged, where there are others than validation; the URL keeps it as `on`."""
    others = list_others(run)
    if not others:
        return "val"
    split = address.get_param("on", others) or "val"
    st.session_state["judged-on"] = split
    st.selectbox(
        "Judged on",
        ["val", *others],
        key="judged-on",
        format_func=JUDGED_ON.__getitem__,
        on_change=guard_callback(_apply_judged_on),
        width=190,
        help="\n".join(f"- {JUDGED_ON[name]}: {ABOUT[name]}" for name in others),
    )
    return split


def _apply_judged_on() -> None:
    split = st.session_state["judged-on"]
    address.set_params(on=address.ANY if split == "val" else split, page=address.ANY, image=address.ANY)


def draw_sources(run: Run) -> tuple[TableSource, TableSource | None]:
    """Offer the images, the model or epoch that is shown, and what it is compared with; the URL keeps them."""
    split = draw_judged_on(run)
    if split != "val":
        return TableSource(run, split=split), None
    epochs = [str(epoch) for epoch in run.list_epochs()]
    epoch = address.get_param("epoch", epochs)
    offered = offer_runs(
        keep=[address.get_param("against").removeprefix("run:")],
        fits=lambda other: other.id != run.id and other.predictions_path().exists(),
    )
    others = [other.id for other in offered.runs]
    same = [f"epoch:{name}" for name in ("best", *epochs) if name != (epoch or "best")]
    against = address.get_param("against", [*same, *(f"run:{name}" for name in others)])
    st.session_state["confusion-epoch"], st.session_state["confusion-against"] = epoch, against

    def apply_choice() -> None:
        values = {name: st.session_state[f"confusion-{name}"] for name in ("epoch", "against")}
        address.set_params(**values, page=address.ANY, image=address.ANY)

    status = run.read_status()
    best = status.best_epoch
    if not describe_origin(run):  # else there is one table, and no choice
        st.selectbox(
            "Matrix of",
            [address.ANY, *reversed(epochs)],
            key="confusion-epoch",
            format_func=lambda name: (
                f"epoch {name}" if name else f"best (epoch {best})" if best else "best model"
            ),
            on_change=guard_callback(apply_choice),
            width=190,
        )
    st.selectbox(
        "Difference from",
        [address.ANY, *same, *(f"run:{name}" for name in others)],
        key="confusion-against",
        format_func=describe_other,
        on_change=guard_callback(apply_choice),
        width=190,
        help="What changed since another epoch, or from another run's best model, on the same images. "
        + offered.note,
    )
    if not epoch and status.state in ACTIVE and str(best) in epochs:
        epoch = str(best)  # a better one that comes meanwhile must not stand under this one's heading
    return TableSource(run, int(epoch or 0)), find_other(run, against)


def offer_newer(source: TableSource) -> None:
    """Offer a better epoch that came since the page was drawn, unless one was asked for; looks by itself meanwhile."""
    if not source.epoch or address.get_param("epoch"):
        return

    def look() -> None:
        best = source.run.read_status().best_epoch
        if best <= source.epoch:
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Epoch {best} is better than epoch {source.epoch}, which is shown.", width="content")
            if st.button("Show it", icon=":material/update:", key="confusion-newer"):
                st.rerun(scope="app")

    active = jobs.live_status(source.run).state in ACTIVE
    st.fragment(guard(look), run_every=POLL if active else None)()


def describe_other(value: str) -> str:
    """Return what a matrix is compared with in words."""
    kind, _, name = value.partition(":")
    if not value:
        return "nothing"
    return f"run {name}" if kind == "run" else "best model" if name == "best" else f"epoch {name}"


def find_other(run: Run, value: str) -> TableSource | None:
    """Return the source that a value of the URL's `against` means; None for none."""
    kind, _, name = value.partition(":")
    if not value:
        return None
    if kind == "run":
        return TableSource(Run(run.folder.with_name(name)))
    return TableSource(run, 0 if name == "best" else int(name))
