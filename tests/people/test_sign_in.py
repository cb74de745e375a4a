"""Users, their passwords, their sessions, and how often a sign-in may fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import UserError
from core.people.acting import Acting, Person, acting
from core.people.attempts import PER_ADDRESS, PER_NAME, WINDOW, Attempts
from core.people.roots import allow_path
from core.people.sessions import LIFE, Sessions
from core.people.users import add_user, check_password, read_users, remove_user

GOOD = "correct horse battery"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own" / "users.json"
    add_user(path, "ada", "train", GOOD)
    return path


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_file_is_for_its_owner_alone_and_holds_no_password(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert GOOD not in file.read_text()
    add_user(file, "bob", "look", GOOD)
    users = read_users(file)
    assert users["ada"].digest != users["bob"].digest
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_may_read_is_refused_with_the_fix(file: Path) -> None:
    file.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        read_users(file)


@pytest.mark.parametrize("text", ["", "[]", '{"users": {"ada": {"role": "king"}}}', '{"users": 1}'])
def test_a_damaged_file_is_told_and_signs_nobody_in(file: Path, text: str) -> None:
    sessions = Sessions(file)
    file.write_text(text)
    with pytest.raises(UserError, match=r"users\.json"):
        read_users(file)
    assert sessions.sign_in("ada", GOOD, "::1") == ""


def test_only_the_right_password_of_a_known_user_is_taken(file: Path) -> None:
    ada = read_users(file)["ada"]
    assert check_password(ada, GOOD)
    assert not check_password(ada, GOOD + " ")
    assert not check_password(ada, "")
    assert not check_password(None, GOOD)
    add_user(file, "provided", "look", None)
    assert not check_password(read_users(file)["provided"], "")


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaa", "ada-lovelace-1815", "x" * 1001])
def test_a_weak_password_is_refused(file: Path, password: str) -> None:
    with pytest.raises(UserError, match="password"):
        add_user(file, "ada", "train", password)
    assert check_password(read_users(file)["ada"], GOOD)


@pytest.mark.parametrize("name", ["", "a b", "../x", "<script>", "=1", "a\n", "x" * 101])
def test_a_name_that_is_none_is_refused(file: Path, name: str) -> None:
    with pytest.raises(UserError, match="not a valid user name"):
        add_user(file, name, "look", GOOD)


def test_a_session_ends_by_signing_out_by_time_and_when_its_user_is_changed(file: Path) -> None:
    clock = Clock()
    sessions = Sessions(file, clock)
    first, second = (sessions.sign_in("ada", GOOD, "10.0.0.7") for _ in range(2))
    assert first != second
    assert len(first) > 30
    assert sessions.find_person(first) == Person("ada", "train", "10.0.0.7")
    assert sessions.find_person("") is None
    assert sessions.find_person(first + "x") is None
    sessions.sign_out(first)
    assert sessions.find_person(first) is None
    clock.now += LIFE - 1
    assert sessions.find_person(second) is not None
    clock.now += 2
    assert sessions.find_person(second) is None
    third = sessions.sign_in("ada", GOOD, "::1")
    add_user(file, "ada", "look", GOOD)
    assert sessions.find_person(third) is None
    fourth = sessions.sign_in("ada", GOOD, "::1")
    remove_user(file, "ada")
    assert sessions.find_person(fourth) is None
    assert sessions.sign_in("ada", GOOD, "::1") == ""


def test_after_too_many_failures_a_name_and_an_address_have_to_wait() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    assert [attempts.take("Ada", f"10.0.0.{number}") for number in range(PER_NAME)] == [0.0] * PER_NAME
    assert attempts.take("ada", "10.0.1.1") == pytest.approx(WINDOW)
    taken = [attempts.take(f"user{number}", "10.0.9.9") for number in range(PER_ADDRESS + 1)]
    assert [wait > 0 for wait in taken] == [False] * PER_ADDRESS + [True]
    clock.now += WINDOW + 1
    assert attempts.take("ada", "10.0.9.9") == 0.0


def test_a_client_with_many_addresses_of_one_network_counts_as_one() -> None:
    attempts = Attempts(Clock())
    taken = [attempts.take(f"user{number}", f"2001:db8:1:2::{number:x}") for number in range(PER_ADDRESS + 1)]
    assert [wait > 0 for wait in taken] == [False] * PER_ADDRESS + [True]
    assert attempts.take("ada", "2001:db8:1:3::1") == 0.0
    attempts.forgive("ada", "2001:db8:1:2::ffff")
    assert attempts.take("ada", "2001:db8:1:2::1") == 0.0


def test_long_names_take_no_more_memory_than_users_have() -> None:
    attempts = Attempts(Clock())
    attempts.take("x" * 8000, "y" * 60_000)
    assert max(len(text) for key in attempts._failed for text in key) <= 100
    assert [attempts.take("x" * 8000 + str(n), "::1") > 0 for n in range(PER_NAME)] == [False] * (
        PER_NAME - 1
    ) + [True]


def test_a_right_password_forgets_the_failures_of_its_name() -> None:
    attempts = Attempts(Clock())
    for _ in range(PER_NAME - 1):
        attempts.take("ada", "::1")
    attempts.forgive("ada", "::1")
    assert [attempts.take("ada", "::1") for _ in range(PER_NAME)] == [0.0] * PER_NAME


def test_a_path_is_allowed_inside_the_roots_alone_links_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "in-not"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "loop").symlink_to("loop")
    with acting(Acting(Person("ada", "administer"), (inside.resolve(),))):
        assert allow_path(inside / "new") == inside / "new"
        assert allow_path(str(inside)) == inside
        for path in (
            outside, inside / ".." / "in-not", inside / "link", inside / "link" / "x", "/etc/passwd", "~", "x", "",
            f"{inside}/\0", f"{inside}/loop/../../in-not",
        ):  # fmt: skip
            with pytest.raises(UserError, match="--root"):
                allow_path(path)
    assert allow_path(outside) == outside  # whoever sits at the machine opens what the account can
