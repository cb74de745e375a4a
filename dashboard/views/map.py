"""Map: all images of a run on a plane, those its model finds alike beside each other; what is drawn around is shown."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.errors import RunError
from core.people.acting import TRAIN
from core.runs.imported import refuse_without_model
from core.runs.run import Run
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.plot import Area, Click, plot
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.explorer import browse
from dashboard.explorer.neighbours import LIKE
from dashboard.guard import guard, guard_callback
from dashboard.mapping.alike import draw_alike
from dashboard.mapping.look import NO_LABEL, Look, choose_images, draw_figure, draw_look
from dashboard.mapping.strangers import draw_strangers, find_strangers
from dashboard.state import address, services
from dashboard.state.area import outline_area, pack_area, unpack_area
from dashboard.state.landscape import Landscape, find_wrong, is_outdated, read_landscape
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count

SIDES = {address.ANY: "Images", "unlike": "Unlike their class", LIKE: "Like a photo"}  # as the URL has them
NAMED = 3  # classes that are named of an area


def render() -> None:
    """Draw the page."""
    st.title("Map")
    run = address.selected_run()
    if run is None:
        address.draw_no_run()
        return
    if not run.best_path.exists():
        refuse_without_model(run)
        raise services.lack_model(run)
    data = services.read_data(run)
    status = read_task(task_folder(run))
    try:
        landscape = None if status.state in ACTIVE else read_landscape(run)
    except RunError as error:  # a damaged one is made again
        st.info(escape_markdown(str(error)), icon=":material/info:")
        landscape = None
    if landscape is None:
        if address.get_param("side") == LIKE:
            st.fragment(guard(draw_alone))(run, data)
        draw_offer(run, data)
        return
    draw_summary(run, landscape)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="map-choices"):
        look = draw_look(landscape, data)
    # A click draws only this part anew: the rest of the page has nothing to do with what is drawn around.
    st.fragment(guard(draw_explorer))(run, landscape, data, look)


def task_folder(run: Run) -> Path:
    """Return where the making of a run's map is watched."""
    return run.folder / ".map"


def draw_offer(run: Run, data: RunData) -> None:
    """Say what a map is and offer to make it, or show how far that is."""
    folder = task_folder(run)
    status = read_task(folder)
    if status.state in ACTIVE:
        st.markdown("**Making the map.** The network looks at all images, then each gets its place.")
        draw_running(folder, "", key="map")
        return
    draw_end(status)
    st.markdown(
        "A map places all images of a run so that those its network finds alike lie beside each other: you see classes that overlap, images that lie with another class, and groups within a class."
    )
    if is_outdated(run):
        st.info(
            "The map is of an earlier model. The run has a better one now, so make the map again.",
            icon=":material/update:",
        )
    count = sum(data.train_counts.values())
    st.button(
        "Make the map",
        icon=":material/scatter_plot:",
        type="primary",
        key="map-start",
        on_click=guard_callback(launch_task),
        args=(folder, "map"),
        kwargs={"run": run.id},
        **lock(
            TRAIN,
            help=f"The {format_count(count, 'training image')} and those that judge the run go through the network once, where "
            "they have not yet. After that placing them takes about half a minute for 20,000 images.",
        ),
    )


def draw_alone(run: Run, data: RunData) -> None:
    """Draw the images like one where there is no map: none is needed for them."""
    st.subheader("Images like one")
    draw_alike(run, data)
    st.subheader("The map")


def draw_summary(run: Run, landscape: Landscape) -> None:
    """Say what is on the map and what can be done."""
    count, wrong = len(landscape.table), int(landscape.wrong.sum())
    known = int((landscape.table["true"] != "").sum())  # test images have no label
    labelled = "of them" if known == count else f"of the {known:,} with a label"
    st.markdown(
        f"{format_count(count, 'image')} of {escape_markdown(run.id)}, {wrong:,} {labelled} predicted wrong. What lies together "
        "looks alike to the network. **Draw** around points to see their images, or **click** one."
    )
    trust = landscape.about.describe_trust()
    with st.popover("How to read the map", icon=":material/help:"):
        st.markdown(
            "Neighbours mean something: images beside each other are alike to the network. How far apart two groups lie, "
            f"and how large they are, says little. {trust} The network has learned the training images, so most of them are well placed and predicted right. Validation and held-back images show how it does on new ones."
        )
        if landscape.about.left_out:
            st.markdown(
                f"{format_count(landscape.about.left_out, 'training image', 'is')} left out at random to keep the map fast."
            )


def draw_explorer(run: Run, landscape: Landscape, data: RunData, look: Look) -> None:
    """Draw the map, and beside it the images that are chosen or those unlike their class."""
    with st.container(key="beside-matrix"):
        left, right = st.columns([6, 5], gap="medium")
    with left:
        draw_map(run, landscape, look)
    # On a narrow screen the images that were asked for come as a sheet over the map: see the page's style.
    drawn = unpack_area(address.get_param("area")) is not None or bool(address.get_param(LIKE))
    with right.container(key="sheet-images" if drawn else "map-beside"):
        paths = draw_side(choose_side(), run, landscape, data, look)
    path = address.get_param("image")
    if path and path not in paths:  # a click on a point that is in no gallery
        browse.show_large(run, landscape.table[landscape.table["path"] == path], data)


def draw_side(side: str, run: Run, landscape: Landscape, data: RunData, look: Look) -> set[str]:
    """Draw what stands beside the map, with the image of it that is opened; return the paths of its images."""
    if side == LIKE:
        return set(draw_alike(run, data))
    if side:
        area = address.get_param("area")
        draw_clear(area)
        images = find_strangers(landscape, look, area)
        draw_strangers(run, images, landscape, data, look)
        browse.show_large(run, images, data)
    else:
        images = draw_gallery(run, landscape, data, look)
    return set(images["path"])


def choose_side() -> str:
    """Offer what stands beside the map; the URL keeps it."""
    side = address.get_param("side", list(SIDES))
    st.session_state["map-side"] = SIDES[side]
    names = {title: name for name, title in SIDES.items()}
    st.segmented_control(
        "Beside the map",
        list(names),
        key="map-side",
        required=True,
        label_visibility="collapsed",
        on_change=guard_callback(
            lambda: address.set_params(
                side=names[st.session_state["map-side"]],
                like=address.ANY,
                page=address.ANY,
                image=address.ANY,
            )
        ),
    )
    return side


def draw_map(run: Run, landscape: Landscape, look: Look) -> None:
    """Draw the map; a click opens an image, and what is drawn around points chooses them."""
    paths = landscape.table["path"]

    def take_click(click: Click) -> None:
        if click.customdata is not None:
            address.set_params(image=str(paths.iloc[int(click.customdata)]))

    def take_area(area: Area) -> None:
        corners = pack_area(area.x, area.y)
        side = address.get_param("side", ["unlike"])  # those unlike their class are narrowed to the area too
        address.set_params(area=corners, side=side, page=address.ANY, image=address.ANY)

    corners = unpack_area(address.get_param("area"))
    plot(
        draw_figure(run, landscape, look),
        key="map-points",
        on_click=take_click,
        on_area=take_area,
        shapes=[] if corners is None else [outline_area(corners)],
        summary=f"{format_count(len(paths), 'image')} as points; those that the network finds alike lie together.",
    )


def draw_gallery(run: Run, landscape: Landscape, data: RunData, look: Look) -> pd.DataFrame:
    """Show the images that are chosen, and return them; none where nothing is chosen yet."""
    area, search = address.get_param("area"), address.get_param("name")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="map-images"):
        st.session_state["map-name"] = search
        st.text_input(
            "File name has",
            key="map-name",
            placeholder="any",
            width=170,
            on_change=guard_callback(
                lambda: address.set_params(
                    name=st.session_state["map-name"].strip(), page=address.ANY, image=address.ANY
                )
            ),
        )
        if not (unpack_area(area) is not None or search or look.narrows):
            images = landscape.table.iloc[:0]
        else:
            chosen = choose_images(landscape, look, area, search)
            images = browse.sort_images(chosen, browse.draw_sort(chosen))
            if not images.empty:
                browse.draw_export(images, data, f"{run.id}-map")
        draw_clear(area)
    if not (area or search or look.narrows):
        st.info(
            "Draw around points with the mouse, click one, or choose a class or a file name.",
            icon=":material/lasso_select:",
        )
        return images
    st.markdown(describe_images(images, data))
    if not images.empty:
        browse.draw_images(run, images, data)
    return images


def draw_clear(area: str) -> None:
    """Offer to take the area away, where one is drawn."""
    if area:
        st.button(
            "Whole map",
            icon=":material/close:",
            key="map-clear",
            on_click=guard_callback(address.set_params),
            kwargs={"area": address.ANY, "page": address.ANY, "image": address.ANY},
        )


def describe_images(images: pd.DataFrame, data: RunData) -> str:
    """Say how many images are chosen, how many of them are wrong, and of which classes most are."""
    if images.empty:
        return "**No images** there."
    wrong = int(find_wrong(images).sum())
    counts = images["true"].value_counts()
    named = ", ".join(
        f"{escape_markdown(data.label(str(name)) if name else NO_LABEL)} ({count:,})"
        for name, count in counts.head(NAMED).items()
    )
    more = f" and {format_count(len(counts) - NAMED, 'more class')}" if len(counts) > NAMED else ""
    return f"**{format_count(len(images), 'image')}**, {wrong:,} of them wrong. {'All' if len(counts) == 1 else 'Most'} are of {named}{more}."
