"""The network on a form: found among all there are by a part of its name, with what it takes and what its weights are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import streamlit as st

from core.networks.table import Network, find_network, list_networks
from core.recipe.setting import Setting
from dashboard.guard import guard_callback


def draw_network(setting: Setting, key: str) -> None:
    """Draw the field of a network, whose value lies in the session under `key`."""
    st.selectbox(
        setting.title,
        list_names(st.session_state.get(key, "")),
        key=key,
        format_func=label_network,
        help=setting.help,
        persist_state="session",
    )


def draw_facts(name: str, size_keys: tuple[str, str]) -> None:
    """Say what is known of a network, and offer its own sizes where the session has others under `size_keys`."""
    network = find_network(name)
    if network is None:
        return
    st.caption(f":material/info: {describe_network(network)}")
    if [st.session_state.get(key) for key in size_keys] != [network.size, network.resize]:
        st.button(
            f"Use its own image size: {network.size} px (resize {network.resize})",
            key="use-network-size",
            on_click=guard_callback(_take_sizes),
            args=(size_keys, network),
        )


def describe_network(network: Network) -> str:
    """Return in a line what a network weighs, takes in and may be used for."""
    if not network.weights:
        weights = "nobody has published weights"
    else:
        weights = f"weights under {network.licence or 'an unknown licence'}"
        weights += ", installed" if network.is_installed else ""
    return (
        f"{_millions(network)} million parameters as published · made for {network.size} px · colours by {network.inputs} "
        f"· {weights}"
    )


def describe_download(names: Sequence[str]) -> str:
    """Say what has to be downloaded for the published weights of networks; empty where they are installed."""
    networks = [network for name in dict.fromkeys(names) if (network := find_network(name)) is not None]
    megabytes = sum(4 * network.parameters / 1e6 for network in networks if not network.is_installed)
    if not megabytes:
        return ""
    return f"Published weights (about {megabytes:,.0f} MB) are downloaded once if they are not on this machine yet."


@cache
def _names() -> tuple[str, ...]:
    return tuple(network.name for network in list_networks())


def list_names(*chosen: str) -> Sequence[str]:
    """Return the names of all networks, and of those chosen what is none of these: names without a tag."""
    more = tuple(name for name in chosen if name and name not in _names())
    return (*more, *_names())


@cache
def label_network(name: str) -> str:
    """Return what a network is called in a list."""
    network = find_network(name)
    if network is None:
        return name
    label = f"{name} · {_millions(network)} M · {network.size} px"
    # Of two that fit what is typed the shorter label comes first, so these words also put a network after the others.
    return label if network.weights else f"{label} · no published weights"


def _millions(network: Network) -> str:
    millions = network.parameters / 1e6
    return f"{millions:.1f}" if millions < 100 else f"{millions:,.0f}"


def _take_sizes(size_keys: tuple[str, str], network: Network) -> None:
    st.session_state.update(zip(size_keys, (network.size, network.resize), strict=True))
