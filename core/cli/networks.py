"""The command `python -m core networks`: which networks there are."""

from __future__ import annotations

import argparse
from typing import Any

from core.networks.table import Network, list_networks


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    networks = commands.add_parser(
        "networks",
        help="list the networks that can be trained: parameters as published, image size, licence of the weights",
    )
    networks.add_argument(
        "words", nargs="*", metavar="WORD", help="only networks whose names contain all of these"
    )
    networks.set_defaults(command=_list)


def _list(options: argparse.Namespace) -> int:
    found = [
        one for one in list_networks() if all(word.lower() in one.name.lower() for word in options.words)
    ]
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        print(
            f"{one.name:<{width}}  {one.parameters / 1e6:7.1f} M  {one.size:4} px  {_describe_weights(one)}"
        )
    if not found:
        print("No network has a name like that.")
    return 0


def _describe_weights(network: Network) -> str:
    if not network.weights:
        return "no published weights"
    return f"{network.licence or 'licence unknown'}{', installed' if network.is_installed else ''}"
