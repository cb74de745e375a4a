"""A dashboard whose users sign in by a real OpenID provider on this machine, and a browser that does so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from oidc_provider_mock import User, run_server_in_thread
from playwright.sync_api import Page

from core.people.users import add_user
from tests.dashboards import Dashboard, browse

USERS = {
    "ada": {},
    "eve": {},
    "mallory": {"email_verified": False},
}  # of the provider; eve is not on the list
SECRETS = """
[auth]
redirect_uri = "{url}/oauth2callback"
cookie_secret = "for this test alone, and long"
client_id = "weakspot"
client_secret = "another"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""
STYLE = "https://cdn.jsdelivr.net/"  # the provider's pages ask for a style sheet from there, which is never sent for


class Provided(Dashboard):
    """A dashboard whose users sign in by a provider; `shown` is the address that they open it by."""

    def __init__(self, folder: Path, provider: str, *options: str, shown: str = "") -> None:
        self.provider, self.home, self._shown = provider, folder / "home", shown
        super().__init__(folder, folder, "--sign-in", "provider", *options)

    @property
    def shown(self) -> str:
        return self._shown or self.url

    def start(self) -> None:
        secrets = self.home / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir(parents=True)
        secrets.write_text(SECRETS.format(url=self.shown, provider=self.provider))
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("HOME", str(self.home))
            super().start()


@contextmanager
def serve_provided(folder: Path, *options: str, shown: str = "") -> Iterator[Provided]:
    """Open a dashboard and its provider; two of the provider's three users are on the list, to look."""
    for name in ("ada", "mallory"):
        add_user(folder / "users.json", f"{name}@lab.example", "look", None)
    known = [User(sub=name, claims={"email": f"{name}@lab.example", **more}) for name, more in USERS.items()]
    with run_server_in_thread(user_claims=known) as provider:
        server = Provided(folder, f"http://localhost:{provider.server_port}", *options, shown=shown)
        try:
            yield server
        finally:
            server.stop()
            server.log.close()


@contextmanager
def signed_in(dashboard: Provided, name: str, path: str = "") -> Iterator[Page]:
    """Sign in by the provider on the way to a page."""
    with browse(dashboard, dashboard.shown, dashboard.provider, STYLE) as page:
        page.route(f"{STYLE}**", lambda route: route.abort())
        page.goto(f"{dashboard.shown}/{path}")
        page.get_by_role("link", name="Sign in").click()
        page.get_by_role("button", name=name).click()
        page.wait_for_url(f"{dashboard.shown}/**")
        yield page
