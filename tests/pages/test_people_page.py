"""People without a browser: who may see it, users with their use and limits, who did what, and whose a run is."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.dataset.label_report import fixes_path
from core.marks.marks import list_path
from core.people.acting import Acting, Person, acting
from core.people.actions import FILE, Action, keep_action
from core.people.owner import write_owner
from core.people.users import add_user, read_users, set_limits
from core.runs.run import Run
from dashboard.access import who
from dashboard.state import services
from tests.pages.apps import Open, set_state, title, words


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the users ada, who trains, and eve, who administers."""
    path = tmp_path / "users.json"
    monkeypatch.setenv("WEAKSPOT_USERS", str(path))
    monkeypatch.setenv("WEAKSPOT_UPLOADS", str(tmp_path / "uploads"))
    add_user(path, "ada", "train", None)
    add_user(path, "eve", "administer", None)
    return path


def sign_in(monkeypatch: pytest.MonkeyPatch, name: str, role: str) -> None:
    monkeypatch.setenv(who.MODE, who.PASSWORD)
    monkeypatch.setattr(who, "_find_signed_in", lambda: Person(name, role, "10.0.0.7"))


def table(app: AppTest, number: int) -> dict[str, list[object]]:
    found: dict[str, list[object]] = app.dataframe[number].value.to_dict("list")
    return found


@pytest.mark.parametrize("role", ["look", "train"])
def test_whoever_does_not_administer_is_told_and_sees_nobody(
    open_page: Open, run: Run, users: Path, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    keep_action(run.folder.parent / FILE, Action.now("bob", "::1", "stop", "secret"))
    sign_in(monkeypatch, "ada", role)
    app = open_page("people")
    assert title(app) == "People"
    assert "This needs the role administer" in words(app)
    assert "secret" not in words(app)
    assert not app.dataframe


def test_users_are_shown_with_what_they_take_and_limits_are_set_for_one(
    open_page: Open, run: Run, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_owner(run.folder, "ada")
    with run.last_path.open("wb") as file:
        file.truncate(3 * 10**9)
    sign_in(monkeypatch, "eve", "administer")
    app = open_page("people")
    found = table(app, 0)
    assert (found["user"], found["role"], found["runs"]) == (["ada", "eve"], ["train", "administer"], [1, 0])
    assert found["disk"] == ["3.0 GB", "0 MB"]
    assert app.button("people-set").disabled
    app.number_input[1].set_value(2)
    app.number_input[0].set_value(1.5).run()
    app.button("people-set").click().run()
    assert (read_users(users)["ada"].disk, read_users(users)["ada"].slots) == (15 * 10**8, 2)
    assert table(app, 0)["slot limit"][0] == 2
    assert table(app, 0)["disk"][0] == "3.0 GB of 1.5 GB"
    assert "set limits" in str(table(app, 1)["action"])
    assert [toast.value for toast in app.toast] == ["Saved. Limits of ada: 1.5 GB, 2 slots at a time."]
    app.number_input[1].set_value(2.5).run()
    app.button("people-set").click().run()
    assert "must be a whole number of at least 1, got 2.5" in app.toast[0].value.replace("\\", "")
    assert read_users(users)["ada"].slots == 2
    app.selectbox("people-name").set_value("eve").run()
    assert [field.value for field in app.number_input] == [None, None]


def test_limits_that_somebody_else_changed_meanwhile_are_not_overwritten(
    open_page: Open, run: Run, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, "eve", "administer")
    app = open_page("people")
    app.number_input[1].set_value(2).run()
    set_limits(users, "ada", disk=5 * 10**10, slots=None)
    app.button("people-set").click().run()
    assert "changed the limits of ada meanwhile: 50 GB. Set yours again" in app.toast[0].value.replace(
        "\\", ""
    )
    assert (read_users(users)["ada"].disk, read_users(users)["ada"].slots) == (5 * 10**10, None)
    assert table(app, 0)["disk"][0] == "0 MB of 50 GB"


def test_the_record_is_turned_page_by_page_and_filtered(
    open_page: Open, run: Run, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(120):
        action = Action.now("ada" if number % 2 else "=bob", "::1", "stop", f"run{number}")
        keep_action(run.folder.parent / FILE, action)
    sign_in(monkeypatch, "eve", "administer")
    app = open_page("people")
    assert table(app, 1)["of"][0] == "run119"
    assert app.button("people-newer").disabled
    app.button("people-older").click().run()
    assert table(app, 1)["of"][0] == "run69"
    app.button("people-older").click().run()
    assert table(app, 1)["of"] == [f"run{number}" for number in range(19, -1, -1)]
    assert app.button("people-older").disabled
    app.selectbox("people-who").set_value("ada").run()
    assert table(app, 1)["of"][:2] == ["run119", "run117"]
    assert app.query_params["who"] == "ada"


def test_the_saved_table_holds_what_is_looked_for_and_no_formula(run: Run) -> None:
    from core.people.record import SoughtActions
    from dashboard.views.people import save_record

    file = run.folder.parent / FILE
    for name in ("ada", "=cmd|' /C calc'!A0"):
        keep_action(file, Action.now(name, "::1", "stop", "first"))
    rows = save_record(file, SoughtActions()).splitlines()
    assert rows[0] == "time,who,address,action,of,end,why"
    assert ",'=cmd" in rows[1]
    assert len(save_record(file, SoughtActions(who="ada")).splitlines()) == 2


def test_without_sign_in_there_are_no_users_but_what_was_done(open_page: Open, run: Run) -> None:
    keep_action(run.folder.parent / FILE, Action.now("", "this machine", "stop", "first"))
    app = open_page("people")
    assert "Nobody signs in to this server" in words(app)
    assert (table(app, 0)["of"], table(app, 0)["who"]) == (["first"], ["not signed in"])


@pytest.mark.parametrize(
    "odd", ["gone", "<script>window.hit=1</script>", "**b** $x$", "a\0b", "=1+1", "x" * 20_000]
)
def test_the_page_is_drawn_whatever_its_address_holds(open_page: Open, run: Run, odd: str) -> None:
    keep_action(run.folder.parent / FILE, Action.now("ada", "::1", "stop", "first"))
    app = open_page("people", who=odd, what=odd)
    assert title(app) == "People"
    assert "There is no such action in the record." in words(app)


def test_runs_tells_whose_a_run_is_and_what_one_uses_oneself(
    open_page: Open, run: Run, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_owner(run.folder, "ada")
    set_limits(users, "ada", disk=50 * 10**9, slots=1)
    sign_in(monkeypatch, "ada", "train")
    app = open_page("runs", view="table")
    assert "of 50 GB and 0 of 1 slot." in words(app)
    assert table(app, 0)["owner"] == ["ada"]
    app = open_page("runs", view="cards")
    assert "by ada" in words(app)
    assert not app.button(f"delete-{run.id}").disabled  # one's own
    sign_in(monkeypatch, "bob", "train")
    assert open_page("runs", view="cards").button(f"delete-{run.id}").disabled


def test_a_start_beyond_the_limit_is_refused_on_the_page(
    open_page: Open, run: Run, users: Path, monkeypatch: pytest.MonkeyPatch, no_jobs: None
) -> None:
    write_owner(run.folder, "ada")
    set_state(run, "stopped")
    set_limits(users, "ada", disk=10, slots=None)
    sign_in(monkeypatch, "ada", "train")
    app = open_page("runs", view="cards")
    app.button(f"resume-{run.id}").click().run()
    told = app.toast[0].value.replace("\\", "")
    assert told.startswith("You use ")
    assert "Delete runs that are no longer needed" in told


@pytest.mark.parametrize(("role", "written"), [("look", False), ("train", True)])
def test_old_marks_are_shown_to_everyone_and_written_by_whoever_may_mark(
    run: Run, tiny_data: Path, role: str, written: bool
) -> None:
    """A run of an older version has its fix list in its folder."""
    old = fixes_path(run.folder, "val")
    old.write_text("path,given,suggested,action\nval/2/1.png,2,10,relabel\n", encoding="utf-8")
    with acting(Acting(Person("ada", role))):
        shown = services.read_marks(run, services.read_data(run)).marks
    assert [(mark.path, mark.to) for mark in shown.values()] == [("val/2/1.png", "10")]
    assert list_path(tiny_data, run.folder.parent).exists() is written
