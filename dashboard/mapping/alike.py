"""Images like one: the nearest training and validation images to a photo that is dropped, or to an image of the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import UserError
from core.model.pictures import encode_image
from core.runs.run import Run
from dashboard.components.gallery import PAGE, Tile, draw_pager, show_tiles
from dashboard.components.marking import Item
from dashboard.explorer import marking, neighbours
from dashboard.explorer.detail import close_image
from dashboard.explorer.neighbours import LIKE
from dashboard.explorer.opened import draw_large
from dashboard.guard import guard, guard_callback
from dashboard.state import address, services
from dashboard.state.services import RunData
from dashboard.text import escape_markdown

if TYPE_CHECKING:
    import torch
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.model.neighbours import Neighbour, Neighbourhood

MOST = 4 * PAGE
NAMED = 3  # classes that are named of them
_SEEN = "alike-seen"  # the photo dropped last, as the network saw it
SPLITS = {"train": "training", "val": "validation"}


def draw_alike(run: Run, data: RunData) -> list[str]:
    """Offer to drop a photo, and show the images nearest to it or to the one that the URL names; return their paths."""
    photo = st.file_uploader(
        "Drop a photo to find images like it",
        key="alike-photo",
        help="It stays on this machine.",
        on_change=guard_callback(
            lambda: address.set_params(**{LIKE: address.ANY}, page=address.ANY, image=address.ANY)
        ),
    )
    known = neighbours.find_neighbourhood(run)
    if known is None:
        neighbours.draw_search(
            run,
            data,
            "Find the images that the network finds most similar to a photo, or to an image of the run.",
        )
        return []
    found = find(run, data, known, address.get_param(LIKE), photo)
    if not found:
        return []
    st.markdown(describe(found, data))
    return draw_found(run, data, found)


def find(
    run: Run, data: RunData, known: Neighbourhood, path: str, photo: UploadedFile | None
) -> list[Neighbour]:
    """Return the images nearest to the image of the run at `path`, else to a photo, and show what was asked; none of neither."""
    if known.knows(path):
        draw_asked(path, services.thumbnail(data.root / path))
        return known.find_alike(known.features_of(path), count=MOST, without=path)
    if path:
        st.info(
            f"{escape_markdown(path)} is not a training or validation image of this run, so nothing is compared with it.",
            icon=":material/info:",
        )
    if photo is None:
        return []
    try:
        features, picture = look_at(run, photo)
    except UserError as error:
        st.error(
            f"**{escape_markdown(photo.name)}** {escape_markdown(str(error))}. Drop another photo.",
            icon=":material/broken_image:",
        )
        return []
    draw_asked(photo.name, picture)
    return known.find_alike(features, count=MOST)


def look_at(run: Run, photo: UploadedFile) -> tuple[torch.Tensor, bytes]:
    """Return the features (D,) of a photo and a small picture of it; the network sees it once, until another comes.

    Raises:
        ImageProblem: saying why it is no usable image.
    """
    from core.dataset.images import read_image

    predictor = services.load_predictor(run)
    key = (id(predictor), photo.file_id)  # another predictor is another model
    seen = st.session_state.get(_SEEN)
    if seen is None or seen[0] != key:
        image = read_image(photo)
        features = predictor.read_features([image])[0]
        image.thumbnail((192, 192))
        seen = st.session_state[_SEEN] = (key, (features, encode_image(image)))
    found: tuple[torch.Tensor, bytes] = seen[1]
    return found


def draw_asked(name: str, picture: bytes | None) -> None:
    """Show what the others are to be like."""
    show_tiles([Tile(picture, "Like this", (name,), alt=name)], side=140, label="the image asked about")


def describe(found: Sequence[Neighbour], data: RunData) -> str:
    """Say of which classes most of the nearest images are, and how near the first one is."""
    first = found[:PAGE]
    counts = Counter(one.name for one in first)
    named = ", ".join(f"{escape_markdown(data.label(name))} ({n})" for name, n in counts.most_common(NAMED))
    most = "all are" if len(counts) == 1 else "most are"
    return f"**Of the {len(first)} nearest images {most} of {named}.** The nearest has a cosine similarity of {first[0].similarity:.3f}."


def draw_found(run: Run, data: RunData, found: Sequence[Neighbour]) -> list[str]:
    """Show the images found, to be marked and opened; return their paths."""
    paths = [one.path for one in found]

    def make(number: int, side: int) -> Item:
        one = found[number]
        picture = services.thumbnail(data.root / one.path, side) if side else None
        lines = (f"{SPLITS[one.split]} · similarity {one.similarity:.3f}",)
        return Item(Tile(picture, data.label(one.name), lines, alt=one.path), one.path, one.name)

    shelf = marking.Shelf(paths, make)
    marking.draw_marking(
        run,
        data,
        shelf,
        key="alike-tiles",
        page=draw_pager(len(found), PAGE, key="alike-page"),
        opener=lambda path: address.set_params(image=path),
        label="images like it",
    )
    if address.get_param("image", paths):
        st.dialog("Image", width="large", on_dismiss=guard_callback(close_image))(guard(draw_large))(
            run, data, shelf, paths
        )
    return paths
