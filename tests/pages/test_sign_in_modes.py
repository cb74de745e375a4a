"""No server listens where others could reach it unless its users can sign in."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from core.errors import UserError
from core.people.users import add_user
from dashboard.access import modes
from dashboard.access.modes import choose_sign_in

SECRETS = """
[auth]
redirect_uri = "https://lab.example/oauth2callback"
cookie_secret = "a long random text"
client_id = "weakspot"
client_secret = "another"
server_metadata_url = "https://provider.example/.well-known/openid-configuration"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WEAKSPOT_USERS", str(tmp_path / "users.json"))
    monkeypatch.setattr(modes, "HOUSE", tmp_path / "house")
    (tmp_path / ".streamlit").mkdir()
    return tmp_path


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_on_this_machine_alone_nobody_signs_in(home: Path, address: str) -> None:
    assert choose_sign_in(address, "").kind == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.7", "lab", ""])
def test_any_other_address_is_refused_with_the_command_that_makes_the_first_user(
    home: Path, address: str
) -> None:
    with pytest.raises(UserError, match=r"users add NAME --role administer"):
        choose_sign_in(address, "")
    add_user(home / "users.json", "ada", "administer", "correct horse battery")
    chosen = choose_sign_in(address, "")
    assert chosen.kind == "password"
    assert "by password, for 1 user of" in chosen.words
    assert "HTTPS" in chosen.words


def test_behind_a_proxy_this_machines_address_can_demand_users(home: Path) -> None:
    with pytest.raises(UserError, match="nobody can sign in yet"):
        choose_sign_in("127.0.0.1", "password")
    add_user(home / "users.json", "ada", "administer", "correct horse battery")
    assert choose_sign_in("127.0.0.1", "password").kind == "password"


def test_a_provider_is_found_in_streamlits_secrets_and_lacks_are_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = home / ".streamlit" / "secrets.toml"
    secrets.write_text(SECRETS.replace("client_id", "client"))
    with pytest.raises(UserError, match=r"lacks client_id under \[auth\]"):
        choose_sign_in("0.0.0.0", "")
    secrets.write_text(SECRETS.replace("a long random text", "short"))
    with pytest.raises(UserError, match=r"cookie_secret .* could be guessed"):
        choose_sign_in("0.0.0.0", "")
    secrets.write_text(SECRETS)
    with pytest.raises(
        UserError, match=r"and then /weakspot/oauth2callback, .* but it is https://lab\.example/o"
    ):
        choose_sign_in("0.0.0.0", "", "/weakspot")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install -r requirements-provider\.txt"):
        choose_sign_in("0.0.0.0", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    with pytest.raises(UserError, match="--provider --role administer"):
        choose_sign_in("0.0.0.0", "")
    add_user(home / "users.json", "ada@lab.example", "train", None)
    chosen = choose_sign_in("0.0.0.0", "")
    assert chosen.kind == "provider"
    assert "by the OpenID provider, for 1 email address of" in chosen.words
