"""What is dropped on a page: archives are unpacked in memory, and nothing in them can do harm."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from core.answers import arriving
from core.answers.arriving import Arrived, unpack_files
from core.errors import DataError
from tests.arrivals.sending import damaged_zip


def pack(members: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name) if compression == zipfile.ZIP_STORED else name, content)
    return buffer.getvalue()


def problems(content: bytes) -> dict[str, str]:
    return {one.name: one.problem for one in unpack_files([("a.zip", content)])}


def test_files_and_what_lies_in_archives_come_in_their_order() -> None:
    archive = pack({"rose/1.jpg": b"1", "rose/2.jpg": b"2"})
    found = unpack_files([("0.jpg", b"0"), ("a.zip", archive), ("3.jpg", b"3")])
    assert found == tuple(
        Arrived(name, content)
        for name, content in (("0.jpg", b"0"), ("rose/1.jpg", b"1"), ("rose/2.jpg", b"2"), ("3.jpg", b"3"))
    )


def test_an_archive_is_known_by_its_content_and_an_archive_in_an_archive_is_no_image() -> None:
    inner = pack({"1.jpg": b"1"})
    assert unpack_files([("photos", inner)]) == (Arrived("1.jpg", b"1"),)
    told = Arrived("inner.zip", b"", "is an archive inside the archive a.zip; unpack it first")
    for content in (inner, pack({})):
        assert unpack_files([("a.zip", pack({"inner.zip": content}))]) == (told,)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is an empty file"),
        (b"a text", "is not a zip archive, whatever its name says"),
        (pack({}), "is a zip archive without files in it"),
    ],
)
def test_a_file_that_is_no_archive_but_is_named_as_one_is_told_as_that(content: bytes, problem: str) -> None:
    assert problems(content) == {"a.zip": problem}


def test_files_of_one_name_are_told_apart() -> None:
    found = unpack_files([("1.jpg", b"a"), ("a.zip", pack({"1.jpg": b"b"})), ("1.jpg", b"c")])
    assert [one.name for one in found] == ["1.jpg", "1.jpg (2)", "1.jpg (3)"]


def test_what_systems_leave_in_archives_and_folders_are_left_out() -> None:
    names = ("__MACOSX/._1.jpg", ".DS_Store", "a/Thumbs.db", "folder/", "a/1.jpg")
    assert list(problems(pack(dict.fromkeys(names, b"x")))) == ["a/1.jpg"]


@pytest.mark.parametrize("name", ["../1.jpg", "a/../../1.jpg", "/etc/1.jpg", "C:/1.jpg", "..\\1.jpg"])
def test_what_leads_out_of_its_archive_is_not_taken(name: str, tmp_path: Path) -> None:
    found = problems(pack({name: b"x", "good.jpg": b"y"}))
    assert sorted(found.values()) == ["", "leads out of its archive"]
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_an_archive_is_not_followed() -> None:
    member = zipfile.ZipInfo("1.jpg")
    member.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, "/etc/passwd")
    assert unpack_files([("a.zip", buffer.getvalue())]) == (Arrived("1.jpg", b"", "is a link"),)


def test_an_encrypted_file_is_told() -> None:
    content = bytearray(pack({"1.jpg": b"x"}, compression=zipfile.ZIP_STORED))
    for head, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(head) + flags] |= 1
    assert problems(bytes(content)) == {"1.jpg": "is encrypted"}


def test_a_damaged_archive_is_told_and_a_damaged_file_in_it_does_not_harm_the_others() -> None:
    content = pack({"1.jpg": b"one" * 50, "2.jpg": b"two"}, compression=zipfile.ZIP_STORED)
    assert problems(content[: len(content) // 2]) == {"a.zip": "is a damaged zip archive"}
    assert problems(content.replace(b"oneone", b"onEone", 1)) == {
        "1.jpg": "is damaged in its archive",
        "2.jpg": "",
    }


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_file_is_damaged_alone_however_it_is_packed(packing: int) -> None:
    told = problems(damaged_zip("1.jpg", "2.jpg", packing))
    assert told == {"1.jpg": "is damaged in its archive", "2.jpg": ""}


def test_a_bomb_is_refused_by_what_it_would_unpack_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "MAX_BYTES", 10_000)
    bomb = pack({f"{number}.jpg": bytes(4_000) for number in range(3)})
    assert len(bomb) < 1_000
    with pytest.raises(DataError, match=r"a\.zip is too large: .* or give their folder"):
        unpack_files([("a.zip", bomb)])
    small = pack({"1.jpg": bytes(6_000)})
    with pytest.raises(DataError, match=r"b\.zip is too large"):  # both together
        unpack_files([("a.zip", small), ("b.zip", small)])


def test_one_file_of_an_archive_may_not_be_larger_than_a_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "MAX_FILE", 1_000)
    assert problems(pack({"1.jpg": bytes(1_001), "2.jpg": b"x"})) == {
        "1.jpg": "is larger than 0 MB",
        "2.jpg": "",
    }


def test_a_file_that_claims_to_be_small_is_not_read_beyond_that() -> None:
    content = bytearray(pack({"1.jpg": bytes(100_000)}))
    for head, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(head) + place
        content[at : at + 4] = (10).to_bytes(4, "little")
    (one,) = unpack_files([("a.zip", bytes(content))])
    assert len(one.content) <= 10


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "MAX_FILES", 3)
    with pytest.raises(DataError, match="more than 3 files"):
        unpack_files([(f"{number}.jpg", b"x") for number in range(4)])
    with pytest.raises(DataError, match="may hold 3 files"):
        unpack_files([("a.zip", pack({f"{number}.jpg": b"x" for number in range(4)}))])
