"""Addresses of the network: which are this machine's own, which count as one client, and what in them is nobody's business."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network

HOSTS = ("localhost", "127.0.0.1", "::1")
_HOUSE = 64  # bits of an IPv6 address that name a network: whoever has one has all addresses in it
_LONGEST = 100  # letters of what a proxy may tell in an address's place
_USER = re.compile(
    r"(?<=://)[^\s/?#]*@"
)  # of an address, a name and a password as the program was given them


def is_loopback(address: str) -> bool:
    """Tell whether an address is one that only this machine reaches."""
    try:
        found = ip_address(address)
    except ValueError:  # a name, such as the one of a test
        return address in HOSTS
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


def name_house(address: str) -> str:
    """Return the address that a client counts as: of IPv6 its network."""
    try:
        found = ip_address(address)
    except ValueError:  # a name, or none at all
        return address[:_LONGEST]
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None or found.version == 4:
        return str(mapped or found)
    return str(ip_network((int(found) >> (128 - _HOUSE) << (128 - _HOUSE), _HOUSE)))


def hide_user(text: str) -> str:
    """Return a text without the names and passwords that addresses in it hold: 'http://ada:secret@host/x' is 'http://host/x'."""
    return _USER.sub("", text)
