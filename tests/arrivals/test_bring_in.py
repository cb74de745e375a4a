"""What is sent becomes a folder to train on; what should not lie there is refused by name, with the reason."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from core.arrivals import bring_in as room
from core.arrivals.bring_in import Arrival, bring_in, read_arrival, write_arrival
from core.arrivals.names import find_common, find_place
from core.dataset.folders import scan_folders
from core.errors import DataError
from core.file_names import make_folder_names
from tests.arrivals.sending import damaged_zip, encrypt, image_bytes, send, zip_bytes
from tests.disks import no_file_larger_than

RED, BLUE = image_bytes("red"), image_bytes("blue", "JPEG")
FLOWERS = {f"flowers/{name}/{number}.png": RED for name in ("rose", "tulip") for number in range(3)}


def bring(tmp_path: Path, files: dict[str, bytes], name: str = "flowers") -> Arrival:
    sent = send(tmp_path / "sent", files)
    found = bring_in(sent, name, tmp_path / "uploads", lambda *_: True)
    assert found is not None
    return found


def files_of(found: Arrival) -> list[str]:
    root = Path(found.folder)
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def reasons(found: Arrival) -> dict[str, str]:
    return {item.path: item.reason for item in found.refused}


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
def test_a_folder_of_classes_can_be_trained_on_as_it_came(tmp_path: Path, packed: bool) -> None:
    sent = {"my flowers.zip": zip_bytes(FLOWERS)} if packed else FLOWERS
    found = bring(tmp_path, sent, "my flowers")
    assert found.folder == str(tmp_path / "uploads" / "my-flowers")
    assert (found.images, found.refused) == (6, ())
    folders = scan_folders(Path(found.folder), val_fraction=0.3)
    assert folders.classes == ("rose", "tulip")
    assert found.describe() == f"6 images (< 1 MB) are in {found.folder}."


def test_splits_class_names_and_tables_come_along_and_litter_does_not(tmp_path: Path) -> None:
    found = bring(
        tmp_path,
        {
            **{path.replace("flowers/", "x/train/"): data for path, data in FLOWERS.items()},
            "x/val/rose/1.png": RED,
            "x/class_names.csv": b"label,name\nrose,Rose\n",
            "x/labels.csv": b"image,label\n",
            "x/.DS_Store": b"x",
            "__MACOSX/x/._1.png": b"x",
            "x/Thumbs.db": b"x",
        },
    )
    assert files_of(found)[:3] == ["class_names.csv", "labels.csv", "train/rose/0.png"]
    assert found.tables == ("labels.csv",)
    assert found.refused_count == 0


def test_a_second_set_of_the_same_name_is_numbered(tmp_path: Path) -> None:
    assert [Path(bring(tmp_path, FLOWERS).folder).name for _ in range(2)] == ["flowers", "flowers-2"]


def test_what_would_lie_outside_is_a_link_or_is_encrypted_is_refused(tmp_path: Path) -> None:
    archive = zip_bytes(
        {
            "../../outside.png": RED,
            "/etc/outside.png": RED,
            "C:\\outside.png": RED,
            "a/..\\..\\outside.png": RED,
            "rose/secret.png": RED,
            "rose/1.png": RED,
            "tulip/1.png": BLUE,
        },
        links={"rose/link.png": "/etc/passwd"},
    )
    found = bring(tmp_path, {"flowers.zip": encrypt(archive, "rose/secret.png")})
    told = reasons(found)
    assert told["rose/secret.png"] == "is encrypted"
    assert told["rose/link.png"] == "is a link"
    assert sum("outside" in why or "leads out" in why for why in told.values()) == 4
    assert files_of(found) == ["rose/1.png", "tulip/1.png"]
    assert not list(tmp_path.rglob("outside.png"))
    assert found.describe().endswith("6 files were refused.")


def test_what_is_no_image_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.arrivals.headers.MAX_PIXELS", 100)
    deep = "/".join("abcdefghijkl")
    found = bring(
        tmp_path,
        {
            **FLOWERS,
            "flowers/rose/huge.png": image_bytes(side=11),
            "flowers/rose/text.png": b"no image",
            "flowers/rose/empty.png": b"",
            "flowers/rose/0.PNG": RED,
            "flowers/rose/notes.txt": b"x",
            "flowers/more.zip.zip/inner.exe": b"x",
            f"flowers/{deep}/1.png": RED,
            "flowers/rose/a\nb.png": RED,
        },
    )
    told = {path.rsplit("/", 1)[-1]: why for path, why in reasons(found).items()}
    assert told["huge.png"] == "has 11 × 11 pixels; the limit is 100"
    assert told["text.png"].startswith("is not an image of a supported kind")
    assert told["empty.png"] == "is empty (0 bytes)"
    assert told["0.PNG"] == "was sent twice under this name"
    assert told["notes.txt"] == told["inner.exe"] == "is neither an image nor a table of labels"
    assert told["1.png"] == "is nested more than 8 folders deep"
    assert told["a\nb.png"] == "has a name with control characters"
    assert found.images == 6


def test_an_archive_in_an_archive_and_one_file_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_OF_ONE", 5000)
    bomb = image_bytes() + bytes(10_000)
    found = bring(
        tmp_path, {"a.zip": zip_bytes({"rose/bomb.png": bomb, "rose/in.zip": b"PK", "rose/1.png": RED})}
    )
    assert reasons(found) == {
        "rose/bomb.png": "has more than < 1 MB",
        "rose/in.zip": "is an archive inside an archive; unpack it first",
    }
    assert files_of(found) == ["rose/1.png"]


def test_an_entry_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    archive = zip_bytes({"rose/1.png": RED, "rose/2.png": BLUE})
    damaged = archive.replace(RED[-20:-5], bytes(15))
    if damaged == archive:  # compressed: spoil its bytes instead
        entry = zipfile.ZipFile(io.BytesIO(archive)).getinfo("rose/1.png")
        place = entry.header_offset + 30 + len(entry.filename)
        damaged = archive[:place] + bytes(entry.compress_size) + archive[place + entry.compress_size :]
    found = bring(tmp_path, {"a.zip": damaged})
    assert reasons(found)["rose/1.png"] == "is damaged in its archive"
    assert files_of(found) == ["rose/2.png"]


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("MOST_FILES", 5, "at most 5 can be brought"), ("MOST_BYTES", 100, "unpacked, and at most"), ("_SPARE", 10**18, "free")],
)  # fmt: skip
def test_more_than_may_come_is_refused_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str
) -> None:
    monkeypatch.setattr(room, limit, value)
    with pytest.raises(DataError, match=words):
        bring(tmp_path, FLOWERS)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_no_image_at_all_and_a_damaged_archive_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"None of the files sent is a usable image\. x/a\.txt is neither"):
        bring(tmp_path, {"x/a.txt": b"x"})
    with pytest.raises(DataError, match=r"a\.zip cannot be read as a zip archive"):
        bring(tmp_path, {"a.zip": b"PK nothing"})
    assert list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_file_in_an_archive_is_refused_alone_however_it_is_packed(
    tmp_path: Path, packing: int
) -> None:
    found = bring(tmp_path, {"a.zip": damaged_zip("rose/1.png", "rose/2.png", packing)})
    assert (found.images, reasons(found)) == (1, {"rose/1.png": "is damaged in its archive"})


def test_a_full_disk_is_no_damage_of_a_file(tmp_path: Path) -> None:
    sent = send(tmp_path / "sent", {"a.zip": zip_bytes({"rose/1.png": os.urandom(20_000)})})
    with no_file_larger_than(10_000), pytest.raises(OSError, match="File too large"):
        bring_in(sent, "x", tmp_path / "uploads", lambda *_: True)


def test_a_stop_leaves_nothing(tmp_path: Path) -> None:
    sent = send(tmp_path / "sent", FLOWERS)
    assert bring_in(sent, "x", tmp_path / "uploads", lambda done, _: done < 3) is None
    assert list((tmp_path / "uploads").iterdir()) == []


def test_what_was_brought_is_read_back(tmp_path: Path) -> None:
    found = bring(tmp_path, {**FLOWERS, "flowers/a.txt": b""})
    write_arrival(tmp_path / "arrival.json", found)
    assert read_arrival(tmp_path / "arrival.json") == found
    assert read_arrival(tmp_path / "none.json") is None


def test_the_folder_around_everything_is_left_out_but_never_a_class(tmp_path: Path) -> None:
    assert find_common(["a/b/cat/1", "a/b/dog/2"]) == "a/b/"
    assert find_common(["cat/1", "dog/2"]) == ""
    assert find_common(["a/train/cat/1", "a/val/cat/1", "a/test/2"]) == "a/"
    assert find_common(["a/1"]) == find_common([]) == ""


def test_labels_become_folders_that_every_system_can_have() -> None:
    names = make_folder_names(["cat", "a/b", "a:b", "CON", "..", "", "Cat", "x" * 300, "cat", "été"])
    assert names["cat"] == "cat"
    assert (names["a/b"], names["a:b"]) == ("a-b", "a-b-2")
    assert names["Cat"] == "Cat-2"
    assert names["CON"] == "class-CON"
    assert names["été"] == "été"
    assert len(names["x" * 300]) == 200
    assert len({name.casefold() for name in names.values()}) == len(names) == 9
    assert all(find_place(f"{name}/1.png")[0] for name in names.values())


def test_images_keep_their_bytes(tmp_path: Path) -> None:
    found = bring(tmp_path, {"cat/1.jpg": BLUE, "dog/1.png": RED})
    assert (Path(found.folder) / "cat/1.jpg").read_bytes() == BLUE
    with Image.open(Path(found.folder) / "dog/1.png") as image:
        assert image.size == (8, 8)
    assert not os.path.islink(Path(found.folder) / "dog/1.png")  # noqa: PTH114
