"""Which addresses are this machine's own, and which count as one and the same client."""

from __future__ import annotations

import pytest

from core.addresses import hide_user, is_loopback, name_house


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"])
def test_addresses_that_only_this_machine_reaches_are_its_own(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize(
    "address", ["", "0.0.0.0", "10.0.0.1", "::", "::ffff:10.0.0.1", "lab", "127.0.0.1.lab"]
)
def test_no_other_is(address: str) -> None:
    assert not is_loopback(address)


def test_a_network_of_ipv6_counts_as_one_address_and_a_mapped_one_as_itself() -> None:
    assert name_house("2001:db8:1:2::1") == name_house("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert name_house("2001:db8:1:3::1") != name_house("2001:db8:1:2::1")
    assert name_house("::ffff:10.0.0.1") == name_house("10.0.0.1") == "10.0.0.1"
    assert name_house("testclient") == "testclient"
    assert len(name_house("x" * 60_000)) == 100


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("to http://ada:se@cret@host:5000/x failed", "to http://host:5000/x failed"),
        ("https://token@host, ftp://a:b@h", "https://host, ftp://h"),
        ("http://host/a@b ada@lab.example", "http://host/a@b ada@lab.example"),
    ],
)
def test_names_and_passwords_in_an_address_are_left_out(told: str, shown: str) -> None:
    assert hide_user(told) == shown
