"""What each role finds on the pages: everything to look at, controls that are off with the reason, and refusals in words."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import Refused
from core.people.acting import Person, acting
from core.people.actions import FILE, read_actions
from core.people.limits import LimitReached
from core.people.owner import write_owner
from core.people.users import add_user, set_limits
from core.runs.run import Run
from dashboard.access import who
from dashboard.launch import arrivals_panel
from tests.pages.apps import PAGES, Open, title, words

DASHBOARD = Path(__file__).resolve().parents[2] / "dashboard"


@pytest.fixture
def role(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Sign a user in, without the cookie that these pages, which have no browser, could not show."""
    name: str = request.param
    monkeypatch.setenv(who.MODE, who.PASSWORD)
    monkeypatch.setattr(who, "_find_signed_in", lambda: Person("ada", name, "10.0.0.7") if name else None)
    return name


@pytest.mark.parametrize("role", ["look"], indirect=True)
@pytest.mark.parametrize("page", PAGES)
def test_whoever_may_only_look_sees_every_page(open_page: Open, run: Run, role: str, page: str) -> None:
    app = open_page("" if page == "start" else page)
    assert title(app) == PAGES[page]
    assert "ada · look" in " ".join(str(caption.value) for caption in app.sidebar.caption)


@pytest.mark.parametrize("role", [""], indirect=True)
def test_a_page_whose_session_has_ended_shows_nothing_but_that(open_page: Open, run: Run, role: str) -> None:
    app = open_page("runs")
    assert not app.title
    assert "not signed in any more" in words(app)
    assert run.id not in words(app)


@pytest.mark.parametrize("role", ["look"], indirect=True)
def test_a_control_is_off_with_the_reason(open_page: Open, run: Run, role: str) -> None:
    app = open_page("runs")
    button = app.button(f"delete-{run.id}")
    assert button.disabled
    assert "needs the role administer" in button.help
    assert open_page("train").button("train-start").disabled


@pytest.mark.parametrize("role", ["look"], indirect=True)
def test_where_there_is_no_run_the_demo_is_off_too(open_page: Open, runs_root: Path, role: str) -> None:
    button = open_page("runs").button("runs-demo")
    assert button.disabled
    assert "needs the role train" in button.help


@pytest.mark.parametrize("role", ["look"], indirect=True)
def test_whoever_may_only_look_is_told_before_images_are_sent(
    open_page: Open, run: Run, role: str, runs_root: Path
) -> None:
    app = open_page("train")
    assert app.file_uploader(key="arrivals-folder-0").disabled
    assert "This needs the role train; ada has the role look." in words(app).replace("\\", "")


@pytest.mark.parametrize("role", ["train"], indirect=True)
def test_images_beyond_the_limit_are_told_before_they_are_sent_and_a_refusal_is_kept(
    open_page: Open, run: Run, role: str, runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users.json"
    monkeypatch.setenv("WEAKSPOT_USERS", str(users))
    monkeypatch.setenv("WEAKSPOT_UPLOADS", str(tmp_path / "uploads"))
    add_user(users, "ada", "train", None)
    set_limits(users, "ada", disk=1000, slots=None)
    app = open_page("train")
    app.file_uploader(key="arrivals-folder-0").set_value(
        [(f"photos/{name}/1.png", bytes(700), "image/png") for name in ("cat", "dog")]
    ).run()
    button = app.button("arrivals-send")
    assert button.disabled
    assert "This takes < 1 MB more." in button.help.replace("\\", "")
    with acting(who.find_acting()), pytest.raises(LimitReached):  # as of a window that was opened before
        arrivals_panel._send([SimpleNamespace(name="a.png", size=2000)], "photos")  # type: ignore[list-item]
    write_owner(run.folder, "ada")
    app = open_page("train")
    assert app.file_uploader(key="arrivals-folder-0").disabled
    assert "Delete runs that are no longer needed" in words(app)
    with acting(who.find_acting()), pytest.raises(LimitReached):
        arrivals_panel.begin("unpack", images=str(runs_root), name="shards")
    kept = [(one.who, one.what, one.of, one.end) for one in read_actions(runs_root / FILE)]
    assert kept == [
        ("ada", "bring in images", "photos: 1 file", "refused"),
        ("ada", "bring in images", "shards", "refused"),
    ]


@pytest.mark.parametrize("role", ["train"], indirect=True)
def test_a_folder_that_may_not_be_named_is_kept_as_a_refusal_once(
    open_page: Open, run: Run, role: str, runs_root: Path
) -> None:
    app = open_page("train")
    app.button_group(key="arrivals-way").set_value("table").run()
    app.text_input(key="arrivals-images").set_value("/etc").run()
    app.text_input(key="arrivals-table").set_value("/etc/labels.csv").run()
    app.run()
    assert "this server only opens files in its own folders" in words(app).replace("\\", "")
    with acting(who.find_acting()), pytest.raises(Refused):
        arrivals_panel.begin("unpack", images="/etc", name="shards")
    kept = [(one.what, one.of, one.end) for one in read_actions(runs_root / FILE)]
    assert kept == [
        ("bring in images", "/etc, /etc/labels.csv", "refused"),
        ("bring in images", "shards", "refused"),
    ]


def page_that_forgot_the_lock(folder: str) -> None:
    """Be the script of a page whose button is on for everyone."""
    from pathlib import Path

    import streamlit as st

    from core.runs import jobs
    from core.runs.run import Run
    from dashboard.guard import guard, guard_callback

    def draw() -> None:
        st.button("Delete", on_click=guard_callback(jobs.delete), args=(Run(Path(folder)),))

    guard(draw)()


@pytest.mark.parametrize(
    ("role", "told"),
    [("look", "needs the role administer"), ("train", "needs the role administer"), ("", "Sign in again")],
    indirect=["role"],
)
def test_the_action_itself_refuses_in_words_and_that_is_kept(
    runs_root: Path, run: Run, role: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = AppTest.from_function(
        page_that_forgot_the_lock, kwargs={"folder": str(run.folder)}, default_timeout=30
    )
    with monkeypatch.context() as patched:
        patched.setattr(who, "_find_signed_in", lambda: Person("ada", "look", "10.0.0.7"))
        app.run()  # the button was drawn while there was a session
    app.button[0].click().run()
    assert run.folder.exists()
    if role:
        assert told in app.toast[0].value.replace("\\", "")
        kept = [(one.who, one.what, one.of, one.end) for one in read_actions(runs_root / FILE)]
        assert kept == [("ada", "delete", run.id, "refused")]


@pytest.mark.parametrize("role", ["train"], indirect=True)
def test_whoever_trains_may_start_but_not_delete(open_page: Open, run: Run, role: str) -> None:
    assert not open_page("train").button("train-start").disabled
    assert open_page("runs").button(f"delete-{run.id}").disabled


@pytest.mark.parametrize("role", ["administer"], indirect=True)
@pytest.mark.parametrize("folder", ["/etc", "/", "~", "{data}/../../..", "{data}/out"])
def test_no_page_opens_a_folder_outside_of_the_roots(
    open_page: Open, run: Run, role: str, folder: str, tiny_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").mkdir()
    asked = folder.format(data=tiny_data)
    if folder.endswith("/out"):
        link = tmp_path / "runs-link"
        link.symlink_to("/etc")
        asked = str(link)
    app = open_page("data", folder=asked)
    assert "this server only opens files in its own folders" in words(app).replace("\\", "")


def test_without_sign_in_whoever_sits_at_the_machine_administers_and_opens_any_folder(
    open_page: Open, run: Run
) -> None:
    app = open_page("runs")
    assert not app.button(f"delete-{run.id}").disabled
    assert "its own folders only" not in words(open_page("data", folder="/etc"))


def test_every_path_that_is_typed_on_a_page_goes_through_the_one_check() -> None:
    """`expand_home` and `real_path` judge nothing: outside of what only compares or starts, `allow_path` is asked first."""
    unchecked = set()
    for path in DASHBOARD.rglob("*.py"):
        calls = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        ]
        for call in calls:
            name = ast.unparse(call.func)
            checked = call.args and ast.unparse(call.args[0]).startswith("allow_path(")
            if name in ("expand_home", "real_path", "Path.expanduser", "os.path.expanduser") and not checked:
                unchecked.add(path.relative_to(DASHBOARD).as_posix())
    assert unchecked == {
        "launch/folder_picker.py",
        "launch/last_form.py",
        "state/data_folder.py",
        "state/services.py",
    }
