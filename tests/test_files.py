"""Files are whole or not there: many writers at once, a full disk, and readers meanwhile."""

from __future__ import annotations

import ast
import gzip
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from core import files
from core.errors import describe_error
from core.files import (
    delete_oldest,
    discard_folder,
    draft_folder,
    insist,
    make_draft,
    replace_folder,
    sweep_drafts,
    write_file,
    write_in_place,
    write_rows,
    write_text,
)
from tests.disks import no_file_larger_than

ROOT = Path(__file__).resolve().parents[1]
LETTERS = "abcdefgh"
ROUNDS = 40
LENGTH = 20_000  # more than a buffer holds, so that half a file would show


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def write_often(path: Path, letters: str) -> None:
    """Write a file again and again, by a thread a letter."""

    def write(letter: str) -> None:
        for _ in range(ROUNDS):
            write_text(path, letter * LENGTH)

    with ThreadPoolExecutor(len(letters)) as pool:
        list(pool.map(write, letters))


def test_threads_and_processes_write_one_file_at_once_and_readers_always_see_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_text(path, "a" * LENGTH)
    done, seen = threading.Event(), set()

    def read() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            jobs = [pool.submit(write_often, path, letters) for letters in (LETTERS[:4], LETTERS[4:])]
            write_often(path, "xy")
            for job in jobs:
                job.result()
    finally:
        done.set()
        reader.join()
    assert {(len(text), len(set(text))) for text in seen} == {(LENGTH, 1)}
    assert len(seen) > 1
    assert names_in(tmp_path) == {"status.json"}


def test_a_text_that_cannot_be_written_leaves_the_old_one_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half of it \ud800")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == {"status.json"}


def test_where_the_disk_takes_no_more_the_old_file_stays_and_the_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_text(path, "old")
    with no_file_larger_than(10_000), pytest.raises(OSError, match="File too large") as caught:
        write_rows(path, ["path"], [("a" * 100,)] * 1000)
    assert describe_error(caught.value) == f"{path}: cannot be written (File too large)"
    assert path.read_text() == "old"
    assert names_in(tmp_path) == {"predictions.csv"}


def fill_and_fail(path: Path) -> None:
    with draft_folder(path) as draft:
        (draft / "page.html").write_text("half of it")
        (draft / "page.html" / "figure.png").touch()


def test_a_folder_is_filled_beside_its_place_and_nothing_is_left_of_one_that_fails(tmp_path: Path) -> None:
    with draft_folder(tmp_path / "report") as draft:
        (draft / "page.html").write_text("all of it")
        assert draft.parent == tmp_path
        draft.rename(tmp_path / "report")
    with pytest.raises(NotADirectoryError):
        fill_and_fail(tmp_path / "other")
    assert names_in(tmp_path) == {"report"}
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "report").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_table_is_written_with_the_line_ends_of_this_house(tmp_path: Path) -> None:
    write_rows(tmp_path / "table.csv", ("name", "count"), [("a,b", 1), ('say "ä"', 2)])
    assert (tmp_path / "table.csv").read_bytes() == 'name,count\n"a,b",1\n"say ""ä""",2\n'.encode()


def test_a_table_is_compressed_by_its_name_the_same_rows_to_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.csv.gz", "other.csv.gz")]
    for path in paths:
        write_rows(path, ("name", "count"), [("ä", 1)])
    assert gzip.decompress(paths[0].read_bytes()) == "name,count\nä,1\n".encode()
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_file_may_have_the_longest_name_there_is(tmp_path: Path) -> None:
    path = tmp_path / ("🌷" * 60)
    write_text(path, "tulips")
    assert path.read_text() == "tulips"


def test_a_new_file_can_be_read_by_whom_the_system_lets(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_that_cannot_be_written_says_which_and_why(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_rows(tmp_path / "gone" / "table.csv", ("name",), [])
    assert caught.value.filename == str(tmp_path / "gone" / "table.csv")
    assert caught.value.strerror == "cannot be written (No such file or directory)"


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for number in range(2):
        draft = make_draft(tmp_path, "result")
        (draft / f"{number}.txt").touch()
        replace_folder(draft, tmp_path / "result")
    assert names_in(tmp_path) == {"result"}
    assert names_in(tmp_path / "result") == {"1.txt"}


def test_a_folder_made_as_a_draft_can_be_read_by_whom_any_other_can(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert make_draft(tmp_path, "new").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_folder_that_cannot_be_removed_yet_is_gone_from_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where another process has one of its files open."""
    (tmp_path / "run").mkdir()
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    discard_folder(tmp_path / "run")
    monkeypatch.undo()
    (trash,) = tmp_path.iterdir()
    assert trash.name.startswith(".")
    os.utime(trash, (time.time() - 7200,) * 2)
    sweep_drafts(tmp_path)
    assert names_in(tmp_path) == set()


def test_only_drafts_that_nobody_works_on_are_swept(tmp_path: Path) -> None:
    def write(file: object) -> None:
        sweep_drafts(tmp_path)
        assert len(names_in(tmp_path)) == 2

    (tmp_path / ".hidden").touch()
    os.utime(tmp_path / ".hidden", (0, 0))
    write_file(tmp_path / "large.pt", write)
    assert names_in(tmp_path) == {".hidden", "large.pt"}


@pytest.mark.parametrize("patience", [0.0, 5.0])
def test_a_file_that_another_process_has_open_is_waited_for_where_the_system_refuses(
    patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows does; elsewhere a refusal is for good."""
    refusals = iter([PermissionError(13, "in use"), PermissionError(13, "in use")])

    def act() -> str:
        for refusal in refusals:
            raise refusal
        return "done"

    monkeypatch.setattr(files, "_PATIENCE", patience)
    if patience:
        assert insist(act) == "done"
    else:
        with pytest.raises(PermissionError):
            insist(act)


def find_plain_writes(source: str) -> list[str]:
    """Return what writes a file in its place, where a reader may meet half of it; what appends is no such thing."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name, words = node.func.attr, [part.value for part in node.args if isinstance(part, ast.Constant)]
        opens_to_write = name == "open" and any(str(word)[:1] in ("w", "x") for word in words)
        if opens_to_write or name in ("write_text", "write_bytes", "copyfile"):
            found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


def test_no_file_of_a_users_is_written_another_way() -> None:
    fill_a_draft_folder = {
        "core/report/page.py",
        "core/dataset/demo.py",
        "core/arrivals/bring_in.py",
        "core/arrivals/sources.py",
        "core/arrivals/unpack.py",
        "core/answers/keeping.py",
    }
    plain = {
        path.relative_to(ROOT).as_posix()
        for top in ("core", "dashboard")
        for path in (ROOT / top).rglob("*.py")
        if find_plain_writes(path.read_text(encoding="utf-8"))
    }
    assert plain == fill_a_draft_folder


MAKER = """
import sys, time
from pathlib import Path
from core.files import make_draft, write_file
def write(file):
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(100)
make_draft(Path(sys.argv[1]), "folder")
write_file(Path(sys.argv[1]) / "large.pt", write)
"""


def test_drafts_of_a_killed_process_go_at_once_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    maker = subprocess.Popen([sys.executable, "-c", MAKER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE)
    assert maker.stdout is not None
    try:
        assert maker.stdout.readline() == b"ready\n"
        sweep_drafts(tmp_path, untouched=0.0)
        assert len(names_in(tmp_path)) == 2
    finally:
        maker.kill()
        maker.wait()
    sweep_drafts(tmp_path)
    assert names_in(tmp_path) == set()


def test_drafts_of_another_machine_and_of_older_versions_go_by_their_age(tmp_path: Path) -> None:
    for name in (".run.@0123abcd-1.xyz.draft", ".run.xyz.draft"):
        (tmp_path / name).touch()
        sweep_drafts(tmp_path)
        assert names_in(tmp_path) == {name}
        os.utime(tmp_path / name, (time.time() - 7200,) * 2)
        sweep_drafts(tmp_path)
        assert names_in(tmp_path) == set()


def test_a_short_text_is_written_over_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("the longer one")
    write_in_place(tmp_path / "status.json", "ä")
    assert (tmp_path / "status.json").read_text() == "ä"


def make_aged(folder: Path) -> None:
    for age, name in enumerate(("new.pt", "middle.pt", "old.pt")):
        (folder / name).write_bytes(b"x" * 10)
        os.utime(folder / name, (1_000_000 - age,) * 2)


def test_the_oldest_files_are_deleted_but_not_the_one_in_use(tmp_path: Path) -> None:
    make_aged(tmp_path)
    (tmp_path / "other.txt").touch()
    delete_oldest(tmp_path, "*.pt", keep=tmp_path / "old.pt", limit=20)
    assert names_in(tmp_path) == {"new.pt", "old.pt", "other.txt"}


@pytest.mark.parametrize("gone", ["new.pt", "middle.pt", "old.pt"])
def test_a_file_that_another_process_deletes_meanwhile_is_no_fault(
    gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_aged(tmp_path)
    glob = Path.glob

    def glob_and_delete(folder: Path, pattern: str) -> list[Path]:
        found = list(glob(folder, pattern))
        (folder / gone).unlink()
        return found

    monkeypatch.setattr(Path, "glob", glob_and_delete)
    delete_oldest(tmp_path, "*.pt", keep=tmp_path / "old.pt", limit=20)
    monkeypatch.undo()
    assert names_in(tmp_path) == {"new.pt", "middle.pt", "old.pt"} - {gone}


KILLED = """
import os, signal, sys
from pathlib import Path
from core import files
target, moves = Path(sys.argv[1]), []
def insist(act):
    act()
    moves.append(act)
    if len(moves) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
files.insist = insist
draft = files.make_draft(target.parent, target.name)
(draft / "new.txt").touch()
files.replace_folder(draft, target)
"""


@pytest.mark.parametrize(("moves", "kept"), [(1, "old.txt"), (2, "new.txt")])
def test_a_kill_while_a_folder_is_replaced_leaves_the_old_or_the_new_one(
    tmp_path: Path, moves: int, kept: str
) -> None:
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "old.txt").touch()
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "result", str(moves)], cwd=ROOT, check=False)
    sweep_drafts(tmp_path)
    assert names_in(tmp_path) == {"result"}
    assert names_in(tmp_path / "result") == {kept}
