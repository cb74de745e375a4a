"""Train: the few settings that matter first, the start, all others on demand, and what they do to the images."""

from __future__ import annotations

import itertools
from pathlib import Path

import streamlit as st

from core.cluster import submit as slurm_submit
from core.cluster.request import SlurmRequest
from core.dataset.demo import DEMOS
from core.errors import UserError, describe_error
from core.people.acting import TRAIN, refusal_of
from core.recipe.config import SETTINGS, TrainConfig, is_augmented
from core.recipe.presets import PRESET_HELP, PRESET_TITLES, from_preset
from core.recipe.settings import GROUPS, NAMES, command_line, find_differing, label_of
from core.runs import jobs
from core.runs.run import Run, default_root
from dashboard.access.lock import lock
from dashboard.builtin import builtin_folder, is_builtin, wanted_data
from dashboard.charts import curve_charts
from dashboard.components.count_panel import draw_again, draw_count
from dashboard.components.gallery import Tile, show_tiles
from dashboard.components.plot import plot
from dashboard.guard import guard_callback
from dashboard.launch import arrivals_panel, folder_picker, shards_panel
from dashboard.launch.estimate_panel import draw_estimate, find_forecast
from dashboard.launch.group_offer import draw_group_offer
from dashboard.launch.last_form import keep_form, restore_form
from dashboard.launch.settings_file import draw_settings_file
from dashboard.launch.slurm_panel import describe_command, draw_place
from dashboard.panels import forms
from dashboard.panels.network_field import describe_download
from dashboard.panels.rate_panel import draw_rate_finder
from dashboard.panels.story import draw_story
from dashboard.state import address, data_folder, services
from dashboard.text import escape_markdown, format_duration

# What is asked of everyone; all else has a value that suits the recipe. The folder stands above, by itself.
_BASIC = sorted(
    (field for field, setting in SETTINGS.items() if setting.basic and field != "data"),
    key=lambda field: SETTINGS[field].group == "Data",  # what is to be trained comes before what it is called
)
# What the sixteen pictures depend on; they are not drawn again when another field changes.
_PREVIEW_FIELDS = (
    *(field for field in GROUPS["Data"] if field not in NAMES),
    *("seed", "arch", "image_size", "resize_size"),
    *(field for field, setting in SETTINGS.items() if setting.augments),
)


def render() -> None:
    """Draw the page."""
    st.title("Train")
    arrivals_panel.take_over(choose_data)
    if "form-data" not in st.session_state and not restore_form(wanted_data()):
        choose_data(wanted_data() or str(builtin_folder("digits")))
    if st.session_state.pop("train-clear-name", False):
        st.session_state["form-name"] = ""
    config, problems = forms.read_form()
    keep_form(config)
    draw_story(config)
    draw_data(config, problems)
    draw_recipe(config)
    forms.draw_fields(_BASIC, problems)
    draw_start(config, problems)
    draw_all(config, problems)
    draw_preview(config)


def choose_data(folder: str) -> None:
    """Put a data folder into the form, with the preset that suits it."""
    st.session_state["form-data"] = folder
    forms.fill_preset(forms.suggest_preset(folder))


def draw_data(config: TrainConfig | None, problems: dict[str, str]) -> None:
    """Draw the folder of images, with what lies there, and the built-in ones beside it."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width=524):
            forms.draw_fields(("data",), {})
        folder_picker.draw_browse_button(str(st.session_state["form-data"]), take_folder)
        for name in DEMOS:
            st.button(
                f"Use the built-in {name}",
                key=f"use-{name}",
                icon=":material/dataset:",
                on_click=guard_callback(lambda name=name: choose_data(str(builtin_folder(name)))),
            )
    forms.draw_problem("data", problems)  # below the row, whose buttons would move down to it
    if not shards_panel.draw_unpacking(str(st.session_state["form-data"])):
        shards_panel.draw_offer(str(st.session_state["form-data"]))
    if remedy := data_folder.find_remedy(str(st.session_state["form-data"])):
        st.button(
            f"Use {escape_markdown(remedy)} instead",
            icon=":material/subdirectory_arrow_right:",
            key="use-remedy",
            type="primary" if config is None else "secondary",
            help="Your data set seems to be in that folder.",
            on_click=guard_callback(_use_folder),
            args=(remedy,),
        )
    if "data" in problems and (data := forms.read_data()) is not None:
        draw_again(data)
    if config is not None:
        draw_contents(config)
        draw_group_offer(config)
    arrivals_panel.draw_arrivals(choose_data)


def draw_contents(config: TrainConfig) -> None:
    """Say what lies in the folder of images, and of a large one how far the counting is."""
    found = data_folder.summarise_data(config)
    if found.counting:
        draw_count(config, found)
    if found.is_known:
        st.caption(f":material/folder_open: {found}")


def take_folder(folder: str) -> None:
    """Put a folder of a user's own into the form: all else stays, but for a recipe that suits the built-in data alone."""
    if is_builtin(str(st.session_state["form-data"])):
        choose_data(folder)
    else:
        _use_folder(folder)


def _use_folder(folder: str) -> None:
    st.session_state["form-data"] = folder


def draw_recipe(config: TrainConfig | None) -> None:
    """Draw the choice of a recipe, and what is no longer as it has it."""
    preset = str(st.session_state["form-preset"])
    st.session_state["train-preset"] = preset
    st.pills(
        "Recipe",
        list(PRESET_TITLES),
        key="train-preset",
        format_func=PRESET_TITLES.__getitem__,
        on_change=guard_callback(lambda: forms.fill_preset(st.session_state["train-preset"] or preset)),
        help="Fills in every setting except the folder and the name. You can change any of them afterwards.",
    )
    st.caption(PRESET_HELP[preset])
    if changes := describe_changes(config):  # not in the caption, which would make its words faint
        st.markdown(changes)
    draw_settings_file()


def describe_changes(config: TrainConfig | None) -> str:
    """Return in Markdown which settings are no longer those of the recipe; empty where all are."""
    if config is None:
        return ""
    changed = find_differing([from_preset(config.preset, data=config.data), config])
    names = ", ".join(label_of(field) for field in changed)
    return f":orange-badge[changed: {names}]" if names else ""


def draw_start(config: TrainConfig | None, problems: dict[str, str]) -> None:
    """Draw the button that starts the run, and the command that does the same."""
    in_slurm, asked = draw_place("train", config.devices if config else 0)
    ready = config is not None and (asked is not None or not in_slurm)
    with st.container(horizontal=True, vertical_alignment="center", key="train-start-row"):
        started = st.button(
            "Start training",
            type="primary",
            icon=":material/play_arrow:",
            key="train-start",
            **lock(TRAIN, disabled=not ready),
        )
        if refusal := refusal_of(TRAIN):
            st.caption(f":material/lock: {escape_markdown(refusal)}")
        elif config is None:
            names = ", ".join(label_of(field) for field in problems)
            st.markdown(f":red[To start, correct **{names}**.]")
        elif not in_slurm:
            st.caption(describe_cost(config))
        elif asked is not None:
            more = asked.describe_more(config.devices)
            st.caption(
                " ".join(filter(None, ("The cluster trains it. Live shows when Slurm starts it.", more)))
            )
    if config is None:
        shown = [*_BASIC, "data", *itertools.chain.from_iterable(list_shown().values())]
        for field, problem in problems.items():
            if field not in shown:  # where it is, its problem stands below it
                st.markdown(f":red[:material/error: **{label_of(field)}** {escape_markdown(problem)}]")
        return
    if started:
        begin(config, asked)
    if not in_slurm:  # it would be measured on this machine
        draw_estimate(config)
    with st.expander("The same from the command line", icon=":material/terminal:"):
        st.code(describe_command(command_line(config), asked), language="bash", wrap_lines=True)


def begin(config: TrainConfig, asked: SlurmRequest | None) -> None:
    """Start the run and lead to Live, or say below the button why it cannot be."""
    try:
        run = start_run(config, asked)
    except (UserError, OSError) as error:
        what = escape_markdown(describe_error(error))
        st.error(f"The run could not be started: {what}", icon=":material/error:")
        return
    st.session_state["train-clear-name"] = (
        True  # the name is taken now; its widget is drawn, so clear it later
    )
    address.choose_run(run)
    st.switch_page(st.session_state["pages"]["live"], query_params={"run": run.id})


def start_run(config: TrainConfig, asked: SlurmRequest | None) -> Run:
    """Start a run on this machine, or in Slurm where something is asked of it; raises as both do."""
    if asked is None:
        return jobs.submit(config, default_root())
    return slurm_submit.submit(config, default_root(), asked)


def describe_cost(config: TrainConfig) -> str:
    """Say how long the run will take where a run like it is known, and what has to be downloaded first."""
    words = []
    estimate = services.estimate_time((config,))
    if (
        estimate.known and find_forecast(config) is None
    ):  # what was measured for these very settings is better
        words.append(f"About {format_duration(estimate.seconds)} on this machine, going by earlier runs.")
    if config.weights == "imagenet":
        words.append(describe_download([config.arch]))
    return " ".join(filter(None, words))


def draw_all(config: TrainConfig | None, problems: dict[str, str]) -> None:
    """Draw all other settings where they are asked for, by group; a search leaves those that hold its words."""
    with st.container(horizontal=True, vertical_alignment="center", key="train-all-row"):
        shown = st.toggle("All settings", key="train-all", persist_state="session")
        words = (
            st.text_input(
                "Find a setting", key="train-search", placeholder="Find a setting", label_visibility="collapsed",
                icon=":material/search:", width=260, persist_state="session",
            )
            if shown
            else ""
        )  # fmt: skip
    if not shown:
        return
    found = list_shown()
    if not any(found.values()):
        st.info(
            f"No setting contains “{escape_markdown(words)}”. Try another one.",
            icon=":material/search_off:",
        )
    for title, fields in found.items():
        if fields:
            st.header(title)
            forms.draw_fields(fields, problems)
        if title == "Optimisation" and not words:
            draw_schedule(config)
            draw_rate_finder(config)


def list_shown() -> dict[str, list[str]]:
    """Return the other settings that are shown, by group: those that a search leaves, none where they are not asked for."""
    if not st.session_state.get("train-all"):
        return {}
    words = str(st.session_state.get("train-search", ""))
    others = {
        title: [field for field in fields if not SETTINGS[field].basic] for title, fields in GROUPS.items()
    }
    return {title: forms.list_fields(fields, words) for title, fields in others.items()}


def draw_schedule(config: TrainConfig | None) -> None:
    """Plot how the learning rate will move, where it does."""
    if config is None or config.schedule == "constant":
        return
    found = data_folder.summarise_data(config)
    if not found.is_known:
        return
    steps = -(-found.train // config.batch_size)
    with st.container(width=640):
        plot(curve_charts.rate_schedule(config, steps), key="train-schedule")


def draw_preview(config: TrainConfig | None) -> None:
    """Show sixteen training images as the network will get them."""
    if config is None:
        return
    if not is_augmented(vars(config)):
        st.caption("Training the head only sees each image once, as it is: there is no augmentation to show.")
        return
    st.markdown("**Sixteen training images as the network will get them**")
    look = TrainConfig.from_dict(
        {"weights": "none", **{field: getattr(config, field) for field in _PREVIEW_FIELDS}}
    )
    try:
        pictures = services.augmented_images(look)
    except UserError as error:
        st.warning(escape_markdown(str(error)), icon=":material/broken_image:")
        return
    if not pictures:
        st.caption("They are drawn once the images are counted.")
        return
    tiles = [Tile(picture, name, alt=f"augmented image of {name}") for name, picture in pictures]
    show_tiles(tiles, side=110, label="augmented training images")
    st.caption(
        f"Randomly cropped, turned, shifted and recoloured as set above, {config.image_size} × {config.image_size} px, "
        f"from {escape_markdown(Path(config.data).name)}. Each epoch draws new ones."
    )
