"""How much each user may take: limits are kept with the user, and more of the disk is refused in words."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from core.__main__ import main
from core.arrivals.arrange import Arranged, arrange
from core.arrivals.bring_in import bring_in
from core.arrivals.label_table import Columns
from core.arrivals.sources import keep_sent
from core.dataset.folders import scan_folders
from core.errors import UserError
from core.marks.corrected import Corrected, write_corrected
from core.people import disk
from core.people.acting import ADMINISTER, TRAIN, Acting, NotAllowed, Person, acting
from core.people.actions import FILE as ACTIONS
from core.people.actions import read_actions
from core.people.disk import measure_folder
from core.people.limits import LimitReached, describe_use, list_held, parse_size
from core.people.owner import FILE, read_owner
from core.people.sessions import Sessions
from core.people.users import User, add_user, read_users, set_limits
from core.runs import jobs
from core.runs.run import Run, create_run
from tests.processes import make_images, tiny_config

MB = 10**6


@pytest.fixture
def file(tmp_path: Path, runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the users ada and bob, who train, and sign in by a provider."""
    path = tmp_path / "own" / "users.json"
    monkeypatch.setenv("WEAKSPOT_USERS", str(path))
    monkeypatch.setenv("WEAKSPOT_UPLOADS", str(tmp_path / "uploads"))
    for name in ("ada", "bob"):
        add_user(path, name, "train", None)
    return path


def as_(name: str, role: str = TRAIN) -> Acting:
    return Acting(Person(name, role, "10.0.0.7"))


def make(root: Path, name: str, owner: str = "ada", *, size: int = 0, state: str = "stopped") -> Run:
    """Make a run of a user whose last model has so many bytes, of a file that is all hole."""
    with acting(as_(owner)):
        run = create_run(tiny_config(root, name), root)
    with run.last_path.open("wb") as file:
        file.truncate(size)
    run.write_status(replace(run.read_status(), state=state))
    return run


def run_command(*words: str) -> int:
    """Return the exit code of a command, also where its words are refused."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_a_limit_is_set_shown_changed_and_taken_away_by_the_command(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["users", "quota", "ada"]) == 0
    assert main(["users", "quota", "ada", "--disk", "50G", "--slots", "1"]) == 0
    assert main(["users", "quota", "ada", "--slots", "2"]) == 0
    assert main(["users", "list"]) == 0
    assert read_users(file)["ada"] == User("train", disk=50 * 10**9, slots=2)
    assert main(["users", "quota", "ada", "--none"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "ada: no limit",
        "ada: 50 GB, 1 slot at a time",
        "ada: 50 GB, 2 slots at a time",
        "ada: train, by a provider, at most 50 GB, 2 slots at a time",
        "bob: train, by a provider",
        "ada: no limit",
    ]
    assert read_users(file)["ada"] == User("train")


@pytest.mark.parametrize(
    "words",
    [
        ["--slots", "0"],
        ["--disk", "much"],
        ["--disk", "0"],
        ["--disk", "50"],
        ["--disk=-1G"],
        # A number that the file of users cannot hold: nobody could sign in any more.
        ["--disk", "10000P"],
        ["--disk", f"{'9' * 400}G"],
        ["--slots", "99999999999999999999"],
    ],
)
def test_a_limit_that_is_none_is_refused_and_changes_nothing(
    file: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_bytes()
    assert run_command("users", "quota", "ada", *words) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert file.read_bytes() == before
    with pytest.raises(UserError, match="no user eve"):
        set_limits(file, "eve", disk=None, slots=1)


@pytest.mark.parametrize(
    ("text", "size"), [("50G", 50 * 10**9), ("1.5 TB", 15 * 10**11), ("800m", 800 * MB), ("7k", 7_000)]
)
def test_a_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_a_limit_stays_with_another_password_and_ends_no_session(file: Path) -> None:
    add_user(file, "ada", "train", "correct horse battery")
    sessions = Sessions(file)
    token = sessions.sign_in("ada", "correct horse battery", "::1")
    set_limits(file, "ada", disk=MB, slots=None)
    assert sessions.find_person(token) is not None
    add_user(file, "ada", "administer", "correct horse battery")
    assert read_users(file)["ada"].disk == MB
    assert sessions.find_person(token) is None


def test_a_file_without_limits_is_one_that_an_older_version_reads(file: Path) -> None:
    set_limits(file, "ada", disk=MB, slots=1)
    set_limits(file, "ada", disk=None, slots=None)
    assert json.loads(file.read_text())["users"]["ada"] == {"role": "train", "salt": "", "digest": ""}


def test_only_administrators_set_limits(file: Path) -> None:
    with acting(as_("ada")), pytest.raises(NotAllowed, match="needs the role administer"):
        set_limits(file, "ada", disk=None, slots=9)
    with acting(as_("eve", ADMINISTER)):
        set_limits(file, "ada", disk=None, slots=9)


def test_a_run_is_its_makers_and_nobodys_at_the_command_line(file: Path, runs_root: Path) -> None:
    run = make(runs_root, "first")
    assert read_owner(run.folder) == "ada"
    assert read_owner(create_run(tiny_config(runs_root, "typed"), runs_root).folder) == ""
    (run.folder / FILE).write_text('{"name": 7}')
    assert read_owner(run.folder) == ""


def test_a_start_at_the_limit_is_refused_with_what_is_used_and_the_largest_runs(
    file: Path, runs_root: Path
) -> None:
    for name, size in (("small", MB), ("large", 30 * MB), ("medium", 20 * MB), ("other", 2 * MB)):
        make(runs_root, name, size=size)
    make(runs_root, "bobs", owner="bob", size=90 * MB)
    set_limits(file, "ada", disk=50 * MB, slots=None)
    with acting(as_("ada")), pytest.raises(LimitReached) as refused:
        jobs.submit(tiny_config(runs_root, "more"), runs_root)
    assert str(refused.value) == (
        "You use 53 MB of the disk, and your limit is 50 MB. The largest: large (30 MB), medium (20 MB), other (2 MB). "
        "Delete runs that are no longer needed, or ask an administrator for more."
    )
    assert not (runs_root / "more").exists()
    create_run(tiny_config(runs_root, "typed"), runs_root)  # at the command line nobody is limited
    with acting(as_("bob")):
        create_run(tiny_config(runs_root, "more"), runs_root)


def test_what_a_limit_refused_is_recorded_as_that_with_the_reason(
    file: Path, runs_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, record = make(runs_root, "first", size=2 * MB), runs_root / ACTIONS
    set_limits(file, "ada", disk=MB, slots=None)
    with acting(replace(as_("ada"), kept_in=record)), pytest.raises(LimitReached):
        jobs.resume(run)
    (kept,) = read_actions(record)
    assert (kept.what, kept.of, kept.end) == ("resume", "first", "refused")
    assert kept.why.startswith("You use 2 MB of the disk, and your limit is 1 MB.")
    assert main(["actions"]) == 0
    assert "resume first – refused: You use 2 MB" in capsys.readouterr().out


def test_a_resume_counts_for_the_owner_whoever_asks(file: Path, runs_root: Path) -> None:
    run = make(runs_root, "first", size=2 * MB)
    set_limits(file, "ada", disk=MB, slots=None)
    with acting(as_("bob")), pytest.raises(LimitReached, match="ada uses 2 MB of the disk, and ada's limit"):
        jobs.resume(run)
    assert run.read_status().state == "stopped"


def test_images_brought_in_count_and_are_refused_before_they_lie_there(
    file: Path, runs_root: Path, tmp_path: Path
) -> None:
    sent, uploads = tmp_path / "sent", tmp_path / "uploads"
    images = make_images(tmp_path / "images")
    content = [(str(path.relative_to(images)), path.read_bytes()) for path in images.rglob("*.png")]
    keep_sent(content, sent)
    found = bring_in(sent, "tiny", uploads, lambda *_: True, owner="ada")
    assert found is not None
    assert read_owner(Path(found.folder)) == "ada"
    (held,) = list_held("ada", runs_root)
    assert (held.name, held.is_run) == ("tiny", False)
    set_limits(file, "ada", disk=held.bytes + 1000, slots=None)
    with pytest.raises(LimitReached, match=r"takes < 1 MB more. .*the images tiny"):
        bring_in(sent, "tiny", uploads, lambda *_: True, owner="ada")
    assert [path.name for path in uploads.iterdir()] == ["tiny"]


def test_a_folder_of_classes_and_a_corrected_copy_count_for_who_made_them(
    file: Path, runs_root: Path, tmp_path: Path
) -> None:
    images, table = make_images(tmp_path / "images"), tmp_path / "labels.csv"
    names = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    table.write_text(
        "".join(["image,label\n", *(f"{name},{number % 2}\n" for number, name in enumerate(names))])
    )

    def sort() -> Arranged | None:
        columns, out = Columns("image", "label"), tmp_path / "uploads" / "sorted"
        return arrange(images, table, columns, out=out, progress=lambda *_: True, owner="ada")

    def copy(name: str, *, link: bool = False) -> Corrected | None:
        target = tmp_path / "elsewhere" / name
        return write_corrected(scan_folders(images), {}, target, link=link, owner="ada", runs=runs_root)

    assert sort() is not None
    assert copy("copied") is not None
    held = {one.name: one.bytes for one in list_held("ada", runs_root)}
    size = sum((images / name).stat().st_size for name in names)
    assert held["copied"] >= size
    assert size / 2 <= held["sorted"] < size  # linked: the other half is where the images lie
    set_limits(file, "ada", disk=sum(held.values()) + size - 1000, slots=None)
    with pytest.raises(LimitReached, match="the images copied"):
        copy("again")
    assert not (tmp_path / "elsewhere" / "again").exists()
    assert copy("linked", link=True) is not None
    set_limits(file, "ada", disk=1000, slots=None)
    with pytest.raises(LimitReached):
        sort()
    with pytest.raises(LimitReached):
        copy("linked again", link=True)


def test_a_user_makes_room_by_deleting_their_own_runs_and_nobody_elses(file: Path, runs_root: Path) -> None:
    mine, other, old = (make(runs_root, "mine"), make(runs_root, "other", "bob"), make(runs_root, "old", ""))
    with acting(as_("ada")):
        for run in (other, old):
            with pytest.raises(NotAllowed, match="needs the role administer"):
                jobs.delete(run)
        jobs.delete(mine)
    with acting(as_("ada", "look")), pytest.raises(NotAllowed):
        jobs.delete(make(runs_root, "again"))
    assert sorted(path.name for path in runs_root.iterdir() if path.is_dir()) == ["again", "old", "other"]


def test_a_folder_is_walked_again_only_where_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "run" / "predictions"
    inner.mkdir(parents=True)
    (inner / "a").write_bytes(bytes(1000))
    (inner / "link").symlink_to("/dev/zero")
    past = time.time() - 60
    for folder in (inner, inner.parent):
        os.utime(folder, (past, past))
    assert measure_folder(inner.parent) == 1000
    walked: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: walked.append(path) or scan(path))
    assert measure_folder(inner.parent) == 1000
    assert walked == []
    (inner / "b").write_bytes(bytes(500))
    assert measure_folder(inner.parent) == 1500
    assert walked


def test_a_file_with_two_names_counts_half_in_each_folder_until_one_of_them_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_LINKED", 0.0)
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    (one / "a").write_bytes(bytes(1000))
    (other / "a").hardlink_to(one / "a")
    past = time.time() - 60
    for folder in (one, other):
        os.utime(folder, (past, past))
    assert (measure_folder(one), measure_folder(other)) == (500, 500)
    (one / "a").unlink()
    assert (measure_folder(one), measure_folder(other)) == (0, 1000)


def test_use_is_told_beside_the_limit_where_there_is_one() -> None:
    assert (
        describe_use(3_200 * MB, 1, User("train", disk=50_000 * MB, slots=1))
        == "3.2 GB of 50 GB and 1 of 1 slot"
    )
    assert describe_use(0, 0, User("train", slots=2)) == "0 MB and 0 of 2 slots"
    assert describe_use(3_200 * MB, 1, None) == "3.2 GB and 1 slot"


def test_limits_without_a_name_are_those_of_all_and_none_is_set(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_limits(file, "ada", disk=50 * MB, slots=None)
    assert run_command("users", "quota") == 0
    assert "ada: train, by a provider, at most 50 MB" in capsys.readouterr().out
    assert run_command("users", "quota", "--slots", "1") == 2
    assert "A limit is for one user" in capsys.readouterr().err
