"""The commands `users` and `actions`: passwords come from the terminal or stdin alone, tables hold no formula."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from core.__main__ import main
from core.people.actions import FILE, Action, keep_action
from core.people.users import check_password, read_users
from dashboard import __main__ as dashboard

GOOD = "correct horse battery"


@pytest.fixture
def file(tmp_path: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "users.json"
    monkeypatch.setenv("WEAKSPOT_USERS", str(path))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GOOD}\n"))
    return path


def test_a_user_is_added_listed_and_removed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["users", "list"]) == 0
    assert "Add the first" in capsys.readouterr().out
    assert main(["users", "add", "ada", "--role", "train"]) == 0
    assert check_password(read_users(file)["ada"], GOOD)
    assert main(["users", "list"]) == 0
    told = capsys.readouterr().out
    assert "ada: train, by password" in told
    assert GOOD not in told
    assert main(["users", "remove", "ada"]) == 0
    assert read_users(file) == {}
    assert main(["users", "remove", "ada"]) == 2
    assert "There is no user ada" in capsys.readouterr().err


def test_the_dashboards_own_command_line_knows_users_too(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["dashboard", "users", "add", "ada", "--role", "administer"])
    assert dashboard.main() == 0
    assert read_users(file)["ada"].role == "administer"


def test_no_password_is_taken_as_an_argument(file: Path) -> None:
    with pytest.raises(SystemExit):
        main(["users", "add", "ada", GOOD])
    assert not file.exists()


def test_an_empty_password_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(["users", "add", "ada"]) == 2
    assert not file.exists()


def test_actions_are_shown_and_as_a_table_hold_no_formula(
    runs_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs_root.mkdir(exist_ok=True)
    for name in ("first", "=cmd|' /C calc'!A0", "a,b"):
        keep_action(runs_root / FILE, Action.now("ada", "10.0.0.7", "delete", name))
    assert main(["actions", "--last", "1"]) == 0
    told = capsys.readouterr().out
    assert "ada (10.0.0.7): delete a,b" in told
    assert "1 action of 3" in told
    assert main(["actions", "--csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 4
    assert ",delete,'=cmd" in rows[2]
