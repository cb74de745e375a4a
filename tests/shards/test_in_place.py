"""Images in shards are as good as those in a folder: listed, opened, looked up and trained on where they lie."""

from __future__ import annotations

import os
import tarfile
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pytest

from core.answers.sources import find_images
from core.dataset.contents import read_contents
from core.dataset.folders import scan_folders
from core.dataset.images import ImageProblem, read_image
from core.dataset.kept import stamp_file
from core.errors import DataError
from core.shards import index
from core.shards.members import open_image
from tests.arrivals.shard_files import (
    make_rows,
    make_samples,
    make_table,
    picture,
    write_arrow,
    write_parquet,
    write_tar,
)
from tests.shards.same_flowers import KINDS, make_folder, make_shards

pytestmark = pytest.mark.usefixtures("runs_root")


@pytest.mark.parametrize("kind", KINDS)
def test_shards_hold_the_data_set_that_a_folder_does(tmp_path: Path, runs_root: Path, kind: str) -> None:
    folder = scan_folders(make_folder(tmp_path / "folder"))
    shards = scan_folders(make_shards(tmp_path / "shards", kind))
    assert shards.classes == folder.classes
    for split in ("train", "val"):
        one, other = getattr(shards, split), getattr(folder, split)
        assert [s.target for s in one] == [s.target for s in other]
        assert [Path(s.path).name for s in one] == [Path(s.path).name for s in other]
    assert shards.train[1].path == f"train-00000-of-00002.{kind}/rose/photo_2.jpg"
    assert len(shards.test) == 2
    assert (shards.left_out, shards.unread) == ((), ())
    mine, others = (list(read_contents(d.root, d.files, runs_root).values()) for d in (shards, folder))
    assert mine == others
    for path in (*shards.files, *shards.test):
        assert open_image(shards.root / path).read() == picture(int(Path(path).stem.removeprefix("photo_")))


def test_a_shard_that_changes_is_read_anew_and_its_index_made_where_it_was_removed(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "shards/train.tar", make_samples(4))
    folders = scan_folders(shard.parent)
    path = shard.parent / folders.train[0].path
    for kept in (index.runs_folder() / index.FOLDER).iterdir():
        kept.unlink()
    assert open_image(path).read() in {picture(number) for number in range(4)}
    before = stamp_file(folders.root, folders.train[0].path)
    write_tar(shard, {"sample000.cls": b"0", "sample000.jpg": picture(9), **make_samples(3, 1)})
    os.utime(shard, ns=(1, 1))
    assert open_image(path).read() == picture(9) or "sample000" not in path.name
    assert stamp_file(folders.root, folders.train[0].path) != before


def test_numbers_become_classes_by_the_list_beside_the_archives_and_anew_where_that_changes(
    tmp_path: Path,
) -> None:
    shard = write_tar(tmp_path / "shards/train.tar", make_samples(8))
    assert scan_folders(shard.parent).classes == ("0", "1")
    (shard.parent / "classes.txt").write_text("rose\ntulip\n")
    folders = scan_folders(shard.parent)
    assert folders.classes == ("rose", "tulip")
    assert read_image(shard.parent / folders.train[0].path).size == (8, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hand_in_is_about_the_test_images_in_shards(tmp_path: Path, kind: str) -> None:
    found = find_images([make_shards(tmp_path / "shards", kind)])
    assert [path.name for path in found] == ["photo_16.jpg", "photo_17.jpg"]
    assert read_image(found[0]).size == (8, 8)


def test_a_path_that_leads_to_no_image_of_a_shard_is_told_as_for_a_file(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "shards/train.tar", make_samples(4))
    for path in ("train.tar/0/nothing.jpg", "train.tar/../../secret.jpg", "other.tar/0/sample000.jpg"):
        with pytest.raises(ImageProblem, match="cannot be opened"):
            read_image(shard.parent / path)


def test_images_of_one_name_stay_apart_and_odd_class_names_are_shown_as_they_are(tmp_path: Path) -> None:
    rows = [(picture(number), "same.jpg", number % 2) for number in range(8)]
    write_parquet(tmp_path / "shards/train.parquet", make_table(rows, ["a/b", "c"]))
    folders = scan_folders(tmp_path / "shards")
    assert folders.classes == ("a-b", "c")
    assert folders.display == {"a-b": "a/b"}
    contents = [open_image(folders.root / path).read() for path in folders.files]
    assert sorted(contents) == sorted(picture(number) for number in range(8))


def test_rows_without_a_class_are_left_out_and_those_without_bytes_told(tmp_path: Path) -> None:
    rows = [*make_rows(8), (picture(9), "lost.jpg", -1)]
    write_arrow(tmp_path / "shards/train.arrow", make_table(rows))
    (left,) = scan_folders(tmp_path / "shards").left_out
    assert (left.path, left.reason) == ("train.arrow/lost.jpg", "has no label")
    write_arrow(tmp_path / "shards/train.arrow", make_table([*make_rows(8), (None, "gone.jpg", 1)]))
    (unread,) = scan_folders(tmp_path / "shards").unread
    assert "has no bytes" in unread.reason


def test_what_cannot_be_read_in_place_is_said_with_what_to_do(tmp_path: Path) -> None:
    table = make_table(make_rows(4))
    (tmp_path / "packed").mkdir()
    packed = tmp_path / "packed/train.arrow"
    with pa.ipc.new_file(packed, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match=r"is compressed.*Unpack it into a folder"):
        scan_folders(packed.parent)
    whole = write_tar(tmp_path / "half/train.tar", make_samples(4)).read_bytes()
    (tmp_path / "half/train.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is cut off or damaged"):
        scan_folders(tmp_path / "half")
    write_tar(tmp_path / "one/train.tar", {"rose/1.jpg": picture(1)})
    with pytest.raises(DataError, match=r"training images of 1 class, but at least 2"):
        scan_folders(tmp_path / "one")


def test_the_index_of_many_images_takes_little_memory(tmp_path: Path) -> None:
    shard = tmp_path / "train.tar"
    shard.parent.mkdir(exist_ok=True)
    data = picture(1)
    with tarfile.open(shard, "w") as archive:
        for number in range(3000):
            member = tarfile.TarInfo(f"{number % 2}/{number}.jpg")
            member.size = len(data)
            archive.addfile(member, pa.BufferReader(data))
    stamp = index.stamp_shard(shard)
    scan_folders(tmp_path)
    tracemalloc.start()
    places = index.read_places(stamp)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(places) == 3000
    assert taken < 3000 * index.PLACES.itemsize / 2
