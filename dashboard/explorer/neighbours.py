"""The nearest training images of a validation image, on a page: features are computed once, by a task, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.dataset.images import find_obstacle
from core.people.acting import TRAIN
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.gallery import Tile, show_tiles
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.state import services
from dashboard.state.services import RunData
from dashboard.text import escape_markdown

if TYPE_CHECKING:
    from core.model.neighbours import Neighbour, Neighbourhood, Place

SHOWN = 5
LIKE = "like"  # in the URL of the map: what stands beside it, and the image that others are to be like


def draw_neighbours(run: Run, data: RunData, path: str, predicted: str, true: str) -> None:
    """Show the nearest training images of the predicted beside those of the true class, or offer to find them."""
    st.subheader("The nearest training images")
    if Path(path).is_absolute():  # features are kept of the run's own images
        st.caption("Only images of the run's own data are compared with its training images.")
        return
    known = find_neighbourhood(run)
    if known is None:
        draw_search(
            run,
            data,
            "Which training images does the network find most like this one, in the class it answered and in the true class?",
        )
        return
    if not known.knows(path):
        why = (
            "Only training and validation images are compared, and this is neither."
            if not find_obstacle(data.root / path)
            else "The file is gone, so nothing can be compared with it."
        )
        st.info(why, icon=":material/info:")
        return
    from core.model.neighbours import describe_neighbours

    names = list(dict.fromkeys((predicted, true)))
    found = {name: known.find(path, name, count=SHOWN) for name in names}
    with st.container(key="wide-neighbours"):
        columns = st.columns(len(names), gap="large")
    for column, name in zip(columns, names, strict=True):
        role = "Predicted class" if name == predicted != true else "True class"
        with column:
            st.markdown(f"**{role} {escape_markdown(data.label(name))}**")
            show_nearest(data, found[name], label=f"nearest training images of {name}")
    first = known.find(path, count=1)[0]
    words = f"Nearest of all is {first.path} of {data.label(first.name)}, cosine similarity {first.similarity:.3f}."
    if predicted != true:
        words += " " + describe_neighbours(found[predicted], found[true])
    st.markdown(escape_markdown(words))
    st.page_link(
        st.session_state["pages"]["map"],
        label="More like this",
        icon=":material/image_search:",
        query_params={"run": run.id, "side": LIKE, LIKE: path},
        help="The nearest of all training and validation images, whatever their class.",
    )


def show_nearest(data: RunData, found: Sequence[Neighbour], *, label: str) -> None:
    """Show training images with their similarity and file name."""
    tiles = [
        Tile(
            services.thumbnail(data.root / one.path),
            f"{one.similarity:.3f}",
            (one.path.rsplit("/", 1)[-1],),
            alt=one.path,
        )
        for one in found
    ]
    show_tiles(tiles, side=84, label=label)


def draw_search(run: Run, data: RunData, question: str) -> None:
    """Offer to compute the features of all images, which answer a question, or show how far that is."""
    folder = task_folder(run)
    status = read_task(folder)
    if status.state in ACTIVE:
        draw_running(folder, "images", key="similar")
        return
    draw_end(status)
    st.markdown(
        f"{question} All {sum(data.train_counts.values()):,} training images go through it once; after that, answers are immediate for every image of this run."
    )
    st.button(
        "Find similar training images",
        icon=":material/image_search:",
        key="find-similar",
        on_click=guard_callback(launch_task),
        args=(folder, "neighbours"),
        kwargs={"run": run.id},
        **lock(TRAIN),
    )


def task_folder(run: Run) -> Path:
    """Return where the search is watched."""
    return run.folder / ".neighbours"


def find_place(run: Run) -> Place | None:
    """Return where the features of a run's best model are kept; None where too many images are to be read to tell."""
    services.load_predictor(run)  # says what is missing where there is no model yet
    # Files may have come or gone before a search, so what it leaves may lie elsewhere than before it.
    searched = read_task(task_folder(run)).ended
    return _place(run.folder, run.best_path.stat().st_mtime_ns, searched)


@st.cache_resource(max_entries=8, show_spinner=False)
def _place(folder: Path, stamp: int, searched: float) -> Place | None:  # noqa: ARG001
    from core.model.neighbours import locate

    run = Run(folder)
    # A page waits for a handful of images to be read, and leaves more to the search.
    return locate(run, services.load_predictor(run).compute, lambda done, total: done == total)


class _NotKept(Exception):
    """There are no features yet; as an error, so that the cache does not keep the answer."""


def find_neighbourhood(run: Run) -> Neighbourhood | None:
    """Return the neighbourhood of a run's images where its features are kept, else None."""
    place = find_place(run)
    if place is None:
        return None
    try:
        return _neighbourhood(run.folder, place.key)
    except _NotKept:
        return None


@st.cache_resource(max_entries=2, show_spinner="Reading the features …")
def _neighbourhood(folder: Path, key: str) -> Neighbourhood:  # noqa: ARG001
    from core.model.neighbours import open_neighbourhood

    run = Run(folder)
    place = find_place(run)
    known = None if place is None else open_neighbourhood(run, place)
    if known is None:
        raise _NotKept
    return known
