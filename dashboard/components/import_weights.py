"""The part of the import form that takes the weights of the model behind a table, and asks it about the table's images."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import UserError
from core.networks.table import list_networks
from core.people.roots import allow_path
from core.words import format_duration

if TYPE_CHECKING:
    from core.imports.model import Model, WeightsFile
    from core.imports.reading import Reading

_SIZES = {
    "size": ("Image size", "Side of the square that the network sees, in pixels."),
    "resize": ("Resized to", "What the shorter side was resized to first, in pixels."),
}
_COLOURS = {"mean": "Mean of red, green, blue", "std": "Deviation of red, green, blue"}


def draw_weights() -> dict[str, str]:
    """Offer to name the weights and what is known of them; return what was typed, by name."""
    with st.container(horizontal=True, key="import-model"):
        path = st.text_input(
            "Weights of its model",
            key="import-weights",
            placeholder="none: without heat maps",
            width=385,
            help="A file on this machine (.pt, .pth or .safetensors) with the state dict. With it heat maps, the nearest training "
            "images, Confidence and Predict work as for a run that was trained here.",
        ).strip()
        if not path:
            return {}
        arch = st.selectbox(
            "Network of the weights",
            [network.name for network in list_networks()],
            None,
            key="import-arch",
            placeholder="type its name",
            width=385,
            help="Its name in torchvision or timm.",
        )
    with st.popover("How were the images prepared?", icon=":material/tune:"):
        st.caption("Whatever you leave empty is as for the network's published weights.")
        typed = {
            name: st.text_input(title, key=f"import-{name}", placeholder="as published", help=words)
            for name, (title, words) in _SIZES.items()
        }
        typed |= {
            name: st.text_input(title, key=f"import-{name}", placeholder="as published, such as 0.5 0.5 0.5")
            for name, title in _COLOURS.items()
        }
    return {"path": path, "arch": arch or "", **typed}


def read_weights(typed: dict[str, str]) -> WeightsFile:
    """Return the weights as they were named.

    Raises:
        UserError: naming what is missing, or is not a number.
    """
    if not typed["arch"]:
        raise UserError("Choose the network that the weights belong to, or leave the weights out.")
    from core.imports.model import WeightsFile  # brings torch

    sizes = [read_numbers(title, typed[name], 1) for name, (title, _) in _SIZES.items()]
    mean, std = (read_numbers(title, typed[name], 3) for name, title in _COLOURS.items())
    image_size, resize_size = (int(size[0]) if size else 0 for size in sizes)
    return WeightsFile(allow_path(typed["path"]), typed["arch"], image_size, resize_size, mean, std)


def read_numbers(title: str, text: str, count: int) -> tuple[float, ...]:
    """Return the `count` numbers that a text has, apart by spaces or commas; none of an empty text.

    Raises:
        UserError: where they are not so many, or one is not a number of 0 or more.
    """
    words = text.replace(",", " ").split()
    try:
        found = tuple(float(word) for word in words)
    except ValueError:
        found = ()
    if words and (len(found) != count or not all(0 <= value < 1e5 for value in found)):
        wanted = "one number" if count == 1 else "three numbers from 0 to 1, separated by spaces"
        raise UserError(f"{title}: give {wanted}, or nothing. {text.strip()!r} is not that.")
    return found


def ask_model(file: WeightsFile, reading: Reading) -> Model:
    """Load the model and ask it about images of the table, with progress; any click on the page ends that.

    Raises:
        UserError: where it is not the model behind the table, or cannot be loaded.
    """
    from core.imports.model import open_model

    bar, stop = st.progress(0.0, text="Loading the model …"), st.empty()
    stop.button("Stop", key="import-stop", icon=":material/stop:")
    begun = time.monotonic()

    def show(done: int, total: int) -> None:
        left = (time.monotonic() - begun) / done * (total - done)
        bar.progress(
            done / total,
            text=f"Asking the model: {done:,} of {total:,} images · about {format_duration(left)} left",
        )

    try:
        return open_model(file, reading, progress=show)
    finally:
        bar.empty()
        stop.empty()
