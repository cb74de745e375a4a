"""Train: a form for every setting, what it will do to the images, the command it equals, and the start."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.dataset.demo import DEMOS
from core.errors import UserError, describe_error
from core.recipe.config import SETTINGS, TrainConfig, is_augmented
from core.recipe.presets import PRESET_HELP, PRESETS
from core.recipe.settings import GROUPS, NAMES, command_line, label_of
from core.runs import jobs
from core.runs.run import default_root
from dashboard.builtin import builtin_folder, wanted_data
from dashboard.charts import curve_charts
from dashboard.components.gallery import Tile, show_tiles
from dashboard.components.plot import plot
from dashboard.guard import guard_callback
from dashboard.panels import forms
from dashboard.panels.network_field import describe_download
from dashboard.panels.rate_panel import draw_rate_finder
from dashboard.state import address, services
from dashboard.text import escape_markdown

# What the sixteen pictures depend on; they are not drawn again when another field changes.
_PREVIEW_FIELDS = (
    *(field for field in GROUPS["Data"] if field not in NAMES),
    *("seed", "arch", "image_size", "resize_size"),
    *(field for field, setting in SETTINGS.items() if setting.augments),
)


def render() -> None:
    """Draw the page."""
    st.title("Train")
    if "form-data" not in st.session_state:
        choose_data(wanted_data() or str(builtin_folder("digits")))
    if st.session_state.pop("train-clear-name", False):
        st.session_state["form-name"] = ""
    draw_starts()
    config, problems = forms.read_form()
    draw_data(config, problems)
    draw_start(config, problems)
    for title in list(GROUPS)[1:]:
        st.subheader(title)
        forms.draw_group(title, problems)
        if title == "Optimisation":
            draw_schedule(config)
            draw_rate_finder(config)
        elif title == "Images":
            draw_preview(config)


def choose_data(folder: str) -> None:
    """Put a data folder into the form, with the preset that suits it."""
    st.session_state["form-data"] = folder
    forms.fill_preset(forms.suggest_preset(folder))


def draw_starts() -> None:
    """Draw the ways to begin: a preset and the built-in data."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    preset = str(st.session_state["form-preset"])
    st.session_state["train-preset"] = preset
    left.segmented_control(
        "Preset",
        list(PRESETS),
        key="train-preset",
        on_change=guard_callback(lambda: forms.fill_preset(st.session_state["train-preset"] or preset)),
        help="Fills in every setting below except data and name; change what you like afterwards.",
    )
    left.caption(PRESET_HELP[preset])
    with right.container(horizontal=True, horizontal_alignment="right"):
        for name in DEMOS:
            st.button(
                f"Use the built-in {name}",
                key=f"use-{name}",
                icon=":material/dataset:",
                on_click=guard_callback(lambda name=name: choose_data(str(builtin_folder(name)))),
            )


def draw_data(config: TrainConfig | None, problems: dict[str, str]) -> None:
    """Draw the data's fields and what lies there."""
    st.subheader("Data")
    forms.draw_group("Data", problems)
    if config is not None:
        st.caption(f":material/folder_open: {services.summarise_data(config)}")


def draw_start(config: TrainConfig | None, problems: dict[str, str]) -> None:
    """Draw the button that starts the run, and the command that does the same."""
    with st.container(horizontal=True, vertical_alignment="center", key="train-start-row"):
        started = st.button(
            "Start training",
            type="primary",
            icon=":material/play_arrow:",
            key="train-start",
            disabled=config is None,
        )
        if config is None:
            names = ", ".join(label_of(field) for field in problems)
            st.markdown(f":red[Not yet: mend **{names}** first.]")
        elif config.weights == "imagenet" and (download := describe_download([config.arch])):
            st.caption(download)
    if config is None:
        return
    with st.expander("The same from the command line", icon=":material/terminal:"):
        st.code(command_line(config), language="bash", wrap_lines=True)
    if started:
        try:
            run = jobs.submit(config, default_root())
        except (UserError, OSError) as error:
            what = escape_markdown(describe_error(error))
            st.error(f"The run could not be started: {what}", icon=":material/error:")
            return
        st.session_state["train-clear-name"] = (
            True  # the name is taken now; its widget is drawn, so clear it later
        )
        address.choose_run(run)
        st.switch_page(st.session_state["pages"]["live"], query_params={"run": run.id})


def draw_schedule(config: TrainConfig | None) -> None:
    """Plot how the learning rate will move, where it does."""
    if config is None or config.schedule == "constant":
        return
    steps = -(-services.summarise_data(config).train // config.batch_size)
    with st.container(width=640):
        plot(curve_charts.rate_schedule(config, steps), key="train-schedule")


def draw_preview(config: TrainConfig | None) -> None:
    """Show sixteen training images as the network will get them."""
    st.markdown("**Sixteen training images as the network will get them**")
    if config is None:
        st.caption("They are shown once the settings above are right.")
        return
    if not is_augmented(vars(config)):
        st.caption(
            "With one view for the head only, images are seen as in validation: nothing is left to chance."
        )
        return
    look = TrainConfig.from_dict(
        {"weights": "none", **{field: getattr(config, field) for field in _PREVIEW_FIELDS}}
    )
    try:
        pictures = services.augmented_images(look)
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
        return
    tiles = [Tile(picture, name, alt=f"augmented image of {name}") for name, picture in pictures]
    show_tiles(tiles, side=110, label="augmented training images")
    st.caption(
        f"Cropped, turned, shifted and recoloured by chance as set above, {config.image_size} × {config.image_size} px, "
        f"from {escape_markdown(Path(config.data).name)}. Every epoch draws anew."
    )
