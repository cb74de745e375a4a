"""The one reader of archives: names of all sorts, entries that none should have, and more of them than anyone means."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import pytest

from core.arrivals import archive as room
from core.arrivals.archive import UNREADABLE, BadArchive, describe_unreadable, list_items, open_archive
from core.errors import DataError
from tests.arrivals.sending import encrypt, image_bytes, zip_bytes


def read(data: bytes) -> dict[str, str]:
    with open_archive(io.BytesIO(data), "a.zip") as opened:
        return {item.name: item.refusal for item in list_items(opened)}


def test_files_come_by_their_names_without_folders_and_what_systems_leave() -> None:
    data = zip_bytes({"rose/1.png": b"one", "rose/": b"", "__MACOSX/._1.png": b"", "rose/.DS_Store": b""})
    with open_archive(io.BytesIO(data), "a.zip") as opened:
        (item,) = list_items(opened)
        with item.open() as file:
            assert (item.name, item.size, file.read()) == ("rose/1.png", 3, b"one")


@pytest.mark.parametrize(
    "name", ["../1.png", "a/../../1.png", "/etc/1.png", "C:/1.png", "..\\1.png", "c:1.png"]
)
def test_what_leads_out_is_refused_on_every_system(name: str) -> None:
    assert list(read(zip_bytes({name: b"x", "a..b/c..png": b""})).values()) == [
        "leads out of its archive",
        "",
    ]


def test_an_entry_without_a_name_is_left_out_and_costs_no_other() -> None:
    data = zip_bytes({"x/1.png": b"one", "rose/1.png": b"two"}).replace(b"x/1.png", b"\0/1.png")
    assert read(data) == {"(an entry)": "has no name", "rose/1.png": ""}


def test_an_entry_that_calls_itself_what_no_letters_are_is_damaged() -> None:
    data = zip_bytes({"a/1.png": b"one"})
    wrong = data[:6] + b"\0\x08" + data[8:30] + b"\xeb" + data[31:]  # UTF-8, it says at the file itself
    with open_archive(io.BytesIO(wrong), "a.zip") as opened:
        (item,) = list_items(opened)
        with pytest.raises(UNREADABLE) as told:
            item.open()
    assert describe_unreadable(told.value) == "is damaged in its archive"


def test_links_devices_and_encrypted_files_are_refused() -> None:
    pipe = zipfile.ZipInfo("pipe.png")
    pipe.external_attr = 0o010644 << 16
    buffer = io.BytesIO(zip_bytes({"secret.png": b"x"}, links={"link.png": "/etc/passwd"}))
    with zipfile.ZipFile(buffer, "a") as added:
        added.writestr(pipe, "")
    found = read(encrypt(buffer.getvalue(), "secret.png"))
    assert found == {
        "secret.png": "is encrypted",
        "link.png": "is a link",
        "pipe.png": "is not a regular file",
    }


def test_names_that_do_not_say_what_letters_they_have_are_read_as_utf_8_where_they_can_be() -> None:
    names = {"玫瑰/été.png": "utf-8", "Straße.png": "cp437", "old-\x81.png": "cp437"}
    plain = {f"{number:030d}": name for number, name in enumerate(names)}
    data = zip_bytes(dict.fromkeys(plain, b""))
    for number, (stand_in, name) in enumerate(plain.items()):
        raw = name.encode(names[name], errors="replace")
        padded = raw[:-4].ljust(26, b"_") + raw[-4:]
        data = data.replace(stand_in.encode(), padded)
        assert len(padded) == 30, number
    shown = [name.replace("_", "") for name in read(data)]
    assert shown[:2] == ["玫瑰/été.png", "Straße.png"]
    assert len(shown) == 3


def test_a_hundred_thousand_entries_are_listed_soon_and_more_than_anyone_means_are_refused_before_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for number in range(20_000):
            made.writestr(zipfile.ZipInfo(f"{number}.png"), b"")
    begun = time.process_time()
    assert len(read(buffer.getvalue())) == 20_000
    assert time.process_time() - begun < 5
    path = tmp_path / "many"
    path.write_bytes(buffer.getvalue())
    monkeypatch.setattr(room, "MOST_ENTRIES", 19_999)
    monkeypatch.setattr(zipfile, "ZipFile", None)  # it is not even begun with
    for source in (path, io.BytesIO(buffer.getvalue())):
        with pytest.raises(DataError, match=r"a\.zip has more than 19,999 entries"):
            open_archive(source, "a.zip")
    monkeypatch.setattr(room, "MOST_ENTRIES", 1)
    with pytest.raises(DataError, match="has more than"):  # by its directory's size alone
        open_archive(path, "a.zip")


def test_an_archive_behind_other_bytes_and_a_large_one_are_counted_as_they_are_read() -> None:
    data = zip_bytes({f"{number}.png": b"x" for number in range(7)})
    assert room._count_entries(io.BytesIO(b"#!/bin/sh\n" * 50 + data)) == 7
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made, made.open("1.png", "w", force_zip64=True) as file:
        file.write(b"x")
    assert room._count_entries(buffer) == 1
    assert read(buffer.getvalue()) == {"1.png": ""}


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"PK nothing", zip_bytes({"a.png": b"x" * 99})[:-30]],
    ids=["empty", "its mark alone", "its first letters", "cut off"],
)  # fmt: skip
def test_what_is_no_archive_is_told(data: bytes) -> None:
    with pytest.raises(BadArchive, match=r"a\.zip cannot be read as a zip archive \(.+\)\. Zip"):
        open_archive(io.BytesIO(data), "a.zip")


def test_an_archive_whose_first_bytes_are_missing_is_taken_as_far_as_it_goes(tmp_path: Path) -> None:
    archive = zip_bytes({"a/1.png": image_bytes("red"), "a/2.png": image_bytes("blue")})
    (tmp_path / "cut.zip").write_bytes(archive[1:])
    with open_archive(tmp_path / "cut.zip", "cut.zip") as opened:
        first, second = list_items(opened)
        assert (first.refusal, second.refusal) == ("is damaged in its archive", "")
        with second.open() as file:
            assert file.read() == image_bytes("blue")
