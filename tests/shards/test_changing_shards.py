"""Shards that change, break or go, and their indexes: what is no more is swept, and what is wrong is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.dataset.folders import scan_folders
from core.dataset.images import ImageProblem, read_image
from core.shards import index
from core.shards.index import Stamp, read_index, stamp_shard
from tests.arrivals.shard_files import make_samples, picture, write_tar
from tests.shards.same_flowers import KINDS, make_shards


@pytest.fixture
def shard(tmp_path: Path, runs_root: Path) -> Path:
    """Return a tar archive of four images; its index, when there is one, lies below `runs_root`."""
    assert runs_root
    return write_tar(tmp_path / "shards/train.tar", make_samples(4))


def list_indexes() -> set[str]:
    return {path.stem for path in (index.runs_folder() / index.FOLDER).iterdir()}


def age(path: Path) -> None:
    """Give a file other times than it had."""
    os.utime(path, ns=(1, 1))


def test_an_index_whose_shard_changed_or_is_gone_is_swept_when_a_new_one_is_made(
    shard: Path, tmp_path: Path
) -> None:
    other = write_tar(tmp_path / "others/train.tar", make_samples(6))
    for one in (shard, other):
        scan_folders(one.parent)
    kept, before = stamp_shard(other).place.name, stamp_shard(shard).place.name
    assert list_indexes() == {kept, before}
    write_tar(shard, make_samples(8))
    age(shard)
    scan_folders(shard.parent)
    now = stamp_shard(shard).place.name
    assert list_indexes() == {kept, now} != {kept, before}
    other.unlink()
    scan_folders(shard.parent)
    assert list_indexes() == {kept, now}  # nothing new was made
    age(write_tar(shard, make_samples(4)))
    scan_folders(shard.parent)
    assert list_indexes() == {stamp_shard(shard).place.name}


def test_what_another_version_left_is_made_anew_and_swept(shard: Path) -> None:
    scan_folders(shard.parent)
    stamp = stamp_shard(shard)
    old = stamp.place.with_name("0123456789abcdef01234567.json")
    old.write_text("{}")
    names = stamp.place.with_name(f"{stamp.place.name}.json")
    names.write_text(json.dumps({**json.loads(names.read_text()), "later": 1}))
    assert read_index(stamp) is None
    assert len(scan_folders(shard.parent).files) == 4
    assert read_index(stamp) is not None
    assert list_indexes() == {stamp.place.name}


def test_an_index_whose_disk_does_not_answer_stays(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan_folders(shard.parent)

    def hang(path: Path) -> Stamp:
        raise PermissionError(path)

    before = list_indexes()
    monkeypatch.setattr(index, "stamp_shard", hang)
    index.sweep_indexes()
    assert list_indexes() == before


def test_several_at_once_make_one_index(shard: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: scan_folders(shard.parent).files, range(8)))
    assert all(files == found[0] for files in found)
    assert list_indexes() == {stamp_shard(shard).place.name}


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (
            lambda path: path.write_bytes(path.read_bytes()[:700]),
            r"cannot be opened \(.*train\.tar is cut off",
        ),
        (Path.unlink, r"cannot be opened \(No such file"),
        (
            lambda path: age(write_tar(path, {"0/other.jpg": picture(3)})),
            "there is no such image in the file",
        ),
    ],
)
def test_a_shard_that_breaks_goes_or_loses_an_image_under_a_run_is_told(
    shard: Path, harm: Callable[[Path], object], told: str
) -> None:
    folders = scan_folders(shard.parent)
    path = shard.parent / folders.files[-1]
    assert read_image(path).size == (8, 8)
    harm(shard)
    with pytest.raises(ImageProblem, match=told):
        read_image(path)


@pytest.mark.usefixtures("runs_root")
@pytest.mark.parametrize("kind", KINDS)
def test_images_are_found_in_shards_that_are_links_and_have_changed_since_they_were_listed(
    tmp_path: Path, kind: str
) -> None:
    # As in the cache of Hugging Face: the file has the name of its digest, and no ending.
    data, blobs = make_shards(tmp_path / "data", kind), tmp_path / "blobs"
    blobs.mkdir()
    for number, shard in enumerate(sorted(data.iterdir())):
        blob = shard.rename(blobs / f"{number:064x}")
        shard.symlink_to(blob)
    files = [data / name for name in scan_folders(data).files]
    for blob in blobs.iterdir():
        age(blob)
    assert {read_image(path).size for path in files} == {(8, 8)}


@pytest.mark.usefixtures("runs_root")
def test_the_classes_of_shards_in_folders_of_their_own_are_found_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for place in ("a/train", "a/val"):
        write_tar(
            data / f"{place}/000.tar",
            {
                name: content
                for n in range(4)
                for name, content in ((f"{n}.jpg", picture(n)), (f"{n}.cls", b"%d" % (n % 2)))
            },
        )
    (data / "classes.txt").write_text("rose\ntulip\n")
    folders = scan_folders(data)
    assert folders.classes == ("rose", "tulip")
    for place in ("a/train", "a/val"):
        age(data / f"{place}/000.tar")
    assert {read_image(data / name).size for name in folders.files} == {(8, 8)}
