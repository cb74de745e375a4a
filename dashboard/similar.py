"""The nearest training images of a validation image, on a page: features are computed once, on demand, and kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.folders import DataError
from core.runs import Run
from dashboard import services
from dashboard.gallery import Tile, show_tiles
from dashboard.services import RunData
from dashboard.text import escape_markdown, format_duration

if TYPE_CHECKING:
    from core.neighbours import Neighbour, Neighbourhood, Place

SHOWN = 5


def draw_neighbours(run: Run, data: RunData, path: str, predicted: str, true: str) -> None:
    """Show the nearest training images of the predicted beside those of the true class, or offer to find them."""
    st.subheader("The nearest training images")
    known = find_neighbourhood(run)
    if known is None:
        known = offer_search(run, data)
    if known is None:
        return
    if not known.knows(path):
        st.info("The file is gone, so nothing can be compared with it.", icon=":material/info:")
        return
    from core.neighbours import describe_neighbours

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


def offer_search(run: Run, data: RunData) -> Neighbourhood | None:
    """Offer to compute the features of all images, with progress; return what was found when it was asked for."""
    count = sum(data.train_counts.values())
    place = st.empty()
    with place.container():
        st.markdown(
            "Which training images does the network find most like this one, of the class it answered and of the "
            f"true one? All {count:,} training images go through it once; after that the answer comes at once, for "
            "every image of this run."
        )
        clicked = st.button(
            "Find similar training images", icon=":material/image_search:", key="find-similar"
        )
    if not clicked:
        return None
    with place.container():
        # Any click ends the script at its next progress line; features are kept whole or not at all.
        st.button("Stop", icon=":material/stop:", key="stop-similar")
        bar = st.progress(0.0, text="Loading the model …")
        try:
            known = search(run, bar)
        except DataError as error:
            st.error(
                f"{escape_markdown(str(error))} Mend or remove the file, and try again.",
                icon=":material/broken_image:",
            )
            return None
    place.empty()
    return known


def search(run: Run, bar: st.delta_generator.DeltaGenerator) -> Neighbourhood | None:
    """Compute the features of a run's images, telling on `bar` how far it is and how long it takes still."""
    from core.neighbours import compute_neighbourhood

    begun = time.monotonic()

    def show(done: int, total: int) -> bool:
        left = (time.monotonic() - begun) / done * (total - done)
        bar.progress(done / total, text=f"{done:,} of {total:,} images · about {format_duration(left)} left")
        return True

    _place.clear()  # files may have come or gone since
    predictor = services.load_predictor(run)
    compute_neighbourhood(run, find_place(run), predictor.compute, progress=show)
    return find_neighbourhood(run)


def find_place(run: Run) -> Place:
    """Return where the features of a run's best model are kept."""
    services.load_predictor(run)  # says what is missing where there is no model yet
    return _place(run.folder, run.best_path.stat().st_mtime_ns)


@st.cache_resource(max_entries=8, show_spinner=False)
def _place(folder: Path, stamp: int) -> Place:  # noqa: ARG001
    from core.neighbours import locate

    run = Run(folder)
    return locate(run, services.load_predictor(run).compute)


class _NotKept(Exception):
    """There are no features yet; as an error, so that the cache does not keep the answer."""


def find_neighbourhood(run: Run) -> Neighbourhood | None:
    """Return the neighbourhood of a run's images where its features are kept, else None."""
    place = find_place(run)
    try:
        return _neighbourhood(run.folder, place.key)
    except _NotKept:
        return None


@st.cache_resource(max_entries=2, show_spinner="Reading the features …")
def _neighbourhood(folder: Path, key: str) -> Neighbourhood:  # noqa: ARG001
    from core.neighbours import open_neighbourhood

    run = Run(folder)
    known = open_neighbourhood(run, find_place(run))
    if known is None:
        raise _NotKept
    return known
