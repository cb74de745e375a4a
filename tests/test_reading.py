"""Files that anyone may have written: only plain ones are opened, only so much is read, and JSON is what it must be."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.dataset.images import ImageProblem, read_image
from core.reading import is_there, open_plain, open_text, parse_json, read_object, read_plain, take


@pytest.fixture(params=["a pipe", "a socket", "a device"])
def odd_file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a path at which there is not a regular file; its name says what there is."""
    path = tmp_path / request.param
    if request.param == "a pipe":
        os.mkfifo(path)
    elif request.param == "a device":
        path.symlink_to("/dev/zero")
    else:
        monkeypatch.chdir(tmp_path)  # the path of a socket may not be long
        server = socket.socket(socket.AF_UNIX)
        server.bind(request.param)
        server.close()
    return path


@pytest.mark.timeout(20)
def test_what_is_no_file_is_refused_by_its_kind_instead_of_being_waited_for(odd_file: Path) -> None:
    for read in (
        open_plain,
        open_text,
        lambda path: read_plain(path, most=9),
        lambda path: read_object(path, most=9),
    ):
        with pytest.raises(OSError, match=f"it is not a file but {odd_file.name}") as caught:
            read(odd_file)
        assert caught.value.filename == str(odd_file)


def test_a_folder_and_what_is_not_there_are_told_as_the_system_does(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        open_plain(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_plain(tmp_path / "gone")
    assert not is_there(tmp_path / "gone")
    assert not is_there(tmp_path / "nul\0")
    assert is_there(tmp_path)


@pytest.mark.timeout(60)
def test_an_image_whose_place_a_pipe_takes_again_and_again_is_never_waited_for(tmp_path: Path) -> None:
    path, image, pipe = (tmp_path / name for name in ("photo.png", "image.png", "pipe"))
    Image.new("RGB", (8, 8)).save(image)
    os.link(image, path)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            os.mkfifo(pipe)
            pipe.replace(path)
            os.link(image, tmp_path / "again.png")
            (tmp_path / "again.png").replace(path)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        seen = set()
        for _ in range(1500):
            if seen and "(8, 8)" not in seen:
                time.sleep(0.001)  # the swapper may hold the only core
            try:
                seen.add(str(read_image(path).size))
            except ImageProblem as problem:
                seen.add(str(problem))
    finally:
        done.set()
        swapper.join()
    assert "(8, 8)" in seen
    assert seen <= {"(8, 8)", "is not a file but a pipe", "cannot be opened (it is not a file but a pipe)"}


def test_no_more_is_read_than_is_said(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(ValueError, match="it has 3,000,000,000 bytes; the limit is 1,000"):
        read_plain(path, most=1000)
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(bytes(5_000_000)))
    assert packed.stat().st_size < 10_000
    with pytest.raises(ValueError, match="it unpacks to more than 10,000 bytes"):
        read_plain(packed, most=10_000)
    assert read_plain(packed, most=5_000_000) == bytes(5_000_000)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[" * 100_000, "its brackets are nested too deeply"),
        ('{"a":' * 100_000, "its brackets are nested too deeply"),
        ("7" * 5000, "a number in it has 5,000 digits"),
        (str(2**63), "a number in it is too large: 9223372036854775808"),
        (r'"\ud83d"', "half a letter"),
        (r'"a\u0000b"', "a NUL character"),
        ("{", "Expecting"),
    ],
)
def test_json_that_nothing_here_can_hold_is_told_in_words(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_json(text)


@pytest.mark.parametrize(
    "value", [{"a": [1, 2.5, None, True]}, "🌷 \\u0000 ü", -(2**62), [[[]]], {"ä": "\\ud800"}]
)
def test_other_json_is_what_python_makes_of_it(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse_json(text) == value


def test_a_mark_of_the_byte_order_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "values.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_object(tmp_path / "values.json", most=100) == {"a": 1}
    (tmp_path / "table.csv").write_bytes("\ufefflabel\r\n".encode())
    with open_text(tmp_path / "table.csv") as file:
        assert file.read() == "label\r\n"


@dataclass(frozen=True)
class Leaf:
    name: str
    share: float


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    pairs: tuple[tuple[str, int], ...] = ()
    about: dict[str, bool] | None = None
    wanted: float | None = None
    anything: Any = None


def test_objects_become_what_they_are_written_of() -> None:
    values = {
        "leaves": [{"name": "a", "share": 1}, {"name": "b", "share": 0.5}],
        "pairs": [["x", 1]],
        "about": {"round": True},
        "wanted": None,
        "anything": [1, "2"],
    }
    found = take(Tree, values)
    assert found == Tree((Leaf("a", 1.0), Leaf("b", 0.5)), (("x", 1),), {"round": True}, None, [1, "2"])
    assert type(found.leaves[0].share) is float
    assert take(Tree, {"leaves": []}) == Tree(())


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([], r"it must be an object, got \[\]"),
        ({}, "leaves is missing"),
        ({"leaves": [], "colour": 1}, "colour is not a field that this version knows"),
        ({"leaves": "abc"}, "leaves must be a list, got 'abc'"),
        ({"leaves": [5]}, "an entry of leaves must be an object, got 5"),
        ({"leaves": [{"name": "a"}]}, "share is missing"),
        ({"leaves": [{"name": 1, "share": 1}]}, "name must be a text, got 1"),
        ({"leaves": [{"name": "a", "share": True}]}, "share must be a number, got True"),
        ({"leaves": [], "pairs": [["x"]]}, r"an entry of pairs must have 2 parts, got \['x'\]"),
        (
            {"leaves": [], "pairs": [["x", 1.5]]},
            "a part of an entry of pairs must be a whole number, got 1.5",
        ),
        ({"leaves": [], "about": {"round": 1}}, "about of round must be true or false, got 1"),
        ({"leaves": [], "wanted": "much"}, "wanted must be a number, got 'much'"),
        ({"leaves": "x" * 1000}, "^leaves must be a list, got 'x{79}…$"),
    ],
)
def test_what_is_of_another_kind_is_named_with_what_stands_there(values: Any, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        take(Tree, values)
